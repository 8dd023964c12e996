package http

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/singleflight"

	"boxoffice/messages"
)

const (
	curveMinutesDefault = 60
	curveMinutesMin     = 5
	curveMinutesMax     = 24 * 60
	// curvePointsMax is about what a chart has pixels for.
	curvePointsMax = 240
	// curveAgeMin is how old a curve may be at least, however many pages are open.
	curveAgeMin = time.Second
	// curveIdleFactor bounds what curves cost: one is read again only after so many times what it took to read. In a
	// hall of 50,000 seats that a million came to, the day's takes 0.2 to 0.4 s.
	curveIdleFactor = 10
	curveCacheMax   = 64
)

// curveSteps are what people count time in, the coarsest for curveMinutesMax.
var curveSteps = []time.Duration{
	2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
}

// curveStep is the finest that has no more than curvePointsMax in the window, beside the one that it begins in.
func curveStep(window time.Duration) time.Duration {
	for _, step := range curveSteps {
		if window <= curvePointsMax*step {
			return step
		}
	}
	return curveSteps[len(curveSteps)-1]
}

// getCurve shows how an event's sale went of late.
func (s *Server) getCurve(c *fiber.Ctx) *problem {
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	minutes, faults := parseCurveQuery(string(c.Context().QueryArgs().Peek("minutes")))
	if faults != nil {
		return invalid(faults...)
	}
	body, err := s.curves.get(s.base, curveKey{eventID, minutes})
	if err != nil {
		return readProblem(err)
	}
	writeJSON(c, fiber.StatusOK, body)
	return nil
}

func parseCurveQuery(text string) (minutes int, faults []*messages.Fault) {
	if text == "" {
		return curveMinutesDefault, nil
	}
	minutes, err := strconv.Atoi(text)
	if err != nil || minutes < curveMinutesMin || minutes > curveMinutesMax {
		faults = append(faults, fault("minutes", fmt.Sprintf("must be a whole number from %d to %d", curveMinutesMin, curveMinutesMax)))
	}
	return minutes, faults
}

// curveCache keeps the curves that organisers look at, so that ten open pages cost one read.
//
//  1. One read of a curve at a time.
//  2. The next comes curveAgeMin later, or curveIdleFactor times what the last one took, where that is longer.
type curveCache struct {
	read  func(ctx context.Context, eventID string, window, step time.Duration) (*messages.Curve, error)
	now   func() time.Time
	reads singleflight.Group

	mu    sync.Mutex
	byKey map[curveKey]cachedCurve
}

type curveKey struct {
	eventID string
	minutes int
}

type cachedCurve struct {
	body  []byte
	until time.Time
}

// get brings errors as they are and keeps none. What it brings must not be changed.
func (cc *curveCache) get(ctx context.Context, k curveKey) ([]byte, error) {
	v, err, _ := cc.reads.Do(k.eventID+" "+strconv.Itoa(k.minutes), func() (any, error) {
		cc.mu.Lock()
		known, ok := cc.byKey[k]
		cc.mu.Unlock()
		began := cc.now()
		if ok && began.Before(known.until) {
			return known.body, nil
		}
		ctx, cancel := context.WithTimeout(ctx, readTimeMax)
		defer cancel()
		window := time.Duration(k.minutes) * time.Minute
		curve, err := cc.read(ctx, k.eventID, window, curveStep(window))
		if err != nil {
			return nil, err
		}
		body, ended := appendCurve(nil, k.eventID, curve), cc.now()
		cc.keep(k, cachedCurve{body, ended.Add(max(curveAgeMin, curveIdleFactor*ended.Sub(began)))})
		return body, nil
	})
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

func (cc *curveCache) keep(k curveKey, c cachedCurve) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if cc.byKey == nil {
		cc.byKey = map[curveKey]cachedCurve{}
	}
	for old := range cc.byKey {
		if len(cc.byKey) < curveCacheMax {
			break
		}
		delete(cc.byKey, old)
	}
	cc.byKey[k] = c
}

func appendCurve(b []byte, eventID string, c *messages.Curve) []byte {
	b = appendString(append(b, `{"eventId":`...), eventID)
	b = appendTime(append(b, `,"asOf":`...), c.AsOf)
	b = appendInt(append(b, `,"stepSeconds":`...), c.Step/time.Second.Milliseconds())
	b = appendUint(append(b, `,"before":{"sold":`...), c.Before.Sold)
	b = appendMoney(append(b, `,"revenue":`...), c.Currency, c.Before.Revenue)
	b = append(b, `},"points":[`...)
	for i, p := range c.Points {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTime(append(b, `{"at":`...), p.At)
		b = appendUint(append(b, `,"sold":`...), p.Sold)
		b = appendMoney(append(b, `,"revenue":`...), c.Currency, p.Revenue)
		b = appendUint(append(b, `,"admitted":`...), p.Admitted)
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

package http

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

const (
	// availabilityCacheMax is the number of events whose last answer is kept.
	availabilityCacheMax = 256
	// asOfAgeMax is how old asOf may be where no seat has moved since.
	asOfAgeMax = time.Second
)

var errSeatCount = errors.New("the availability has another number of seats than the plan")

// shown is an answer that many polls have in common.
type shown struct {
	version uint64
	body    *encoded
	problem *problem
}

// getAvailability has one flight to an event's owner at a time, and every poll that comes meanwhile takes part in it, so
// that it may read a state from before it came, by at most the time of a flight. Nobody's version goes back for that: an
// earlier answer came from a flight that had ended; an event has no two flights at once; so the flight that a later poll
// takes part in began after that end, and asked later.
func (s *Server) getAvailability(c *fiber.Ctx) *problem {
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	v, _, _ := s.polls.Do(eventID, func() (any, error) { return s.showAvailability(eventID), nil })
	a := v.(shown)
	if a.problem != nil {
		return a.problem
	}
	if !fresh(c, `W/"`+strconv.FormatUint(a.version, 10)+`"`, "no-cache") {
		a.body.write(c)
	}
	return nil
}

// showAvailability asks the event's owner. What it brings must not be changed.
func (s *Server) showAvailability(eventID string) shown {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	plan, _, err := s.Catalogue.Plan(ctx, eventID)
	if err != nil {
		return shown{problem: readProblem(err)}
	}
	r := s.Engine.Ask(ctx, &messages.Request{
		EventId: eventID, Call: &messages.Request_GetAvailability{GetAvailability: &messages.GetAvailability{}},
	})
	a := r.GetAvailability()
	if r.GetOutcome() != messages.Outcome_OUTCOME_READ || a == nil {
		return shown{problem: refusal(r)}
	}
	e := s.availability.find(eventID, a)
	if e == nil {
		body, err := appendAvailability(nil, eventID, a, plan)
		if err != nil {
			return shown{problem: internal(err)}
		}
		e = newEncoded(body)
		s.availability.keep(eventID, a, e)
	}
	return shown{version: a.GetVersion(), body: e}
}

// availabilityCache keeps each event's last answer, so that a version is rendered and compressed about once a second
// and not once a client.
type availabilityCache struct {
	mu   sync.Mutex
	byID map[string]availabilityEntry
}

type availabilityEntry struct {
	version uint64
	asOf    int64
	body    *encoded
}

func (ac *availabilityCache) find(eventID string, a *messages.Availability) *encoded {
	ac.mu.Lock()
	defer ac.mu.Unlock()
	e, ok := ac.byID[eventID]
	if !ok || e.version != a.GetVersion() || a.GetAsOf()-e.asOf > asOfAgeMax.Milliseconds() {
		return nil
	}
	return e.body
}

func (ac *availabilityCache) keep(eventID string, a *messages.Availability, body *encoded) {
	ac.mu.Lock()
	defer ac.mu.Unlock()
	if ac.byID == nil {
		ac.byID = map[string]availabilityEntry{}
	}
	for id := range ac.byID {
		if len(ac.byID) < availabilityCacheMax {
			break
		}
		delete(ac.byID, id)
	}
	ac.byID[eventID] = availabilityEntry{version: a.GetVersion(), asOf: a.GetAsOf(), body: body}
}

// appendAvailability splits the letters by section.
func appendAvailability(b []byte, eventID string, a *messages.Availability, plan *messages.SeatingPlan) ([]byte, error) {
	letters := a.GetSeats()
	b = append(b, `{"eventId":`...)
	b = appendString(b, eventID)
	b = append(b, `,"version":`...)
	b = appendUint(b, a.GetVersion())
	b = append(b, `,"asOf":`...)
	b = appendTime(b, a.GetAsOf())
	b = append(b, `,"counts":{`...)
	b = appendCounts(b, letters)
	b = append(b, `},"sections":[`...)
	for i, section := range plan.GetSections() {
		if i > 0 {
			b = append(b, ',')
		}
		seats := 0
		for _, row := range section.GetRows() {
			seats += len(row.GetSeats())
		}
		if seats > len(letters) {
			return nil, errSeatCount
		}
		b = append(b, `{"name":`...)
		b = appendString(b, section.GetName())
		b = append(b, ',')
		b = appendCounts(b, letters[:seats])
		b = append(b, `,"seats":`...)
		b = appendString(b, letters[:seats])
		b = append(b, '}')
		letters = letters[seats:]
	}
	if len(letters) != 0 {
		return nil, errSeatCount
	}
	return append(b, ']', '}'), nil
}

// appendCounts appends the members that count seats by state.
func appendCounts(b, letters []byte) []byte {
	var n [256]int64
	for _, l := range letters {
		n[l]++
	}
	b = append(b, `"available":`...)
	b = appendInt(b, n['A'])
	b = append(b, `,"held":`...)
	b = appendInt(b, n['H'])
	b = append(b, `,"sold":`...)
	b = appendInt(b, n['S'])
	b = append(b, `,"blocked":`...)
	return appendInt(b, n['B'])
}

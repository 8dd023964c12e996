package http

import (
	"context"
	"encoding/hex"
	"sync"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

const (
	// seatMapCacheBytesMax bounds the uncompressed bodies; a hall of 50,000 seats has about 4 MB.
	seatMapCacheBytesMax = 64 << 20
	foreverCacheControl  = "public, max-age=31536000, immutable"
)

func (s *Server) getSeatMap(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	plan, hash, err := s.Catalogue.Plan(ctx, eventID)
	if err != nil {
		return readProblem(err)
	}
	version := hex.EncodeToString(hash[:8])
	if fresh(c, `W/"`+version+`"`, foreverCacheControl) {
		return nil
	}
	s.seatMaps.get(eventID+"/"+version, func() []byte { return appendSeatMap(nil, eventID, version, plan) }).write(c)
	return nil
}

// seatMapCache keeps rendered seat maps, up to a size; the oldest makes room.
type seatMapCache struct {
	mu    sync.Mutex
	byKey map[string]*encoded
	keys  []string
	bytes int

	metrics *Metrics
}

// get renders at most once at a time: everyone else who comes for a seat map waits for it, which takes milliseconds.
func (sc *seatMapCache) get(key string, render func() []byte) *encoded {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	e := sc.byKey[key]
	if sc.metrics.lookedForSeatMap(e != nil); e != nil {
		return e
	}
	e = newEncoded(render())
	if len(e.plain) > seatMapCacheBytesMax {
		return e
	}
	for sc.bytes+len(e.plain) > seatMapCacheBytesMax {
		sc.bytes -= len(sc.byKey[sc.keys[0]].plain)
		delete(sc.byKey, sc.keys[0])
		sc.keys = sc.keys[1:]
	}
	if sc.byKey == nil {
		sc.byKey = map[string]*encoded{}
	}
	sc.byKey[key] = e
	sc.keys = append(sc.keys, key)
	sc.bytes += len(e.plain)
	return e
}

func appendSeatMap(b []byte, eventID, version string, plan *messages.SeatingPlan) []byte {
	b = append(b, `{"eventId":`...)
	b = appendString(b, eventID)
	b = append(b, `,"seatMapVersion":`...)
	b = appendString(b, version)
	b = append(b, `,"size":{"width":`...)
	b = appendFloat(b, plan.GetWidth())
	b = append(b, `,"height":`...)
	b = appendFloat(b, plan.GetHeight())
	b = append(b, `},"sections":[`...)
	for i, section := range plan.GetSections() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, section.GetName())
		b = append(b, `,"rows":[`...)
		for j, row := range section.GetRows() {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendRow(b, plan, row)
		}
		b = append(b, ']', '}')
	}
	return append(b, ']', '}')
}

func appendRow(b []byte, plan *messages.SeatingPlan, row *messages.SeatingPlan_Row) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, row.GetName())
	b = append(b, `,"seats":[`...)
	for i, seat := range row.GetSeats() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"seatId":`...)
		b = appendString(b, seat.GetSeatId())
		b = append(b, `,"number":`...)
		b = appendString(b, seat.GetNumber())
		b = append(b, `,"category":`...)
		b = appendString(b, plan.GetCategories()[seat.GetCategory()].GetName())
		b = append(b, `,"x":`...)
		b = appendFloat(b, seat.GetX())
		b = append(b, `,"y":`...)
		b = appendFloat(b, seat.GetY())
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

package hall

import (
	"bytes"
	"context"
	"time"

	"boxoffice/messages"
)

const (
	// keepEvery is how often a hall that changes is stored for others, keepsMax how many of them after a poll.
	keepEvery = 5 * time.Second
	keepsMax  = 16
)

// keepSome stores some of the halls that have changed, for nodes that have yet to load them.
func (hs *Halls) keepSome(halls []*Hall) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.keeping || hs.closed {
		return
	}
	var some []*Hall
	var states []*messages.Availability
	for _, h := range halls {
		if len(some) == keepsMax {
			break
		}
		if a := h.toKeep(time.Now()); a != nil {
			some, states = append(some, h), append(states, a)
		}
	}
	if len(some) == 0 {
		return
	}
	hs.keeping = true
	hs.wg.Go(func() {
		ctx, cancel := context.WithTimeout(hs.ctx, readTimeMax)
		defer cancel()
		for i, h := range some {
			_ = hs.Source.Keep(ctx, h.eventID, states[i]) // it may be lost
		}
		hs.mu.Lock()
		hs.keeping = false
		hs.mu.Unlock()
	})
}

// toKeep is nil where nothing has changed since, or nothing long ago, and of what never was.
func (h *Hall) toKeep(now time.Time) *messages.Availability {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.abandoned || h.version == h.kept || now.Sub(h.keptAt) < keepEvery {
		return nil
	}
	h.kept, h.keptAt = h.version, now
	return &messages.Availability{Version: h.version, AsOf: h.asOf, MovedAt: h.movedAt, Seats: bytes.Clone(h.seats)}
}

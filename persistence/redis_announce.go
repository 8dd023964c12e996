package persistence

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// An entry says only that somebody came, so a few would do; what is acknowledged is deleted.
	streamEntriesMax = 128
	// A stream of which nothing was heard for so long goes, and comes back with the next entry.
	streamTTL = 24 * time.Hour

	// announcedEventsMax bounds the events to be announced while Redis is away.
	announcedEventsMax = 1 << 14
	announceBatchMax   = 512
)

func streamKey(eventID string) string { return "waiting-room:" + eventID }

// announcements are the events that have something to be announced: once is enough.
type announcements struct {
	mu      sync.Mutex
	events  map[string]struct{}
	wake    chan struct{}
	dropped atomic.Uint64
}

// Announce says that there may be somebody to let in to each event. It never blocks: while Redis is away events are
// kept, up to announcedEventsMax, and the rest is left to the sweep.
func (r *Redis) Announce(eventIDs ...string) { r.demand.add(eventIDs) }

func (a *announcements) add(eventIDs []string) {
	if len(eventIDs) == 0 {
		return
	}
	a.mu.Lock()
	for _, id := range eventIDs {
		if _, ok := a.events[id]; !ok && len(a.events) >= announcedEventsMax {
			a.dropped.Add(1)
			continue
		}
		a.events[id] = struct{}{}
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take is empty where there is nothing to be announced.
func (a *announcements) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	batch := make([]string, 0, min(len(a.events), announceBatchMax))
	for id := range a.events {
		if len(batch) == announceBatchMax {
			break
		}
		batch = append(batch, id)
		delete(a.events, id)
	}
	return batch
}

// announce writes what Announce has left, until Close.
func (r *Redis) announce() {
	var wait backoff
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.demand.wake:
		}
		for batch := r.demand.take(); len(batch) > 0; batch = r.demand.take() {
			again, err := r.addEntries(batch)
			if err != nil && r.ctx.Err() == nil && r.announceSaid.now() {
				r.log.WarnContext(r.ctx, "wakes cannot be written to redis; admission goes on by its sweep", "error", err)
			}
			if len(again) == 0 {
				wait.reset()
				continue
			}
			r.demand.add(again)
			if !wait.wait(r.ctx) {
				return
			}
		}
	}
}

// addEntries returns the events to try again, and the first error. An entry whose answer was lost comes twice.
func (r *Redis) addEntries(events []string) (again []string, err error) {
	ctx, done := context.WithTimeout(r.ctx, redisCallMax)
	defer done()
	added := make([]*redis.StringCmd, len(events))
	// Each command has its own error.
	_, err = r.commands.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range events {
			key := streamKey(id)
			added[i] = p.XAdd(ctx, &redis.XAddArgs{
				Stream: key, MaxLen: streamEntriesMax, Approx: true, Values: []string{"at", "1"},
			})
			p.Expire(ctx, key, streamTTL)
		}
		return nil
	})
	for i, cmd := range added {
		switch err := cmd.Err(); {
		case err == nil:
		case redisPasses(err):
			again = append(again, events[i])
		default: // a key of another type, no memory: nothing that waiting would heal, and the others must not wait
			r.demand.dropped.Add(1)
		}
	}
	return again, err
}

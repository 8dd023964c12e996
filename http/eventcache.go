package http

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"boxoffice/messages"
)

const (
	// eventAgeMax is how long after a change on another node a join may still go by the settings before it.
	eventAgeMax   = time.Second
	eventCacheMax = 1024
)

// eventCache keeps the events that buyers join, so that a rush of joins is one read a second. It is for joins alone:
// whoever asks for an event reads it.
//
//  1. An event is at most eventAgeMax old, counted from before it was read.
//  2. What is dropped is read anew by every get that begins after that.
type eventCache struct {
	read func(ctx context.Context, eventID string) (*messages.Event, error)
	now  func() time.Time
	// reads has one in flight for each event.
	reads singleflight.Group

	mu    sync.Mutex
	byID  map[string]cachedEvent
	drops uint64
}

type cachedEvent struct {
	event *messages.Event
	asOf  time.Time
}

// get brings errors as they are and keeps none.
func (ec *eventCache) get(ctx context.Context, eventID string) (*messages.Event, error) {
	ec.mu.Lock()
	known, ok := ec.byID[eventID]
	ec.mu.Unlock()
	if ok && ec.now().Sub(known.asOf) < eventAgeMax {
		return known.event, nil
	}
	// No request ends before its time is up, so that it can be the first caller's context.
	v, err, _ := ec.reads.Do(eventID, func() (any, error) {
		ec.mu.Lock()
		drops, asOf := ec.drops, ec.now()
		ec.mu.Unlock()
		event, err := ec.read(ctx, eventID)
		if err != nil {
			return nil, err
		}
		ec.keep(eventID, cachedEvent{event, asOf}, drops)
		return event, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*messages.Event), nil
}

func (ec *eventCache) keep(eventID string, e cachedEvent, drops uint64) {
	ec.mu.Lock()
	defer ec.mu.Unlock()
	if ec.drops != drops {
		return
	}
	if ec.byID == nil {
		ec.byID = map[string]cachedEvent{}
	}
	for id := range ec.byID {
		if len(ec.byID) < eventCacheMax {
			break
		}
		delete(ec.byID, id)
	}
	ec.byID[eventID] = e
}

// drop forgets an event that was changed.
func (ec *eventCache) drop(eventID string) {
	ec.mu.Lock()
	defer ec.mu.Unlock()
	ec.drops++
	delete(ec.byID, eventID)
	ec.reads.Forget(eventID)
}

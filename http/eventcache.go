package http

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"boxoffice/messages"
)

const (
	// eventAgeMax is how long after a change browsing, and a join on another node, may still go by what was before it.
	eventAgeMax = time.Second
	// eventCacheBytesMax bounds what is kept; an event has about 1 KB, a page of them 100 at most.
	eventCacheBytesMax = 32 << 20
	// eventCacheEntryBytes stands for what an entry has beside its body, and so bounds their number, too.
	eventCacheEntryBytes = 2048
)

// eventCache keeps events, and pages of them, as browsing answers with them, so that a rush is one read a second.
//
//  1. Everything is at most eventAgeMax old, counted from before it was read.
//  2. No status is from before a sale opened, by this node's clock.
//  3. Once something was changed through this node and drop called, every get that begins after that reads anew.
type eventCache struct {
	catalogue Catalogue
	now       func() time.Time
	// reads has one in flight for each key.
	reads singleflight.Group
	kept  *otter.Cache[string, *browsed]
	// drops counts them.
	drops   atomic.Uint64
	metrics *Metrics
}

// browsed is an answer that many have in common. It never changes.
type browsed struct {
	// event is nil for a page.
	event *messages.Event
	body  *encoded
	etag  string

	asOf  time.Time
	drops uint64
	// turnsAt is when the next of its statuses changes by the clock alone, in milliseconds since the Unix epoch; 0: none will.
	turnsAt int64
}

func newEventCache(catalogue Catalogue, now func() time.Time) *eventCache {
	return &eventCache{catalogue: catalogue, now: now, kept: otter.Must(&otter.Options[string, *browsed]{
		MaximumWeight: eventCacheBytesMax,
		// A body counts three times: its compressed forms together are smaller than two of it.
		Weigher: func(key string, b *browsed) uint32 {
			return uint32(eventCacheEntryBytes + len(key) + 3*len(b.body.plain))
		},
		Executor: func(work func()) { work() }, // what is to be done is little: no goroutines for it
	})}
}

// get is the event itself; nobody may change it.
func (ec *eventCache) get(ctx context.Context, eventID string) (*messages.Event, error) {
	b, err := ec.event(ctx, eventID)
	if err != nil {
		return nil, err
	}
	return b.event, nil
}

func (ec *eventCache) event(ctx context.Context, eventID string) (*browsed, error) {
	return ec.find(ctx, eventID, func(ctx context.Context) (*browsed, error) {
		e, err := ec.catalogue.Event(ctx, eventID)
		if err != nil {
			return nil, err
		}
		now := ec.now()
		b := newBrowsed(appendEvent(nil, e, now))
		b.event, b.turnsAt = e, turnsAt(e, now)
		return b, nil
	})
}

func (ec *eventCache) page(ctx context.Context, q messages.EventQuery) (*browsed, error) {
	return ec.find(ctx, pageKey(q), func(ctx context.Context) (*browsed, error) {
		events, next, err := ec.catalogue.Events(ctx, q)
		if err != nil {
			return nil, err
		}
		now := ec.now()
		b := newBrowsed(appendEvents(nil, events, next, now))
		for _, e := range events {
			if at := turnsAt(e, now); at != 0 && (b.turnsAt == 0 || at < b.turnsAt) {
				b.turnsAt = at
			}
		}
		return b, nil
	})
}

// find brings errors as they are and keeps none.
func (ec *eventCache) find(ctx context.Context, key string, read func(context.Context) (*browsed, error)) (*browsed, error) {
	drops, now := ec.drops.Load(), ec.now()
	if b, ok := ec.kept.GetIfPresent(key); ok && b.drops == drops && now.Sub(b.asOf) < eventAgeMax &&
		(b.turnsAt == 0 || now.UnixMilli() < b.turnsAt) {
		ec.metrics.lookedForEvent(true)
		return b, nil
	}
	ec.metrics.lookedForEvent(false)
	// Nobody takes part in a read that began before the last drop.
	v, err, _ := ec.reads.Do(strconv.FormatUint(drops, 10)+" "+key, func() (any, error) {
		// No request ends before its time is up, so that it can be the first caller's context.
		ctx, cancel := context.WithTimeout(ctx, readTimeMax)
		defer cancel()
		asOf := ec.now()
		b, err := read(ctx)
		if err != nil {
			return nil, err
		}
		b.asOf, b.drops = asOf, drops
		if ec.drops.Load() == drops { // else it would take the place of one that was read after the drop
			ec.kept.Set(key, b)
		}
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*browsed), nil
}

// drop forgets everything: an event was made or changed, and who knows on which pages it is. That happens seldom.
func (ec *eventCache) drop() { ec.drops.Add(1) }

func newBrowsed(body []byte) *browsed {
	sum := sha256.Sum256(body)
	return &browsed{body: newEncoded(body), etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}
}

// turnsAt is when the event's status changes by the clock; 0: it will not.
func turnsAt(e *messages.Event, now time.Time) int64 {
	if statusNow(e, now) == messages.EventStatus_EVENT_STATUS_SCHEDULED {
		return e.GetOnSaleAt()
	}
	return 0
}

// pageKey differs from every event's id, and for all that is asked for in another way: no text has a NUL in it.
func pageKey(q messages.EventQuery) string {
	b := make([]byte, 0, 128)
	for _, n := range []int64{int64(q.Status), q.From, q.To, int64(q.Limit)} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	return string(append(append(append(b, q.Cursor...), 0), q.Text...))
}

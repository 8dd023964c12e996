package persistence

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// planSeatsMax bounds the seats of the plans kept decoded, at some 150 bytes a seat: 150 MB. One plan of any size fits.
const planSeatsMax = 1_000_000

const planStatement = `select plan, plan_hash from event where event_id = $1`

// plan is a hall, decoded once and shared by all who ask for it: nobody may change it.
type plan struct {
	Plan  *messages.SeatingPlan
	Hash  [32]byte
	seats int
}

// planCache keeps the plans used last. Plans never change, so nothing is ever invalidated.
type planCache struct {
	mu     sync.Mutex
	byID   map[string]*list.Element // of planEntry
	recent list.List                // most recently used first
	seats  int
	flight singleflight.Group
	// hits and misses are for metrics.
	hits, misses atomic.Uint64
}

type planEntry struct {
	eventID string
	plan    *plan
}

func (c *planCache) get(eventID string) *plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[eventID]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(planEntry).plan
}

func (c *planCache) put(eventID string, p *plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[string]*list.Element{}
	}
	if c.byID[eventID] != nil {
		return
	}
	c.byID[eventID] = c.recent.PushFront(planEntry{eventID, p})
	for c.seats += p.seats; c.seats > planSeatsMax && c.recent.Len() > 1; {
		oldest := c.recent.Remove(c.recent.Back()).(planEntry)
		delete(c.byID, oldest.eventID)
		c.seats -= oldest.plan.seats
	}
}

// plan of the event, read once however many ask at once. *messages.EventNotFoundError where there is no such event.
func (db *DB) plan(ctx context.Context, eventID string) (*plan, error) {
	if p := db.plans.get(eventID); p != nil {
		db.plans.hits.Add(1)
		return p, nil
	}
	db.plans.misses.Add(1)
	// Read on behalf of all who wait: one of them giving up must not fail the others.
	wait := db.plans.flight.DoChan(eventID, func() (any, error) {
		p, err := db.readPlan(context.WithoutCancel(ctx), eventID)
		if err == nil {
			db.plans.put(eventID, p)
		}
		return p, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("read the plan of event %q: %w", eventID, ctx.Err())
	case r := <-wait:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*plan), nil
	}
}

func (db *DB) readPlan(ctx context.Context, eventID string) (*plan, error) {
	op := fmt.Sprintf("read the plan of event %q", eventID)
	var encoded, hash []byte
	err := db.queries.QueryRow(ctx, planStatement, eventID).Scan(&encoded, &hash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, &messages.EventNotFoundError{EventID: eventID}
	case err != nil:
		return nil, db.failed(op, err)
	}
	p := &plan{Plan: new(messages.SeatingPlan), Hash: sha256.Sum256(encoded)}
	if string(hash) != string(p.Hash[:]) {
		return nil, fmt.Errorf("%s: its bytes do not have the hash stored beside them", op)
	}
	if err := proto.Unmarshal(encoded, p.Plan); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	p.seats = countSeats(p.Plan)
	return p, nil
}

func countSeats(p *messages.SeatingPlan) int {
	n := 0
	for _, s := range p.GetSections() {
		for _, r := range s.GetRows() {
			n += len(r.GetSeats())
		}
	}
	return n
}

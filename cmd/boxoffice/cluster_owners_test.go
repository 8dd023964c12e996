package main_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// ownersEvery is how often it is looked who owns what.
	ownersEvery = 50 * time.Millisecond
	ownersMax   = 5 * time.Second
)

// owners keeps who claimed which event, and judges that one at a time writes:
//
//  1. An event's epoch never falls, and is one node's.
//  2. No journal row has a higher epoch than the owner's, at any time that was looked at.
//  3. Journal epochs never fall with seq.
type owners struct {
	t        *testing.T
	database string
	stop     chan struct{}
	over     sync.WaitGroup
	looks    atomic.Int64

	mu     sync.Mutex
	series map[string][]tenure
	faults []string
}

// tenure is an epoch of an event.
type tenure struct {
	at    time.Time // when it was seen first
	epoch int64
	node  string
}

const ownersStatement = `
select o.event_id, o.epoch, o.node_id,
    coalesce((select j.epoch from journal j where j.event_id = o.event_id order by j.seq desc limit 1), 0)
from event_owner o`

// watchOwners until judge.
func watchOwners(t *testing.T, database string) *owners {
	o := &owners{t: t, database: database, stop: make(chan struct{}), series: map[string][]tenure{}}
	o.over.Go(func() {
		for after(o.stop, ownersEvery) {
			o.watch()
		}
	})
	t.Cleanup(o.end)
	return o
}

func (o *owners) end() {
	select {
	case <-o.stop:
	default:
		close(o.stop)
	}
	o.over.Wait()
}

// watch over one connection, as long as it lasts: the database may go away.
func (o *owners) watch() {
	ctx, cancel := context.WithTimeout(context.Background(), ownersMax)
	conn, err := pgx.Connect(ctx, o.database)
	cancel()
	if err != nil {
		return
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), ownersMax)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	for after(o.stop, ownersEvery) {
		if o.look(conn) != nil {
			return
		}
		o.looks.Add(1)
	}
}

func (o *owners) look(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), ownersMax)
	defer cancel()
	type row struct {
		Event   string
		Epoch   int64
		Node    string
		Journal int64
	}
	rows, err := conn.Query(ctx, ownersStatement)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range all {
		s := o.series[r.Event]
		last := tenure{epoch: -1}
		if len(s) > 0 {
			last = s[len(s)-1]
		}
		switch {
		case r.Epoch < last.epoch, r.Epoch == last.epoch && r.Node != last.node:
			o.faults = append(o.faults, fmt.Sprintf("event %s: after epoch %d of %s comes %d of %s", r.Event, last.epoch, last.node, r.Epoch, r.Node))
		case r.Journal > r.Epoch:
			o.faults = append(o.faults, fmt.Sprintf("event %s: a journal row of epoch %d, the owner's is %d", r.Event, r.Journal, r.Epoch))
		case r.Epoch > last.epoch:
			o.series[r.Event] = append(s, tenure{time.Now(), r.Epoch, r.Node})
		}
	}
	return nil
}

// claims of the event that was claimed most in a span of time; the first look at each counts for nothing.
func (o *owners) claims(from, to time.Time) (most int64, event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for e, s := range o.series {
		before := s[0].epoch
		n := int64(0)
		for _, held := range s {
			switch {
			case held.at.Before(from):
				before = held.epoch
			case held.at.Before(to):
				n = held.epoch - before
			}
		}
		if n > most || event == "" {
			most, event = n, e
		}
	}
	return most, event
}

// calm fails the test where an event was claimed more than max times since.
func (o *owners) calm(t testing.TB, what string, from time.Time, most int64) {
	t.Helper()
	n, event := o.claims(from, time.Now())
	t.Logf("%s: at most %d claims of an event (%s)", what, n, event)
	if n > most {
		o.mu.Lock()
		defer o.mu.Unlock()
		t.Errorf("%s: event %s was claimed %d times, by %v", what, event, n, o.series[event])
	}
}

// judge all that has been.
func (o *owners) judge(t testing.TB) {
	t.Helper()
	o.end()
	looks, rows := o.found()
	for _, faults := range [][]string{looks, rows} {
		if len(faults) > 0 {
			t.Errorf("two have written, it was seen %d times, first: %v", len(faults), faults[:min(3, len(faults))])
		}
	}
}

// found are the faults that were seen by looking, and those in the journal.
func (o *owners) found() (looks, rows []string) {
	type row struct {
		Event      string
		Seq, Epoch int64
	}
	last := map[string]int64{}
	for _, r := range table[row](o.t, o.database, `select event_id, seq, epoch from journal order by event_id, seq`) {
		if r.Epoch < last[r.Event] {
			rows = append(rows, fmt.Sprintf("event %s: journal row %d of epoch %d follows one of %d", r.Event, r.Seq, r.Epoch, last[r.Event]))
		}
		last[r.Event] = r.Epoch
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.faults), rows
}

// measured are the times that something took.
type measured struct {
	name  string
	times []time.Duration
}

func (m *measured) add(d time.Duration) { m.times = append(m.times, d) }

// median of the times; 0 without any.
func (m *measured) median() time.Duration {
	if len(m.times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(m.times))
	return sorted[len(sorted)/2]
}

func (m *measured) worst() time.Duration {
	if len(m.times) == 0 {
		return 0
	}
	return slices.Max(m.times)
}

// log it as a line of a table: what, how often, the median, the worst.
func (m *measured) log(t testing.TB) {
	t.Helper()
	t.Logf("| %s | %d | %v | %v |", m.name, len(m.times), m.median().Round(10*time.Millisecond), m.worst().Round(10*time.Millisecond))
}

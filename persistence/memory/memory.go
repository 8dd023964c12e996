// Package memory is a database of boxoffice's in memory, for tests and the simulator: the journal with its fence, the
// read model and the creation of events, as Postgres has them. Package journaltest holds both to the same rules.
//
// What it guarantees: as boxoffice/persistence does, but that nothing outlives the process. Every operation is atomic;
// owners in different goroutines may share one DB.
package memory

import (
	"context"
	"errors"
	"slices"
	"sync"

	"boxoffice/messages"
)

// DB is what the owners of events share.
type DB struct {
	now func() int64

	mu       sync.Mutex
	events   map[string]*event
	onCommit func(context.Context, messages.Batch) Fault
}

// event is all that is stored of one.
type event struct {
	settings  *messages.Event
	sale      *messages.Sale
	plan      *messages.SeatingPlan
	planHash  [32]byte
	epoch     uint64
	node      string
	nextDue   int64
	entries   []messages.Entry // entry n stands at n-1
	tickets   map[int32]messages.TicketRow
	snapshot  []byte
	snapSeq   uint64
	projected uint64
	seats     []messages.SeatRow
	orders    map[[16]byte]messages.OrderRow
	payments  map[payment]messages.PaymentRow
	sessions  map[[16]byte]messages.SessionRow
}

type payment struct {
	order   [16]byte
	attempt uint32
}

// New makes an empty database whose time is now's, in milliseconds since the Unix epoch.
func New(now func() int64) *DB {
	return &DB{now: now, events: map[string]*event{}}
}

// Fault is what befalls a commit.
type Fault int

const (
	// None is for a commit that goes its way.
	None Fault = iota
	// Fail is for one of which nothing is written; the caller sees ErrUnavailable.
	Fail
	// LoseReply is for one that goes its way, though the caller sees ErrUnavailable.
	LoseReply
)

// ErrUnavailable is what a caller sees of a Fault: it leaves open what was written.
var ErrUnavailable = errors.New("the database cannot be heard")

// OnCommit has f called before each commit, on the committing goroutine and without a lock: f may block, to freeze an
// owner in the middle of its commit. nil: nothing is called.
func (db *DB) OnCommit(f func(context.Context, messages.Batch) Fault) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.onCommit = f
}

// find needs the lock.
func (db *DB) find(eventID string) (*event, error) {
	e := db.events[eventID]
	if e == nil {
		return nil, &messages.EventNotFoundError{EventID: eventID}
	}
	return e, nil
}

func (e *event) lastSeq() uint64 { return uint64(len(e.entries)) }

func clone(e messages.Entry) messages.Entry {
	e.Facts, e.Answers, e.Moved = slices.Clone(e.Facts), slices.Clone(e.Answers), nullIfEmpty(slices.Clone(e.Moved))
	return e
}

// nullIfEmpty is what is stored of nothing.
func nullIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

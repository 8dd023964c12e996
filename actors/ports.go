package actors

import (
	"context"
	"time"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Journal is the log of events, as their owners use it. Every error but messages.ErrFenced and
// messages.EventNotFoundError leaves open whether the call took effect: the caller stops and activates anew.
type Journal interface {
	// Claim makes the caller the owner of the event: whoever was it before can commit and check nothing any more.
	// It returns within about a second even where the owner before is frozen in the middle of a commit.
	Claim(ctx context.Context, eventID string) (messages.Claim, error)
	// Recover reads the event's hall and latest snapshot.
	Recover(ctx context.Context, eventID string) (messages.Recovery, error)
	// Entries calls yield with the entries after seq after, up to and including upTo, in order and without a gap.
	Entries(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error
	// Commit writes the batch whole, durably, if the epoch still stands, else ErrFenced and nothing.
	// A batch without an entry checks the epoch and writes nothing.
	Commit(ctx context.Context, b messages.Batch) error
}

// ReadModel is what SQL users and reports read. It follows the journal.
type ReadModel interface {
	// Projected is the sequence number up to which the read model follows.
	Projected(ctx context.Context, eventID string) (uint64, error)
	// Project moves the read model from p.From to p.To in one transaction; ErrProjected where it does not stand at p.From.
	Project(ctx context.Context, p messages.Projection) error
}

// Catalogue creates events.
type Catalogue interface {
	// CreateEvent stores the event and entry 1 of its journal; *messages.EventExistsError where the id is taken.
	CreateEvent(ctx context.Context, e messages.EventRecord) error
}

// Publisher tells the nodes what goes on at an event. It may lose, repeat and reorder what it is given.
type Publisher interface {
	// Publish does not block. The message is not to be changed any more.
	Publish(m *messages.Live)
}

// Clock tells the time that passes. It never runs backwards; what it counts from is its own affair.
type Clock interface {
	Elapsed() time.Duration
	// AfterFunc calls f once, d from now, on a goroutine of its own, unless stop was called before.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Pool runs functions elsewhere, at most so many at once.
type Pool interface {
	// Go runs f soon and returns true, or returns false at once where too much is waiting already.
	Go(f func()) bool
}

// Issuer makes tickets.
type Issuer interface {
	// Issue makes one ticket a seat, with fresh ids and signed codes.
	Issue(eventID string, order seatmap.OrderID, seats []int32, seatIDs []string, at seatmap.Time) []messages.TicketRow
}

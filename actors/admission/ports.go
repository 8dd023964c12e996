package admission

import (
	"context"

	"boxoffice/messages"
)

// Rooms are the waiting rooms as the database keeps them.
type Rooms interface {
	// Claim makes the caller the one who admits to the event: whoever was it before admits nobody any more.
	// *messages.EventNotFoundError where there is no such event.
	Claim(ctx context.Context, eventID string) (messages.AdmissionClaim, error)
	// Admit lets in whoever is next, as far as there is room now; messages.ErrFenced where another has claimed the event.
	// Any other error leaves open whether somebody was let in.
	Admit(ctx context.Context, a messages.Admit) (messages.Admitted, error)
}

// Demand is the stream of wakes: an entry says that there may be somebody to let in, or room for somebody. It may lose,
// repeat and reorder them. What it returns at once is bounded.
type Demand interface {
	// Recover makes the event's consumer group where it is missing, and returns the entries that were read and not
	// acknowledged, by whomever. It is called before the first Pull, and after each that failed.
	Recover(ctx context.Context, eventID string) (ids []string, err error)
	// Pull waits a moment for entries that nobody has read; none is no error.
	Pull(ctx context.Context, eventID string) (ids []string, err error)
	// Ack says that entries have been dealt with.
	Ack(ctx context.Context, eventID string, ids []string) error
}

package http

import (
	"context"
	"time"

	"boxoffice/messages"
)

// Engine carries a request to the owner of its event and brings the reply. It always brings one: what fails on the way
// is OUTCOME_UNAVAILABLE or OUTCOME_OVERLOADED.
type Engine interface {
	Ask(ctx context.Context, r *messages.Request) *messages.Reply
}

// Catalogue of events, as it was a moment ago.
type Catalogue interface {
	// Event is *messages.EventNotFoundError where there is none.
	Event(ctx context.Context, eventID string) (*messages.Event, error)
	// Events are sorted by start, then id; with a text, those that have similar words come last. next is empty on the last
	// page. *messages.InvalidInputError for a bad cursor.
	Events(ctx context.Context, q messages.EventQuery) (events []*messages.Event, next string, err error)
	// Plan never changes once the event exists.
	Plan(ctx context.Context, eventID string) (*messages.SeatingPlan, [32]byte, error)
}

// Halls are the seats of events, as their journals have them.
type Halls interface {
	// Availability of all seats, as committed no earlier than the call; *messages.EventNotFoundError where there is none.
	Availability(ctx context.Context, eventID string) (*messages.Availability, error)
	// Since brings, of each event, what moved seats after the version named, in its sequence, most entries of each event. Events
	// of which nothing is known are missing. An event's first has a Previous after the version named where what came
	// between is not known any more, and a Version before that one where the journal ends before it.
	Since(ctx context.Context, after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error)
	// Keep stores a snapshot for other nodes, unless they have a later one. It may be lost.
	Keep(ctx context.Context, eventID string, a *messages.Availability) error
}

// Organiser creates events.
type Organiser interface {
	// Create is *messages.EventExistsError or *messages.InvalidInputError where it refuses.
	Create(ctx context.Context, e messages.NewEvent) (*messages.Event, error)
}

// Sessions of buyers.
type Sessions interface {
	// Join makes a session, or finds the one that was made under the same key, as its join showed it (again is true then).
	// messages.ErrKeyReused where that came with another body; messages.ErrTooManySessions where the client has enough.
	Join(ctx context.Context, j messages.Join) (s messages.Session, again bool, err error)
	// Visit finds the session as of now, and notes of an ACTIVE one that its buyer has shown up: its token may be handed
	// out then. messages.ErrSessionNotFound where there is none.
	Visit(ctx context.Context, eventID string, id [16]byte) (messages.Session, error)
	// Visits is Visit of many sessions of an event, in no sequence; those that do not exist are missing.
	Visits(ctx context.Context, eventID string, ids [][16]byte) ([]messages.Session, error)
	// LeaveLine makes a WAITING session LEFT, leaves any other as it is, and returns it as it is then.
	LeaveLine(ctx context.Context, eventID string, id [16]byte) (messages.Session, error)
	// Leave marks the session as LEFT if it has not ended otherwise.
	Leave(ctx context.Context, eventID string, id [16]byte) error
	// Progress of the waiting rooms of events; those that do not exist are missing.
	Progress(ctx context.Context, eventIDs []string) (map[string]*messages.Progress, error)
	// Counts of an event's sessions by status.
	Counts(ctx context.Context, eventID string) (map[messages.SessionStatus]uint64, error)
}

// Subscriptions say which events this node wants to hear of by Server.Heard. Calls do not block; each Watch has its Unwatch.
type Subscriptions interface {
	Watch(eventID string)
	Unwatch(eventID string)
	// Hears is false while other nodes are not heard.
	Hears() bool
}

// Rates are counted for all nodes together.
type Rates interface {
	// Take counts one of key against a rate of one each interval, a window's worth at once. wait is 0 where it was counted,
	// else how long to wait. An error says that nothing is known; it comes soon enough that a request can wait for it.
	Take(ctx context.Context, what string, key [16]byte, interval, window time.Duration) (wait time.Duration, err error)
}

// Records are what the journal and its read model keep.
type Records interface {
	// Answer is a stored answer.
	Answer(ctx context.Context, eventID string, at *messages.StoredAnswer) (*messages.Answer, error)
	// Order is one that its owner may have forgotten; messages.ErrOrderNotFound where there is none.
	Order(ctx context.Context, eventID string, orderID [16]byte) (*messages.Order, error)
	// Tickets of a COMPLETED order, in its sequence of seats.
	Tickets(ctx context.Context, eventID string, orderID [16]byte) ([]*messages.Ticket, error)
	// Curve of the event's sale over a window until now; *messages.EventNotFoundError where there is none.
	Curve(ctx context.Context, eventID string, window, step time.Duration) (*messages.Curve, error)
}

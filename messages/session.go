package messages

import "errors"

// SessionStatus is a session's place in the waiting room's life.
type SessionStatus string

// The statuses of the HTTP contract.
const (
	SessionWaiting   SessionStatus = "WAITING"
	SessionActive    SessionStatus = "ACTIVE"
	SessionCompleted SessionStatus = "COMPLETED"
	SessionExpired   SessionStatus = "EXPIRED"
	SessionLeft      SessionStatus = "LEFT"
)

// Session is one buyer's visit to one event. Times are milliseconds since the Unix epoch.
type Session struct {
	EventID   string
	SessionID [16]byte
	// Place in the order of joining, from 1, dense and unique in the event.
	Place  uint64
	Status SessionStatus
	// ActiveUntil is when an admitted session and its access token end.
	ActiveUntil int64
	JoinedAt    int64
	// Position in line, from 1, of who waits at an event that is on sale; else 0.
	Position uint64
	// PerSecond is how many positions a second the line moves on, of late; 0: not known, or it stands.
	PerSecond float64
}

// Join asks for a session.
type Join struct {
	EventID   string
	SessionID [16]byte
	// Key hashes (event, Idempotency-Key), Body the request's body; zero where no key was sent.
	Key, Body [16]byte
	// Client stands for the buyer's address, where its sessions are counted: at most ClientMax of an event may wait or be
	// active at once. Zero: not counted.
	Client    [16]byte
	ClientMax int
}

// ErrTooManySessions says that the client's address has as many sessions of the event as it may.
var ErrTooManySessions = errors.New("too many sessions of this address")

// AdmissionClaim is the right to admit to an event.
type AdmissionClaim struct {
	Epoch uint64
	// PerSecond is Progress.PerSecond as the admission before measured it last.
	PerSecond float64
}

// Admit asks for whoever is next in line to be let in, as far as there is room.
type Admit struct {
	EventID string
	Epoch   uint64
	// PerSecond is kept for those who read their session.
	PerSecond float64
}

// Admitted is what an Admit has done. Times are the database's, in milliseconds since the Unix epoch.
type Admitted struct {
	At int64
	// Count of the sessions that it let in.
	Count int
	// Head and OnSale are Progress's.
	Head   uint64
	OnSale bool
	// Waiting: somebody waits still.
	Waiting bool
	// Due is when there may be room for the next; 0 where nobody waits.
	Due int64
}

// NewEvent is an event to be created.
type NewEvent struct {
	Event *Event
	// Prices by category name, in minor units.
	Prices map[string]int64
	// PlanJSON is pretix's seating-plan JSON.
	PlanJSON []byte
}

// EventRecord is an event as it is first stored: with entry 1 of its journal.
type EventRecord struct {
	Event *Event
	// Plan is the protobuf encoding of SeatingPlan; PlanHash its SHA-256.
	Plan     []byte
	PlanHash [32]byte
	// SeatIDs by seat index, for the read model.
	SeatIDs []string
	// First is entry 1: EventCreated. Its At is the database's, whatever it says.
	First Entry
}

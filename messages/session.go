package messages

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
}

// Join asks for a session.
type Join struct {
	EventID   string
	SessionID [16]byte
	// Key hashes (event, Idempotency-Key), Body the request's body; zero where no key was sent.
	Key, Body [16]byte
	// ActiveTTL is how long the session is active once admitted, in milliseconds.
	ActiveTTL int64
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

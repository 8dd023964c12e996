package messages

import "errors"

// EventQuery selects events to browse. Zero values select all.
type EventQuery struct {
	// Text is searched in name, venue, performers and city.
	Text   string
	Status EventStatus
	// From and To bound the start, in milliseconds since the Unix epoch; To is exclusive.
	From, To int64
	// Limit is the page's length, 1 to 100.
	Limit int
	// Cursor is where the page before ended.
	Cursor string
}

// What stores answer for an id that they do not know, or a key used twice.
var (
	ErrSessionNotFound = errors.New("no such session")
	ErrOrderNotFound   = errors.New("no such order")
	ErrKeyReused       = errors.New("the idempotency key was used with another body")
)

// ErrOverloaded says that too much is waiting to be written already; nothing was written.
var ErrOverloaded = errors.New("too many writes are waiting")

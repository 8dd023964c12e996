package messages

import (
	"errors"
	"fmt"
)

// Entry is one committed batch of an event: the journal's row.
type Entry struct {
	// Seq counts an event's entries from 1 without a gap.
	Seq uint64
	// Epoch of the owner that committed it; never falls.
	Epoch uint64
	// At is the owner's time of the decision, in milliseconds since the Unix epoch; never falls.
	At int64
	// Facts in seatmap's canonical encoding, never empty.
	Facts []byte
	// Answers is the protobuf encoding of messages.Answers, empty where nothing was answered. What replays or projects a
	// journal does not read them: they are empty there.
	Answers []byte
	// Moved is the protobuf encoding of SeatsMoved, empty where no seat was moved. What replays or projects a journal does
	// not read it: it is empty there.
	Moved []byte
}

// Batch is what an owner commits at once: an entry and what must stand or fall with it.
type Batch struct {
	EventID string
	Epoch   uint64
	// Entry is nil for a batch of refusals and reads alone, which checks the fence.
	Entry *Entry
	// NextDue is the event's nearest deadline after the batch, in milliseconds since the Unix epoch; 0: none, or without an
	// Entry the one of before.
	NextDue int64
	// Tickets sold by the batch. The database refuses a second live ticket of a seat.
	Tickets []TicketRow
}

// TicketRow is a ticket as it is stored in the batch that sells its seat.
type TicketRow struct {
	TicketID [16]byte
	OrderID  [16]byte
	// N is the ticket's place in the order's sequence of seats, from 1. The journal fills it in.
	N         int32
	SeatIndex int32
	SeatID    string
	Code      string
	IssuedAt  int64
}

// Claim is the right to write an event's journal, until somebody claims it anew.
type Claim struct {
	// Epoch is one above that of the owner before.
	Epoch uint64
	// LastSeq is the last committed entry.
	LastSeq uint64
	// Now is the database's time of the claim, in milliseconds since the Unix epoch.
	Now int64
}

// Recovery is what an owner's memory is built from.
type Recovery struct {
	// Plan is the hall; shared, never changed.
	Plan *SeatingPlan
	// PlanHash is SHA-256 of the plan as stored: the EventCreated fact names the same.
	PlanHash [32]byte
	// Snapshot in seatmap's encoding after entry SnapshotSeq; nil: none yet, SnapshotSeq is 0.
	Snapshot    []byte
	SnapshotSeq uint64
	// LastAt is the time of the last journal entry, in milliseconds since the Unix epoch.
	LastAt int64
}

// ErrFenced says that somebody else claimed the event: the caller's epoch is over, and nothing was written.
var ErrFenced = errors.New("fenced: another owner has claimed the event")

// ErrProjected says that the read model has moved on from where the caller believed it to be; nothing was written.
var ErrProjected = errors.New("the read model was moved on by somebody else")

// EventNotFoundError says that no such event was ever created.
type EventNotFoundError struct{ EventID string }

func (e *EventNotFoundError) Error() string { return fmt.Sprintf("event %q does not exist", e.EventID) }

// EventExistsError says that an event of this id was created before.
type EventExistsError struct{ EventID string }

func (e *EventExistsError) Error() string { return fmt.Sprintf("event %q exists already", e.EventID) }

// BrokenJournalError says that what is stored of an event's journal is not what an owner ever wrote: an entry is gone or
// out of order.
type BrokenJournalError struct{ Fault string }

func (e *BrokenJournalError) Error() string { return "the journal is broken: " + e.Fault }

// DoubleSaleError says that the database refused a second live ticket of a seat. The engine must never try that: an
// invariant is broken. Nothing of the batch was written.
type DoubleSaleError struct {
	EventID string
	// Detail is the database's own: which seat index.
	Detail string
}

func (e *DoubleSaleError) Error() string {
	return fmt.Sprintf("double sale refused in event %q: %s", e.EventID, e.Detail)
}

// InvalidInputError says what is wrong with an input, by the path of each fault.
type InvalidInputError struct{ Faults []*Fault }

func (e *InvalidInputError) Error() string {
	if len(e.Faults) == 0 {
		return "invalid input"
	}
	s := e.Faults[0].GetField() + ": " + e.Faults[0].GetMessage()
	if n := len(e.Faults) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}

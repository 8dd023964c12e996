package messages

// Audit is all that is stored of one event, as of one moment.
type Audit struct {
	EventID               string
	LastSeq, ProjectedSeq uint64
	// MovedAfter is the entry after which each says what seats it moved.
	MovedAfter uint64
	// Sale as browsing shows it, as of ProjectedSeq; nil: not to be compared.
	Sale *Sale
	// NextDue is when the event needs an owner, in milliseconds since the Unix epoch; 0: never.
	NextDue  int64
	Plan     *SeatingPlan
	PlanHash [32]byte
	// Entries of the journal in their sequence, with their answers: whatever there is, also beyond LastSeq.
	Entries []Entry
	// The read model, as of ProjectedSeq.
	Seats    []SeatRow
	Orders   []OrderRow
	Payments []PaymentRow
	// Event as browsing shows it, at any time; nil: not to be compared.
	Event *Event
	// Sessions of the event; nil: not to be compared.
	Sessions []SessionState
	// Line of the event's waiting room; nil: not to be compared.
	Line *LineState
	// Tickets that are not voided.
	Tickets []TicketRow
	// Snapshot after entry SnapshotSeq, nil and 0 where there is none.
	Snapshot    []byte
	SnapshotSeq uint64
	// Ledger of the mock payment provider, by authorization and N.
	Ledger []LedgerRow
}

// SessionState is what is stored of a session. It may have ended before the journal says so.
type SessionState struct {
	SessionID [16]byte
	// Status as stored: ACTIVE also past its time.
	Status    SessionStatus
	Completed uint32
	Place     uint64
}

// LineState is what is stored of a waiting room as a whole.
type LineState struct {
	// LastPlace that was given out, and Head, at or below which nobody waits.
	LastPlace, Head uint64
	// NextDue is when somebody must be awake to admit, in milliseconds since the Unix epoch; 0: nobody waits.
	NextDue int64
}

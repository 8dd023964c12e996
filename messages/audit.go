package messages

// Audit is all that is stored of one event, as of one moment.
type Audit struct {
	EventID               string
	LastSeq, ProjectedSeq uint64
	Plan                  *SeatingPlan
	PlanHash              [32]byte
	// Entries of the journal, from 1.
	Entries []Entry
	// The read model, as of ProjectedSeq.
	Seats    []SeatRow
	Orders   []OrderRow
	Payments []PaymentRow
	// Event as browsing shows it, at any time; nil: not to be compared.
	Event *Event
	// Sessions that were ever admitted, by their orders; nil: not to be compared.
	Sessions []SessionRow
	// Tickets that are not voided.
	Tickets []TicketRow
	// Snapshot after entry SnapshotSeq, nil and 0 where there is none.
	Snapshot    []byte
	SnapshotSeq uint64
	// Ledger of the mock payment provider, by authorization and N.
	Ledger []LedgerRow
}

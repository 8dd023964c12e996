package messages

// LedgerRow is one operation in the mock payment provider's durable ledger.
type LedgerRow struct {
	// Event is the merchant's reference: the event's id.
	Event string
	// Authorization is the key of the authorize that this operation belongs to; the rows of one authorization are
	// numbered by N from 1 without a gap.
	Authorization string
	N             int32
	// Key is the operation's idempotency key; the first operation under a key counts.
	Key string
	// Kind is authorize, capture, void or refund.
	Kind string
	// Declined is the decline code, empty where the operation succeeded.
	Declined  string
	Token     string
	Reference string
	Currency  string
	Amount    int64
	// At is filled by the ledger: milliseconds since the Unix epoch.
	At int64
}

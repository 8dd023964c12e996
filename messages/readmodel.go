package messages

// Projection is one step of the read model: everything that the entries after From up to and including To changed.
type Projection struct {
	EventID  string
	From, To uint64
	// Seats, Orders, Payments and Sessions hold the last state of each that changed.
	Seats    []SeatRow
	Orders   []OrderRow
	Payments []PaymentRow
	Sessions []SessionRow
	// Event is set where the settings changed.
	Event *Event
	// Sale is set where a seat was moved or the settings changed.
	Sale *Sale
	// Snapshot after entry To, nil where none is due.
	Snapshot []byte
}

// SeatRow is the state of one seat in the read model.
type SeatRow struct {
	Index int32
	// State is A, H, S or B, as availability shows it.
	State byte
	// OrderID has it: zero for A and B.
	OrderID [16]byte
}

// OrderRow is the state of one order in the read model.
type OrderRow struct {
	OrderID       [16]byte
	SessionID     [16]byte
	Status        OrderStatus
	Seats         []int32
	Amount        int64
	HoldExpiresAt int64
	CreatedAt     int64
	EndedAt       int64
}

// PaymentStatus is what we know of one authorization.
type PaymentStatus string

// The life of an authorization, as the read model shows it.
const (
	PaymentAuthorizing PaymentStatus = "AUTHORIZING"
	PaymentAuthorized  PaymentStatus = "AUTHORIZED"
	PaymentDeclined    PaymentStatus = "DECLINED"
	PaymentCapturing   PaymentStatus = "CAPTURING"
	PaymentCaptured    PaymentStatus = "CAPTURED"
	PaymentVoiding     PaymentStatus = "VOIDING"
	PaymentVoided      PaymentStatus = "VOIDED"
)

// PaymentRow is one authorization of an order: its Attempt-th, counted from 1.
type PaymentRow struct {
	OrderID [16]byte
	Attempt uint32
	Status  PaymentStatus
	Amount  int64
	// Code says why it was DECLINED, or its capture refused.
	Code string
}

// SessionRow is what the event's owner knows of a buyer's session.
type SessionRow struct {
	SessionID [16]byte
	// Completed counts its completed orders.
	Completed uint32
	// Done: no further order is allowed.
	Done bool
	// Left: the buyer has left.
	Left bool
}

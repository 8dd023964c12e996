package seatmap

// OrderStatus is where an order stands. Numbered as messages.OrderStatus.
type OrderStatus uint8

// The statuses an order may have; from StatusCompleted on it has ended.
const (
	StatusPending       OrderStatus = 1
	StatusReserved      OrderStatus = 2
	StatusAuthorizing   OrderStatus = 3
	StatusAuthorized    OrderStatus = 4
	StatusCapturing     OrderStatus = 5
	StatusCompleted     OrderStatus = 6
	StatusExpired       OrderStatus = 7
	StatusCancelled     OrderStatus = 8
	StatusPaymentFailed OrderStatus = 9

	orderStatuses = 10
)

// Live orders hold seats or may yet; they count against the session's limit.
func (s OrderStatus) Live() bool { return s >= StatusPending && s <= StatusCapturing }

// timed says that a deadline runs. CAPTURING has none: its seats are pinned.
func (s OrderStatus) timed() bool { return s >= StatusPending && s <= StatusAuthorized }

// PaymentStatus is where an order's payment stands.
type PaymentStatus uint8

// The provider owes an answer in PaymentAuthorizing, PaymentCapturing and PaymentVoiding.
const (
	PaymentNone        PaymentStatus = 0
	PaymentAuthorizing PaymentStatus = 1
	PaymentAuthorized  PaymentStatus = 2
	PaymentRefused     PaymentStatus = 3
	PaymentCapturing   PaymentStatus = 4
	PaymentCaptured    PaymentStatus = 5
	PaymentVoiding     PaymentStatus = 6
	PaymentVoided      PaymentStatus = 7
)

// open says that a provider call is under way.
func (p PaymentStatus) open() bool {
	return p == PaymentAuthorizing || p == PaymentCapturing || p == PaymentVoiding
}

// Order is a view of one order.
type Order struct {
	ID      OrderID
	Session SessionID
	Status  OrderStatus
	// Seats by index, in the buyer's sequence; of an ended order those that it had last. Shared: read only.
	Seats  []int32
	Amount int64
	// Deadline is when the order expires: PENDING with its token, later with its hold. 0 in CAPTURING and once ended.
	Deadline           Time
	CreatedAt, EndedAt Time
	// Attempt counts authorizations from 1.
	Attempt uint32
	Payment PaymentStatus
	// PaymentCode is the provider's reason for the last refusal.
	PaymentCode string
}

// HoldExpiresAt is until when the seats are held; 0 where none are, or where they are held without end.
func (o *Order) HoldExpiresAt() Time {
	if o.Status == StatusPending {
		return 0
	}
	return o.Deadline
}

// order is how the Map keeps one: about 100 bytes without its payment.
type order struct {
	id       OrderID
	session  uint32 // slot
	nextLive uint32 // slot+1 of the session's next live order, 0: the last
	// turn numbers the settings of a deadline; no two orders have the same.
	turn     uint64
	created  Time
	deadline Time // 0 unless status.timed()
	ended    Time // 0 while live
	amount   int64
	seats    []int32
	money    *money // nil until the first confirm
	status   OrderStatus
	payment  PaymentStatus
}

// money is what an order has besides once there was an authorization.
type money struct {
	// pending is the key that the caller waits under, while AUTHORIZING or CAPTURING; zero where there is none.
	pending   Key
	token     string // while PaymentAuthorizing
	reference string // the provider's, since the authorization
	code      string // of the last refusal
	attempt   uint32
}

// settled: the order has ended and the provider owes no answer.
func (o *order) settled() bool { return o.ended != 0 && !o.payment.open() }

// expired: the deadline has passed, whether or not a fact says so yet.
func (o *order) expired(now Time) bool {
	return o.status == StatusExpired || o.status.timed() && o.deadline <= now
}

func (o *order) view(session SessionID) Order {
	v := Order{
		ID: o.id, Session: session, Status: o.status, Seats: o.seats, Amount: o.amount, Deadline: o.deadline,
		CreatedAt: o.created, EndedAt: o.ended, Payment: o.payment,
	}
	if o.money != nil {
		v.Attempt, v.PaymentCode = o.money.attempt, o.money.code
	}
	return v
}

// OperationKind is what is asked of the provider.
type OperationKind uint8

// The kinds.
const (
	Authorize OperationKind = 1
	Capture   OperationKind = 2
	Void      OperationKind = 3
)

func (k OperationKind) String() string {
	switch k {
	case Authorize:
		return "authorize"
	case Capture:
		return "capture"
	case Void:
		return "void"
	}
	return "unknown operation"
}

// Operation is a call to the payment provider that an order waits for. An order has at most one at a time.
type Operation struct {
	Order   OrderID
	Attempt uint32
	Kind    OperationKind
	// Token is the buyer's, for Authorize only. Reference is the provider's, for the others.
	Token, Reference string
	Amount           int64
	// Seats in the sequence in which tickets are issued. Shared: read only.
	Seats []int32
}

func (o *order) operation() (Operation, bool) {
	op := Operation{Order: o.id, Amount: o.amount, Seats: o.seats}
	switch o.payment {
	case PaymentAuthorizing:
		op.Kind = Authorize
	case PaymentCapturing:
		op.Kind = Capture
	case PaymentVoiding:
		op.Kind = Void
	case PaymentNone, PaymentAuthorized, PaymentRefused, PaymentCaptured, PaymentVoided:
		return Operation{}, false
	}
	op.Attempt, op.Token, op.Reference = o.money.attempt, o.money.token, o.money.reference
	return op, true
}

package seatmap

// Fact is something that has happened to an event. Facts are the journal: replaying them from an empty Map gives the
// same Map, byte for byte. They carry what happened and no more; what follows from the state (which seats an expired
// order gives back) is Apply's.
//
//sumtype:decl
type Fact interface{ fact() }

type (
	// EventCreated is always and only the first fact.
	EventCreated struct {
		PlanHash [32]byte
		Settings Settings
	}
	// SettingsChanged carries the settings whole.
	SettingsChanged struct{ Settings Settings }

	// SeatsWereBlocked carries seat indexes in ascending order.
	SeatsWereBlocked struct{ Seats []int32 }
	// SeatsWereUnblocked likewise.
	SeatsWereUnblocked struct{ Seats []int32 }

	// OrderWasCreated makes it PENDING until Deadline.
	OrderWasCreated struct {
		Order    OrderID
		Session  SessionID
		At       Time
		Deadline Time
	}
	// SeatsWereHeld makes it RESERVED with exactly these seats (in the buyer's sequence), any held before are free again.
	// Deadline is the order's from here on; a swap repeats the one that stands.
	SeatsWereHeld struct {
		Order    OrderID
		Seats    []int32
		Deadline Time
		// Amount is the sum of the seats' prices when they were held.
		Amount int64
	}
	// AuthorizeStarted makes it AUTHORIZING. The caller's request waits under Key.
	AuthorizeStarted struct {
		Order   OrderID
		Attempt uint32
		Token   string
		Key     Key
	}
	// AuthorizeWasGranted makes it AUTHORIZED; on an order that has ended meanwhile: a void is owed.
	AuthorizeWasGranted struct {
		Order     OrderID
		Reference string
	}
	// AuthorizeWasDeclined makes it RESERVED again; on an order that has ended meanwhile: nothing is owed any more.
	AuthorizeWasDeclined struct {
		Order OrderID
		Code  string
	}
	// CaptureStarted makes it CAPTURING. The seats are pinned. The caller's request waits under Key.
	CaptureStarted struct {
		Order OrderID
		Key   Key
	}
	// OrderWasCompleted makes it COMPLETED; the seats are SOLD, a ticket each.
	OrderWasCompleted struct {
		Order   OrderID
		At      Time
		Tickets []TicketID
	}
	// CaptureWasRefused makes it PAYMENT_FAILED; the seats are free again, a void is owed.
	CaptureWasRefused struct {
		Order OrderID
		At    Time
		Code  string
	}
	// OrderHasExpired makes it EXPIRED; its seats are free; whatever is or will be authorized must be voided.
	OrderHasExpired struct {
		Order OrderID
		At    Time
	}
	// OrderWasCancelled makes it CANCELLED; otherwise as OrderHasExpired.
	OrderWasCancelled struct {
		Order OrderID
		At    Time
	}
	// AuthorizationWasVoided says that nothing is owed any more.
	AuthorizationWasVoided struct{ Order OrderID }

	// SessionWasEnded says that the session creates no more orders. Remembered until Expires.
	SessionWasEnded struct {
		Session SessionID
		Expires Time
	}
	// Answered says that a request of the session has got its answer, kept in the journal entry that this fact stands in, at the
	// slot that counts the Answered facts of that entry from 0. Forgotten at Expires.
	Answered struct {
		Session SessionID
		Key     Key
		Expires Time
	}
	// Forgotten says that answers, sessions and settled orders that ended orderKeptFor or longer before it are dropped from memory.
	Forgotten struct{ Before Time }
)

func (EventCreated) fact()           {}
func (SettingsChanged) fact()        {}
func (SeatsWereBlocked) fact()       {}
func (SeatsWereUnblocked) fact()     {}
func (OrderWasCreated) fact()        {}
func (SeatsWereHeld) fact()          {}
func (AuthorizeStarted) fact()       {}
func (AuthorizeWasGranted) fact()    {}
func (AuthorizeWasDeclined) fact()   {}
func (CaptureStarted) fact()         {}
func (OrderWasCompleted) fact()      {}
func (CaptureWasRefused) fact()      {}
func (OrderHasExpired) fact()        {}
func (OrderWasCancelled) fact()      {}
func (AuthorizationWasVoided) fact() {}
func (SessionWasEnded) fact()        {}
func (Answered) fact()               {}
func (Forgotten) fact()              {}

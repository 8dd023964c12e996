package seatmap

// Outcome says what became of a command. The set is closed; messages.Outcome repeats it number for number.
type Outcome uint8

// What was asked for has been done (the facts say it).
const (
	OrderCreated    Outcome = 1
	SeatsReserved   Outcome = 2
	OrderAuthorized Outcome = 3
	OrderCompleted  Outcome = 4
	OrderCancelled  Outcome = 5
	SessionEnded    Outcome = 6
	SeatsBlocked    Outcome = 7
	SeatsUnblocked  Outcome = 8
	Configured      Outcome = 9
	Ticked          Outcome = 10

	// AuthorizePending and CapturePending: begun; the answer comes with the provider's.
	AuthorizePending Outcome = 11
	CapturePending   Outcome = 12
	// PaymentNoted: a provider's answer has been taken note of, or was known already; nobody waits for it.
	PaymentNoted Outcome = 13

	// Replayed: Result.Stored says where the first answer stands.
	Replayed Outcome = 14
	// RequestInFlight: the same request is being worked on for Result.Order.
	RequestInFlight Outcome = 15
)

// Refusals: nothing changed.
const (
	IdempotencyKeyReused Outcome = 20
	OrderNotFound        Outcome = 21
	SessionLeft          Outcome = 22
	TokenExpired         Outcome = 23
	TooManyAnswers       Outcome = 24
	TooManyOrders        Outcome = 25
	TooManySeats         Outcome = 26
	UnknownSeat          Outcome = 27
	DuplicateSeat        Outcome = 28
	UnknownCategory      Outcome = 29
	UnknownSection       Outcome = 30
	SeatsRequired        Outcome = 31
	HoldExpired          Outcome = 32
	OrderState           Outcome = 33
	EventNotOnSale       Outcome = 34
	SeatsUnavailable     Outcome = 35
	NotEnoughSeats       Outcome = 36
	SettingsInvalid      Outcome = 37
	OrderExists          Outcome = 38
)

// The provider said no, and the facts say so.
const (
	PaymentDeclined Outcome = 40
	CaptureFailed   Outcome = 41
)

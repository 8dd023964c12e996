package seatmap

// Status of an event's sale, as the organiser set it. An event that is OnSale before Settings.OnSaleAt is scheduled.
type Status uint8

// Numbered as messages.EventStatus.
const (
	OnSale    Status = 2
	Paused    Status = 3
	Closed    Status = 4
	Cancelled Status = 5
)

// Settings of an event. Prices, Colors and Currency stand since its creation; the rest may change.
type Settings struct {
	Name       string
	Venue      string
	City       string
	Performers []string
	StartsAt   Time
	OnSaleAt   Time // 0: at once
	Status     Status
	Currency   string  // ISO 4217
	Prices     []int64 // by category index, minor units
	// HoldTTL is how long seats are held, in milliseconds.
	HoldTTL             int64
	MaxSeatsPerOrder    int
	MaxOrdersPerSession int
	WaitingRoom         WaitingRoom
}

// WaitingRoom settings; kept here as every setting is, used by admission.
type WaitingRoom struct {
	Enabled        bool
	ActiveLimit    int
	ActiveTTL      int64 // milliseconds
	AdmitPerSecond int
}

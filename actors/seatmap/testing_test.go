package seatmap

import (
	"fmt"
	"strings"
	"testing"
)

// t0 is when tests begin.
const t0 = Time(1_700_000_000_000)

// hall reads a drawing: "section NAME" lines, and rows as "NAME SEATS", where SEATS has the category's digit for each
// seat and a dot where a seat is missing: an aisle. Seat 3 of row A is "A-3".
func hall(t testing.TB, drawing string) *Plan {
	t.Helper()
	spec := PlanSpec{
		Hash:       [32]byte{1, 2, 3},
		Categories: []CategorySpec{{"I", "#111111"}, {"II", "#222222"}, {"III", "#333333"}},
	}
	for line := range strings.Lines(drawing) {
		name, seats, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if name == "section" {
			spec.Sections = append(spec.Sections, SectionSpec{Name: seats})
			continue
		}
		row := RowSpec{Name: name}
		for x, c := range strings.TrimSpace(seats) {
			if c == '.' {
				continue
			}
			number := fmt.Sprint(len(row.Seats) + 1)
			row.Seats = append(row.Seats, SeatSpec{ID: name + "-" + number, Number: number, Category: int(c - '1'), X: float64(x), Y: 1})
		}
		last := &spec.Sections[len(spec.Sections)-1]
		last.Rows = append(last.Rows, row)
	}
	plan, err := NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// defaults are the contract's, with round prices.
func defaults() Settings {
	return Settings{
		Name: "Concert", Venue: "Hall", StartsAt: t0 + 90*24*3_600_000, Status: OnSale, Currency: "EUR",
		Prices: []int64{5_000, 3_000, 1_000}, HoldTTL: 300_000, MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
		WaitingRoom: WaitingRoom{Enabled: true, ActiveLimit: 500, ActiveTTL: 600_000, AdmitPerSecond: 100},
	}
}

// created is a Map after its first fact.
func created(plan *Plan, s Settings) *Map {
	m := New(plan)
	m.Apply(1, EventCreated{PlanHash: plan.Hash(), Settings: s})
	return m
}

// id16 makes an id of a name of at most 16 bytes.
func id16(name string) (id [16]byte) {
	copy(id[:], name)
	return id
}

// do decides and applies, as the actor does, with an entry of its own for each command.
func do(t testing.TB, m *Map, now Time, c Command) ([]Fact, Result) {
	t.Helper()
	facts, res := m.Decide(now, c, nil)
	seq := m.Seq() + 1
	for _, f := range facts {
		m.Apply(seq, f)
	}
	if err := m.Check(); err != nil {
		t.Fatalf("after %T %+v: %v", c, c, err)
	}
	return facts, res
}

var outcomeNames = map[Outcome]string{
	OrderCreated: "OrderCreated", SeatsReserved: "SeatsReserved", OrderAuthorized: "OrderAuthorized", OrderCompleted: "OrderCompleted",
	OrderCancelled: "OrderCancelled", SessionEnded: "SessionEnded", SeatsBlocked: "SeatsBlocked", SeatsUnblocked: "SeatsUnblocked",
	Configured: "Configured", Ticked: "Ticked", AuthorizePending: "AuthorizePending", CapturePending: "CapturePending",
	PaymentNoted: "PaymentNoted", Replayed: "Replayed", RequestInFlight: "RequestInFlight", IdempotencyKeyReused: "IdempotencyKeyReused",
	OrderNotFound: "OrderNotFound", SessionLeft: "SessionLeft", TokenExpired: "TokenExpired", TooManyAnswers: "TooManyAnswers",
	TooManyOrders: "TooManyOrders", TooManySeats: "TooManySeats", UnknownSeat: "UnknownSeat", DuplicateSeat: "DuplicateSeat",
	UnknownCategory: "UnknownCategory", UnknownSection: "UnknownSection", SeatsRequired: "SeatsRequired", HoldExpired: "HoldExpired",
	OrderState: "OrderState", EventNotOnSale: "EventNotOnSale", SeatsUnavailable: "SeatsUnavailable", NotEnoughSeats: "NotEnoughSeats",
	SettingsInvalid: "SettingsInvalid", OrderExists: "OrderExists", PaymentDeclined: "PaymentDeclined", CaptureFailed: "CaptureFailed",
}

var statusNames = [orderStatuses]string{
	"-", "PENDING", "RESERVED", "AUTHORIZING", "AUTHORIZED", "CAPTURING", "COMPLETED", "EXPIRED", "CANCELLED", "PAYMENT_FAILED",
}

var paymentNames = []string{"none", "authorizing", "authorized", "refused", "capturing", "captured", "voiding", "voided"}

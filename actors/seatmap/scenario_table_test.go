package seatmap

import (
	"fmt"
	"strings"
)

// table is the contract's: what each call does in each state. Each cell is an event of its own; "sale" sets the sale's
// state once the order is there, "late" lets the deadline pass, with no Tick.
func (s *scenario) table() string {
	calls := []struct {
		title string
		of    func(Key) Command
	}{
		{"reserve", func(k Key) Command { return Reserve{k, buyer, theOrder, Want{Seats: []string{"A-2"}}} }},
		{"confirm", func(k Key) Command { return Confirm{k, buyer, theOrder, Want{}, "tok"} }},
		{"confirm A-2", func(k Key) Command { return Confirm{k, buyer, theOrder, Want{Seats: []string{"A-2"}}, "tok"} }},
		{"finalize", func(k Key) Command { return Finalize{k, buyer, theOrder} }},
		{"cancel", func(k Key) Command { return Cancel{k, buyer, theOrder} }},
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-14s", "")
	for _, call := range calls {
		fmt.Fprintf(&out, " | %-16s", call.title)
	}
	for _, status := range []OrderStatus{1, 2, 3, 4, 5, 6, 7, 8, 9} {
		fmt.Fprintf(&out, "\n%-14s", statusNames[status])
		for _, call := range calls {
			m := created(s.plan, defaults())
			now := s.bring(m, status)
			settings := *m.Settings()
			s.setSale(&settings)
			do(s.t, m, now, Configure{Settings: settings})
			if s.arg("when", "") == "late" {
				now += Time(defaults().HoldTTL)
			}
			_, res := m.Decide(now, call.of(Key{Scope: id16("k")}), nil)
			fmt.Fprintf(&out, " | %-16s", outcomeNames[res.Outcome])
		}
	}
	return out.String()
}

var (
	buyer    = SessionID(id16("buyer"))
	theOrder = OrderID(id16("o"))
)

func (s *scenario) setSale(to *Settings) {
	to.Status = map[string]Status{"on": OnSale, "paused": Paused, "closed": Closed, "cancelled": Cancelled}[s.arg("sale", "on")]
}

// bring takes a new order, with seat A-1, to a status, and tells the time it is then.
func (s *scenario) bring(m *Map, to OrderStatus) Time {
	now := t0
	steps := map[OrderStatus][]Command{
		StatusPending:       {},
		StatusReserved:      {reserveA1},
		StatusAuthorizing:   {reserveA1, confirmHeld},
		StatusAuthorized:    {reserveA1, confirmHeld, granted},
		StatusCapturing:     {reserveA1, confirmHeld, granted, Finalize{Session: buyer, Order: theOrder}},
		StatusCompleted:     {reserveA1, confirmHeld, granted, Finalize{Session: buyer, Order: theOrder}, captured},
		StatusExpired:       {reserveA1, Tick{}},
		StatusCancelled:     {reserveA1, Cancel{Session: buyer, Order: theOrder}},
		StatusPaymentFailed: {reserveA1, confirmHeld, granted, Finalize{Session: buyer, Order: theOrder}, captureRefused},
	}
	do(s.t, m, now, CreateOrder{Session: buyer, Order: theOrder, TokenExpires: t0 + 300_000})
	for _, c := range steps[to] {
		if _, tick := c.(Tick); tick {
			now += Time(defaults().HoldTTL)
		}
		do(s.t, m, now, c)
	}
	if o, _ := m.Order(theOrder); o.Status != to {
		s.t.Fatalf("the order is %s, not %s", statusNames[o.Status], statusNames[to])
	}
	return now
}

var (
	reserveA1      = Reserve{Session: buyer, Order: theOrder, Want: Want{Seats: []string{"A-1"}}}
	confirmHeld    = Confirm{Session: buyer, Order: theOrder, PaymentToken: "tok"}
	granted        = AuthorizeSucceeded{Order: theOrder, Attempt: 1, Reference: "ref"}
	captured       = CaptureSucceeded{Order: theOrder, Attempt: 1, Tickets: make([]TicketID, 1)}
	captureRefused = CaptureRefused{Order: theOrder, Attempt: 1, Code: "expired_card"}
)

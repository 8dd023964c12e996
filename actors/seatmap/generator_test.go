package seatmap

import "fmt"

// generator draws halls and commands.
type generator struct {
	draw     func(n int, label string) int // one of 0 to n-1
	spec     PlanSpec
	settings Settings
	names    []string
	now      Time
}

func newGenerator(draw func(n int, label string) int) *generator {
	g := &generator{draw: draw, now: t0, settings: defaults()}
	g.settings.MaxSeatsPerOrder = (1 + g.draw(5, "max seats"))
	g.settings.HoldTTL = 60_000
	g.spec = PlanSpec{Hash: [32]byte{9}, Categories: []CategorySpec{{"I", ""}, {"II", ""}, {"III", ""}}}
	for s := range 1 + g.draw(3, "sections") {
		section := SectionSpec{Name: []string{"left", "right", "left"}[s]} // two of one name
		for r := range 1 + g.draw(3, "rows") {
			x, category := 0.0, g.draw(3, "category")
			row := RowSpec{Name: fmt.Sprint(r)}
			for n := range 1 + g.draw(9, "seats") {
				x += []float64{1, 1, 1, 1.5, 1.75, 3}[g.draw(6, "gap")]
				if g.draw(5, "other category") == 0 {
					category = g.draw(3, "category")
				}
				id := fmt.Sprintf("%d.%d.%d", s, r, n)
				row.Seats = append(row.Seats, SeatSpec{ID: id, Number: fmt.Sprint(n), Category: category, X: x})
				g.names = append(g.names, id)
			}
			section.Rows = append(section.Rows, row)
		}
		g.spec.Sections = append(g.spec.Sections, section)
	}
	return g
}

func pick1[T any](g *generator, label string, of ...T) T { return of[g.draw(len(of), label)] }

// step moves the time, seldom far, and sometimes backwards.
func (g *generator) step() {
	g.now += pick1(g, "step", 0, 0, 1, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, Time(-5_000))
	if g.draw(16, "jump") == 0 {
		g.now += pick1(g, "far", 60_000, 600_000, 24*3_600_000, 25*Time(3_600_000))
	}
}

func (g *generator) seats() []string {
	names := make([]string, g.draw(g.settings.MaxSeatsPerOrder+2, "named"))
	for i := range names {
		names[i] = g.names[g.draw(len(g.names), "seat")]
		if g.draw(40, "unknown seat") == 0 {
			names[i] = "none"
		}
	}
	return names
}

func (g *generator) want() Want {
	if g.draw(2, "by name") == 0 {
		return Want{Seats: g.seats()}
	}
	return Want{
		Quantity: g.draw(g.settings.MaxSeatsPerOrder+3, "quantity") - 1,
		Category: pick1(g, "category", "", "", "", "I", "II", "IV"),
		Section:  pick1(g, "section", "", "", "", "left", "right", "none"),
	}
}

func (g *generator) key() Key {
	if g.draw(4, "keyless") == 0 {
		return Key{}
	}
	return Key{Scope: id16(fmt.Sprint("k", g.draw(40, "key"))), Body: id16(fmt.Sprint("b", g.draw(5, "body")/4))}
}

// order draws one that is there, mostly, and whose it is, mostly.
func (g *generator) order(md *model) (OrderID, SessionID) {
	id := OrderID(id16(fmt.Sprint("o", g.draw(8, "order"))))
	by := SessionID(id16(fmt.Sprint("s", g.draw(3, "session"))))
	if o := md.orders[id]; o != nil && g.draw(10, "other session") > 0 {
		by = o.Session
	}
	return id, by
}

func (g *generator) command(md *model) Command {
	id, by := g.order(md)
	attempt, tickets := uint32(1), []TicketID(nil)
	if o := md.orders[id]; o != nil {
		attempt = o.Attempt + uint32(g.draw(8, "attempt")/7)
		tickets = make([]TicketID, len(o.Seats))
	}
	if g.draw(3, "onward") > 0 {
		return g.onward(md, id, by)
	}
	switch g.draw(20, "command") {
	case 0, 1, 2:
		return CreateOrder{Key: g.key(), Session: by, Order: id, TokenExpires: g.now + pick1(g, "token", Time(-1), 20_000, 600_000, 25*3_600_000)}
	case 3, 4, 5:
		return Reserve{Key: g.key(), Session: by, Order: id, Want: g.want()}
	case 6, 7:
		return Confirm{Key: g.key(), Session: by, Order: id, Want: g.want(), PaymentToken: "tok"}
	case 8:
		return Confirm{Key: g.key(), Session: by, Order: id, PaymentToken: "tok"}
	case 9:
		return Finalize{Key: g.key(), Session: by, Order: id}
	case 10:
		return Cancel{Key: g.key(), Session: by, Order: id}
	case 11:
		return EndSession{Session: by, TokenExpires: g.now + pick1(g, "token", Time(-1), 600_000)}
	case 12:
		return pick1[Command](g, "block", Block{Seats: g.seats()}, Unblock{Seats: g.seats()})
	case 13:
		settings := g.settings
		settings.Status = pick1(g, "status", OnSale, OnSale, OnSale, Paused, Cancelled)
		settings.HoldTTL = pick1[int64](g, "ttl", 60_000, 5_000, 300_000, 0)
		return Configure{Settings: settings}
	case 14, 15:
		return AuthorizeSucceeded{Order: id, Attempt: attempt, Reference: "ref"}
	case 16:
		return AuthorizeRefused{Order: id, Attempt: attempt, Code: "no"}
	case 17:
		if g.draw(3, "refused") == 0 {
			return CaptureRefused{Order: id, Attempt: attempt, Code: "no"}
		}
		return CaptureSucceeded{Order: id, Attempt: attempt, Tickets: tickets}
	case 18:
		return VoidSucceeded{Order: id, Attempt: attempt}
	default:
		return Tick{}
	}
}

// onward asks for what brings the order on its way, most likely. Without it few orders would ever reach their end.
func (g *generator) onward(md *model, id OrderID, by SessionID) Command {
	o := md.orders[id]
	if o == nil {
		return CreateOrder{Key: g.key(), Session: by, Order: id, TokenExpires: g.now + 900_000}
	}
	switch o.Status {
	case StatusPending:
		want := Want{Quantity: 1 + g.draw(2, "quantity")}
		return pick1[Command](g, "hold", Reserve{Key: g.key(), Session: by, Order: id, Want: want}, Confirm{Key: g.key(), Session: by, Order: id, Want: want})
	case StatusReserved:
		return Confirm{Key: g.key(), Session: by, Order: id, PaymentToken: "tok"}
	case StatusAuthorizing:
		return pick1[Command](g, "answer", AuthorizeSucceeded{Order: id, Attempt: o.Attempt, Reference: "ref"},
			AuthorizeSucceeded{Order: id, Attempt: o.Attempt, Reference: "ref"}, AuthorizeRefused{Order: id, Attempt: o.Attempt, Code: "no"})
	case StatusAuthorized:
		return Finalize{Key: g.key(), Session: by, Order: id}
	case StatusCapturing:
		success := CaptureSucceeded{Order: id, Attempt: o.Attempt, Tickets: make([]TicketID, len(o.Seats))}
		return pick1[Command](g, "answer", success, success, CaptureRefused{Order: id, Attempt: o.Attempt, Code: "no"})
	case StatusCompleted, StatusExpired, StatusCancelled, StatusPaymentFailed:
		if o.open() {
			return pick1[Command](g, "void", AuthorizeSucceeded{Order: id, Attempt: o.Attempt}, VoidSucceeded{Order: id, Attempt: o.Attempt})
		}
	}
	return Tick{}
}

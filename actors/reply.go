package actors

import (
	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// reply says in the language of the outside what became of a command, from the state right after it.
func (o *Owner) reply(r seatmap.Result) *messages.Reply {
	reply := &messages.Reply{
		Outcome: messages.Outcome(r.Outcome), Seats: r.Seats, Limit: int64(r.Limit), DeclineCode: r.Code,
	}
	if r.Order != (seatmap.OrderID{}) && r.Outcome != seatmap.OrderNotFound { // not to be shown: it may be another's
		reply.Order = o.order(r.Order)
	}
	if r.Outcome == seatmap.Replayed {
		reply.Stored = &messages.StoredAnswer{Seq: r.Stored.Seq, Slot: r.Stored.Slot}
	}
	if at := o.state.Settings().OnSaleAt; r.Outcome == seatmap.EventNotOnSale && at > o.now {
		reply.OnSaleAt = int64(at)
	}
	if r.Outcome == seatmap.SettingsInvalid {
		reply.Faults = []*messages.Fault{{Field: r.Field, Message: r.Fault}}
	}
	if r.Outcome == seatmap.Configured {
		reply.Event = eventView(o.eventID, o.state.Plan(), o.state.Settings(), o.now)
	}
	if r.Outcome == seatmap.OrderCompleted {
		// The batch holds the tickets that this decision sold at its end, in the order's sequence of seats.
		sold := o.forming.tickets[len(o.forming.tickets)-len(reply.Order.GetSeats()):]
		for i := range sold {
			reply.Order.Tickets = append(reply.Order.Tickets, &messages.Ticket{
				TicketId: sold[i].TicketID[:], SeatId: sold[i].SeatID, Code: sold[i].Code,
			})
		}
	}
	return reply
}

// order as the state shows it now, nil if it is not known. Tickets are not in memory: the ticket table has them.
func (o *Owner) order(id seatmap.OrderID) *messages.Order {
	v, ok := o.state.Order(id)
	if !ok {
		return nil
	}
	plan, settings := o.state.Plan(), o.state.Settings()
	seats := make([]messages.Seat, len(v.Seats))
	order := &messages.Order{
		OrderId: v.ID[:], EventId: o.eventID, SessionId: v.Session[:], Status: messages.OrderStatus(v.Status),
		Seats: make([]*messages.Seat, len(v.Seats)), Currency: settings.Currency, Amount: v.Amount,
		HoldExpiresAt: int64(v.HoldExpiresAt()), CreatedAt: int64(v.CreatedAt),
	}
	for i, index := range v.Seats {
		category := plan.Category(index)
		s := &seats[i]
		s.SeatId, s.Section, s.Row, s.Number = plan.SeatID(index), plan.Section(index), plan.Row(index), plan.Number(index)
		s.Category, s.Price = plan.Categories()[category].Name, settings.Prices[category]
		order.Seats[i] = s
	}
	return order
}

// report for the organiser.
func (o *Owner) report() *messages.Report {
	plan, settings := o.state.Plan(), o.state.Settings()
	r := &messages.Report{
		Version: o.state.Version(), AsOf: int64(o.now), Currency: settings.Currency, Orders: make(map[string]uint64),
	}
	for i, c := range o.state.CategoryCounts() {
		r.Categories = append(r.Categories, &messages.Report_CategoryLine{
			Name: plan.Categories()[i].Name, Available: uint32(c.Available), Held: uint32(c.Held), Sold: uint32(c.Sold), Blocked: uint32(c.Blocked),
			Revenue: int64(c.Sold) * settings.Prices[i],
		})
	}
	for status, n := range o.state.OrderCounts() {
		if n > 0 {
			r.Orders[messages.OrderStatus(status).String()[len("ORDER_STATUS_"):]] = uint64(n)
		}
	}
	return r
}

// eventView is what the outside sees of an event's settings.
func eventView(eventID string, plan *seatmap.Plan, s *seatmap.Settings, now seatmap.Time) *messages.Event {
	status := messages.EventStatus(s.Status)
	if s.Status == seatmap.OnSale && s.OnSaleAt > now {
		status = messages.EventStatus_EVENT_STATUS_SCHEDULED
	}
	e := &messages.Event{
		EventId: eventID, Name: s.Name, Venue: s.Venue, City: s.City, Performers: s.Performers,
		StartsAt: int64(s.StartsAt), OnSaleAt: int64(s.OnSaleAt), Status: status,
		SeatsTotal: uint32(plan.Seats()), Currency: s.Currency,
		HoldTtlSeconds: uint32(s.HoldTTL / 1000), MaxSeatsPerOrder: uint32(s.MaxSeatsPerOrder),
		MaxOrdersPerSession: uint32(s.MaxOrdersPerSession),
		WaitingRoom: &messages.WaitingRoom{
			Enabled: s.WaitingRoom.Enabled, ActiveLimit: uint32(s.WaitingRoom.ActiveLimit),
			ActiveTtlSeconds: uint32(s.WaitingRoom.ActiveTTL / 1000), AdmitPerSecond: uint32(s.WaitingRoom.AdmitPerSecond),
		},
	}
	for i, c := range plan.Categories() {
		e.Categories = append(e.Categories, &messages.Category{Name: c.Name, Color: c.Color, Price: s.Prices[i]})
	}
	return e
}

// encodeAnswers of one entry, nil if there are none.
func encodeAnswers(answers []*messages.Answer) []byte {
	if len(answers) == 0 {
		return nil
	}
	b, err := proto.Marshal(&messages.Answers{Answers: answers})
	if err != nil {
		panic("actors: encoding answers: " + err.Error()) // only invalid UTF-8 can do this, and requests are checked for it
	}
	return b
}

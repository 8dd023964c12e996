package actors

import (
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// handle decides one request. Its reply leaves with the forming batch, or, where the provider must be asked first, with
// the batch that takes note of the provider's answer.
func (o *Owner) handle(from Caller, r *messages.Request) {
	if reply := o.read(r); reply != nil {
		o.answer(from, reply)
		return
	}
	command, reply := o.command(r)
	if reply != nil {
		o.answer(from, reply)
		return
	}
	result, ok := o.decide(command)
	if !ok {
		o.answer(from, &messages.Reply{Outcome: messages.Outcome_OUTCOME_INTERNAL})
		return
	}
	_, waits := o.waiters[result.Order]
	begun := result.Outcome == seatmap.AuthorizePending || result.Outcome == seatmap.CapturePending
	if begun || result.Outcome == seatmap.RequestInFlight && !waits { // whoever asked first has gone: this one joins the wait
		o.wait(result.Order, from)
		return
	}
	o.answer(from, o.finish(result))
}

// wait makes a caller wait for the provider's answer about the order.
func (o *Owner) wait(id seatmap.OrderID, from Caller) {
	w := waiter{from: from, until: o.now + callerWaitMillisMax}
	o.waiters[id] = w
	o.waits.add(w.until, id)
}

// finish makes the reply of a decision that has just been applied, and stores its answer if the facts say so.
func (o *Owner) finish(r seatmap.Result) *messages.Reply {
	reply := o.reply(r)
	if o.unrendered == 0 {
		return reply
	}
	if o.unrendered > 1 {
		panic("actors: one decision stored more than one answer")
	}
	o.unrendered = 0
	answer := o.render(reply)
	if answer == nil {
		panic("actors: an outcome that is to be stored has no answer: " + reply.GetOutcome().String())
	}
	o.forming.answers = append(o.forming.answers, answer)
	reply.Answer = answer
	return reply
}

// command is the core's form of a request; a reply instead where the request has no sense for this event.
func (o *Owner) command(r *messages.Request) (seatmap.Command, *messages.Reply) {
	session, key := seatmap.SessionID(id16(r.GetSessionId())), keyOf(r.GetIdempotency())
	switch c := r.GetCall().(type) {
	case *messages.Request_CreateOrder:
		return seatmap.CreateOrder{
			Key: key, Session: session,
			Order: orderID(c.CreateOrder.GetOrderId()), TokenExpires: seatmap.Time(c.CreateOrder.GetTokenExpiresAt()),
		}, nil
	case *messages.Request_Reserve:
		return seatmap.Reserve{Key: key, Session: session, Order: orderID(c.Reserve.GetOrderId()), Want: want(c.Reserve.GetWant())}, nil
	case *messages.Request_Confirm:
		return seatmap.Confirm{
			Key: key, Session: session, Order: orderID(c.Confirm.GetOrderId()),
			Want: want(c.Confirm.GetWant()), PaymentToken: c.Confirm.GetPaymentToken(),
		}, nil
	case *messages.Request_Finalize:
		return seatmap.Finalize{Key: key, Session: session, Order: orderID(c.Finalize.GetOrderId())}, nil
	case *messages.Request_Cancel:
		return seatmap.Cancel{Key: key, Session: session, Order: orderID(c.Cancel.GetOrderId())}, nil
	case *messages.Request_EndSession:
		return seatmap.EndSession{Session: session, TokenExpires: seatmap.Time(c.EndSession.GetTokenExpiresAt())}, nil
	case *messages.Request_Block:
		return seatmap.Block{Seats: c.Block.GetSeats()}, nil
	case *messages.Request_Unblock:
		return seatmap.Unblock{Seats: c.Unblock.GetSeats()}, nil
	case *messages.Request_Configure:
		return seatmap.Configure{Settings: patched(*o.state.Settings(), c.Configure.GetPatch())}, nil
	default:
		return nil, &messages.Reply{Outcome: messages.Outcome_OUTCOME_INTERNAL}
	}
}

// read answers what changes nothing; nil where the request is not a read. Even a read waits for the fence: what it shows
// is committed when it leaves.
func (o *Owner) read(r *messages.Request) *messages.Reply {
	reply := &messages.Reply{Outcome: messages.Outcome_OUTCOME_READ}
	switch c := r.GetCall().(type) {
	case *messages.Request_GetOrder:
		id := orderID(c.GetOrder.GetOrderId())
		view, ok := o.state.Order(id)
		if !ok || view.Session != seatmap.SessionID(id16(r.GetSessionId())) {
			reply.Outcome = messages.Outcome_OUTCOME_ORDER_NOT_FOUND
			return reply
		}
		reply.Order = o.order(id)
	case *messages.Request_GetReport:
		reply.Report = o.report()
	case *messages.Request_GetEvent:
		reply.Event = eventView(o.eventID, o.state.Plan(), o.state.Settings(), o.now)
	case *messages.Request_Wake: // expire has been called; project follows with every step
	default:
		return nil
	}
	return reply
}

func keyOf(i *messages.Idempotency) seatmap.Key {
	return seatmap.Key{Scope: id16(i.GetScope()), Body: id16(i.GetBody())}
}

func want(w *messages.Want) seatmap.Want {
	return seatmap.Want{Seats: w.GetSeats(), Quantity: int(w.GetQuantity()), Category: w.GetCategory(), Section: w.GetSection()}
}

func orderID(b []byte) seatmap.OrderID { return id16(b) }

// id16 copies an id; one of another length is no id of ours and becomes zero, which nothing has.
func id16(b []byte) (id [16]byte) {
	if len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// patched settings: what the patch names is replaced.
func patched(s seatmap.Settings, p *messages.SettingsPatch) seatmap.Settings {
	set(&s.Name, p.Name)
	set(&s.Venue, p.Venue)
	set(&s.City, p.City)
	if p.GetReplacePerformers() {
		s.Performers = p.GetPerformers()
	}
	if p.StartsAt != nil {
		s.StartsAt = seatmap.Time(p.GetStartsAt())
	}
	if p.OnSaleAt != nil {
		s.OnSaleAt = seatmap.Time(p.GetOnSaleAt())
	}
	if p.Status != nil {
		s.Status = seatmap.Status(p.GetStatus())
	}
	if p.HoldTtlSeconds != nil {
		s.HoldTTL = int64(p.GetHoldTtlSeconds()) * 1000
	}
	setInt(&s.MaxSeatsPerOrder, p.MaxSeatsPerOrder)
	setInt(&s.MaxOrdersPerSession, p.MaxOrdersPerSession)
	set(&s.WaitingRoom.Enabled, p.WaitingRoomEnabled)
	setInt(&s.WaitingRoom.ActiveLimit, p.ActiveLimit)
	if p.ActiveTtlSeconds != nil {
		s.WaitingRoom.ActiveTTL = int64(p.GetActiveTtlSeconds()) * 1000
	}
	setInt(&s.WaitingRoom.AdmitPerSecond, p.AdmitPerSecond)
	return s
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setInt(to *int, from *uint32) {
	if from != nil {
		*to = int(*from)
	}
}

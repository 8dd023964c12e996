package actors_test

import (
	"fmt"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// act lets one thing happen, of whatever kind.
func (w *world) act() {
	switch n := w.rng.IntN(100); {
	case n < 40 && len(w.tasks) > 0:
		w.runTask(w.rng.IntN(len(w.tasks)))
	case n < 75:
		w.request()
	case n < 92:
		w.pass()
	case n < 95 && len(w.owners) > 0: // anybody's projector, to anywhere
		if to := w.truth.Seq(); to > 1 {
			o := pick(w, w.owners)
			w.note("a projection of owner %d", o.epoch)
			w.project(o, 2+w.rng.Uint64N(to-1), false)
		}
	case n < 97:
		w.activate()
	case n < 98 && len(w.owners) > 0:
		o := pick(w, w.owners)
		w.note("owner %d crashes", o.epoch)
		o.crashed = true
		w.owners = without(w.owners, o)
	}
}

// pass some time, and have those woken who want it.
func (w *world) pass() {
	switch {
	case w.chance(70):
		w.elapsed += seatmap.Time(w.rng.IntN(300))
	case w.chance(90):
		w.elapsed += seatmap.Time(w.rng.IntN(3_000))
	default:
		w.elapsed += seatmap.Time(w.rng.IntN(25_000))
	}
	for _, o := range w.owners {
		if at := o.owner.WakeAt(); at != 0 && at <= o.now() && !o.waking {
			o.waking = true
			w.later("timer", o, func() {
				o.waking = false
				w.step(o, actors.Due{})
			})
		}
	}
}

// request something of any owner, mostly the newest.
func (w *world) request() {
	if len(w.owners) == 0 {
		w.activate()
	}
	o := w.owners[len(w.owners)-1]
	if w.chance(25) {
		o = pick(w, w.owners)
	}
	var r *messages.Request
	if len(w.sent) > 0 && w.chance(25) {
		r = pick(w, w.sent) // once more
	} else {
		r = w.invent()
		w.sent = append(w.sent, r)
	}
	w.note("%s to owner %d", describe(r), o.epoch)
	w.step(o, actors.Asked{From: &pending{request: r}, Request: r})
}

// invent a request that nobody has sent before.
func (w *world) invent() *messages.Request {
	n := len(w.sent)
	if len(w.orders) == 0 || w.chance(15) {
		o := simOrder{fmt.Sprint("s", w.rng.IntN(simBuyers)), fmt.Sprint("o", n)}
		w.orders = append(w.orders, o)
		return createOrder(o.session, o.order, t0+w.elapsed+seatmap.Time(w.rng.IntN(60_000)))
	}
	// The latest orders are those of which something may become.
	o := w.orders[len(w.orders)-1-w.rng.IntN(min(len(w.orders), 6))]
	key := fmt.Sprint(" ", n)
	var r *messages.Request
	switch k := w.rng.IntN(100); {
	case k < 20:
		r = &messages.Request{Call: &messages.Request_Reserve{Reserve: &messages.Reserve{OrderId: id(o.order), Want: w.want()}}}
	case k < 50:
		token := payment.TokenVisa
		if w.chance(40) {
			token = pick(w, []string{
				payment.TokenDeclined, payment.TokenAuthTimeout, payment.TokenCaptureTimeout, payment.TokenCaptureDeclined, payment.TokenSlow,
			})
		}
		c := &messages.Confirm{OrderId: id(o.order), PaymentToken: token}
		if w.chance(70) {
			c.Want = w.want()
		}
		r = &messages.Request{Call: &messages.Request_Confirm{Confirm: c}}
	case k < 75:
		r = &messages.Request{Call: &messages.Request_Finalize{Finalize: &messages.Finalize{OrderId: id(o.order)}}}
	case k < 80:
		r = &messages.Request{Call: &messages.Request_Cancel{Cancel: &messages.Cancel{OrderId: id(o.order)}}}
	default:
		return w.other(o)
	}
	return request(o.session, key, r)
}

// other requests have no key.
func (w *world) other(o simOrder) *messages.Request {
	r := new(messages.Request)
	seats := []string{seatID(w.rng.IntN(simSeats))}
	switch w.rng.IntN(10) {
	case 0:
		r.Call = &messages.Request_EndSession{EndSession: &messages.EndSession{TokenExpiresAt: int64(t0 + w.elapsed + 60_000)}}
	case 1:
		r.Call = &messages.Request_Block{Block: &messages.Block{Seats: seats}}
	case 2:
		r.Call = &messages.Request_Unblock{Unblock: &messages.Unblock{Seats: seats}}
	case 3:
		ttl := uint32(10 + w.rng.IntN(20))
		r.Call = &messages.Request_Configure{Configure: &messages.Configure{Patch: &messages.SettingsPatch{HoldTtlSeconds: &ttl}}}
	case 4, 5:
		r.Call = &messages.Request_GetOrder{GetOrder: &messages.GetOrder{OrderId: id(o.order)}}
	case 6:
		r.Call = &messages.Request_Wake{Wake: &messages.Wake{}}
	default:
		r.Call = &messages.Request_GetReport{GetReport: &messages.GetReport{}}
	}
	return request(o.session, "", r)
}

func (w *world) want() *messages.Want {
	if w.chance(30) {
		return &messages.Want{Quantity: uint32(1 + w.rng.IntN(3))}
	}
	var want messages.Want
	for _, i := range w.rng.Perm(simSeats)[:1+w.rng.IntN(2)] {
		want.Seats = append(want.Seats, seatID(i))
	}
	return &want
}

// hear checks a reply at the moment it leaves.
func (w *world) hear(o *simOwner, a actors.Addressed, committed bool) {
	p, ok := a.To.(*pending)
	if !ok {
		return
	}
	r := a.Reply
	w.note("owner %d answers %s: %s", o.epoch, describe(p.request), r.GetOutcome())
	if p.reply != nil {
		w.fail("%s is answered twice: %v, then %v", describe(p.request), p.reply, r)
	}
	p.reply = r
	switch r.GetOutcome() {
	case unavailable, overloaded, unknown: // these say nothing of the event
		w.met.Unheard++
		return
	}
	if !committed {
		w.fail("owner %d answers %s before a commit", o.epoch, r.GetOutcome())
	}
	if v := r.GetReport().GetVersion(); v > o.version {
		w.fail("owner %d reports version %d; committed was version %d", o.epoch, v, o.version)
	}
	scope := string(p.request.GetIdempotency().GetScope())
	said, before := w.acknowledged[scope]
	switch {
	case r.GetStored() != nil:
		w.met.Replayed++
		answer := answerKey(stored(w.TB, audit(w.TB, w.db, eventID, w.ledger).Entries, r.GetStored()))
		if before && said.answer != answer {
			w.fail("%s is replayed otherwise than answered", describe(p.request))
		}
		w.remember(scope, p.request, answer)
	case r.GetAnswer() != nil:
		w.met.Acknowledged++
		answer := answerKey(r.GetAnswer())
		// A replay may have overtaken the first answer, whose commit's reply was late.
		if before && (said.done || said.answer != answer) {
			w.fail("%s was done twice under one key", describe(p.request))
		}
		if !w.inJournal[answer] {
			w.fail("%s is answered with what is not in the journal", describe(p.request))
		}
		w.remember(scope, p.request, answer)
		w.acknowledged[scope] = acknowledgment{p.request, answer, true}
		w.rememberEnd(r.GetOrder())
	case r.GetOutcome() >= messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED && r.GetOutcome() < read:
		w.met.Refused++
	}
}

func (w *world) remember(scope string, r *messages.Request, answer string) {
	if _, ok := w.acknowledged[scope]; !ok {
		w.scopes = append(w.scopes, scope)
		w.acknowledged[scope] = acknowledgment{r, answer, false}
	}
}

// rememberEnd of an order: from there it goes nowhere.
func (w *world) rememberEnd(o *messages.Order) {
	switch o.GetStatus() {
	case messages.OrderStatus_ORDER_STATUS_COMPLETED, messages.OrderStatus_ORDER_STATUS_CANCELLED,
		messages.OrderStatus_ORDER_STATUS_PAYMENT_FAILED, messages.OrderStatus_ORDER_STATUS_EXPIRED:
		w.ended = append(w.ended, endedOrder{[16]byte(o.GetOrderId()), o.GetStatus()})
	}
}

package seatmap

import "fmt"

// Decide says what a command does at the time now: facts, appended to those given, and the outcome. The Map is not
// changed; the facts are to be applied before the next decision. A refusal has no facts.
//
// Checks are made in one order, the contract's: the order exists and is the session's · stored answer · session and
// token · limits and names (422) · expiry (410) · state, sale, seats (409). Time never runs backwards: a now before the
// latest time that a fact has told counts as that.
func (m *Map) Decide(now Time, c Command, facts []Fact) ([]Fact, Result) {
	now = max(now, m.clock)
	if !m.created || now <= 0 || now > timeMax {
		panic(fmt.Sprintf("seatmap: %T at %d: event created: %t", c, now, m.created))
	}
	switch c := c.(type) {
	case CreateOrder:
		return m.decideCreate(now, c, facts)
	case Reserve:
		return m.decideReserve(now, c, facts)
	case Confirm:
		return m.decideConfirm(now, c, facts)
	case Finalize:
		return m.decideFinalize(now, c, facts)
	case Cancel:
		return m.decideCancel(now, c, facts)
	case EndSession:
		return m.decideEndSession(now, c, facts)
	case Block:
		return m.decideBlock(c.Seats, SeatAvailable, facts)
	case Unblock:
		return m.decideBlock(c.Seats, SeatBlocked, facts)
	case Configure:
		return m.decideConfigure(c, facts)
	case AuthorizeSucceeded:
		return m.decideAuthorized(now, c, facts)
	case AuthorizeRefused:
		return m.decideDeclined(now, c, facts)
	case CaptureSucceeded:
		return m.decideCaptured(now, c, facts)
	case CaptureRefused:
		return m.decideCaptureRefused(now, c, facts)
	case VoidSucceeded:
		return m.decideVoided(c, facts)
	case Tick:
		return m.decideTick(now, facts)
	default:
		panic(fmt.Sprintf("seatmap: command of unknown type %T", c))
	}
}

// findOwn makes the checks that come first for every call on an order: it is there and the session's, and the request
// is new and may be remembered. o is nil where res refuses.
func (m *Map) findOwn(id OrderID, by SessionID, key Key) (o *order, res Result) {
	slot, ok := m.findOrder(id)
	if !ok || m.sessions.at(m.orders.at(slot).session).id != by {
		return nil, Result{Outcome: OrderNotFound, Order: id}
	}
	o = m.orders.at(slot)
	if res, known := m.checkKey(key); known {
		return nil, res
	}
	if m.answersFull(key, m.sessions.at(o.session)) {
		return nil, Result{Outcome: TooManyAnswers, Order: id, Limit: answersPerSessionMax}
	}
	return o, Result{Order: id}
}

// checkKey tells what becomes of a request that was seen before.
func (m *Map) checkKey(key Key) (res Result, known bool) {
	if key.Scope == ([16]byte{}) {
		return Result{}, false
	}
	if a, ok := m.findAnswer(key.Scope); ok {
		if a.key.Body != key.Body {
			return Result{Outcome: IdempotencyKeyReused}, true
		}
		return Result{Outcome: Replayed, Stored: Stored{Seq: a.seq, Slot: a.slot}}, true
	}
	if o, ok := m.findPending(key.Scope); ok {
		if o.money.pending.Body != key.Body {
			return Result{Outcome: IdempotencyKeyReused, Order: o.id}, true
		}
		return Result{Outcome: RequestInFlight, Order: o.id}, true
	}
	return Result{}, false
}

func (m *Map) answersFull(key Key, s *session) bool {
	return key.Scope != ([16]byte{}) && s.answers >= answersPerSessionMax
}

// answered appends the fact that the request has got its answer, where it is to be remembered.
func answered(facts []Fact, now Time, by SessionID, key Key) []Fact {
	if key.Scope == ([16]byte{}) {
		return facts
	}
	return append(facts, Answered{Session: by, Key: key, Expires: now + answerKeptFor})
}

// onSale: create, reserve and confirm are allowed.
func (m *Map) onSale(now Time) bool {
	return m.settings.Status == OnSale && now >= m.settings.OnSaleAt
}

// checkState is the order's column of the table of calls and states: 0 where the call is allowed.
func checkState(o *order, now Time, allowed statusSet) Outcome {
	if o.expired(now) {
		return HoldExpired
	}
	if !allowed.has(o.status) {
		return OrderState
	}
	return 0
}

func refuse(facts []Fact, res Result, why Outcome) ([]Fact, Result) {
	res.Outcome = why
	return facts, res
}

package seatmap

import "fmt"

// findPayment finds the order that waits for just this answer of the provider; nil: it is a repeated or outdated one.
func (m *Map) findPayment(id OrderID, attempt uint32, waits PaymentStatus) *order {
	slot, ok := m.findOrder(id)
	if !ok {
		return nil
	}
	o := m.orders.at(slot)
	if o.payment != waits || o.money.attempt != attempt {
		return nil
	}
	return o
}

// expireFirst ends an order whose deadline has passed before an authorization's answer is looked at, as if Tick had
// come before it. What Tick would do must not depend on which of the two came first.
func expireFirst(facts []Fact, now Time, o *order) (_ []Fact, ended bool) {
	if o.ended == 0 && o.expired(now) {
		return append(facts, OrderHasExpired{Order: o.id, At: now}), true
	}
	return facts, o.ended != 0
}

func (m *Map) decideAuthorized(now Time, c AuthorizeSucceeded, facts []Fact) ([]Fact, Result) {
	res := Result{Outcome: PaymentNoted, Order: c.Order}
	o := m.findPayment(c.Order, c.Attempt, PaymentAuthorizing)
	if o == nil {
		return facts, res
	}
	facts, ended := expireFirst(facts, now, o)
	facts = append(facts, AuthorizeWasGranted{Order: o.id, Reference: c.Reference})
	if ended {
		return facts, res
	}
	res.Outcome = OrderAuthorized
	return m.answeredPending(facts, now, o), res
}

func (m *Map) decideDeclined(now Time, c AuthorizeRefused, facts []Fact) ([]Fact, Result) {
	res := Result{Outcome: PaymentNoted, Order: c.Order}
	o := m.findPayment(c.Order, c.Attempt, PaymentAuthorizing)
	if o == nil {
		return facts, res
	}
	facts, ended := expireFirst(facts, now, o)
	facts = append(facts, AuthorizeWasDeclined{Order: o.id, Code: c.Code})
	if ended {
		return facts, res
	}
	res.Outcome, res.Code = PaymentDeclined, c.Code
	return m.answeredPending(facts, now, o), res
}

func (m *Map) decideCaptured(now Time, c CaptureSucceeded, facts []Fact) ([]Fact, Result) {
	o := m.findPayment(c.Order, c.Attempt, PaymentCapturing)
	if o == nil {
		return facts, Result{Outcome: PaymentNoted, Order: c.Order}
	}
	if len(c.Tickets) != len(o.seats) {
		panic(fmt.Sprintf("seatmap: CaptureSucceeded: %d tickets for %d seats of order %s", len(c.Tickets), len(o.seats), short(o.id)))
	}
	facts = append(facts, OrderWasCompleted{Order: o.id, At: now, Tickets: c.Tickets})
	return m.answeredPending(facts, now, o), Result{Outcome: OrderCompleted, Order: o.id}
}

func (m *Map) decideCaptureRefused(now Time, c CaptureRefused, facts []Fact) ([]Fact, Result) {
	o := m.findPayment(c.Order, c.Attempt, PaymentCapturing)
	if o == nil {
		return facts, Result{Outcome: PaymentNoted, Order: c.Order}
	}
	facts = append(facts, CaptureWasRefused{Order: o.id, At: now, Code: c.Code})
	return m.answeredPending(facts, now, o), Result{Outcome: CaptureFailed, Order: o.id, Code: c.Code}
}

func (m *Map) decideVoided(c VoidSucceeded, facts []Fact) ([]Fact, Result) {
	res := Result{Outcome: PaymentNoted, Order: c.Order}
	if o := m.findPayment(c.Order, c.Attempt, PaymentVoiding); o != nil {
		facts = append(facts, AuthorizationWasVoided{Order: o.id})
	}
	return facts, res
}

// answeredPending appends the fact that the request that waits for the provider has got its answer.
func (m *Map) answeredPending(facts []Fact, now Time, o *order) []Fact {
	return answered(facts, now, m.sessions.at(o.session).id, o.money.pending)
}

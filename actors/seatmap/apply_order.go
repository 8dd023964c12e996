package seatmap

import (
	"fmt"
	"slices"
)

func (m *Map) applyOrderCreated(f OrderWasCreated) {
	if _, ok := m.findOrder(f.Order); ok {
		panic(fmt.Sprintf("seatmap: OrderWasCreated: order %s is there already", short(f.Order)))
	}
	sessionSlot, s := m.needSession(f.Session)
	slot := m.orders.add(order{id: f.Order, session: sessionSlot, status: StatusPending, created: f.At})
	o := m.orders.at(slot)
	m.orderIndex.add(hashID(f.Order), slot, m.orderHash)
	m.statuses[StatusPending]++
	s.orders++
	s.until = max(s.until, f.Deadline)
	m.trimIdle()
	m.addLive(slot, o)
	m.setDeadline(slot, o, f.Deadline)
	m.tell(f.At)
}

func (m *Map) applyHeld(f SeatsWereHeld) {
	slot, o := m.orderFor("SeatsWereHeld", f.Order, statuses(StatusPending, StatusReserved))
	version := m.version
	same := sameSeats(o.seats, f.Seats)
	m.turnSeats("SeatsWereHeld (swap)", o.seats, SeatHeld, SeatAvailable)
	m.turnSeats("SeatsWereHeld", f.Seats, SeatAvailable, SeatHeld)
	if same {
		m.version = version
	}
	o.seats, o.amount = f.Seats, f.Amount
	if o.status == StatusPending {
		m.setStatus(o, StatusReserved)
		m.setDeadline(slot, o, f.Deadline)
	} else if o.deadline != f.Deadline {
		panic(fmt.Sprintf("seatmap: SeatsWereHeld: a swap moves the deadline of order %s", short(f.Order)))
	}
}

// sameSeats: the same set, in whatever sequence.
func sameSeats(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	return !slices.ContainsFunc(a, func(i int32) bool { return !slices.Contains(b, i) })
}

func (m *Map) applyAuthorizeStarted(f AuthorizeStarted) {
	slot, o := m.orderFor("AuthorizeStarted", f.Order, statuses(StatusReserved))
	if o.money == nil {
		o.money = new(money)
	}
	if f.Attempt != o.money.attempt+1 {
		panic(fmt.Sprintf("seatmap: AuthorizeStarted: attempt %d after %d of order %s", f.Attempt, o.money.attempt, short(f.Order)))
	}
	*o.money = money{attempt: f.Attempt, token: f.Token}
	o.payment = PaymentAuthorizing
	m.setStatus(o, StatusAuthorizing)
	m.setPending(slot, o, f.Key)
}

// authorizing are the statuses in which an authorization may be under way: it outlives its order.
const authorizing = statusSet(1<<StatusAuthorizing | 1<<StatusExpired | 1<<StatusCancelled)

func (m *Map) applyGranted(f AuthorizeWasGranted) {
	slot, o := m.orderFor("AuthorizeWasGranted", f.Order, authorizing)
	m.mustPay("AuthorizeWasGranted", o, PaymentAuthorizing)
	o.money.token, o.money.reference = "", f.Reference
	if o.ended != 0 {
		o.payment = PaymentVoiding
		return
	}
	o.payment = PaymentAuthorized
	m.clearPending(slot, o)
	m.setStatus(o, StatusAuthorized)
}

func (m *Map) applyDeclined(f AuthorizeWasDeclined) {
	slot, o := m.orderFor("AuthorizeWasDeclined", f.Order, authorizing)
	m.mustPay("AuthorizeWasDeclined", o, PaymentAuthorizing)
	o.money.token, o.money.code = "", f.Code
	o.payment = PaymentRefused
	if o.ended != 0 {
		m.settleOrder(slot, o)
		return
	}
	m.clearPending(slot, o)
	m.setStatus(o, StatusReserved)
}

func (m *Map) mustPay(fact string, o *order, want PaymentStatus) {
	if o.payment != want {
		panic(fmt.Sprintf("seatmap: %s: order %s has payment %d, not %d", fact, short(o.id), o.payment, want))
	}
}

func (m *Map) applyCaptureStarted(f CaptureStarted) {
	slot, o := m.orderFor("CaptureStarted", f.Order, statuses(StatusAuthorized))
	o.payment, o.deadline = PaymentCapturing, 0
	m.setStatus(o, StatusCapturing)
	m.setPending(slot, o, f.Key)
	m.trimDeadlines()
}

func (m *Map) applyCompleted(f OrderWasCompleted) {
	slot, o := m.orderFor("OrderWasCompleted", f.Order, statuses(StatusCapturing))
	if len(f.Tickets) != len(o.seats) {
		panic(fmt.Sprintf("seatmap: OrderWasCompleted: %d tickets for %d seats of order %s", len(f.Tickets), len(o.seats), short(f.Order)))
	}
	m.turnSeats("OrderWasCompleted", o.seats, SeatHeld, SeatSold)
	m.sessions.at(o.session).completed++
	o.payment = PaymentCaptured
	m.endOrder(slot, o, StatusCompleted, f.At)
}

func (m *Map) applyCaptureRefused(f CaptureWasRefused) {
	slot, o := m.orderFor("CaptureWasRefused", f.Order, statuses(StatusCapturing))
	m.turnSeats("CaptureWasRefused", o.seats, SeatHeld, SeatAvailable)
	o.payment, o.money.code = PaymentVoiding, f.Code
	m.endOrder(slot, o, StatusPaymentFailed, f.At)
}

// applyReleased ends an order as EXPIRED or CANCELLED. What is authorized must be voided; what is being authorized
// stays so until it is known.
func (m *Map) applyReleased(fact string, id OrderID, s OrderStatus, at Time) {
	slot, o := m.orderFor(fact, id, statuses(StatusPending, StatusReserved, StatusAuthorizing, StatusAuthorized))
	m.turnSeats(fact, o.seats, SeatHeld, SeatAvailable)
	if o.payment == PaymentAuthorized {
		o.payment = PaymentVoiding
	}
	m.endOrder(slot, o, s, at)
}

func (m *Map) applyVoided(f AuthorizationWasVoided) {
	slot, o := m.orderFor("AuthorizationWasVoided", f.Order, statuses(StatusExpired, StatusCancelled, StatusPaymentFailed))
	m.mustPay("AuthorizationWasVoided", o, PaymentVoiding)
	o.payment = PaymentVoided
	m.settleOrder(slot, o)
}

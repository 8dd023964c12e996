package seatmap

import "fmt"

// Apply makes a fact part of the state; seq is the journal entry it stands in. A fact that does not fit the state is a
// bug, and panics.
func (m *Map) Apply(seq uint64, f Fact) {
	if _, first := f.(EventCreated); first == m.created {
		panic(fmt.Sprintf("seatmap: %T: an event begins with EventCreated, and only there", f))
	}
	if seq < m.seq || seq == 0 {
		panic(fmt.Sprintf("seatmap: %T: entry %d after entry %d", f, seq, m.seq))
	}
	if seq > m.seq {
		m.seq, m.slot = seq, 0
	}
	m.apply(f)
	if invariantsOn {
		if err := m.Check(); err != nil {
			panic(fmt.Sprintf("seatmap: after %T: %v", f, err))
		}
	}
}

func (m *Map) apply(f Fact) {
	switch f := f.(type) {
	case EventCreated:
		m.applyCreated(f)
	case SettingsChanged:
		m.settings = f.Settings
	case SeatsWereBlocked:
		m.turnSeats("SeatsWereBlocked", f.Seats, SeatAvailable, SeatBlocked)
	case SeatsWereUnblocked:
		m.turnSeats("SeatsWereUnblocked", f.Seats, SeatBlocked, SeatAvailable)
	case OrderWasCreated:
		m.applyOrderCreated(f)
	case SeatsWereHeld:
		m.applyHeld(f)
	case AuthorizeStarted:
		m.applyAuthorizeStarted(f)
	case AuthorizeWasGranted:
		m.applyGranted(f)
	case AuthorizeWasDeclined:
		m.applyDeclined(f)
	case CaptureStarted:
		m.applyCaptureStarted(f)
	case OrderWasCompleted:
		m.applyCompleted(f)
	case CaptureWasRefused:
		m.applyCaptureRefused(f)
	case OrderHasExpired:
		m.applyReleased("OrderHasExpired", f.Order, StatusExpired, f.At)
	case OrderWasCancelled:
		m.applyReleased("OrderWasCancelled", f.Order, StatusCancelled, f.At)
	case AuthorizationWasVoided:
		m.applyVoided(f)
	case SessionWasEnded:
		m.applySessionEnded(f)
	case Answered:
		m.applyAnswered(f)
	case Forgotten:
		m.applyForgotten(f)
	default:
		panic(fmt.Sprintf("seatmap: fact of unknown type %T", f))
	}
}

func (m *Map) applyCreated(f EventCreated) {
	if f.PlanHash != m.plan.hash {
		panic(fmt.Sprintf("seatmap: EventCreated: plan %x, but this is %x", f.PlanHash, m.plan.hash))
	}
	if len(f.Settings.Prices) != len(m.plan.categories) {
		panic(fmt.Sprintf("seatmap: EventCreated: %d prices for %d categories", len(f.Settings.Prices), len(m.plan.categories)))
	}
	m.created, m.settings, m.version = true, f.Settings, m.seq
}

// turnSeats moves seats from one state to another. All of them are in the first.
func (m *Map) turnSeats(fact string, seats []int32, from, to Seat) {
	segment := int32(-1)
	for _, i := range seats {
		if m.seats[i] != byte(from) {
			panic(fmt.Sprintf("seatmap: %s: seat %d is %c, not %c", fact, i, m.seats[i], from))
		}
		m.seats[i] = byte(to)
		if s := m.plan.segmentOf[i]; s != segment {
			if segment >= 0 {
				m.recount(segment)
			}
			segment = s
		}
	}
	if segment >= 0 {
		m.recount(segment)
		m.version = m.seq
	}
	*m.counts.of(from) -= len(seats)
	*m.counts.of(to) += len(seats)
}

// orderFor finds the order that a fact is about, in one of the statuses that allow it.
func (m *Map) orderFor(fact string, id OrderID, allowed statusSet) (uint32, *order) {
	slot, ok := m.findOrder(id)
	if !ok {
		panic(fmt.Sprintf("seatmap: %s: there is no order %s", fact, short(id)))
	}
	o := m.orders.at(slot)
	if !allowed.has(o.status) {
		panic(fmt.Sprintf("seatmap: %s: order %s has status %d, payment %d", fact, short(id), o.status, o.payment))
	}
	return slot, o
}

func (m *Map) tell(at Time) { m.clock = max(m.clock, at) }

func (m *Map) setStatus(o *order, s OrderStatus) {
	m.statuses[o.status]--
	m.statuses[s]++
	o.status = s
}

// setDeadline gives the order its place among those whose time runs. Every call takes the next turn.
func (m *Map) setDeadline(slot uint32, o *order, at Time) {
	m.turn++
	o.turn, o.deadline = m.turn, at
	m.deadlinesOf(o).push(due{at: at, turn: o.turn, slot: slot})
	m.trimDeadlines()
}

// deadlinesOf the order's status. Whoever leaves PENDING for a hold is given a new deadline.
func (m *Map) deadlinesOf(o *order) *deadlines {
	if o.status == StatusPending {
		return &m.tokens
	}
	return &m.holds
}

func (m *Map) trimDeadlines() {
	m.tokens.trim(int(m.statuses[StatusPending]), m.orderDue)
	m.holds.trim(int(m.statuses[StatusReserved]+m.statuses[StatusAuthorizing]+m.statuses[StatusAuthorized]), m.orderDue)
}

func (m *Map) setPending(slot uint32, o *order, key Key) {
	if key.Scope == ([16]byte{}) {
		return
	}
	m.mustBeNew("a pending key", key)
	o.money.pending = key
	m.pendingIndex.add(hashID(key.Scope), slot, m.pendingHash)
	m.sessions.at(o.session).answers++
}

func (m *Map) clearPending(slot uint32, o *order) {
	if o.money == nil || o.money.pending.Scope == ([16]byte{}) {
		return
	}
	m.pendingIndex.remove(hashID(o.money.pending.Scope), slot, m.pendingHash)
	o.money.pending = Key{}
	m.sessions.at(o.session).answers--
}

func (m *Map) mustBeNew(what string, key Key) {
	_, stored := m.findAnswer(key.Scope)
	_, pending := m.findPending(key.Scope)
	if stored || pending {
		panic(fmt.Sprintf("seatmap: %s has the scope %s of another", what, short(key.Scope)))
	}
}

// endOrder gives the order its last status. Its payment has been brought up to date, so that it is known whether the
// provider still owes an answer.
func (m *Map) endOrder(slot uint32, o *order, s OrderStatus, at Time) {
	m.tell(at)
	m.clearPending(slot, o)
	m.removeLive(slot, o)
	m.setStatus(o, s)
	o.deadline, o.ended = 0, max(at, 1)
	m.trimDeadlines()
	m.settleOrder(slot, o)
}

// settleOrder queues an order to be forgotten, if it has ended and nothing is owed.
func (m *Map) settleOrder(slot uint32, o *order) {
	if o.settled() {
		m.endedOrders.push(due{at: o.ended + orderKeptFor, turn: o.turn, slot: slot})
	}
}

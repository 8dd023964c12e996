// Package seatmap decides who gets which seat of one event. It is pure: no I/O, no clock, no randomness, no goroutine.
//
// What it guarantees:
//
//  1. Decide changes nothing: it says, as facts, what a command would change, and its outcome.
//  2. Apply is the only mutator and total: a fact that Decide gave for this very state never fails. A fact that does
//     not fit the state is a bug and panics.
//  3. The same facts applied in the same order give the same Map, and the same Map the same snapshot bytes.
//  4. A seat has at most one order. No order loses a seat in CAPTURING or COMPLETED.
//  5. An order past its deadline is refused at use, even before Tick has said so in a fact.
package seatmap

import (
	"iter"
	"slices"
)

// Seat is the state of one seat, as the letter that stands for it.
type Seat byte

// The states.
const (
	SeatAvailable Seat = 'A'
	SeatHeld      Seat = 'H'
	SeatSold      Seat = 'S'
	SeatBlocked   Seat = 'B'
)

// Map is the state of one event. It is not safe for concurrent use.
type Map struct {
	plan     *Plan
	settings Settings
	created  bool

	seq     uint64 // of the last fact
	version uint64 // seq of the last entry that moved a seat
	slot    uint32 // Answered facts so far in entry seq
	clock   Time   // the latest time that a fact has told
	// forgotten is the last Forgotten's Before.
	forgotten Time
	turn      uint64 // the last one given

	seats  []byte   // a Seat each
	runs   []uint64 // by segment: bit L-1 is set where L seats in a row are available, bit 63 where 64 or more are
	counts Counts
	// statuses counts orders by status, those forgotten too.
	statuses [orderStatuses]uint64

	orders   slab[order]
	sessions slab[session]
	answers  fifo[answer]

	orderIndex, sessionIndex, answerIndex index
	pendingIndex                          index // orders by the key that is pending

	// tokens are the deadlines of PENDING orders, holds those of the other orders whose time runs. They are apart since
	// tokens come in no order, and would push the holds, which do, out of their rings.
	tokens, holds deadlines
	endedOrders   deadlines // settled orders: when they may be forgotten
	idle          deadlines // sessions that nothing refers to: when they may be forgotten
}

// Counts of seats by state.
type Counts struct{ Available, Held, Sold, Blocked int }

// New gives the Map of an event that is yet to be created: the first fact is EventCreated.
func New(plan *Plan) *Map {
	m := &Map{plan: plan, seats: make([]byte, plan.Seats()), runs: make([]uint64, len(plan.segments))}
	for i := range m.seats {
		m.seats[i] = byte(SeatAvailable)
	}
	for i := range m.runs {
		m.recount(int32(i))
	}
	m.counts.Available = len(m.seats)
	return m
}

// Plan of the hall.
func (m *Map) Plan() *Plan { return m.plan }

// Settings as they stand; read only.
func (m *Map) Settings() *Settings { return &m.settings }

// Version is the journal entry that last moved a seat; that of EventCreated at first.
func (m *Map) Version() uint64 { return m.version }

// Seq is the journal entry of the last fact.
func (m *Map) Seq() uint64 { return m.seq }

// Order by its id; false where it never was or is forgotten.
func (m *Map) Order(id OrderID) (Order, bool) {
	slot, ok := m.findOrder(id)
	if !ok {
		return Order{}, false
	}
	o := m.orders.at(slot)
	return o.view(m.sessions.at(o.session).id), true
}

// Session by its id; false where it never ordered, or is forgotten.
func (m *Map) Session(id SessionID) (Session, bool) {
	slot, ok := m.findSession(id)
	if !ok {
		return Session{}, false
	}
	s := m.sessions.at(slot)
	return Session{Completed: int(s.completed), Live: int(s.live), Ended: s.ended}, true
}

// Operation is the provider call that the order waits for.
func (m *Map) Operation(id OrderID) (Operation, bool) {
	slot, ok := m.findOrder(id)
	if !ok {
		return Operation{}, false
	}
	return m.orders.at(slot).operation()
}

// Operations yields all open provider calls, in the sequence in which their orders' deadlines were set.
func (m *Map) Operations() iter.Seq[Operation] {
	return func(yield func(Operation) bool) {
		for _, slot := range m.ordersByTurn(func(o *order) bool { return o.payment.open() }) {
			if op, ok := m.orders.at(slot).operation(); ok && !yield(op) {
				return
			}
		}
	}
}

// ordersByTurn lists the slots of orders in the one sequence that does not depend on how they lie in memory.
func (m *Map) ordersByTurn(choose func(*order) bool) []uint32 {
	slots := make([]uint32, 0, m.orders.len())
	for slot := range m.orders.end {
		if o := m.orders.at(slot); o.status != 0 && choose(o) {
			slots = append(slots, slot)
		}
	}
	slices.SortFunc(slots, m.compareTurns)
	return slots
}

func (m *Map) compareTurns(a, b uint32) int {
	if m.orders.at(a).turn < m.orders.at(b).turn {
		return -1
	}
	return 1
}

// Letters appends a letter a seat, by index: A available, H held, S sold, B blocked.
func (m *Map) Letters(buf []byte) []byte { return append(buf, m.seats...) }

// Counts of all seats.
func (m *Map) Counts() Counts { return m.counts }

// SectionCounts gives the counts of each section, in the plan's sequence. It looks at every seat.
func (m *Map) SectionCounts() []Counts {
	counts := make([]Counts, len(m.plan.sections))
	for i := range m.plan.sections {
		for _, seat := range m.seats[m.plan.sections[i].first:m.plan.sections[i].end] {
			*counts[i].of(Seat(seat))++
		}
	}
	return counts
}

// CategoryCounts gives the counts of each category. It looks at every seat.
func (m *Map) CategoryCounts() []Counts {
	counts := make([]Counts, len(m.plan.categories))
	for i, seat := range m.seats {
		*counts[m.plan.category[i]].of(Seat(seat))++
	}
	return counts
}

// OrderCounts counts orders by status, those forgotten too.
func (m *Map) OrderCounts() [orderStatuses]uint64 { return m.statuses }

func (c *Counts) of(s Seat) *int {
	switch s {
	case SeatAvailable:
		return &c.Available
	case SeatHeld:
		return &c.Held
	case SeatSold:
		return &c.Sold
	case SeatBlocked:
		return &c.Blocked
	}
	panic("seatmap: a seat in no state")
}

package seatmap

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// DecodeSnapshot is the inverse of AppendSnapshot for an event in the plan's hall. It believes nothing: whatever
// AppendSnapshot would not have written, or Check would not pass, is an error.
func DecodeSnapshot(plan *Plan, b []byte) (*Map, error) {
	m, err := decodeSnapshot(plan, b)
	if err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	return m, nil
}

func decodeSnapshot(plan *Plan, b []byte) (*Map, error) {
	b, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := reader{buf: b}
	r.version("snapshot", snapshotVersion)
	if hash := r.hash(); r.err == nil && hash != plan.hash {
		return nil, fmt.Errorf("seatmap: of plan %x, not %x", hash, plan.hash)
	}
	if n := r.uint(); r.err == nil && n != uint64(plan.Seats()) {
		return nil, fmt.Errorf("seatmap: %d seats, not %d", n, plan.Seats())
	}
	m := New(plan)
	m.readHead(&r)
	m.readSeats(&r)
	m.readSessions(&r)
	m.readOrders(&r)
	m.readAnswers(&r)
	if err := r.end(); err != nil {
		return nil, err
	}
	for slot := range m.sessions.end {
		m.idleSession(slot, m.sessions.at(slot))
	}
	return m, m.Check()
}

func (m *Map) readHead(r *reader) {
	m.created = r.bool()
	m.seq = r.uint()
	m.version = r.uint()
	m.slot = r.uint32()
	m.clock = r.time()
	m.forgotten = r.time()
	m.turn = r.uint()
	m.settings = r.settings()
	for i := range m.statuses {
		m.statuses[i] = r.uint()
	}
}

func (m *Map) readSeats(r *reader) {
	packed := r.take(uint64(len(m.seats)+3) / 4)
	if r.err != nil {
		return
	}
	for i := range m.seats {
		m.seats[i] = seatLetters[packed[i/4]>>(2*(i%4))&3]
	}
	if rest := len(m.seats) % 4; rest > 0 && packed[len(packed)-1]>>(2*rest) != 0 {
		r.fail(errRange)
	}
	m.counts = Counts{}
	for _, seat := range m.seats {
		*m.counts.of(Seat(seat))++
	}
	for s := range m.runs {
		m.recount(int32(s))
	}
}

var (
	errSequence = errors.New("seatmap: items out of sequence")
	errTwice    = errors.New("seatmap: the same id or key twice")
	errPayment  = errors.New("seatmap: an order whose fields do not fit its status")
)

func (m *Map) readSessions(r *reader) {
	var last SessionID
	for i := range r.count(snapshotSessionMin) {
		s := session{id: r.id(), until: r.time(), completed: r.uint32(), ended: r.bool(), used: true}
		if i > 0 && bytes.Compare(last[:], s.id[:]) >= 0 {
			r.fail(errSequence)
		}
		if r.err != nil {
			return
		}
		last = s.id
		slot := m.sessions.add(s)
		m.sessionIndex.add(hashID(s.id), slot, m.sessionHash)
	}
}

// sessionRef reads a session by its place, which is its slot in a Map that has just been decoded.
func (m *Map) sessionRef(r *reader) uint32 {
	slot := r.uint32()
	if r.err == nil && slot >= m.sessions.end {
		r.fail(errRange)
	}
	return slot
}

func (m *Map) readOrders(r *reader) {
	var timed []due
	turn := uint64(0)
	for range r.count(snapshotOrderMin) {
		o := m.readOrder(r, turn)
		if _, there := m.findOrder(o.id); r.err == nil && there {
			r.fail(errTwice)
		}
		if r.err != nil {
			return
		}
		turn = o.turn
		slot := m.orders.add(o)
		m.orderIndex.add(hashID(o.id), slot, m.orderHash)
		m.sessions.at(o.session).orders++
		if o.status.Live() {
			m.addLive(slot, m.orders.at(slot))
		}
		if o.status.timed() {
			timed = append(timed, due{at: o.deadline, turn: o.turn, slot: slot})
		}
		m.settleOrder(slot, m.orders.at(slot))
		m.readPending(r, slot)
	}
	slices.SortFunc(timed, compareDue)
	for _, d := range timed {
		m.deadlinesOf(m.orders.at(d.slot)).push(d)
	}
}

func (m *Map) readOrder(r *reader, turn uint64) order {
	o := order{id: r.id(), session: m.sessionRef(r)}
	step := r.uint()
	o.turn = turn + step
	o.status, o.payment = OrderStatus(r.byte()), PaymentStatus(r.byte())
	o.created, o.deadline, o.ended = r.time(), r.time(), r.time()
	o.amount = r.int()
	o.seats = r.seats()
	if r.bool() {
		o.money = &money{pending: r.key(), token: r.text(), reference: r.text(), code: r.text(), attempt: r.uint32()}
	}
	switch {
	case r.err != nil:
	case step == 0 || o.turn < turn || o.turn > m.turn:
		r.fail(errSequence)
	case !o.plausible():
		r.fail(errPayment)
	}
	for _, i := range o.seats {
		if i < 0 || int(i) >= len(m.seats) {
			r.fail(errRange)
		}
	}
	return o
}

// readPending enters the key that the order's caller waits under.
func (m *Map) readPending(r *reader, slot uint32) {
	o := m.orders.at(slot)
	if o.money == nil || o.money.pending == (Key{}) {
		return
	}
	key := o.money.pending
	if key.Scope == ([16]byte{}) || o.status != StatusAuthorizing && o.status != StatusCapturing {
		r.fail(errPayment)
		return
	}
	if _, pending := m.findPending(key.Scope); pending {
		r.fail(errTwice)
		return
	}
	m.pendingIndex.add(hashID(key.Scope), slot, m.pendingHash)
	m.sessions.at(o.session).answers++
}

func (m *Map) readAnswers(r *reader) {
	last := Time(0)
	for range r.count(snapshotAnswerMin) {
		a := answer{key: r.key(), session: m.sessionRef(r), expires: r.time(), seq: r.uint(), slot: r.uint32()}
		_, stored := m.findAnswer(a.key.Scope)
		_, pending := m.findPending(a.key.Scope)
		switch {
		case r.err != nil:
		case stored || pending:
			r.fail(errTwice)
		case a.expires < last || a.expires-answerKeptFor > m.clock || a.seq > m.seq:
			r.fail(errSequence)
		}
		if r.err != nil {
			return
		}
		last = a.expires
		m.sessions.at(a.session).answers++
		position := m.answers.push(a)
		m.answerIndex.add(hashID(a.key.Scope), uint32(position), m.answerHash)
	}
}

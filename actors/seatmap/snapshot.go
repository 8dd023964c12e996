package seatmap

import (
	"bytes"
	"slices"
)

// snapshotVersion leads every snapshot. A snapshot of another version is not read: the journal has it all.
const snapshotVersion = 2

// What the decoder takes for the fewest bytes of an item, so that no length asks for more memory than there are bytes.
const (
	snapshotSessionMin = 16 + 3
	snapshotOrderMin   = 16 + 10
	snapshotAnswerMin  = 32 + 4
)

// AppendSnapshot appends the state. Maps that came from the same facts give the same bytes, whichever way they came:
// sessions stand by id, orders by turn, answers in the sequence they were given in; how they lie in memory does not show.
// They end with a checksum, as journal entries do.
func (m *Map) AppendSnapshot(buf []byte) []byte {
	begin := len(buf)
	w := writer{buf: append(buf, snapshotVersion)}
	w.hash(m.plan.hash).uint(uint64(len(m.seats)))
	w.bool(m.created).uint(m.seq).uint(m.version).uint(uint64(m.slot))
	w.time(m.clock).time(m.forgotten).uint(m.turn)
	w.settings(&m.settings)
	for _, n := range m.statuses {
		w.uint(n)
	}
	w.seatStates(m.seats)
	place := m.writeSessions(&w)
	m.writeOrders(&w, place)
	m.writeAnswers(&w, place)
	return seal(w.buf, begin)
}

// seatStates packs four seats a byte, the first lowest; what is left over in the last byte is 0.
func (w *writer) seatStates(seats []byte) {
	var packed, shift byte
	for _, seat := range seats {
		packed |= seatCode(Seat(seat)) << shift
		if shift += 2; shift == 8 {
			w.byte(packed)
			packed, shift = 0, 0
		}
	}
	if shift > 0 {
		w.byte(packed)
	}
}

// seatLetters by code.
const seatLetters = "AHSB"

func seatCode(s Seat) byte {
	switch s {
	case SeatAvailable:
		return 0
	case SeatHeld:
		return 1
	case SeatSold:
		return 2
	case SeatBlocked:
		return 3
	}
	panic("seatmap: a seat in no state")
}

// writeSessions gives back, by slot, the place at which a session stands.
func (m *Map) writeSessions(w *writer) (place []uint32) {
	slots := make([]uint32, 0, m.sessions.len())
	for slot := range m.sessions.end {
		if m.sessions.at(slot).used {
			slots = append(slots, slot)
		}
	}
	slices.SortFunc(slots, func(a, b uint32) int {
		return bytes.Compare(m.sessions.at(a).id[:], m.sessions.at(b).id[:])
	})
	place = make([]uint32, m.sessions.end)
	w.uint(uint64(len(slots)))
	for i, slot := range slots {
		place[slot] = uint32(i)
		s := m.sessions.at(slot)
		w.id(s.id).time(s.until).uint(uint64(s.completed)).bool(s.ended)
	}
	return place
}

func (m *Map) writeOrders(w *writer, place []uint32) {
	slots := m.ordersByTurn(func(*order) bool { return true })
	w.uint(uint64(len(slots)))
	turn := uint64(0)
	for _, slot := range slots {
		o := m.orders.at(slot)
		w.id(o.id).uint(uint64(place[o.session])).uint(o.turn - turn)
		turn = o.turn
		w.byte(byte(o.status)).byte(byte(o.payment))
		w.time(o.created).time(o.deadline).time(o.ended).int(o.amount).seats(o.seats)
		w.bool(o.money != nil)
		if p := o.money; p != nil {
			w.key(p.pending).text(p.token).text(p.reference).text(p.code).uint(uint64(p.attempt))
		}
	}
}

func (m *Map) writeAnswers(w *writer, place []uint32) {
	w.uint(uint64(m.answers.len()))
	for p := m.answers.head; p < m.answers.tail; p++ {
		a := m.answers.at(p)
		w.key(a.key).uint(uint64(place[a.session])).time(a.expires).uint(a.seq).uint(uint64(a.slot))
	}
}

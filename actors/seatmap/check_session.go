package seatmap

import (
	"errors"
	"fmt"
)

// tally is what the orders and answers say of a session.
type tally struct{ orders, live, completed, answers uint32 }

// checkSessions: their counts are those of their orders and answers, their lists hold their live orders.
func (m *Map) checkSessions() error {
	tallies := make([]tally, m.sessions.end)
	for slot := range m.orders.end {
		o := m.orders.at(slot)
		if o.status == 0 {
			continue
		}
		t := &tallies[o.session]
		t.orders++
		if o.status.Live() {
			t.live++
		}
		if o.status == StatusCompleted {
			t.completed++
		}
		if o.money != nil && o.money.pending != (Key{}) {
			t.answers++
		}
	}
	for p := m.answers.head; p < m.answers.tail; p++ {
		tallies[m.answers.at(p).session].answers++
	}
	for slot := range m.sessions.end {
		s := m.sessions.at(slot)
		if !s.used {
			continue
		}
		if err := m.checkSession(slot, s, tallies[slot]); err != nil {
			return err
		}
	}
	if m.sessionIndex.used != m.sessions.len() {
		return errors.New("seatmap: the index has sessions that are not there")
	}
	return nil
}

func (m *Map) checkSession(slot uint32, s *session, t tally) error {
	if s.orders != t.orders || s.live != t.live || s.completed < t.completed || s.answers != t.answers {
		return fmt.Errorf("seatmap: session %s counts %+v, its orders and answers %+v",
			short(s.id), tally{s.orders, s.live, s.completed, s.answers}, t)
	}
	if found, ok := m.findSession(s.id); !ok || found != slot {
		return fmt.Errorf("seatmap: session %s is not in the index", short(s.id))
	}
	if s.unreferenced() && s.until <= 0 {
		return fmt.Errorf("seatmap: session %s is kept for nothing", short(s.id))
	}
	listed := uint32(0)
	for next := s.firstLive; next != 0; next = m.orders.at(next - 1).nextLive {
		if o := m.orders.at(next - 1); o.session != slot || !o.status.Live() || listed >= s.live {
			return fmt.Errorf("seatmap: session %s lists order %s", short(s.id), short(o.id))
		}
		listed++
	}
	if listed != s.live {
		return fmt.Errorf("seatmap: session %s lists %d of %d live orders", short(s.id), listed, s.live)
	}
	return nil
}

func (m *Map) checkAnswers() error {
	last := Time(0)
	for p := m.answers.head; p < m.answers.tail; p++ {
		a := m.answers.at(p)
		if found, ok := m.findAnswer(a.key.Scope); !ok || found != a || a.expires < last || a.seq > m.seq {
			return fmt.Errorf("seatmap: answer %s is not in the index, or out of sequence", short(a.key.Scope))
		}
		if _, pending := m.findPending(a.key.Scope); pending {
			return fmt.Errorf("seatmap: answer %s is pending too", short(a.key.Scope))
		}
		last = a.expires
	}
	if m.answerIndex.used != m.answers.len() {
		return errors.New("seatmap: the index has answers that are not there")
	}
	return nil
}

// slotSet is a set of slots.
type slotSet struct {
	has []bool
	n   int
}

func (s *slotSet) add(slot uint32) {
	if !s.has[slot] {
		s.has[slot] = true
		s.n++
	}
}

// checkQueues: everything that will fall due is queued just once, and nothing dead is at the front.
func (m *Map) checkQueues() error {
	pending := slotSet{has: make([]bool, m.orders.end)}
	holding := slotSet{has: make([]bool, m.orders.end)}
	settled := slotSet{has: make([]bool, m.orders.end)}
	idle := slotSet{has: make([]bool, m.sessions.end)}
	for slot := range m.orders.end {
		o := m.orders.at(slot)
		switch {
		case o.status == StatusPending:
			pending.add(slot)
		case o.status.timed():
			holding.add(slot)
		}
		if o.status != 0 && o.settled() {
			settled.add(slot)
		}
	}
	for slot := range m.sessions.end {
		if s := m.sessions.at(slot); s.used && s.unreferenced() {
			idle.add(slot)
		}
	}
	anEnded := func(d due) bool { return settled.has[d.slot] && m.orders.at(d.slot).ended+orderKeptFor == d.at }
	return errors.Join(
		m.tokens.check("tokens", pending, m.orderDue, true),
		m.holds.check("holds", holding, m.orderDue, true),
		m.endedOrders.check("ended orders", settled, anEnded, true),
		m.idle.check("idle sessions", idle, m.sessionDue, false), // one that was idle before may stand there twice
	)
}

func (d *deadlines) check(what string, want slotSet, live func(due) bool, once bool) error {
	seen := slotSet{has: make([]bool, len(want.has))}
	visit := func(x due, front bool) error {
		switch {
		case !live(x) && front:
			return fmt.Errorf("seatmap: %s: a dead one at the front: %+v", what, x)
		case !live(x):
			return nil
		case !want.has[x.slot] || once && seen.has[x.slot]:
			return fmt.Errorf("seatmap: %s: one that should not be there: %+v", what, x)
		}
		seen.add(x.slot)
		return nil
	}
	for i := range d.rings {
		r := &d.rings[i]
		for p := r.head; p < r.tail; p++ {
			if p > r.head && compareDue(*r.at(p - 1), *r.at(p)) > 0 {
				return fmt.Errorf("seatmap: %s: ring %d is not sorted", what, i)
			}
			if err := visit(*r.at(p), p == r.head); err != nil {
				return err
			}
		}
		if r.len() > 0 && *r.at(r.tail - 1) != d.lasts[i] {
			return fmt.Errorf("seatmap: %s: ring %d does not end with its last", what, i)
		}
	}
	for i, x := range d.heap {
		if i > 0 && compareDue(d.heap[(i-1)/2], x) > 0 {
			return fmt.Errorf("seatmap: %s: the heap is not one", what)
		}
		if err := visit(x, i == 0); err != nil {
			return err
		}
	}
	if seen.n != want.n {
		return fmt.Errorf("seatmap: %s: %d queued of %d", what, seen.n, want.n)
	}
	return nil
}

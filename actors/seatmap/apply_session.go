package seatmap

import "fmt"

func (m *Map) applySessionEnded(f SessionWasEnded) {
	slot, s := m.needSession(f.Session)
	s.ended = true
	s.until = max(s.until, f.Expires)
	m.idleSession(slot, s)
	m.trimIdle()
}

func (m *Map) applyAnswered(f Answered) {
	if n := m.answers.len(); n > 0 && m.answers.at(m.answers.tail-1).expires > f.Expires {
		panic(fmt.Sprintf("seatmap: Answered: scope %s expires before an older one", short(f.Key.Scope)))
	}
	m.mustBeNew("Answered", f.Key)
	sessionSlot, s := m.needSession(f.Session)
	s.answers++
	position := m.answers.push(answer{key: f.Key, expires: f.Expires, seq: m.seq, slot: m.slot, session: sessionSlot})
	m.answerIndex.add(hashID(f.Key.Scope), uint32(position), m.answerHash)
	m.slot++
	m.trimIdle()
	m.tell(f.Expires - answerKeptFor)
}

// idleSession queues a session to be forgotten, if nothing refers to it. Its due dies when something does again.
func (m *Map) idleSession(slot uint32, s *session) {
	if s.unreferenced() {
		m.idle.push(due{at: s.until, slot: slot})
	}
}

func (m *Map) applyForgotten(f Forgotten) {
	m.tell(f.Before)
	m.forgotten = f.Before
	for m.answers.len() > 0 && m.answers.at(m.answers.head).expires <= f.Before {
		m.forgetAnswer()
	}
	for {
		d, ok := m.endedOrders.peek()
		if !ok || d.at > f.Before {
			break
		}
		m.endedOrders.pop()
		m.forgetOrder(d.slot)
	}
	for {
		m.trimIdle()
		d, ok := m.idle.peek()
		if !ok || d.at > f.Before {
			break
		}
		m.idle.pop()
		m.sessionIndex.remove(m.sessionHash(d.slot), d.slot, m.sessionHash)
		m.sessions.remove(d.slot)
	}
}

func (m *Map) trimIdle() { m.idle.trim(m.sessions.len(), m.sessionDue) }

func (m *Map) forgetAnswer() {
	position := uint32(m.answers.head)
	m.answerIndex.remove(m.answerHash(position), position, m.answerHash)
	slot := m.answers.pop().session
	s := m.sessions.at(slot)
	s.answers--
	m.idleSession(slot, s)
}

func (m *Map) forgetOrder(slot uint32) {
	sessionSlot := m.orders.at(slot).session
	m.orderIndex.remove(m.orderHash(slot), slot, m.orderHash)
	m.orders.remove(slot)
	s := m.sessions.at(sessionSlot)
	s.orders--
	m.idleSession(sessionSlot, s)
}

package seatmap

// Session is a view of one buyer's session, as far as the event knows it.
type Session struct {
	Completed, Live int
	Ended           bool
}

// session is kept while orders or answers refer to it, and until its tokens have expired.
type session struct {
	id SessionID
	// until is the latest expiry of a token of it that has been seen: before then its limits must be remembered.
	until     Time
	firstLive uint32 // slot+1 of a live order, 0: none
	live      uint32
	completed uint32
	orders    uint32 // in memory, live or ended
	answers   uint32 // stored or pending
	ended     bool
	used      bool
}

func (s *session) unreferenced() bool { return s.orders == 0 && s.answers == 0 }

// answer is a stored answer's place. The answer itself stands in the journal.
type answer struct {
	key     Key
	expires Time
	seq     uint64
	slot    uint32
	session uint32
}

func (m *Map) sessionHash(slot uint32) uint64 { return hashID(m.sessions.at(slot).id) }
func (m *Map) orderHash(slot uint32) uint64   { return hashID(m.orders.at(slot).id) }
func (m *Map) answerHash(slot uint32) uint64  { return hashID(m.answerAt(slot).key.Scope) }
func (m *Map) pendingHash(slot uint32) uint64 { return hashID(m.orders.at(slot).money.pending.Scope) }

// answerAt finds an answer by the low half of its position in the queue, which the index holds. That is unambiguous
// as long as fewer than 2^32 are kept.
func (m *Map) answerAt(low uint32) *answer {
	head := m.answers.head
	return m.answers.at(head + uint64(low-uint32(head)))
}

func (m *Map) findSession(id SessionID) (uint32, bool) {
	x := &m.sessionIndex
	for at := x.start(hashID(id)); ; at = x.next(at) {
		slot, ok := x.get(at)
		if !ok || m.sessions.at(slot).id == id {
			return slot, ok
		}
	}
}

func (m *Map) findOrder(id OrderID) (uint32, bool) {
	x := &m.orderIndex
	for at := x.start(hashID(id)); ; at = x.next(at) {
		slot, ok := x.get(at)
		if !ok || m.orders.at(slot).id == id {
			return slot, ok
		}
	}
}

func (m *Map) findAnswer(scope [16]byte) (*answer, bool) {
	x := &m.answerIndex
	for at := x.start(hashID(scope)); ; at = x.next(at) {
		slot, ok := x.get(at)
		if !ok {
			return nil, false
		}
		if a := m.answerAt(slot); a.key.Scope == scope {
			return a, true
		}
	}
}

func (m *Map) findPending(scope [16]byte) (*order, bool) {
	x := &m.pendingIndex
	for at := x.start(hashID(scope)); ; at = x.next(at) {
		slot, ok := x.get(at)
		if !ok {
			return nil, false
		}
		if o := m.orders.at(slot); o.money.pending.Scope == scope {
			return o, true
		}
	}
}

// needSession finds a session or begins it.
func (m *Map) needSession(id SessionID) (uint32, *session) {
	slot, ok := m.findSession(id)
	if !ok {
		slot = m.sessions.add(session{id: id, used: true})
		m.sessionIndex.add(hashID(id), slot, m.sessionHash)
	}
	return slot, m.sessions.at(slot)
}

// addLive and removeLive keep the session's list of live orders; there are at most MaxOrdersPerSession.
func (m *Map) addLive(slot uint32, o *order) {
	s := m.sessions.at(o.session)
	o.nextLive, s.firstLive = s.firstLive, slot+1
	s.live++
}

func (m *Map) removeLive(slot uint32, o *order) {
	s := m.sessions.at(o.session)
	link := &s.firstLive
	for *link != slot+1 {
		link = &m.orders.at(*link - 1).nextLive
	}
	*link, o.nextLive = o.nextLive, 0
	s.live--
}

// sessionDue: the due still stands for a session that nothing refers to.
func (m *Map) sessionDue(d due) bool {
	s := m.sessions.at(d.slot)
	return s.used && s.unreferenced() && s.until == d.at
}

// orderDue: the due still stands for an order whose time runs.
func (m *Map) orderDue(d due) bool {
	o := m.orders.at(d.slot)
	return o.turn == d.turn && o.status.timed()
}

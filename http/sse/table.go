package sse

// table is where epoll's events find their streams: by slot and turn, since a slot is used again. The server's lock
// guards it.
type table struct {
	slots []*Stream
	// free are slots without a stream. turns counts all streams there were.
	free  []int32
	turns int32
	open  int
	// untold is behind open: it counts a stream until Closed has returned.
	untold int
	// newest stream of each key, those before it behind it; addresses are counts.
	newest    map[[16]byte]*Stream
	addresses map[[16]byte]int32
}

// room is nil where there is any for a stream of the address; the lock is held.
func (s *Server) room(address [16]byte) (err error) {
	t := &s.table
	switch {
	case s.draining || s.StreamsMax > 0 && t.open >= s.StreamsMax:
		err = ErrFull
	case s.StreamsPerAddressMax > 0 && int(t.addresses[address]) >= s.StreamsPerAddressMax:
		err = ErrTooMany
	default:
		return nil
	}
	s.refused.Add(1)
	s.Metrics.refused(err)
	return err
}

// reserve makes a stream that counts, and waits for its connection. Where its key has enough, the oldest ends.
func (s *Server) reserve(o Options) (*Stream, error) {
	st, displaced, err := s.enter(o)
	if displaced != nil {
		displaced.displace()
	}
	return st, err
}

func (s *Server) enter(o Options) (st, displaced *Stream, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.table
	if err := s.room(o.Address); err != nil {
		return nil, nil, err
	}
	if o.Address != ([16]byte{}) {
		if t.addresses == nil {
			t.addresses = map[[16]byte]int32{}
		}
		t.addresses[o.Address]++
	}
	t.turns++
	st = &Stream{server: s, closed: o.Closed, key: o.Key, kind: o.Kind, address: o.Address, turn: t.turns, busy: true, moved: s.tick.Load()}
	if n := len(t.free); n > 0 {
		st.slot, t.free = t.free[n-1], t.free[:n-1]
		t.slots[st.slot] = st
	} else {
		st.slot = int32(len(t.slots))
		t.slots = append(t.slots, st)
	}
	t.open++
	t.untold++
	if o.Key == ([16]byte{}) || s.StreamsPerKeyMax < 0 {
		return st, nil, nil
	}
	return st, t.link(st, s.StreamsPerKeyMax), nil
}

// link makes a stream the newest of its key, and takes out the oldest where there are more than limit.
func (t *table) link(st *Stream, limit int) (oldest *Stream) {
	if t.newest == nil {
		t.newest = map[[16]byte]*Stream{}
	}
	st.older = t.newest[st.key]
	t.newest[st.key] = st
	last := st
	for range limit - 1 {
		if last = last.older; last == nil {
			return nil
		}
	}
	oldest, last.older = last.older, nil
	return oldest
}

// unlink forgets a stream of its key, if that was not done before.
func (t *table) unlink(st *Stream) {
	other := t.newest[st.key]
	if other == st {
		if t.newest[st.key] = st.older; st.older == nil {
			delete(t.newest, st.key)
		}
	}
	for ; other != nil; other = other.older {
		if other.older == st {
			other.older = st.older
			break
		}
	}
	st.older = nil
}

// release makes room for another stream. It is called once for each.
func (s *Server) release(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.table
	t.slots[st.slot] = nil
	t.free = append(t.free, st.slot)
	t.unlink(st)
	if st.address != ([16]byte{}) {
		if t.addresses[st.address]--; t.addresses[st.address] == 0 {
			delete(t.addresses, st.address)
		}
	}
	t.open--
}

// forget is the last of a stream.
func (s *Server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table.untold--; s.table.untold == 0 && s.draining {
		close(s.empty)
	}
}

// at is nil where that stream is over.
func (s *Server) at(slot, turn int32) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.table.slots[slot]; st != nil && st.turn == turn {
		return st
	}
	return nil
}

// lookedAtOnce is how many streams are copied under one lock.
const lookedAtOnce = 256

// each calls f with every stream that is there all the while. f may end streams.
func (s *Server) each(f func(*Stream)) {
	var some [lookedAtOnce]*Stream
	for from := 0; ; from += lookedAtOnce {
		s.mu.Lock()
		n := 0
		if from < len(s.table.slots) {
			n = copy(some[:], s.table.slots[from:])
		}
		s.mu.Unlock()
		if n == 0 {
			return
		}
		for _, st := range some[:n] {
			if st != nil {
				f(st)
			}
		}
	}
}

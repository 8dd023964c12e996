package sse

import "time"

// What takes time is counted in ticks.
const (
	tickTime = time.Second
	// A stream is silent for 10 to 14 s, by its slot, before a comment: streams that were told something together are not
	// written to together again. The contract says 15 s.
	silentTicksMin    = 10
	silentTicksSpread = 5
	// stallTicksMax is how long a client may take nothing of what waits for it.
	stallTicksMax = 20
	// reservedTicksMax is how long fasthttp may take to hand over a connection. It needs microseconds.
	reservedTicksMax = 10
	// receivedBytesMax is how much a client may send after its request, which is nothing that we asked for.
	receivedBytesMax = 16 << 10
)

// sweepAt is a goroutine's, until the server is over.
func (s *Server) sweepAt(ticks <-chan time.Time) {
	for {
		select {
		case <-s.done:
			return
		case <-ticks:
			s.sweep()
		}
	}
}

// sweep is a tick: it drops who stalls and comforts who hears nothing.
func (s *Server) sweep() {
	now := s.tick.Add(1)
	s.each(func(st *Stream) {
		if st.sweep(now) {
			s.wake(st)
		}
	})
}

func (st *Stream) sweep(now uint32) (wake bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	still := int32(now - st.moved)
	switch {
	case st.over:
	case !st.attached:
		if still >= reservedTicksMax {
			st.abandon()
		}
	case len(st.queue) > 0:
		if still >= stallTicksMax {
			return st.stop(causeSlow)
		}
	case !st.ending && still >= silentTicksMin+st.slot%silentTicksSpread:
		st.append(heartbeat)
		return st.engage()
	}
	return false
}

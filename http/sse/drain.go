package sse

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"
)

const (
	// Clients of a server that goes come back over this time.
	farewellMillisMin = 1000
	farewellMillisMax = 10_000
	// closeTimeMax is for closing what has not flushed in time: nobody waits for a client then.
	closeTimeMax = time.Second
)

// farewell says when to come back.
func farewell() []byte {
	b := strconv.AppendInt([]byte("retry: "), farewellMillisMin+rand.Int64N(farewellMillisMax-farewellMillisMin), 10)
	return append(b, "\n\n"...)
}

// Drain ends the server: Open is refused, every stream is told when to come back and closed once it has taken what was
// sent. Those that have not when ctx ends are closed all the same. It returns when all are closed, each Closed called, and
// may be called more than once.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if s.table.untold == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	s.each(func(st *Stream) {
		st.mu.Lock()
		attached := st.attached
		st.mu.Unlock()
		// attach says farewell to the others.
		if attached {
			st.End(farewell())
		}
	})
	select {
	case <-s.empty:
	case <-ctx.Done():
		s.cut()
	}
	s.closeOnce.Do(func() {
		close(s.done)
		s.ready.end()
		s.poller.close()
	})
}

// cut closes what is open.
func (s *Server) cut() {
	s.each(func(st *Stream) {
		if !st.giveUp() {
			st.drop(causeEnded)
		}
	})
	late := time.NewTimer(closeTimeMax)
	defer late.Stop()
	select {
	case <-s.empty:
	case <-late.C:
	}
}

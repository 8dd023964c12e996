package sse

import (
	"net"
	"sync"
)

// writeBytesMax is how much of small frames one write takes together.
const writeBytesMax = 16 << 10

// ready is the list of streams that somebody has to write to or to close, first come first served. A stream is in it at
// most once, so that StreamsMax bounds it.
type ready struct {
	mu          sync.Mutex
	some        sync.Cond
	first, last *Stream
	over        bool
}

func (r *ready) init() { r.some.L = &r.mu }

// push is false once the writers have ended.
func (r *ready) push(st *Stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	if r.first == nil {
		r.first = st
	} else {
		r.last.next = st
	}
	r.last = st
	r.some.Signal()
	return true
}

// pop waits. It is nil once the list is over and empty.
func (r *ready) pop() *Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.first == nil {
		if r.over {
			return nil
		}
		r.some.Wait()
	}
	st := r.first
	r.first, st.next = st.next, nil
	if r.first == nil {
		r.last = nil
	}
	return st
}

func (r *ready) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.some.Broadcast()
}

// wake has somebody look after a stream that the caller has engaged.
func (s *Server) wake(st *Stream) {
	if st.raw == nil || !s.ready.push(st) {
		go s.writeAlone(st)
	}
}

// writeReady is one of the writers.
func (s *Server) writeReady() {
	w := newWriter()
	for st := s.ready.pop(); st != nil; st = s.ready.pop() {
		if s.serve(st, w) && !s.ready.push(st) {
			go s.writeAlone(st)
		}
	}
}

// writeAlone writes, blocking where the stream has no raw connection, until there is nothing to write.
func (s *Server) writeAlone(st *Stream) {
	w := newWriter()
	for s.serve(st, w) {
	}
}

// serve writes once, or closes. True asks for another turn, false says that the stream is not the caller's any more.
func (s *Server) serve(st *Stream, w *writer) bool {
	st.mu.Lock()
	if st.over {
		st.mu.Unlock()
		s.finish(st)
		return false
	}
	st.woken = false
	frames, sent := st.queue, st.sent
	st.mu.Unlock()

	n, full, err := w.write(st, frames, sent)

	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return true
	}
	st.took(n)
	switch {
	case err != nil:
		st.stop(causeGone)
		return true
	case len(st.queue) == 0 && st.ending:
		st.stop(causeEnded)
		return true
	case len(st.queue) == 0:
		st.busy = false
		return false
	case full && !st.woken:
		st.blocked, st.busy = true, false
		return false
	}
	return true
}

// attach takes over a connection on fasthttp's goroutine. The stream is busy all the while.
func (s *Server) attach(st *Stream, conn net.Conn, head []byte, opened func(*Stream)) {
	raw := s.poller.raw(conn)
	st.mu.Lock()
	if st.over {
		st.mu.Unlock()
		_ = conn.Close()
		return
	}
	st.attached, st.conn, st.raw = true, conn, raw
	st.append(head)
	st.mu.Unlock()
	s.Metrics.opened(st)
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	if raw == nil {
		go st.watch()
	} else if err := s.poller.add(st); err != nil {
		st.drop(causeGone)
	}
	if draining {
		st.closed = nil
		st.End(farewell())
	} else {
		s.opened.Add(1)
		if !s.guarded(func() { opened(st) }) {
			st.drop(causeEnded)
		}
	}
	s.wake(st)
}

// guarded is false if f panicked.
func (s *Server) guarded(f func()) (ok bool) {
	if s.Panicked != nil {
		defer func() {
			if !ok {
				s.Panicked(recover())
			}
		}()
	}
	f()
	return true
}

// abandon gives up a stream whose connection has not come: fasthttp drops one that fails just before. The lock is held.
func (st *Stream) abandon() {
	st.over = true
	st.server.release(st)
	st.server.forget()
}

// finish is the end of every stream that was attached.
func (s *Server) finish(st *Stream) {
	if c, ok := st.conn.(interface{ SetLinger(sec int) error }); ok && st.why == causeSlow {
		// Else the kernel would keep for a while what is not taken.
		_ = c.SetLinger(0)
	}
	_ = st.conn.Close()
	s.Metrics.ended(st)
	switch st.why {
	case causeSlow:
		s.slow.Add(1)
	case causeGone:
		s.gone.Add(1)
	case causeEnded:
	}
	// Who is told may open the next stream of the same key.
	s.release(st)
	if st.closed != nil {
		s.guarded(st.closed)
	}
	s.forget()
	st.mu.Lock()
	defer st.mu.Unlock()
	// Whoever keeps the stream keeps nothing else.
	st.queue, st.few, st.closed = nil, [2][]byte{}, nil
}

// writer is one goroutine's.
type writer struct {
	// small holds small frames that leave together.
	small []byte
	rawWriter
}

func newWriter() *writer {
	w := &writer{}
	w.rawWriter.init()
	return w
}

// write writes what it can of the frames, the first of which has gone up to sent. full says that the socket took no more.
func (w *writer) write(st *Stream, frames [][]byte, sent int) (n int, full bool, err error) {
	if len(frames) == 0 {
		return 0, false, nil
	}
	b := frames[0][sent:]
	if len(frames) > 1 && len(b) < writeBytesMax {
		if w.small == nil {
			w.small = make([]byte, 0, writeBytesMax)
		}
		w.small = append(w.small[:0], b...)
		for _, f := range frames[1:] {
			w.small = append(w.small, f[:min(len(f), writeBytesMax-len(w.small))]...)
		}
		b = w.small
	}
	if st.raw != nil {
		return w.writeRaw(st.raw, b)
	}
	// A piece at a time, so that the sweep sees it move.
	n, err = st.conn.Write(b[:min(len(b), writeBytesMax)])
	return n, false, err
}

// watch reads what a client without a raw connection sends, until it hangs up or sends too much.
func (st *Stream) watch() {
	var b [512]byte
	for {
		n, err := st.conn.Read(b[:])
		st.received += int32(n)
		if err != nil || st.received > receivedBytesMax {
			st.drop(causeGone)
			return
		}
	}
}

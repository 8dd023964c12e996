package sse

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

const (
	// polled is all that is asked of a connection, once: the kernel tells of each change. A client that shuts down its side
	// has gone: neither browsers nor curl do that while they listen.
	polled         = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | edge
	edge           = 1 << 31 // EPOLLET, whose type differs between processors
	hungUp         = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	eventsMax      = 256  // of one look
	tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT
	// vanishedMillisMax is how long what was sent may stay unacknowledged. Together with the heartbeat, a client whose
	// network went is noticed within 45 s.
	vanishedMillisMax = 30_000
	// sendBufferBytes is a slow reader's share of the kernel's memory, which doubles it. Unset it grows to megabytes.
	sendBufferBytes = 64 << 10
)

// errTooMuch ends a stream whose client goes on sending.
var errTooMuch = errors.New("sse: the client sends after its request")

// poller is an epoll instance. It is a file in Go's own epoll instance, so that no thread blocks in it and it can be
// closed. All descriptors are used inside their owners' Control, Read or Write: none is closed, and its number given to
// another connection, meanwhile.
type poller struct {
	file *os.File
	self syscall.RawConn
	// events of the last look.
	events [eventsMax]syscall.EpollEvent
	n      int
	// scratch takes what clients send. got and failed are of the last read.
	scratch [4096]byte
	got     int
	failed  error
}

// openPoller is nil where the system has no epoll instance left.
func openPoller(s *Server) *poller {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll")}
	if p.self, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil
	}
	go p.run(s)
	return p
}

func (p *poller) close() {
	if p != nil {
		_ = p.file.Close()
	}
}

// raw is nil where the connection gives out no socket.
func (p *poller) raw(c net.Conn) syscall.RawConn {
	sc, ok := c.(syscall.Conn)
	if p == nil || !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// add begins to tell of a stream. Closing its connection ends that.
func (p *poller) add(st *Stream) error {
	e := syscall.EpollEvent{Events: polled, Fd: st.slot, Pad: st.turn}
	var failed error
	err := p.self.Control(func(epfd uintptr) {
		err := st.raw.Control(func(fd uintptr) {
			// Not all sockets have them.
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, vanishedMillisMax)
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBufferBytes)
			failed = syscall.EpollCtl(int(epfd), syscall.EPOLL_CTL_ADD, int(fd), &e)
		})
		failed = errors.Join(failed, err)
	})
	return errors.Join(failed, err)
}

// run tells the streams until the poller is closed.
func (p *poller) run(s *Server) {
	look := func(epfd uintptr) bool {
		n, err := syscall.EpollWait(int(epfd), p.events[:], 0)
		p.n = max(n, 0)
		return n > 0 || err != nil
	}
	read := p.read
	for p.self.Read(look) == nil {
		for _, e := range p.events[:p.n] {
			st := s.at(e.Fd, e.Pad)
			if st == nil {
				continue
			}
			// Also what came before a hang-up is read: closing over it would reset the connection, and what its reader has
			// not yet taken from his end would be lost to him.
			if e.Events&(hungUp|syscall.EPOLLIN) != 0 && p.discard(st, read) != nil || e.Events&hungUp != 0 {
				st.drop(causeGone)
				continue
			}
			if e.Events&syscall.EPOLLOUT != 0 {
				st.writable()
			}
		}
	}
}

// discard reads all there is.
func (p *poller) discard(st *Stream, read func(uintptr) bool) error {
	for {
		if err := st.raw.Read(read); err != nil {
			return err
		}
		if errors.Is(p.failed, syscall.EAGAIN) {
			return nil
		}
		if p.failed != nil {
			return p.failed
		}
		if st.received += int32(p.got); st.received > receivedBytesMax {
			return errTooMuch
		}
	}
}

func (p *poller) read(fd uintptr) bool {
	p.got, p.failed = syscall.Read(int(fd), p.scratch[:])
	switch {
	case errors.Is(p.failed, syscall.EINTR):
		p.got, p.failed = 0, nil
	case p.failed == nil && p.got == 0:
		p.failed = io.EOF
	}
	return true
}

// rawWriter writes without blocking. Its fields are of one write; one closure serves all.
type rawWriter struct {
	rest []byte
	n    int
	full bool
	err  error
	try  func(fd uintptr) bool
}

func (w *rawWriter) init() { w.try = w.tryFD }

func (w *rawWriter) writeRaw(c syscall.RawConn, b []byte) (n int, full bool, err error) {
	w.rest, w.n, w.full, w.err = b, 0, false, nil
	err = c.Write(w.try)
	w.rest = nil
	return w.n, w.full, errors.Join(w.err, err)
}

// tryFD writes until all is written or the socket is full: only then will epoll tell again.
func (w *rawWriter) tryFD(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, err := syscall.Write(int(fd), w.rest)
		switch {
		case err == nil:
			w.rest, w.n = w.rest[n:], w.n+n
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			w.full = true
			return true
		default:
			w.err = err
			return true
		}
	}
	return true
}

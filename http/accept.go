package http

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// acceptPause is how long nothing is accepted where the system has nothing left for a connection: some end meanwhile.
	acceptPause = 5 * time.Millisecond
	// scarcityLoggedEvery says how often that is logged at most.
	scarcityLoggedEvery = 10 * time.Second
)

// lingering is a listener whose connections may finish reading before they close, and are not too many. What fails but for
// a while does not end it: to fasthttp, every error is the end.
type lingering struct {
	net.Listener
	connections *connections
	over        <-chan struct{}
	log         *slog.Logger
	metrics     *Metrics
	// logged is Accept's, which one goroutine calls.
	logged time.Time
}

func (s *Server) lingering(l net.Listener, connectionsMax int) *lingering {
	cs := &connections{max: connectionsMax, perAddress: s.ConnsPerIPMax, exempt: s.trusted}
	s.Metrics.listens(cs)
	return &lingering{Listener: l, over: s.base.Done(), log: s.Logger, metrics: s.Metrics, connections: cs}
}

// Accept wraps TCP connections; others close as they always did.
func (l *lingering) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil && scarce(err) {
			l.pause(err)
			continue
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, err
		}
		leave, refusal := l.connections.enter(tcp.RemoteAddr())
		if refusal == nil {
			return &lingeringConn{TCPConn: tcp, leave: sync.OnceFunc(leave)}, nil
		}
		l.metrics.turnedAway(refusal)
		refuse(tcp, refusal)
	}
}

// scarce is true of an error that says that the system has nothing left for another connection, or that this one has gone
// before it was accepted.
func scarce(err error) bool {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

func (l *lingering) pause(cause error) {
	if now := time.Now(); now.Sub(l.logged) >= scarcityLoggedEvery {
		l.logged = now
		l.log.Error("http: connections cannot be accepted", slog.Any("cause", cause))
	}
	select {
	case <-time.After(acceptPause):
	case <-l.over:
	}
}

type lingeringConn struct {
	*net.TCPConn
	// leave is called at each Close.
	leave  func()
	linger atomic.Bool
	// lineEnd has been read since the last request was handed on.
	lineEnd atomic.Bool
}

// Read looks for the request line's end.
func (c *lingeringConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if !c.lineEnd.Load() && bytes.IndexByte(b[:n], '\n') >= 0 {
		c.lineEnd.Store(true)
	}
	return n, err
}

// Close takes up to lingerTimeMax where the client may still be sending.
func (c *lingeringConn) Close() error {
	defer c.leave()
	if c.linger.Load() {
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(lingerTimeMax))
		_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytesMax)
	}
	return c.TCPConn.Close()
}

package sse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

// wrapped is as the server's own connections are: it counts its Close.
type wrapped struct {
	*net.TCPConn
	open   *atomic.Int64
	closes atomic.Int64
	ours   atomic.Bool // it became a stream: fasthttp closes others twice
}

func (c *wrapped) Close() error {
	if c.closes.Add(1) == 1 {
		c.open.Add(-1)
	}
	return c.TCPConn.Close()
}

// hidden gives out no socket, as TLS connections do not.
type hidden struct{ net.Conn }

type listener struct {
	net.Listener
	hide bool
	open *atomic.Int64
	all  func(*wrapped)
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	w := &wrapped{TCPConn: c.(*net.TCPConn), open: l.open}
	l.all(w)
	if l.hide {
		// As small as epoll's, so that a test can fill it.
		_ = w.SetWriteBuffer(64 << 10)
		return hidden{w}, nil
	}
	return w, nil
}

// rig is a Server behind fasthttp. Time passes by its sweep alone.
type rig struct {
	*Server
	t      testing.TB
	addr   string
	conns  atomic.Int64 // that are open
	opens  chan *Stream
	closed atomic.Int64

	mu      sync.Mutex
	all     []*wrapped
	key     [16]byte
	address [16]byte
	first   func(st *Stream, path string) // in opened; nil: none
}

// bothWays runs a test with epoll and with a goroutine for each connection. Elsewhere than on Linux both are the same.
func bothWays(t *testing.T, f func(t *testing.T, hide bool)) {
	t.Run("epoll", func(t *testing.T) { f(t, false) })
	t.Run("goroutines", func(t *testing.T) { f(t, true) })
}

func newRig(t testing.TB, hide bool, c Config) *rig {
	t.Helper()
	r := &rig{Server: newServer(c), t: t, opens: make(chan *Stream, 10_000)}
	r.poller = openPoller(r.Server)
	r.start()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	server := &fasthttp.Server{
		Handler: r.handle, KeepHijackedConns: true, CloseOnShutdown: true, NoDefaultServerHeader: true,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener{l, hide, &r.conns, func(w *wrapped) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.all = append(r.all, w)
		}})
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = server.ShutdownWithContext(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
		over, cut := context.WithCancel(ctx)
		cut()
		r.Drain(over)
		if got := r.Stats(); got.Open != 0 {
			t.Errorf("%d streams are open after Drain", got.Open)
		}
		r.eventually("every connection is closed", func() bool { return r.conns.Load() == 0 })
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.all {
			if n := c.closes.Load(); n != 1 && c.ours.Load() {
				t.Errorf("a connection was closed %d times", n)
			}
		}
	})
	return r
}

func (r *rig) handle(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	r.mu.Lock()
	key, address, first := r.key, r.address, r.first
	r.mu.Unlock()
	var opens atomic.Int64
	path := string(ctx.Path())
	if path == plainPath {
		ctx.SetBodyString("plain")
		return
	}
	err := r.Open(ctx, Options{Key: key, Address: address, Closed: func() {
		if opens.Load() != 1 {
			r.t.Error("Closed came before opened had returned, or twice")
		}
		opens.Add(1)
		r.closed.Add(1)
	}}, func(st *Stream) {
		defer opens.Add(1)
		if first != nil {
			first(st, path)
		}
		r.opens <- st
	})
	switch {
	case err == nil && !ctx.IsHead():
		c := ctx.Conn()
		if h, ok := c.(hidden); ok {
			c = h.Conn
		}
		c.(*wrapped).ours.Store(true)
	case errors.Is(err, ErrTooMany):
		ctx.SetStatusCode(fasthttp.StatusTooManyRequests)
	case errors.Is(err, ErrFull):
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
	}
}

func (r *rig) set(key byte, first func(*Stream, string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key, r.first = [16]byte{key}, first
}

func (r *rig) from(address byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = [16]byte{address}
}

// passed lets so many ticks pass.
func (r *rig) passed(ticks int) {
	for range ticks {
		r.sweep()
	}
}

// dropped lets time pass until the stalled stream is dropped, and gives all others the time to write what a tick has them.
// A write to the stalled that is under way may move it once more: nobody knows how many ticks it takes.
func (r *rig) dropped(stalled *Stream) {
	r.t.Helper()
	before := r.slow.Load()
	r.eventually("the stalled reader is dropped", func() bool {
		r.passed(1)
		r.each(func(st *Stream) {
			if st != stalled {
				r.settled(st)
			}
		})
		return r.slow.Load() > before
	})
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("waited in vain: %s (%+v)", what, r.Stats())
		}
	}
}

// client reads a stream off a socket.
type client struct {
	*net.TCPConn
	*bufio.Reader
	t testing.TB
}

// Read and its like are the reader's.
func (c *client) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// WriteTo and ReadFrom are nobody's.
func (c *client) WriteTo(w io.Writer) (int64, error)  { return c.Reader.WriteTo(w) }
func (c *client) ReadFrom(r io.Reader) (int64, error) { return c.TCPConn.ReadFrom(r) }

const (
	plainRequest = "GET /sse HTTP/1.1\r\nHost: x\r\n\r\n"
	// plainPath answers and opens no stream.
	plainPath = "/plain"
)

func (r *rig) dial(request string) *client {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	// Left alone, it grows.
	_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	return &client{conn.(*net.TCPConn), bufio.NewReader(conn), r.t}
}

// connect is a client that has read up to the first event, and its stream.
func (r *rig) connect() (*client, *Stream) {
	r.t.Helper()
	c := r.dial(plainRequest)
	c.head()
	st := <-r.opens
	r.settled(st)
	return c, st
}

// settled waits until nobody writes to the stream, or it is over. What a client has read may still be on the queue.
func (r *rig) settled(st *Stream) {
	r.t.Helper()
	r.eventually("all has left", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.over || len(st.queue) == 0 && !st.busy
	})
}

// answer reads an answer's head.
func (c *client) answer() string {
	c.t.Helper()
	var b strings.Builder
	for !strings.Contains(b.String(), "\r\n\r\n") {
		b.WriteString(c.line())
	}
	return b.String()
}

// head reads the answer's head and the retry line, and returns both.
func (c *client) head() string {
	c.t.Helper()
	head := c.answer()
	if strings.HasPrefix(head, "HTTP/1.1 200") {
		head += c.line() + c.line()
	}
	return head
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.ReadString('\n')
	if err != nil {
		c.t.Fatalf("after %q: %v", line, err)
	}
	return line
}

// want reads exactly that.
func (c *client) want(text string) {
	c.t.Helper()
	got := make([]byte, len(text))
	n, err := io.ReadFull(c, got)
	if string(got[:n]) != text {
		c.t.Fatalf("read %.80q, %v; want %.80q", got[:n], err, text)
	}
}

// ended reads to the end and returns what there was.
func (c *client) ended() string {
	c.t.Helper()
	b, err := io.ReadAll(c.Reader)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Fatalf("after %d bytes: %v", len(b), err)
	}
	return string(b)
}

// sockets counts this process's.
func sockets(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func event(i int) []byte {
	return AppendEvent(nil, "n", fmt.Sprint(i), fmt.Append(nil, i))
}

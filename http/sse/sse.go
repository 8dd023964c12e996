// Package sse carries server-sent events to browsers: the transport alone, which knows nothing of what the events say.
//
//   - A stream has no goroutine. fasthttp hands its connection over after the request; from then on one epoll instance tells
//     of hang-ups and of room in the socket, and a few writers, one for each processor, write without blocking. A
//     connection that is no socket (TLS, pipes), and every one on another system than Linux, has a goroutine instead.
//   - Nobody waits for a reader. What a stream has not taken yet is bounded; one that is full, or that takes nothing for
//     stallTicksMax, is dropped and comes back by itself.
//   - A frame is encoded once, shared by all streams, and never changed.
package sse

import (
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Limits where the Config does not say, and how soon a client whose stream broke off comes back.
const (
	streamsMaxDefault           = 50_000
	streamsPerKeyMaxDefault     = 8
	streamsPerAddressMaxDefault = 400
	// Clients that lose their server at one moment do not all come back at one moment.
	retryMillisMin = 2000
	retryMillisMax = 5000
)

// Refusals of Open. The connection is as it was: the caller answers.
var (
	// ErrFull says that there are StreamsMax streams, or that the server is draining.
	ErrFull = errors.New("sse: no room for another stream")
	// ErrTooMany says that there are StreamsPerAddressMax streams of this address.
	ErrTooMany = errors.New("sse: too many streams of one address")
)

// Config holds a Server's limits.
type Config struct {
	// StreamsMax is how many streams may be open; each takes a file descriptor and about 1.5 KB. 0: 50,000. Negative: no limit.
	StreamsMax int
	// StreamsPerKeyMax is how many streams one Options.Key may have open; one more ends the oldest. A client that lost its
	// network would else be kept out by the streams that it does not know to have. 0: 8. Negative: no limit.
	StreamsPerKeyMax int
	// StreamsPerAddressMax is how many streams one Options.Address may have open; one more is refused. 0: 400. Negative: no
	// limit.
	StreamsPerAddressMax int
	// Panicked is told what a callback panicked with; that stream ends, the others go on. nil: the process ends.
	Panicked func(v any)
	// Metrics count streams; nil: nobody does.
	Metrics *Metrics
}

// Options are of one stream.
type Options struct {
	// Kind is what Metrics count the stream by: the index of a name of NewMetrics.
	Kind uint8
	// Key is whose stream it is: StreamsPerKeyMax counts by it. The zero key is nobody's and is not counted.
	Key [16]byte
	// Address is where it comes from: StreamsPerAddressMax counts by it. The zero address is not counted.
	Address [16]byte
	// Closed is called once when the stream has ended for whatever reason and its connection is closed, after opened has
	// returned and only if opened was called. It runs on a writer's goroutine, with no lock held: it must not wait for
	// long, and may call everything but Drain. nil: nobody is told.
	Closed func()
}

// Stats are of one Server. All but Open only grow.
type Stats struct {
	// Open is how many streams there are now, among them those that are just being opened.
	Open int64
	// Opened is how many were handed to their opened.
	Opened int64
	// DroppedSlow is how many were dropped because they did not take what was sent.
	DroppedSlow int64
	// Gone is how many ended because the client hung up, vanished, or sent what it should not.
	Gone int64
	// Displaced is how many were ended for another stream of their key.
	Displaced int64
	// Refused is how often Room or Open had none.
	Refused int64
}

// Server holds the streams of a process. Drain ends it.
type Server struct {
	Config
	poller *poller // nil: every stream has a goroutine
	ready  ready
	// tick counts the seconds, coarsely: all that is timed here lasts many of them.
	tick atomic.Uint32
	done chan struct{} // closed when it is over

	opened, slow, gone, displaced, refused atomic.Int64

	mu    sync.Mutex
	table table
	// draining refuses. empty is closed when a draining server has no stream left.
	draining  bool
	empty     chan struct{}
	closeOnce sync.Once
}

// New starts a Server: a few goroutines, however many streams there will be.
func New(c Config) *Server {
	s := newServer(c)
	s.poller = openPoller(s)
	s.start()
	ticker := time.NewTicker(tickTime)
	go func() {
		defer ticker.Stop()
		s.sweepAt(ticker.C)
	}()
	return s
}

func newServer(c Config) *Server {
	if c.StreamsMax == 0 {
		c.StreamsMax = streamsMaxDefault
	}
	if c.StreamsPerKeyMax == 0 {
		c.StreamsPerKeyMax = streamsPerKeyMaxDefault
	}
	if c.StreamsPerAddressMax == 0 {
		c.StreamsPerAddressMax = streamsPerAddressMaxDefault
	}
	s := &Server{Config: c, done: make(chan struct{}), empty: make(chan struct{})}
	s.ready.init()
	return s
}

func (s *Server) start() {
	for range runtime.GOMAXPROCS(0) {
		go s.writeReady()
	}
}

// Room is nil where a stream of the address would find room now, else ErrFull or ErrTooMany: so that nothing is read for a
// stream that will not be. It keeps no place.
func (s *Server) Room(address [16]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(address)
}

// Open answers the request with a stream: 200 and its headers, with those that the response has already, then `retry:`.
// opened is called on a goroutine of its own once the connection is ours; what it sends leaves together with the head, so
// it must not wait. Neither opened nor Options.Closed is called where fasthttp lost the client before, where the server
// began to drain meanwhile, or for HEAD, which is answered with the headers alone. HTTP/1.0 is answered like 1.1: the body
// ends with the connection. The errors are ErrFull and ErrTooMany.
//
// The fasthttp server must keep hijacked connections (KeepHijackedConns). A connection that gives out its socket
// (syscall.Conn, as whatever embeds a *net.TCPConn does) is written to directly, not by its Write; its Close is called once.
func (s *Server) Open(ctx *fasthttp.RequestCtx, o Options, opened func(*Stream)) error {
	h := &ctx.Response.Header
	if ctx.IsHead() {
		setHead(h)
		return nil
	}
	st, err := s.reserve(o)
	if err != nil {
		return err
	}
	setHead(h)
	head := strconv.AppendInt(append(h.AppendBytes(nil), "retry: "...), retryMillisMin+rand.Int64N(retryMillisMax-retryMillisMin), 10)
	head = append(head, "\n\n"...)
	conn := ctx.Conn()
	ctx.HijackSetNoResponse(true)
	// What fasthttp passes here reads what the client sent after its request, which is nothing to us.
	ctx.Hijack(func(net.Conn) { s.attach(st, conn, head, opened) })
	return nil
}

func setHead(h *fasthttp.ResponseHeader) {
	h.SetStatusCode(fasthttp.StatusOK)
	h.SetContentType("text/event-stream")
	h.Set(fasthttp.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	h.SetConnectionClose()
}

// Stats may be called at any time.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := s.table.open
	s.mu.Unlock()
	return Stats{
		Open: int64(open), Opened: s.opened.Load(), DroppedSlow: s.slow.Load(), Gone: s.gone.Load(),
		Displaced: s.displaced.Load(), Refused: s.refused.Load(),
	}
}

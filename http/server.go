// Package http is the way in from outside: the public listener that buyers and browsers speak to, and the organiser's.
// It parses strictly, authenticates, asks the event's owner and puts the outcome into the words of the HTTP contract.
//
//  1. Nothing that a client sends reaches the engine unless it has the form that the contract asks for.
//  2. Every error is application/problem+json, also those of the protocol itself.
//  3. Tokens, session ids and order ids never reach a log: routes are logged by their pattern.
//  4. What a request holds is copied before it is handed on: fasthttp uses its buffers again.
package http

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/http/hall"
	"boxoffice/http/sse"
	"boxoffice/http/watch"
)

// Config is what a Server needs. The interfaces, TokenKeys, AdminToken and Ready are required.
type Config struct {
	Engine    Engine
	Catalogue Catalogue
	Halls     Halls
	Organiser Organiser
	Sessions  Sessions
	Records   Records
	// Subscriptions hear which events are watched here, so that Heard is called for these. Nil: what changes is found by
	// asking, a second later.
	Subscriptions Subscriptions
	// Rates are asked before what this process has counted itself. Nil: they are counted here alone.
	Rates Rates
	// TokenKeys sign and verify access tokens; see ParseKeys.
	TokenKeys Keys
	// TicketKeys are shown to gates. Empty: no ticket can be verified offline.
	TicketKeys []TicketKey
	// AdminToken opens everything on the admin listener but /livez and /readyz.
	AdminToken string
	// Ready is nil once a purchase would succeed. It is called for every /readyz, for readyTimeMax at most.
	Ready func(context.Context) error
	// JoinsPerMinutePerIP is how many joins a client's address may make a minute, that many at once; default 60, negative:
	// no limit. Peers on loopback are exempt. Those of an IPv6 network of 64 bits count as one.
	JoinsPerMinutePerIP int
	// OrdersPerMinutePerSession is how many orders a session may ask to create a minute, that many at once; default 600,
	// negative: no limit. Repetitions count, as only the event's owner can tell them; refused ones do not.
	OrdersPerMinutePerSession int
	// SessionsPerIPMax is how many sessions of one event may wait or be active for an address at once; default 100,
	// negative: no limit. Peers on loopback are exempt.
	SessionsPerIPMax int
	// StreamsMax is how many event streams may be open at once; default 50,000, negative: no limit. One more is asked to come
	// again. The ninth of a session ends its oldest.
	StreamsMax int
	// StreamsPerIPMax is how many of them an address may have; default 400, negative: no limit. One more is asked to come
	// again. Addresses are those of JoinsPerMinutePerIP.
	StreamsPerIPMax int
	// FilesMax is how many files the process may have open; default what the system says, negative: as many as it likes.
	// Connections and with them streams are fewer where that is little.
	FilesMax int
	// TrustedProxies are believed where X-Forwarded-For says whom they speak for; default none. To name a network where
	// clients are lets these choose the address that they are counted by.
	TrustedProxies []netip.Prefix
	// ConnsPerIPMax is how many connections an address may have open to each listener; default no limit. Trusted
	// proxies are exempt, loopback is not: a proxy there that is not trusted shares it among all clients.
	ConnsPerIPMax int
	// Now is the wall clock; default time.Now. It shows statuses, picks between two refusals and is what rates are
	// counted by: expiry itself is judged by the event's owner.
	Now func() time.Time
	// Rand makes ids and must be safe for use by several goroutines; default crypto/rand.
	Rand io.Reader
	// Logger hears of answers 500 and above; default slog.Default.
	Logger *slog.Logger
	// Tracer makes the spans of requests to the API; nil: none. Which trace a request belongs to is believed of
	// TrustedProxies alone, so that these must set or remove the header traceparent.
	Tracer trace.Tracer
	// Metrics count what the server does, and GET /metrics on the admin listener shows all that is in their registry; nil: nobody
	// counts, and nothing is shown.
	Metrics *Metrics
}

// TicketKey is the public half of a key that signs tickets.
type TicketKey struct {
	KeyID     string
	PublicKey ed25519.PublicKey
}

// Server answers HTTP on two listeners. Make it with New.
type Server struct {
	Config
	public, admin *fasthttp.Server
	seatMaps      seatMapCache
	halls         *hall.Halls
	events        *eventCache
	curves        curveCache
	joins, orders limiter
	watch         *watch.Hub
	capacity      capacity
	// clientSecret makes digests of addresses. stranger has logged that somebody forwards who is not trusted.
	clientSecret []byte
	stranger     sync.Once

	// base ends when draining has: what is still asked for then is given up.
	base     context.Context
	giveUp   context.CancelFunc
	draining atomic.Bool

	mu        sync.Mutex
	listeners []net.Listener
	// transport of streams; nil before the first.
	transport     *sse.Server
	streamMetrics *sse.Metrics
}

// New makes a server that does not listen yet. It fails where the configuration would leave a door open.
func New(c Config) (*Server, error) {
	switch {
	case c.Engine == nil || c.Catalogue == nil || c.Halls == nil || c.Organiser == nil || c.Sessions == nil || c.Records == nil:
		return nil, errors.New("http: Engine, Catalogue, Halls, Organiser, Sessions and Records are required")
	case len(c.TokenKeys.keys) == 0:
		return nil, errors.New("http: TokenKeys are required")
	case c.AdminToken == "":
		return nil, errors.New("http: AdminToken is required")
	case c.Ready == nil:
		return nil, errors.New("http: Ready is required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.SessionsPerIPMax == 0 {
		c.SessionsPerIPMax = sessionsPerIPDefault
	}
	if c.StreamsMax == 0 {
		c.StreamsMax = streamsDefault
	}
	if c.StreamsPerIPMax == 0 {
		c.StreamsPerIPMax = streamsPerIPDefault
	}
	s := &Server{
		Config: c,
		events: newEventCache(c.Catalogue, c.Now),
		curves: curveCache{read: c.Records.Curve, now: c.Now},
		joins:  newLimiter("joins", c.JoinsPerMinutePerIP, joinsPerMinuteDefault, c.Rates, c.Now),
		orders: newLimiter("orders", c.OrdersPerMinutePerSession, ordersPerMinuteDefault, c.Rates, c.Now),

		clientSecret: c.TokenKeys.derive("boxoffice: clients' addresses"),
	}
	streams, halls, watched := c.Metrics.serves(s)
	s.streamMetrics, s.events.metrics, s.seatMaps.metrics = streams, c.Metrics, c.Metrics
	s.fitFiles()
	s.watch = watch.New(watch.Config{
		Sessions: c.Sessions, Subscriptions: c.Subscriptions, Order: s.watchedOrder,
		AppendActive: s.appendActiveData, AppendEnded: appendEndedData, Now: c.Now, Logger: c.Logger,
		Metrics: watched,
	})
	s.halls = hall.New(hall.Config{
		Source: c.Halls, Subscriptions: c.Subscriptions, Sections: s.sections, Append: appendAvailability,
		Pack: func(json []byte) any { return newEncoded(json) }, Now: c.Now, Logger: c.Logger, Metrics: halls,
	})
	s.base, s.giveUp = context.WithCancel(context.Background())
	s.public = s.listenerServer(s.publicRoutes(), publicBodyBytesMax, publicReadTimeMax)
	s.admin = s.listenerServer(s.adminRoutes(), adminBodyBytesMax, adminReadTimeMax)
	s.admin.HeaderReceived = s.strangersBody
	return s, nil
}

// Serve answers on both listeners until Shutdown, and then returns nil, or until one of them fails. It closes both.
func (s *Server) Serve(public, admin net.Listener) error {
	defer public.Close()
	defer admin.Close()
	s.mu.Lock()
	s.listeners = append(s.listeners, public, admin)
	s.mu.Unlock()
	if s.draining.Load() {
		return nil
	}
	ended := make(chan error, 2)
	go func() { ended <- s.public.Serve(s.lingering(public, s.capacity.public)) }()
	go func() { ended <- s.admin.Serve(s.lingering(admin, s.capacity.admin)) }()
	err := <-ended
	if !s.draining.Load() {
		return errors.Join(errors.New("http: a listener ended"), err)
	}
	return errors.Join(err, <-ended)
}

// Shutdown lets /readyz fail, stops accepting, tells all streams when to come back and ends them, and waits for the
// requests that are being answered. When ctx ends first they are given up and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	defer s.giveUp()
	errs := make(chan error, 2)
	go func() { errs <- s.admin.ShutdownWithContext(ctx) }()
	go func() {
		s.drainStreams(ctx)
		errs <- nil
	}()
	err := errors.Join(s.public.ShutdownWithContext(ctx), <-errs, <-errs)
	// A listener that Serve had not yet handed to fasthttp is still open.
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		_ = ln.Close()
	}
	return err
}

package http

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"boxoffice/http/hall"
	"boxoffice/http/sse"
	"boxoffice/http/watch"
	"boxoffice/messages"
)

const (
	// readyAgeMax is how old what /readyz would say may be before a scrape has it found out again, beside itself.
	readyAgeMax = 5 * time.Second
	// cacheHelp is the same wherever a cache is counted: the registry asks for that.
	cacheHelp = "Look-ups in a cache, by cache (events, halls, plans, seat_maps) and result: hit, miss."
)

// Kinds of streams, as sse.Options has them.
const (
	kindAvailability = iota
	kindSession
	kindOrder
)

// Metrics count what a Server does. The nil *Metrics counts nothing. No label holds what a client can choose: routes are
// named by their pattern, methods and codes are of closed sets.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	problems  map[code]prometheus.Counter // read only
	panics    prometheus.Counter
	crowded   prometheus.Counter
	full      prometheus.Counter
	joins     map[messages.SessionStatus]prometheus.Counter // read only

	eventHits, eventMisses, seatMapHits, seatMapMisses prometheus.Counter

	streams *sse.Metrics
	halls   *hall.Metrics
	watch   *watch.Metrics

	// unknown are the requests that found no resource.
	unknown counted
	server  atomic.Pointer[Server]

	mu          sync.Mutex
	connections []*connections
	isReady     bool
	readyAt     time.Time // when that was found out; zero: never
	asking      bool
}

var (
	hallsDesc       = prometheus.NewDesc("boxoffice_halls", "Halls whose seats are in memory, by use: streamed, or kept for who asks again.", []string{"use"}, nil)
	connectionsDesc = prometheus.NewDesc("boxoffice_http_connections", "Connections that are open, those of streams among them.", nil, nil)
	readyDesc       = prometheus.NewDesc("boxoffice_ready", "1 where a purchase would succeed on this node, as /readyz says.", nil, nil)
)

// NewMetrics registers the metrics of a Server, which shows all that is in the registry.
func NewMetrics(r *prometheus.Registry) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "boxoffice_" + name, Help: help})
		r.MustRegister(c)
		return c
	}
	cache := func(name string) (hits, misses prometheus.Counter) {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boxoffice_cache_requests_total", Help: cacheHelp, ConstLabels: prometheus.Labels{"cache": name},
		}, []string{"result"})
		r.MustRegister(v)
		return v.WithLabelValues("hit"), v.WithLabelValues("miss")
	}
	m := &Metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boxoffice_http_requests_total", Help: "Requests answered, by listener, route, method and status.",
		}, []string{"listener", "route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "boxoffice_http_request_duration_seconds", Help: "From a request's header until its answer is made; of streams, until they are open.",
			Buckets: prometheus.ExponentialBuckets(0.000_5, 2, 15),
		}, []string{"listener", "route", "method"}),
		problems: map[code]prometheus.Counter{},
		joins:    map[messages.SessionStatus]prometheus.Counter{},
		panics:   counter("http_panics_total", "Handlers and streams that panicked."),
		streams:  sse.NewMetrics(r, "availability", "session", "order"),
		halls:    hall.NewMetrics(r, cacheHelp),
		watch:    watch.NewMetrics(r),
	}
	problems := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_http_problems_total", Help: "Errors answered, by the contract's code.",
	}, []string{"code"})
	for i := range kinds {
		m.problems[kinds[i].code] = problems.WithLabelValues(string(kinds[i].code))
	}
	joins := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_joins_total", Help: "Sessions made, by how they began: active (let in at once), waiting.",
	}, []string{"outcome"})
	for _, s := range []messages.SessionStatus{messages.SessionActive, messages.SessionWaiting} {
		m.joins[s] = joins.WithLabelValues(strings.ToLower(string(s)))
	}
	turnedAway := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_http_connections_refused_total", Help: "Connections closed at once, by reason: full (all of the listener), address (those of one address).",
	}, []string{"reason"})
	m.full, m.crowded = turnedAway.WithLabelValues("full"), turnedAway.WithLabelValues("address")
	m.eventHits, m.eventMisses = cache("events")
	m.seatMapHits, m.seatMapMisses = cache("seat_maps")
	r.MustRegister(m.requests, m.durations, problems, joins, turnedAway, m)
	return m
}

// joined counts a session that was made.
func (m *Metrics) joined(s messages.SessionStatus) {
	if m == nil {
		return
	}
	if c := m.joins[s]; c != nil {
		c.Inc()
	}
}

// gatherer of all that is to be shown.
func (m *Metrics) gatherer() prometheus.Gatherer {
	if m == nil {
		return prometheus.NewRegistry()
	}
	return m.registry
}

// counted holds what a resource's requests are counted by, once they have come: it is looked through without a lock.
type counted struct {
	mu  sync.Mutex
	all atomic.Pointer[[]requestCount]
}

type requestCount struct {
	public       bool
	call, method string
	status       int
	requests     prometheus.Counter
	durations    prometheus.Observer
}

type (
	routeKey   struct{}
	problemKey struct{}
)

// routed notes which resource a request has found.
func (m *Metrics) routed(ctx *fasthttp.RequestCtx, r *resource) {
	if m != nil {
		ctx.SetUserValue(routeKey{}, r)
	}
}

// answered counts a request, whose answer stands in ctx.
func (m *Metrics) answered(public bool, ctx *fasthttp.RequestCtx, begun time.Time) {
	if m == nil {
		return
	}
	if p, ok := ctx.UserValue(problemKey{}).(*problem); ok {
		m.problems[p.code].Inc()
	}
	r, _ := ctx.UserValue(routeKey{}).(*resource)
	e := m.countOf(public, ctx, r)
	e.requests.Inc()
	e.durations.Observe(time.Since(begun).Seconds())
}

// countOf a request finds what it is counted by, or makes it.
func (m *Metrics) countOf(public bool, ctx *fasthttp.RequestCtx, r *resource) *requestCount {
	cs, call, status := &m.unknown, []byte(nil), ctx.Response.StatusCode()
	if r != nil {
		cs, call = &r.counted, r.callOf(ctx.URI().PathOriginal())
	}
	method := ctx.Method()
	if all := cs.all.Load(); all != nil {
		for i := range *all {
			if e := &(*all)[i]; e.status == status && e.public == public && e.method == string(method) && e.call == string(call) {
				return e
			}
		}
	}
	e := requestCount{public: public, call: string(call), method: string(method), status: status}
	listener, route := "admin", "none"
	if public {
		listener = "public"
	}
	if r != nil {
		route = routeName(r.pattern, e.call)
	}
	if !knownMethod(e.method) {
		e.method = "other"
	}
	e.requests = m.requests.WithLabelValues(listener, route, e.method, strconv.Itoa(status))
	e.durations = m.durations.WithLabelValues(listener, route, e.method)
	if e.method == "other" {
		return &e // whoever makes methods up is not to make us keep them
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var more []requestCount
	if all := cs.all.Load(); all != nil {
		more = append(more, *all...)
	}
	more = append(more, e)
	cs.all.Store(&more)
	return &more[len(more)-1]
}

// callOf is what follows a colon in the path's last segment, where there is such a call.
func (r *resource) callOf(path []byte) []byte {
	if r.calls == nil {
		return nil
	}
	_, call, _ := bytes.Cut(path[bytes.LastIndexByte(path, '/')+1:], []byte{':'})
	if r.calls[string(call)] == nil {
		return nil
	}
	return call
}

// routeName is a pattern as the contract has it: /api/orders/{id}:confirm.
func routeName(pattern, call string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	name := strings.Join(segments, "/")
	if call != "" {
		name += ":" + call
	}
	return name
}

func (m *Metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

// turnedAway notes a connection that was refused with that answer.
func (m *Metrics) turnedAway(refusal []byte) {
	switch {
	case m == nil:
	case &refusal[0] == &full[0]:
		m.full.Inc()
	default:
		m.crowded.Inc()
	}
}

func (m *Metrics) listens(cs *connections) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.connections = append(m.connections, cs)
	}
}

func (m *Metrics) lookedForEvent(found bool) {
	if m != nil {
		count(found, m.eventHits, m.eventMisses)
	}
}

func (m *Metrics) lookedForSeatMap(found bool) {
	if m != nil {
		count(found, m.seatMapHits, m.seatMapMisses)
	}
}

func count(found bool, hits, misses prometheus.Counter) {
	if found {
		hits.Inc()
	} else {
		misses.Inc()
	}
}

// serves makes m count for s.
func (m *Metrics) serves(s *Server) (*sse.Metrics, *hall.Metrics, *watch.Metrics) {
	if m == nil {
		return nil, nil, nil
	}
	m.server.Store(s)
	return m.streams, m.halls, m.watch
}

// ready notes what /readyz has found out.
func (m *Metrics) ready(err error) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.isReady, m.readyAt = err == nil, time.Now()
	}
}

// askReady has readiness found out where it was not lately. The lock is held.
func (m *Metrics) askReady(s *Server) {
	if m.asking || time.Since(m.readyAt) < readyAgeMax || s.draining.Load() {
		return
	}
	m.asking = true
	go func() {
		ctx, cancel := context.WithTimeout(s.base, readyTimeMax)
		defer cancel()
		m.ready(s.Ready(ctx))
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asking = false
	}()
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	to <- hallsDesc
	to <- connectionsDesc
	to <- readyDesc
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	s := m.server.Load()
	if s == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	loaded, streamed, _ := s.halls.Counts()
	gauge(hallsDesc, float64(streamed), "streamed")
	gauge(hallsDesc, float64(loaded-streamed), "kept")
	m.mu.Lock()
	defer m.mu.Unlock()
	open := 0
	for _, cs := range m.connections {
		cs.mu.Lock()
		open += cs.open
		cs.mu.Unlock()
	}
	gauge(connectionsDesc, float64(open))
	m.askReady(s)
	if !m.readyAt.IsZero() {
		ready := 0.0
		if m.isReady && !s.draining.Load() {
			ready = 1
		}
		gauge(readyDesc, ready)
	}
}

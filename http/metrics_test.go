package http_test

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/valyala/fasthttp"

	"boxoffice/http"
	"boxoffice/messages"
)

// Goal: what a server counts is what it did, and no label holds what a client chose.
// Method: real requests; the numbers are read as Prometheus reads them, through GET /metrics.

func counting(c *http.Config) {
	c.Metrics = http.NewMetrics(prometheus.NewRegistry())
}

// series of GET /metrics, by name and labels as they are written there.
func (s *server) series() map[string]float64 {
	s.t.Helper()
	r := s.organiser("GET", "/metrics", "")
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		s.t.Fatalf("%d %v %s", r.status, r.header, r.body)
	}
	got := map[string]float64{}
	for line := range strings.Lines(r.body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if value == "" {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		} else {
			name += "}"
		}
		got[name] = must(strconv.ParseFloat(value, 64))
	}
	return got
}

// counted checks what has changed since before, of all series with the prefixes: exactly want.
func (s *server) counted(before map[string]float64, want map[string]float64, prefixes ...string) {
	s.t.Helper()
	for name, v := range s.series() {
		for _, prefix := range prefixes {
			if d := v - before[name]; strings.HasPrefix(name, prefix) && d != want[name] {
				s.t.Errorf("%s has moved by %v, want %v", name, d, want[name])
			}
		}
	}
	now := s.series()
	for name := range want {
		if _, ok := now[name]; !ok {
			s.t.Errorf("%s is missing", name)
		}
	}
}

func TestMetricsNeedTheToken(t *testing.T) {
	s := start(t, counting)
	s.do("GET", s.admin+"/metrics", "").want(t, 401, "token-required")
	s.do("GET", s.admin+"/metrics", "", "Authorization", "Bearer x").want(t, 401, "token-invalid")
	s.do("GET", s.public+"/metrics", "", "Authorization", "Bearer "+adminToken).want(t, 404, "not-found")
	r := s.organiser("GET", "/metrics", "", "Accept", "application/openmetrics-text; version=1.0.0")
	if r.status != 200 || !strings.HasSuffix(r.body, "# EOF\n") || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %.80s", r.status, r.header, r.body)
	}
	start(t).organiser("GET", "/metrics", "") // without a registry: an empty page that keeps the contract
}

func TestMetricsOfRequests(t *testing.T) {
	s := start(t, counting)
	before := s.series()
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_UNAVAILABLE, Seats: []string{"a"}})
	s.buyer(orderPath(":reserve"), `{"seats":["a"]}`).want(t, 409, "seats-unavailable")
	s.buyer(orderPath(":reserve"), `{"seats":["a"]}`).want(t, 409, "seats-unavailable")
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_PAYMENT_UNKNOWN})
	s.buyer(orderPath(":finalize"), ``).want(t, 503, "payment-unknown")
	s.buyer(orderPath(":nonsense"), ``).want(t, 404, "not-found")
	s.do("GET", s.public+"/nonsense", "").want(t, 404, "not-found")
	s.do("GET", s.public+"/api/events/E1", "")
	s.do("GET", s.public+"/api/events/E1", "")
	s.do("BREW", s.public+"/api/events/E1", "").want(t, 405, "method-not-allowed")
	for range 2 { // the second is a repetition
		s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId":"E1"}`, "Idempotency-Key", strings.Repeat("k", 22))
	}
	s.fake.waits = true
	s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId":"E1"}`)
	request := func(route, method, status string) string {
		return `boxoffice_http_requests_total{listener="public",method="` + method + `",route="` + route + `",status="` + status + `"}`
	}
	s.counted(before, map[string]float64{
		request("/api/orders/{id}:reserve", "POST", "409"):             2,
		request("/api/orders/{id}:finalize", "POST", "503"):            1,
		request("/api/orders/{id}", "POST", "404"):                     1,
		request("none", "GET", "404"):                                  1,
		request("/api/waiting-room/sessions", "POST", "201"):           3,
		`boxoffice_joins_total{outcome="active"}`:                      1,
		`boxoffice_joins_total{outcome="waiting"}`:                     1,
		request("/api/events/{id}", "GET", "200"):                      2,
		request("none", "other", "405"):                                1,
		`boxoffice_http_problems_total{code="seats-unavailable"}`:      2,
		`boxoffice_http_problems_total{code="payment-unknown"}`:        1,
		`boxoffice_http_problems_total{code="not-found"}`:              2,
		`boxoffice_http_problems_total{code="method-not-allowed"}`:     1,
		`boxoffice_cache_requests_total{cache="events",result="hit"}`:  4,
		`boxoffice_cache_requests_total{cache="events",result="miss"}`: 1,
	}, `boxoffice_http_requests_total{listener="public"`, "boxoffice_http_problems_total", "boxoffice_cache_requests_total", "boxoffice_joins_total")
}

// What never became a request is counted, too, and a panic with its answer.
func TestMetricsOfBrokenRequests(t *testing.T) {
	s := start(t, counting)
	before := s.series()
	conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
	defer conn.Close()
	must(io.WriteString(conn, "nonsense\r\n\r\n"))
	must(io.ReadAll(conn))
	s.asks(func(*messages.Request) *messages.Reply { panic(errors.New("bug")) })
	s.buyer(orderPath(":finalize"), ``).want(t, 500, "internal")
	s.counted(before, map[string]float64{
		`boxoffice_http_problems_total{code="invalid-request"}`: 1,
		`boxoffice_http_problems_total{code="internal"}`:        1,
		`boxoffice_http_panics_total`:                           1,
	}, "boxoffice_http_problems_total", "boxoffice_http_panics_total")
}

func TestMetricsOfStreams(t *testing.T) {
	s := start(t, counting)
	before := s.series()
	st := s.opened("/api/sse/events/E1/availability")
	st.want("snapshot", "")
	_, joined := s.join()
	other := s.opened(sessionStream(joined.SessionID))
	now := s.series()
	for kind, want := range map[string]float64{"availability": 1, "session": 1, "order": 0} {
		if got := now[`boxoffice_sse_streams{kind="`+kind+`"}`]; got != want {
			t.Errorf("%v streams of %s are open, want %v", got, kind, want)
		}
	}
	if now[`boxoffice_halls{use="streamed"}`] != 1 {
		t.Errorf("%v halls are streamed", now[`boxoffice_halls{use="streamed"}`])
	}
	// What has been read is counted a moment later.
	eventually(t, func() bool { return s.series()[`boxoffice_sse_sent_bytes_total{kind="availability"}`] >= 100 })
	_ = st.res.Body.Close()
	_ = other.res.Body.Close()
	gone := `boxoffice_sse_streams_ended_total{cause="gone",kind="availability"}`
	eventually(t, func() bool { return s.series()[gone]-before[gone] == 1 })
	eventually(t, func() bool { return s.series()[`boxoffice_sse_streams{kind="availability"}`] == 0 })
}

func TestMetricsOfReadiness(t *testing.T) {
	s := start(t, counting)
	s.do("GET", s.public+"/readyz", "")
	if got := s.series()["boxoffice_ready"]; got != 1 {
		t.Errorf("ready is %v", got)
	}
	s.mu.Lock()
	s.readyErr = errors.New("away")
	s.mu.Unlock()
	s.do("GET", s.public+"/readyz", "").want(t, 503, "unavailable")
	if got := s.series()["boxoffice_ready"]; got != 0 {
		t.Errorf("ready is %v", got)
	}
}

func TestMetricNames(t *testing.T) {
	r := prometheus.NewRegistry()
	http.NewMetrics(r)
	for _, p := range must(promlint.NewWithMetricFamilies(must(r.Gather())).Lint()) {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	name := regexp.MustCompile(`^boxoffice_[a-z_]+$`)
	for _, f := range must(r.Gather()) {
		if !name.MatchString(f.GetName()) {
			t.Error(f.GetName())
		}
	}
}

// BenchmarkCounted compares a request without and with metrics, at the handler: no client and no system calls cover it.
func BenchmarkCounted(b *testing.B) {
	for name, configure := range map[string]func(*http.Config){"without": func(*http.Config) {}, "with": counting} {
		b.Run(name, func(b *testing.B) {
			s := start(b, configure)
			reply := &messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_AUTHORIZED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_AUTHORIZED)}
			reply.Answer = http.Render(reply)
			s.asks(func(*messages.Request) *messages.Reply {
				s.asked = s.asked[:0]
				return reply
			})
			var ctx fasthttp.RequestCtx
			var req fasthttp.Request
			req.SetRequestURI("http://x" + orderPath(":confirm"))
			req.Header.SetMethod("POST")
			req.Header.SetContentType("application/json")
			req.Header.Set("Authorization", "Bearer "+s.token(testNow+1000))
			req.Header.Set("Idempotency-Key", strings.Repeat("k", 32))
			req.SetBodyString(`{"seats":["D-14-1","D-14-2"],"paymentToken":"tok_visa"}`)
			b.ReportAllocs()
			for b.Loop() {
				ctx.ResetUserValues()
				ctx.Response.Reset()
				ctx.Init(&req, nil, nil)
				s.handler(&ctx)
				if ctx.Response.StatusCode() != 202 {
					b.Fatal(ctx.Response.String())
				}
			}
		})
	}
}

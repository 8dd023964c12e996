package http_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/http"
	"boxoffice/messages"
)

// Goal: each request for the API has a span that is named by its route, that the engine is asked in, and that tells nothing
// of who asks. Method: a server over TCP with the SDK's recorder behind it.

// tracingEngine notes in whose span it is asked.
type tracingEngine struct {
	http.Engine
	parents chan trace.SpanContext
}

func (e tracingEngine) Ask(ctx context.Context, r *messages.Request) *messages.Reply {
	e.parents <- trace.SpanContextFromContext(ctx)
	return e.Engine.Ask(ctx, r)
}

type traced struct {
	*server
	spans   *tracetest.SpanRecorder
	parents chan trace.SpanContext
}

func startTraced(t testing.TB, configure ...func(*http.Config)) traced {
	t.Helper()
	tr := traced{spans: tracetest.NewSpanRecorder(), parents: make(chan trace.SpanContext, 16)}
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(tr.spans))
	tr.server = start(t, append(configure, func(c *http.Config) {
		c.Tracer, c.Engine = provider.Tracer("test"), tracingEngine{c.Engine, tr.parents}
	})...)
	return tr
}

// send a request with more headers, and bring its status.
func (tr traced) send(method, url, body string, headers ...string) int {
	tr.t.Helper()
	r := must(nethttp.NewRequest(method, url, strings.NewReader(body)))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// span is the one that the last request made: it ends before the answer leaves.
func (tr traced) span() sdk.ReadOnlySpan {
	tr.t.Helper()
	all := tr.spans.Ended()
	tr.spans.Reset()
	if len(all) != 1 {
		tr.t.Fatalf("%d spans, want 1", len(all))
	}
	return all[0]
}

func TestSpanOfEachRoute(t *testing.T) {
	tr := startTraced(t)
	token := tr.token(testNow + 1000)
	order := http.OrderIDText("E1", testOrder[:])
	for _, c := range []struct{ listener, method, path, body, name string }{
		{tr.public, "GET", "/api/events", "", "GET /api/events"},
		{tr.public, "GET", "/api/events/E1", "", "GET /api/events/{eventId}"},
		{tr.public, "HEAD", "/api/events/E1/availability", "", "HEAD /api/events/{eventId}/availability"},
		{tr.public, "GET", "/api/orders/" + order, "", "GET /api/orders/{orderId}"},
		{tr.public, "POST", "/api/orders/" + order + ":confirm", "{", "POST /api/orders/{orderId}:confirm"},
		{tr.public, "POST", "/api/orders/" + order + ":whatever-a-stranger-writes", "", "POST /api/orders/{orderId}"},
		{tr.public, "GET", "/api/waiting-room/sessions/E1.s_x", "", "GET /api/waiting-room/sessions/{sessionId}"},
		{tr.admin, "POST", "/api/admin/events/E1:block", `{"seats":["A-1"]}`, "POST /api/admin/events/{eventId}:block"},
		{tr.admin, "GET", "/api/admin/events/E1/report", "", "GET /api/admin/events/{eventId}/report"},
	} {
		bearer := token
		if c.listener == tr.admin {
			bearer = adminToken
		}
		status := tr.send(c.method, c.listener+c.path, c.body, "Authorization", "Bearer "+bearer)
		s := tr.span()
		_, route, _ := strings.Cut(c.name, " ")
		want := attribute.NewSet(attribute.String("http.request.method", c.method), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", status))
		if got := attribute.NewSet(s.Attributes()...); s.Name() != c.name || s.SpanKind() != trace.SpanKindServer || !got.Equals(&want) {
			t.Errorf("%s %s: the span is %q with %v", c.method, c.path, s.Name(), s.Attributes())
		}
		if (s.Status().Code == codes.Error) != (status >= 500) {
			t.Errorf("%s %s: answered %d, the span's status is %v", c.method, c.path, status, s.Status())
		}
	}
}

func TestNoSpanOutsideTheAPI(t *testing.T) {
	tr := startTraced(t)
	for _, path := range []string{"/livez", "/readyz", "/docs", "/problems/internal", "/api/nothing-here"} {
		tr.send("GET", tr.public+path, "")
	}
	tr.send("GET", tr.public+"/api/events", "")
	if s := tr.span(); s.Name() != "GET /api/events" { // and that is the only one
		t.Errorf("the span is %q", s.Name())
	}
}

// The engine is asked in the request's span; a stranger's traceparent is not believed, a trusted proxy's is.
func TestSpanContextOfTheEngine(t *testing.T) {
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		header  string
		joins   bool
	}{
		"stranger":               {nil, theirs, false},
		"trusted proxy":          {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, theirs, true},
		"trusted proxy, garbage": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "00-zz", false},
		"another proxy":          {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, theirs, false},
	} {
		tr := startTraced(t, func(h *http.Config) { h.TrustedProxies = c.proxies })
		order := tr.public + "/api/orders/" + http.OrderIDText("E1", testOrder[:])
		for _, r := range []struct{ method, url, body string }{
			{"POST", order + ":cancel", ""}, {"GET", order, ""}, {"POST", tr.public + "/api/orders", `{"eventId":"E1"}`},
		} {
			tr.send(r.method, r.url, r.body, "Authorization", "Bearer "+tr.token(testNow+1000), "Idempotency-Key", "k",
				"traceparent", c.header, "tracestate", "evil=1", "baggage", "evil=1")
			s, asked := tr.span(), <-tr.parents
			if asked.SpanID() != s.SpanContext().SpanID() {
				t.Errorf("%s: %s: asked in another span", name, s.Name())
			}
			if joins := s.SpanContext().TraceID().String() == theirs[3:35] && s.Parent().SpanID().String() == theirs[36:52]; joins != c.joins {
				t.Errorf("%s: %s is the child of %v", name, s.Name(), s.Parent())
			}
			if s.SpanContext().TraceState().Len() != 0 {
				t.Errorf("%s: a stranger's state %v is taken over", name, s.SpanContext().TraceState())
			}
		}
	}
}

// A panic is a span with an error, and without the panic's words.
func TestSpanOfAPanic(t *testing.T) {
	tr := startTraced(t)
	tr.asks(func(*messages.Request) *messages.Reply { panic("somebody's secret") })
	order := tr.public + "/api/orders/" + http.OrderIDText("E1", testOrder[:])
	tr.send("GET", order, "", "Authorization", "Bearer "+tr.token(testNow+1000))
	s := tr.span()
	if s.Status().Code != codes.Error || len(s.Events()) != 0 || !slices.Contains(s.Attributes(), attribute.Int("http.response.status_code", 500)) {
		t.Errorf("the span has %v, %v, %v", s.Status(), s.Events(), s.Attributes())
	}
}

// No id, token, key or address is in any span.
func TestSpansHoldNoSecrets(t *testing.T) {
	tr := startTraced(t)
	token := tr.token(testNow + 1000)
	order, session := http.OrderIDText("E1", testOrder[:]), http.SessionIDText("E1", testSession)
	var all []string
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/api/orders/" + order + ":confirm", `{"seats":["A-1"],"paymentToken":"tok_secret"}`},
		{"GET", "/api/orders/" + order, ""},
		{"DELETE", "/api/waiting-room/sessions/" + session, ""},
		{"GET", "/api/waiting-room/sessions/" + session + "?secret=query", ""},
		{"POST", "/api/waiting-room/sessions", `{"eventId":"E1"}`},
	} {
		tr.send(r.method, tr.public+r.path, r.body, "Authorization", "Bearer "+token, "Idempotency-Key", "key-secret",
			"X-Forwarded-For", "203.0.113.7", "User-Agent", "agent-secret")
		b, err := json.Marshal(tracetest.SpanStubFromReadOnlySpan(tr.span()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	for _, secret := range []string{
		"o_", "s_A", token, "tok_secret", "key-secret", "203.0.113.7", "127.0.0.1", "agent-secret", "query",
		base64.RawURLEncoding.EncodeToString(testOrder[:]), fmt.Sprintf("%x", testSession), fmt.Sprintf("%x", testOrder),
	} {
		for _, span := range all {
			if strings.Contains(span, secret) {
				t.Errorf("a span shows %q: %s", secret, span)
			}
		}
	}
}

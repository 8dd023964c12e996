package http_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	nethttp "net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/http/sse"
	"boxoffice/messages"
)

// The tests of this package speak to a server over TCP, as clients do, with fakes behind it.

const (
	// testNow is 2026-01-02T03:04:05.678Z.
	testNow    = int64(1767323045678)
	adminToken = "the organiser's secret"
	// testSecret signs the tokens of the tests.
	testSecret = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

var (
	testSession = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	testOrder   = [16]byte{0xf0, 2: 7, 15: 9}
)

type server struct {
	*fake
	t             testing.TB
	public, admin string
	keys          http.Keys
	log           *syncBuffer
	// client holds each exchange against openapi.yaml.
	client   *nethttp.Client
	document *contract.Document
	// handler is the public listener's.
	handler fasthttp.RequestHandler
	heard   func(*messages.Live)
	streams func() sse.Stats
	stop    func(context.Context) error
	ended   chan error
}

// syncBuffer is a log that a test may read while the server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start a server with fakes behind it. Orders are not limited unless configure says so; joins are not, on loopback.
func start(t testing.TB, configure ...func(*http.Config)) *server {
	t.Helper()
	f := &fake{
		event: testEvent(), plan: testPlan(),
		sessions: map[[16]byte]messages.Session{}, joined: map[[16]byte]messages.Join{},
	}
	s := &server{fake: f, t: t, keys: must(http.ParseKeys(testSecret)), log: &syncBuffer{}, ended: make(chan error, 1)}
	config := http.Config{
		Engine: f, Catalogue: f, Halls: f, Organiser: f, Sessions: f, Records: f,
		TokenKeys: s.keys, AdminToken: adminToken,
		TicketKeys: []http.TicketKey{{KeyID: "k1", PublicKey: make(ed25519.PublicKey, ed25519.PublicKeySize)}},
		Ready:      func(context.Context) error { return f.readyErr },
		Now:        func() time.Time { return time.UnixMilli(testNow) },
		Logger:     slog.New(slog.NewTextHandler(s.log, nil)),

		OrdersPerMinutePerSession: -1, FilesMax: -1,
	}
	for _, change := range configure {
		change(&config)
	}
	srv, err := http.New(config)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = srv.PublicHandler()
	public, admin := must(net.Listen("tcp", "127.0.0.1:0")), must(net.Listen("tcp", "127.0.0.1:0"))
	s.public, s.admin = "http://"+public.Addr().String(), "http://"+admin.Addr().String()
	s.document = must(contract.Load())
	s.client = &nethttp.Client{Timeout: 10 * time.Second, Transport: &contract.Transport{
		Document: s.document, Base: transport, Report: func(err error) { t.Errorf("the contract: %v", err) },
		Listener: func(host string) contract.Listener {
			if host == admin.Addr().String() {
				return contract.Admin
			}
			return contract.Public
		},
	}}
	s.stop, s.heard, s.streams = srv.Shutdown, srv.Heard, srv.StreamStats
	go func() { s.ended <- srv.Serve(public, admin) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if err := <-s.ended; err != nil {
			t.Error("serve:", err)
		}
	})
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var transport = &nethttp.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}

// response is an answer read to its end.
type response struct {
	status int
	header nethttp.Header
	body   string
	// closes: the server ends the connection after it.
	closes bool
}

// do sends a request with headers given as name, value, …; "" as a value leaves the header out.
func (s *server) do(method, url, body string, headers ...string) response {
	s.t.Helper()
	req := must(nethttp.NewRequest(method, url, strings.NewReader(body)))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return response{res.StatusCode, res.Header, string(must(io.ReadAll(res.Body))), res.Close}
}

func (s *server) token(expiresAt int64) string {
	return s.keys.Sign(http.Claims{EventID: "E1", SessionID: testSession, ExpiresAt: expiresAt})
}

// buyer posts with a good token and key; headers given after replace them.
func (s *server) buyer(path, body string, headers ...string) response {
	s.t.Helper()
	return s.do("POST", s.public+path, body, append([]string{
		"Authorization", "Bearer " + s.token(testNow+1000), "Idempotency-Key", "key-1",
	}, headers...)...)
}

func (s *server) organiser(method, path, body string, headers ...string) response {
	s.t.Helper()
	return s.do(method, s.admin+path, body, append([]string{"Authorization", "Bearer " + adminToken}, headers...)...)
}

func (s *server) replies(r *messages.Reply) {
	s.asks(func(*messages.Request) *messages.Reply { return r })
}

func (s *server) asks(answer func(*messages.Request) *messages.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask = answer
}

// wrongState refuses a call on an order.
func wrongState() *messages.Reply {
	return &messages.Reply{
		Outcome: messages.Outcome_OUTCOME_ORDER_STATE, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_COMPLETED),
	}
}

func orderPath(call string) string {
	return "/api/orders/" + http.OrderIDText("E1", testOrder[:]) + call
}

// want checks an error answer whole: status, code and every member that all problems have.
func (r response) want(t testing.TB, status int, code string) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("status %d, body %q: %v", r.status, r.body, err)
	}
	if r.status != status || p["code"] != code || p["status"] != float64(status) || p["type"] != "/problems/"+code {
		t.Fatalf("got %d %s, want %d %s", r.status, r.body, status, code)
	}
	for _, member := range []string{"title", "detail", "instance"} {
		if s, ok := p[member].(string); !ok || s == "" {
			t.Errorf("%s: member %s is %v", code, member, p[member])
		}
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: content type %q", code, got)
	}
	if wait := status == 503 || status == 429 || code == "request-in-flight"; (r.header.Get("Retry-After") != "") != wait {
		t.Errorf("%s: Retry-After %q", code, r.header.Get("Retry-After"))
	}
	return p
}

func testEvent() *messages.Event {
	return &messages.Event{
		EventId: "E1", Name: `Die "Nacht"`, Venue: "Riethsporthalle", City: "Erfurt", Performers: []string{"A", "B"},
		StartsAt: testNow + 86_400_000, Status: messages.EventStatus_EVENT_STATUS_ON_SALE, SeatsTotal: 5, Currency: "EUR",
		Sale:           &messages.Sale{Available: 3, Held: 1, PriceFrom: 4950},
		Categories:     []*messages.Category{{Name: "Kategorie I", Color: "#E87722", Price: 4950}, {Name: "VIP", Price: 9900}},
		HoldTtlSeconds: 300, MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
		WaitingRoom: &messages.WaitingRoom{Enabled: true, ActiveLimit: 500, ActiveTtlSeconds: 600, AdmitPerSecond: 100},
	}
}

func testPlan() *messages.SeatingPlan {
	seat := func(id, number string, category uint32, x float64) *messages.SeatingPlan_Seat {
		return &messages.SeatingPlan_Seat{SeatId: id, Number: number, Category: category, X: x, Y: 0.1}
	}
	return &messages.SeatingPlan{
		Name: "Halle", Width: 2700, Height: 1200.5,
		Categories: []*messages.SeatingPlan_Category{{Name: "Kategorie I"}, {Name: "VIP"}},
		Sections: []*messages.SeatingPlan_Section{
			{Name: "Block D", Rows: []*messages.SeatingPlan_Row{
				{Name: "14", Seats: []*messages.SeatingPlan_Seat{seat("D-14-1", "1", 0, 0), seat("D-14-2", "2", 0, 25)}},
				{Name: "15", Seats: []*messages.SeatingPlan_Seat{seat("D-15-1", "1", 1, 0)}},
			}},
			{Name: "Block E", Rows: []*messages.SeatingPlan_Row{
				{Name: "1", Seats: []*messages.SeatingPlan_Seat{seat("E-1-1", "1", 0, 1000000), seat("E-1-2", "2", 0, 1e-7)}},
			}},
		},
	}
}

func orderMessage(status messages.OrderStatus) *messages.Order {
	return &messages.Order{
		OrderId: testOrder[:], EventId: "E1", SessionId: testSession[:], Status: status, Currency: "EUR", Amount: 9900,
		Seats: []*messages.Seat{
			{SeatId: "D-14-1", Section: "Block D", Row: "14", Number: "1", Category: "Kategorie I", Price: 4950},
			{SeatId: "D-14-2", Section: "Block D", Row: "14", Number: "2", Category: "Kategorie I", Price: 4950},
		},
		HoldExpiresAt: testNow + 300_000, CreatedAt: testNow,
	}
}

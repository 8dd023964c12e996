package http_test

import (
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"

	"boxoffice/http"
	"boxoffice/messages"
)

// clock is moved by hand.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(testNow * int64(time.Millisecond))
	return c
}

func (c *clock) now() time.Time           { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(by time.Duration) { c.at.Add(int64(by)) }

// Goal: a limiter lets through what a token bucket does, says how long until there is a token, and forgets no key that
// has yet to wait.
// Method: any sequence of calls by few keys, with pauses, beside buckets that are never forgotten.
func TestLimiterIsTokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "a minute")
		interval := time.Minute / time.Duration(n)
		full := interval * time.Duration(n)
		c := newClock()
		l := http.NewLimiter(n, 1000, c.now)
		type bucket struct{ level, at time.Duration }
		buckets := map[[16]byte]*bucket{}
		var elapsed time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			pause := rapid.OneOf(rapid.Just(time.Duration(0)), rapid.Just(interval), rapid.Map(rapid.IntRange(0, 90_000), func(ms int) time.Duration {
				return time.Duration(ms) * time.Millisecond
			})).Draw(t, "pause")
			elapsed += pause
			c.advance(pause)
			key := [16]byte{byte(rapid.IntRange(0, 2).Draw(t, "key"))}
			b := buckets[key]
			if b == nil {
				b = &bucket{full, elapsed}
				buckets[key] = b
			}
			b.level, b.at = min(full, b.level+elapsed-b.at), elapsed
			var want time.Duration
			if b.level < interval {
				want = interval - b.level
			} else {
				b.level -= interval
			}
			if got := l.Take(key); got != want {
				t.Fatalf("after %v: wait %v, want %v", elapsed, got, want)
			}
		}
	})
}

// Goal: however many keys come, two generations of them are remembered, and a key that comes often stays.
func TestLimiterIsBounded(t *testing.T) {
	c := newClock()
	l := http.NewLimiter(2, 100, c.now)
	often := [16]byte{1}
	for range 2 {
		if l.Take(often) != 0 {
			t.Fatal("refused the first two")
		}
	}
	for i := range 90 {
		l.Take([16]byte{2, byte(i)})
	}
	if l.Take(often) != 30*time.Second {
		t.Error("forgot a key although there was room")
	}
	for i := range 10_000 {
		l.Take([16]byte{3, byte(i), byte(i >> 8)})
	}
	if n := l.Keys(); n > 200 {
		t.Errorf("remembers %d keys", n)
	}
}

// Goal: a session creates as many orders a minute as it may; a refused one is told when to come again, never reaches the
// engine and does not count; what is wrong otherwise is told first; nobody else is refused for it.
func TestOrdersLimited(t *testing.T) {
	c := newClock()
	s := start(t, func(config *http.Config) { config.OrdersPerMinutePerSession, config.Now = 3, c.now })
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_CREATED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_PENDING)})
	create := func(headers ...string) response { return s.buyer("/api/orders", `{"eventId":"E1"}`, headers...) }
	for range 3 {
		if r := create(); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	for range 2 {
		r := create()
		if r.want(t, 429, "rate-limited"); r.header.Get("Retry-After") != "20" {
			t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
		}
	}
	if len(s.asked) != 3 {
		t.Errorf("%d requests reached the engine", len(s.asked))
	}
	create("Authorization", "Bearer x").want(t, 401, "token-invalid")
	create("Idempotency-Key", "").want(t, 400, "idempotency-key-required")
	s.buyer("/api/orders", `{"eventId":"E1","x":1}`).want(t, 400, "invalid-request")
	other := s.keys.Sign(http.Claims{EventID: "E1", SessionID: [16]byte{7}, ExpiresAt: testNow + 1000})
	if r := create("Authorization", "Bearer "+other); r.status != 201 {
		t.Errorf("another session: %d %s", r.status, r.body)
	}
	s.replies(wrongState())
	s.buyer(orderPath(":cancel"), "").want(t, 409, "order-state")
	c.advance(20 * time.Second)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE})
	create().want(t, 409, "event-not-on-sale")
	create().want(t, 429, "rate-limited")
}

// Goal: what is not configured is limited, what is configured as negative is not.
func TestLimitsByDefault(t *testing.T) {
	from := func(s *server) int {
		allowed := 0
		for allowed < 100 && s.from("203.0.113.7", "").Response.StatusCode() == 201 {
			allowed++
		}
		return allowed
	}
	if n := from(start(t)); n != 60 {
		t.Errorf("%d joins at once", n)
	}
	if n := from(start(t, func(c *http.Config) { c.JoinsPerMinutePerIP = -1 })); n != 100 {
		t.Errorf("%d joins without a limit", n)
	}
	s := start(t, func(c *http.Config) { c.OrdersPerMinutePerSession = 0 })
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE})
	for range 600 {
		s.buyer("/api/orders", `{"eventId":"E1"}`).want(t, 409, "event-not-on-sale")
	}
	s.buyer("/api/orders", `{"eventId":"E1"}`).want(t, 429, "rate-limited")
}

// request is handled without a connection.
func (s *server) request(method, path, body string) *fasthttp.RequestCtx {
	s.t.Helper()
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(path)
	req.Header.SetContentType("application/json")
	req.SetBodyString(body)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, nil, nil)
	s.handler(ctx)
	return ctx
}

// from joins with a connection from an address.
func (s *server) from(address, forwarded string) *fasthttp.RequestCtx {
	s.t.Helper()
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI("/api/waiting-room/sessions")
	req.Header.SetContentType("application/json")
	req.SetBodyString(`{"eventId":"E1"}`)
	for line := range strings.SplitSeq(forwarded, "|") {
		req.Header.Add("X-Forwarded-For", line)
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 5)), nil)
	s.handler(ctx)
	return ctx
}

// Goal: joins are counted by the address that nobody but a trusted proxy can choose.
// Method: one join a minute; each case's two requests come from the same client, or do not.
func TestJoinsLimitedByAddress(t *testing.T) {
	type join struct{ address, forwarded string }
	for name, c := range map[string]struct {
		first, second join
		same          bool
	}{
		"the peer":                      {join{"203.0.113.7", ""}, join{"203.0.113.7", ""}, true},
		"another peer":                  {join{"203.0.113.7", ""}, join{"203.0.113.8", ""}, false},
		"no proxy of ours":              {join{"203.0.113.7", "1.1.1.1"}, join{"203.0.113.7", "2.2.2.2"}, true},
		"loopback":                      {join{"127.0.0.1", ""}, join{"127.0.0.1", ""}, false},
		"loopback in IPv6":              {join{"::1", ""}, join{"::1", "1.1.1.1"}, false},
		"IPv4 in IPv6":                  {join{"::ffff:203.0.113.7", ""}, join{"203.0.113.7", ""}, true},
		"a network of IPv6":             {join{"2001:db8::1", ""}, join{"2001:db8::2:1", ""}, true},
		"another network of IPv6":       {join{"2001:db8::1", ""}, join{"2001:db8:0:1::1", ""}, false},
		"behind a proxy":                {join{"10.0.0.1", "1.1.1.1"}, join{"10.0.0.2", "1.1.1.1"}, true},
		"two behind a proxy":            {join{"10.0.0.1", "1.1.1.1"}, join{"10.0.0.1", "2.2.2.2"}, false},
		"what a client wrote":           {join{"10.0.0.1", "9.9.9.9, 1.1.1.1"}, join{"10.0.0.1", "8.8.8.8,1.1.1.1"}, true},
		"what a client wrote on a line": {join{"10.0.0.1", "9.9.9.9|1.1.1.1"}, join{"10.0.0.1", "8.8.8.8|1.1.1.1"}, true},
		"behind two proxies":            {join{"10.0.0.1", "1.1.1.1, 10.0.0.9"}, join{"10.0.0.1", "1.1.1.1"}, true},
		"with a port":                   {join{"10.0.0.1", "1.1.1.1:80"}, join{"10.0.0.1", "[::ffff:1.1.1.1]:81"}, true},
		"nonsense":                      {join{"10.0.0.1", "1.1.1.1, x"}, join{"10.0.0.1", "2.2.2.2, y"}, true},
		"nothing":                       {join{"10.0.0.1", ""}, join{"10.0.0.1", ", "}, true},
		"only proxies":                  {join{"10.0.0.1", "10.0.0.3"}, join{"10.0.0.2", "10.0.0.3"}, true},
		"forwarded as loopback":         {join{"10.0.0.1", "127.0.0.1"}, join{"10.0.0.1", "127.0.0.1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(config *http.Config) {
				config.JoinsPerMinutePerIP, config.TrustedProxies = 1, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			})
			if got := s.from(c.first.address, c.first.forwarded).Response.StatusCode(); got != 201 {
				t.Fatalf("the first: %d", got)
			}
			joined := len(s.joined)
			second := s.from(c.second.address, c.second.forwarded)
			if got := second.Response.StatusCode(); (got == 429) != c.same || !c.same && got != 201 {
				t.Errorf("the second: %d %s", got, second.Response.Body())
			}
			if c.same && len(s.joined) != joined {
				t.Error("refused, yet joined")
			}
		})
	}
}

// Goal: a join is refused for its address after all else that is wrong with it, in the document's words.
func TestJoinLimitComesLast(t *testing.T) {
	c := newClock()
	s := start(t, func(config *http.Config) {
		config.JoinsPerMinutePerIP, config.TrustedProxies, config.Now = 1, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, c.now
	})
	join := func(body string) response {
		return s.do("POST", s.public+"/api/waiting-room/sessions", body, "X-Forwarded-For", "1.1.1.1")
	}
	if r := join(`{"eventId":"E1"}`); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	join(`{"eventId":"E1","x":1}`).want(t, 400, "invalid-request")
	join(`{"eventId":"E2"}`).want(t, 404, "not-found")
	r := join(`{"eventId":"E1"}`)
	if r.want(t, 429, "rate-limited"); r.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	c.advance(time.Minute)
	if r := join(`{"eventId":"E1"}`); r.status != 201 {
		t.Errorf("after a minute: %d %s", r.status, r.body)
	}
}

// Goal: an address has no more connections than it may, is told so, and gets the place of one that it closes; a trusted
// proxy has as many as it likes.
func TestConnectionsLimited(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		t.Run(fmt.Sprint("trusted ", trusted), func(t *testing.T) {
			s := start(t, func(c *http.Config) {
				if c.ConnsPerIPMax = 2; trusted {
					c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
				}
			})
			var open []net.Conn
			for range 2 {
				conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
				defer conn.Close()
				_ = must(io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"))
				if b := make([]byte, 12); must(io.ReadFull(conn, b)) == 0 || string(b) != "HTTP/1.1 200" {
					t.Fatalf("%q", b)
				}
				open = append(open, conn)
			}
			if trusted {
				if r := s.rawTo(s.public, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"); r.status != 200 {
					t.Errorf("%d %s", r.status, r.body)
				}
				return
			}
			// Nothing is sent, so that nothing unread resets the connection.
			s.raw("").want(t, 429, "rate-limited")
			_ = open[0].Close()
			for deadline := time.Now().Add(5 * time.Second); ; {
				res, err := nethttp.Get(s.public + "/livez")
				if err == nil {
					_ = res.Body.Close()
				}
				if err == nil && res.StatusCode == 200 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the place is not free again", err)
				}
			}
		})
	}
}

package http_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/messages"
)

// Goal: what is no request for a stream is refused before one opens; who only asks for the head gets it.
func TestStreamRefused(t *testing.T) {
	s := start(t)
	s.waits = true
	_, joined := s.join()
	get := func(id string) response { return s.do("GET", s.public+sessionStream(id), "") }
	for _, id := range []string{"nonsense", "E1.s_x", joined.SessionID + "%00", joined.SessionID + "=", "%FF", strings.Replace(joined.SessionID, "s_", "o_", 1)} {
		get(id).want(t, 400, "invalid-request")
	}
	get("").want(t, 404, "not-found")
	get(strings.Replace(joined.SessionID, "E1", "E2", 1)).want(t, 404, "not-found")
	for _, method := range []string{"POST", "DELETE", "PUT", "PATCH", "OPTIONS"} {
		r := s.do(method, s.public+sessionStream(joined.SessionID), "")
		if r.want(t, 405, "method-not-allowed"); r.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%v", r.header)
		}
		s.do(method, s.public+orderStream("x"), "").want(t, 405, "method-not-allowed")
	}
	visited := s.visited
	for _, path := range []string{sessionStream(joined.SessionID), strings.Replace(sessionStream(joined.SessionID), "E1", "E2", 1), orderStream(s.token(0))} {
		if r := s.do("HEAD", s.public+path, ""); r.status != 200 || r.header.Get("Content-Type") != "text/event-stream" || r.body != "" {
			t.Errorf("%d %v", r.status, r.header)
		}
	}
	if r := s.do("HEAD", s.public+orderStream("x"), ""); r.status != 401 {
		t.Errorf("%d", r.status)
	}
	if s.visited != visited || len(s.asked) != 0 {
		t.Error("HEAD shows a buyer up")
	}
	s.opened(sessionStream(joined.SessionID), "Accept", "application/json", "Last-Event-ID", "99").want("waiting-room-position", "")
	s.mu.Lock()
	s.visitErr = errors.New("away")
	s.mu.Unlock()
	get(joined.SessionID).want(t, 503, "unavailable")
	if log := s.log.String(); !strings.Contains(log, "/api/sse/waiting-room/sessions/:id") || strings.Contains(log, "s_") {
		t.Error(log)
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, so func() bool) {
	t.Helper()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for deadline := time.Now().Add(5 * time.Second); !so(); <-ticks.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not come true")
		}
	}
}

// Goal: streams are limited in all; each that ends makes room for another, and frees its connection. What is refused has
// read nothing, and shown nobody up.
func TestStreamLimits(t *testing.T) {
	s := start(t, func(c *http.Config) { c.StreamsMax = 6 })
	s.waits = true
	_, first := s.join()
	_, second := s.join()
	var open []*stream
	for _, id := range []string{first.SessionID, second.SessionID} {
		for range 3 {
			st := s.opened(sessionStream(id))
			st.want("waiting-room-position", "")
			open = append(open, st)
		}
	}
	visited := s.visited
	for range 3 {
		_, r := s.stream(sessionStream(second.SessionID))
		r.want(t, 503, "overloaded")
	}
	if s.visited != visited || s.streams().Refused != 3 {
		t.Errorf("visited %d times, %+v", s.visited-visited, s.streams())
	}
	_ = open[5].res.Body.Close()
	eventually(t, func() bool {
		st, _ := s.stream(sessionStream(second.SessionID))
		return st != nil
	})
}

// Goal: a session that opens a stream too many, for its session or an order, loses the oldest and not the newest.
func TestNewestStreamsOfASession(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)})
	var open []*stream
	for range 10 {
		st := s.opened(orderStream(s.token(0)))
		st.want("order", "")
		open = append(open, st)
	}
	for _, st := range open[:2] {
		if name, retries := st.next(); name != "" || !strings.HasSuffix(retries, "retry: 30000\n") {
			t.Errorf("%q %q", name, retries)
		}
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_COMPLETED)})
	s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: [][]byte{testOrder[:]}}}})
	for _, st := range open[2:] {
		st.want("order", "")
	}
}

// Goal: an address has no more streams than it may, whatever their sessions; by default 400; nobody else is refused for it,
// and loopback never. A proxy that is trusted speaks for its clients.
func TestStreamsOfAnAddress(t *testing.T) {
	proxy := func(c *http.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }
	for limit, want := range map[int]int{0: 400, 3: 3, -1: 410} {
		s := start(t, proxy, func(c *http.Config) { c.StreamsPerIPMax = limit })
		s.waits = true
		var sessions []string
		for range 410 {
			_, joined := s.join()
			sessions = append(sessions, sessionStream(joined.SessionID))
		}
		from := func(n int, address string) response {
			st, r := s.stream(sessions[n], "X-Forwarded-For", address)
			if st == nil {
				r.want(t, 429, "rate-limited")
			}
			return r
		}
		for n := range want {
			if r := from(n, "2001:db8::1"); r.status != 200 {
				t.Fatalf("limit %d, number %d: %d %s", limit, n, r.status, r.body)
			}
		}
		if limit < 0 {
			continue
		}
		visited := s.visited
		if r := from(want, "2001:db8::2:1"); r.status != 429 || s.visited != visited {
			t.Errorf("limit %d: %d, visited %d times", limit, r.status, s.visited-visited)
		}
		if r := from(want, "203.0.113.7"); r.status != 200 {
			t.Errorf("another: %d %s", r.status, r.body)
		}
	}
	s := start(t, func(c *http.Config) { c.StreamsPerIPMax = 1 })
	_, joined := s.join()
	for range 3 {
		s.opened(sessionStream(joined.SessionID), "X-Forwarded-For", "203.0.113.7")
	}
}

// Goal: a stream is one of its address's connections as long as it is open, and no longer.
func TestStreamIsAConnection(t *testing.T) {
	s := start(t, func(c *http.Config) { c.ConnsPerIPMax = 3 })
	_, joined := s.join()
	transport.CloseIdleConnections()
	request := "GET " + sessionStream(joined.SessionID) + " HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 5 {
		var conns []net.Conn
		for range 3 {
			eventually(t, func() bool {
				conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
				_, _ = io.WriteString(conn, request)
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
					_ = conn.Close()
					return false
				}
				conns = append(conns, conn)
				return true
			})
		}
		s.raw("").want(t, 429, "rate-limited")
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
}

// Goal: going down, the server tells each stream when to come back and ends it, and opens none.
func TestStreamsDrain(t *testing.T) {
	s := start(t)
	s.waits = true
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)})
	_, joined := s.join()
	session, order := s.opened(sessionStream(joined.SessionID)), s.opened(orderStream(s.token(0)))
	session.want("waiting-room-position", "")
	order.want("order", "")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, st := range []*stream{session, order} {
		if name, retries := st.next(); name != "" || strings.Count(retries, "retry: ") != 2 {
			t.Errorf("%q %q", name, retries)
		}
	}
	a := s.handled("GET", sessionStream(joined.SessionID))
	if a.Status != 503 || !strings.Contains(string(a.Body), `"code":"unavailable"`) || !strings.Contains(string(a.Body), "going down") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Goal: while the database is away streams stay, and tell what has happened once it is back.
func TestStreamOutlastsDatabase(t *testing.T) {
	s := start(t)
	s.waits = true
	s.line(0, 2)
	_, joined := s.join()
	st := s.opened(sessionStream(joined.SessionID))
	st.want("waiting-room-position", `{"position":1,"etaSeconds":1}`)
	away := func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.visitErr = err
	}
	away(errors.New("away"))
	s.line(1, 2)
	s.heard(progress(1))
	eventually(t, func() bool { return strings.Contains(s.log.String(), "streams cannot be told") })
	away(nil)
	st.want("waiting-room-active", "")
}

// Goal: who is told of changes does not wait for who does not read: that reader is dropped, and the others are told.
// Method: two read a large order, of which one stops; it changes until that one is dropped, beside a flood of other news.
func TestHeardIsQuick(t *testing.T) {
	s := start(t)
	const versions = 1_000_000 // no price begins with it
	large := func(version int) *messages.Reply {
		o := orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)
		o.Amount = int64(versions + version)
		for range 200 {
			o.Seats = append(o.Seats, &messages.Seat{SeatId: "D-14-3", Section: strings.Repeat("x", 250), Row: "14", Number: "3", Category: "VIP"})
		}
		return &messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: o}
	}
	news := &messages.Live{EventId: "E1", What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: [][]byte{testOrder[:]}}}}
	s.replies(large(1))
	reads := s.opened(orderStream(s.token(0)))
	stalls := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
	defer stalls.Close()
	_ = stalls.(*net.TCPConn).SetReadBuffer(4096)
	_ = must(io.WriteString(stalls, "GET "+orderStream(s.token(0))+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	eventually(t, func() bool { return s.streams().Opened == 2 })
	flood, calm := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer calm()
	for _, event := range []string{"E1", "E2"} {
		wg.Go(func() {
			for flood.Err() == nil {
				s.heard(&messages.Live{EventId: event, What: &messages.Live_Progress{Progress: &messages.Progress{}}})
				s.heard(&messages.Live{EventId: event, What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: [][]byte{{1}}}}})
				s.heard(&messages.Live{})
			}
		})
	}
	reads.want("order", "")
	for version := 2; s.streams().DroppedSlow == 0; version++ {
		if version > 100 {
			t.Fatal("who does not read is not dropped")
		}
		s.replies(large(version))
		s.heard(news)
		if name, data := reads.next(); !strings.Contains(data, fmt.Sprintf(`"amount":%d`, versions+version)) {
			t.Fatalf("told %s %.80s of version %d", name, data, version)
		}
	}
	s.replies(large(5000))
	s.heard(news)
	if _, data := reads.next(); !strings.Contains(data, fmt.Sprintf(`"amount":%d`, versions+5000)) {
		t.Errorf("%.80s", data)
	}
}

// handled is an answer of the public listener's handler, without a connection.
func (s *server) handled(method, path string) contract.Answer {
	s.t.Helper()
	ctx := s.request(method, path, "")
	return contract.Answer{Status: ctx.Response.StatusCode(), Body: ctx.Response.Body()}
}

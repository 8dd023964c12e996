package http_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"testing"

	"boxoffice/http"
	"boxoffice/messages"
)

// stream is one that a test reads; the client's transport judges what comes.
type stream struct {
	t    testing.TB
	res  *nethttp.Response
	r    *bufio.Reader
	held strings.Builder
}

// stream opens one, or brings the refusal.
func (s *server) stream(path string, headers ...string) (*stream, response) {
	s.t.Helper()
	req := must(nethttp.NewRequest("GET", s.public+path, nil))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != 200 {
		defer res.Body.Close()
		return nil, response{res.StatusCode, res.Header, string(must(io.ReadAll(res.Body))), res.Close}
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	return &stream{t: s.t, res: res, r: bufio.NewReader(res.Body)}, response{status: 200, header: res.Header}
}

// opened opens one that must not be refused.
func (s *server) opened(path string, headers ...string) *stream {
	s.t.Helper()
	st, r := s.stream(path, headers...)
	if st == nil {
		s.t.Fatalf("%d %s", r.status, r.body)
	}
	return st
}

// next is the next event's name and data; "" and what came besides where the stream has ended.
func (st *stream) next() (name, data string) {
	st.t.Helper()
	for {
		line, err := st.r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return "", st.held.String()
		}
		if err != nil {
			st.t.Fatal("read a stream:", err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			_ = must(st.r.ReadString('\n'))
			return name, value
		case "retry":
			st.held.WriteString(line)
		}
	}
}

func (st *stream) want(name, data string) {
	st.t.Helper()
	if n, d := st.next(); n != name || data != "" && d != data {
		st.t.Fatalf("told %q %s, want %q %s", n, d, name, data)
	}
}

func sessionStream(id string) string { return "/api/sse/waiting-room/sessions/" + id }

func orderStream(token string) string {
	return "/api/sse/orders/" + http.OrderIDText("E1", testOrder[:]) + "?accessToken=" + token
}

func progress(head uint64) *messages.Live {
	return &messages.Live{EventId: "E1", What: &messages.Live_Progress{Progress: &messages.Progress{Head: head, PerSecond: 2, OnSale: true}}}
}

// Goal: the way through the waiting room: a position by join, GET and stream; then the token, which the order calls take;
// then the end, on the stream at once, and at once for who connects after it.
func TestWaitingRoom(t *testing.T) {
	s := start(t)
	s.waits = true
	s.line(0, 2)
	for range 4 {
		s.join()
	}
	r, joined := s.join()
	if r.status != 201 || !strings.Contains(r.body, `"status":"WAITING","position":5,"etaSeconds":3,"accessToken":null,"activeUntil":null}`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	path := "/api/waiting-room/sessions/" + joined.SessionID
	if got := s.do("GET", s.public+path, ""); got.body != r.body {
		t.Errorf("%s", got.body)
	}
	st := s.opened(sessionStream(joined.SessionID))
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got := st.res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	st.want("waiting-room-position", `{"position":5,"etaSeconds":3}`)
	s.line(2, 2)
	s.heard(progress(2))
	s.heard(progress(1))
	st.want("waiting-room-position", `{"position":3,"etaSeconds":2}`)
	s.line(5, 2)
	s.heard(progress(5))
	name, data := st.next()
	var active struct{ SessionID, AccessToken, ActiveUntil string }
	if err := json.Unmarshal([]byte(data), &active); err != nil || name != "waiting-room-active" || active.SessionID != joined.SessionID || active.ActiveUntil != "2026-01-02T03:14:05.678Z" {
		t.Fatal(err, name, data)
	}
	if claims, ok := s.keys.Verify(active.AccessToken); !ok || http.SessionIDText("E1", claims.SessionID) != joined.SessionID {
		t.Error("the token is not this session's")
	}
	s.replies(wrongState())
	s.buyer(orderPath(":cancel"), "", "Authorization", "Bearer "+active.AccessToken).want(t, 409, "order-state")
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SESSION_ENDED})
	if got := s.do("DELETE", s.public+path, ""); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	want := fmt.Sprintf(`{"sessionId":"%s","status":"LEFT"}`, joined.SessionID)
	st.want("waiting-room-expired", want)
	st.want("", "")
	late := s.opened(sessionStream(joined.SessionID))
	late.want("waiting-room-expired", want)
	if _, retries := late.next(); !strings.HasSuffix(retries, "retry: 3600000\n") {
		t.Errorf("%q", retries)
	}
	if log := s.log.String(); strings.Contains(log, active.AccessToken) || strings.Contains(log, "s_") {
		t.Error(log)
	}
}

// Goal: who waits leaves without a word to the event's owner, to whom he is nobody.
func TestLeaveLine(t *testing.T) {
	s := start(t)
	s.waits = true
	_, joined := s.join()
	st := s.opened(sessionStream(joined.SessionID))
	st.want("waiting-room-position", `{"position":null,"etaSeconds":null}`)
	for range 2 {
		if got := s.do("DELETE", s.public+"/api/waiting-room/sessions/"+joined.SessionID, ""); got.status != 204 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	st.want("waiting-room-expired", "")
	if len(s.asked) != 0 {
		t.Errorf("the engine was asked %v", s.asked)
	}
	// One that was never let in and has ended otherwise neither.
	_, joined = s.join()
	s.mu.Lock()
	for id, session := range s.sessions {
		session.Status = messages.SessionExpired
		s.sessions[id] = session
	}
	s.mu.Unlock()
	if got := s.do("DELETE", s.public+"/api/waiting-room/sessions/"+joined.SessionID, ""); got.status != 204 || len(s.asked) != 0 {
		t.Errorf("%d, asked %v", got.status, s.asked)
	}
}

// Goal: an order is shown at once and at each change, to its session alone, and its stream ends with it.
func TestOrderStream(t *testing.T) {
	s := start(t)
	set := func(status messages.OrderStatus) {
		s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(status)})
		s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: [][]byte{testOrder[:]}}}})
	}
	set(messages.OrderStatus_ORDER_STATUS_RESERVED)
	body := s.do("GET", s.public+orderPath(""), "", "Authorization", "Bearer "+s.token(0)).body
	// An expired token is as good as it is for GET.
	inAddress, inHeader := s.opened(orderStream(s.token(0))), s.opened(orderStream(""), "Authorization", "Bearer "+s.token(testNow+1000))
	inAddress.want("order", body)
	inHeader.want("order", body)
	set(messages.OrderStatus_ORDER_STATUS_AUTHORIZED)
	authorized := strings.Replace(body, "RESERVED", "AUTHORIZED", 1)
	inAddress.want("order", authorized)
	inHeader.want("order", authorized)
	set(messages.OrderStatus_ORDER_STATUS_COMPLETED)
	inAddress.want("order", strings.Replace(body, "RESERVED", "COMPLETED", 1))
	if _, retries := inAddress.next(); !strings.HasSuffix(retries, "retry: 3600000\n") {
		t.Errorf("%q", retries)
	}
	s.opened(orderStream(s.token(0))).want("order", "")
}

// Goal: a token that is not this order's opens nothing and is told to nobody.
func TestOrderStreamRefused(t *testing.T) {
	s := start(t)
	s.asks(func(r *messages.Request) *messages.Reply {
		if string(r.GetSessionId()) != string(testSession[:]) {
			return &messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_NOT_FOUND}
		}
		return &messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)}
	})
	sign := func(k http.Keys, eventID string, session [16]byte) string {
		return k.Sign(http.Claims{EventID: eventID, SessionID: session, ExpiresAt: testNow + 1000})
	}
	other := must(http.ParseKeys("test:" + strings.Repeat("ab", 32)))
	good := s.token(testNow + 1000)
	bent := good[:20] + string(good[20]^1) + good[21:]
	for name, c := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"none":            {"", 401, "token-required"},
		"bent":            {bent, 401, "token-invalid"},
		"another key":     {sign(other, "E1", testSession), 401, "token-invalid"},
		"nonsense":        {"%00%ff", 401, "token-invalid"},
		"another event":   {sign(s.keys, "E2", testSession), 404, "not-found"},
		"another session": {sign(s.keys, "E1", [16]byte{7}), 404, "not-found"},
	} {
		st, r := s.stream(orderStream(c.token))
		if st != nil {
			t.Fatalf("%s: a stream", name)
		}
		p := r.want(t, c.status, c.code)
		if p["instance"] != strings.TrimSuffix(orderStream(""), "?accessToken=") {
			t.Errorf("%s: %v", name, p["instance"])
		}
	}
	// What the header says is not mended by the address.
	if _, r := s.stream(orderStream(good), "Authorization", "Bearer "+bent); r.status != 401 {
		t.Errorf("%d", r.status)
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SESSION_LEFT})
	if _, r := s.stream(orderStream(good)); r.status != 401 {
		t.Errorf("a session that was left: %d", r.status)
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_NOT_FOUND})
	s.mu.Lock()
	s.recordErr = errors.New("away")
	s.mu.Unlock()
	_, r := s.stream(orderStream(good))
	r.want(t, 503, "unavailable")
	if log := s.log.String(); !strings.Contains(log, "/api/sse/orders/:id") || strings.Contains(log, good) || strings.Contains(log, "o_") {
		t.Error(log)
	}
}

// Goal: once its session has been left, an order's stream ends.
func TestOrderStreamOfLeftSession(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)})
	st := s.opened(orderStream(s.token(0)))
	st.want("order", "")
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SESSION_LEFT})
	s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: [][]byte{testOrder[:]}}}})
	st.want("", "")
	if log := s.log.String(); log != "" {
		t.Error(log)
	}
}

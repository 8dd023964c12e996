package http_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"boxoffice/messages"
)

type sessionJSON struct {
	SessionID, EventID, Status, AccessToken, ActiveUntil string
	Position, EtaSeconds                                 *int
}

func (s *server) join(headers ...string) (response, sessionJSON) {
	s.t.Helper()
	r := s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId":"E1"}`, headers...)
	var got sessionJSON
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		s.t.Fatal(err, r.body)
	}
	return r, got
}

// Goal: who joins when too many do is told when to come again, and not that something is broken.
func TestTooManyJoins(t *testing.T) {
	s := start(t)
	s.joinErr = fmt.Errorf("join: %w", messages.ErrOverloaded)
	r := s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId":"E1"}`)
	r.want(t, 503, "overloaded")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}
}

// Goal: a join brings a session with a token that the order calls take, and leaving ends it, twice as well as once.
func TestSessionLife(t *testing.T) {
	s := start(t)
	r, joined := s.join()
	if r.status != 201 || joined.Status != "ACTIVE" || joined.ActiveUntil != "2026-01-02T03:14:05.678Z" || !strings.HasPrefix(joined.SessionID, "E1.s_") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	path := "/api/waiting-room/sessions/" + joined.SessionID
	if r.header.Get("Location") != path || !strings.Contains(r.body, `"position":null,"etaSeconds":null`) {
		t.Errorf("%v %s", r.header, r.body)
	}
	if got := s.do("GET", s.public+path, ""); got.status != 200 || got.body != r.body {
		t.Errorf("%d %s", got.status, got.body)
	}
	claims, ok := s.keys.Verify(joined.AccessToken)
	if !ok || claims.EventID != "E1" || claims.ExpiresAt != testNow+600_000 {
		t.Errorf("token of %+v, %v", claims, ok)
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE})
	s.do("DELETE", s.public+path, "").want(t, 503, "unavailable")
	if got := s.do("GET", s.public+path, ""); got.body != r.body {
		t.Errorf("left although its owner was away: %s", got.body)
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SESSION_ENDED})
	for range 2 {
		if got := s.do("DELETE", s.public+path, ""); got.status != 204 || got.body != "" {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if e := s.last().GetEndSession(); e.GetTokenExpiresAt() != testNow+600_000 || string(s.last().GetSessionId()) != string(claims.SessionID[:]) {
		t.Errorf("the engine was told %v", s.last())
	}
	if got := s.do("GET", s.public+path, ""); !strings.Contains(got.body, `"status":"LEFT","position":null,"etaSeconds":null,"accessToken":null,"activeUntil":null`) {
		t.Errorf("%s", got.body)
	}
}

// Goal: a join repeated under its key gets the same bytes, also once the session has ended.
func TestJoinReplay(t *testing.T) {
	s := start(t)
	key := []string{"Idempotency-Key", strings.Repeat("k", 22)}
	first, joined := s.join(key...)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SESSION_ENDED})
	for range 2 {
		again, _ := s.join(key...)
		if again.status != 201 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("%v %s", again.header, again.body)
		}
		s.do("DELETE", s.public+"/api/waiting-room/sessions/"+joined.SessionID, "")
	}
	if first.header.Get("Idempotent-Replayed") != "" {
		t.Error("the first is no repetition")
	}
	s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId": "E1"}`, key...).want(t, 422, "idempotency-key-reused")
	if other, _ := s.join(); other.body == first.body {
		t.Error("without a key each join is a new one")
	}
}

func TestJoinRefused(t *testing.T) {
	s := start(t)
	post := func(body string, headers ...string) response {
		return s.do("POST", s.public+"/api/waiting-room/sessions", body, headers...)
	}
	post(`{"eventId":"E2"}`).want(t, 404, "not-found")
	for body, field := range map[string]string{
		``: "eventId", `{"eventId":"E.1"}`: "eventId", `{"eventId":7}`: "eventId", `{"eventId":"E1","x":1}`: "x", `{"eventId":null}`: "eventId",
		`{"eventId":"` + strings.Repeat("E", 65) + `"}`: "eventId",
	} {
		if got := fields(post(body).want(t, 400, "invalid-request")); got != field {
			t.Errorf("%s: faults at %q", body, got)
		}
	}
	post(`{"eventId":"E1"}`, "Idempotency-Key", strings.Repeat("k", 21)).want(t, 400, "invalid-request")
	post(`{"eventId":"E1"}`, "Idempotency-Key", strings.Repeat("k", 256)).want(t, 400, "invalid-request")
	for _, status := range []messages.EventStatus{messages.EventStatus_EVENT_STATUS_CLOSED, messages.EventStatus_EVENT_STATUS_CANCELLED} {
		s.event.Status = status
		post(`{"eventId":"E1"}`).want(t, 409, "event-not-on-sale")
	}
	s.event.Status = messages.EventStatus_EVENT_STATUS_PAUSED
	if r, _ := s.join(); r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
	_, joined := s.join()
	unknown := strings.Replace(joined.SessionID, "E1", "E2", 1)
	for _, method := range []string{"GET", "DELETE"} {
		s.do(method, s.public+"/api/waiting-room/sessions/"+unknown, "").want(t, 404, "not-found")
		s.do(method, s.public+"/api/waiting-room/sessions/nonsense", "").want(t, 400, "invalid-request")
	}
}

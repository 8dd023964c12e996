package http_test

import (
	"fmt"
	"strings"
	"testing"

	"boxoffice/http"
	"boxoffice/messages"
)

// Goal: the checks are made in the contract's order.
// Method: a request with every fault at once, from which the first is taken away step by step.
func TestOrderOfChecks(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_UNAVAILABLE})
	foreign := "/api/orders/" + http.OrderIDText("E2", testOrder[:])
	big := `{"a":"` + strings.Repeat("x", 20<<10) + `"}`
	const text, kind, auth, key = "text/plain", "Content-Type", "Authorization", "Idempotency-Key"
	good := "Bearer " + s.token(0)

	s.do("POST", s.public+"/api/nowhere", big, kind, text).want(t, 404, "not-found")
	s.do("POST", s.public+foreign+":nothing", big, kind, text).want(t, 404, "not-found")
	s.do("PUT", s.public+foreign+":confirm", big, kind, text).want(t, 405, "method-not-allowed")
	s.do("POST", s.public+foreign+":confirm", big, kind, text).want(t, 415, "unsupported-media-type")
	s.do("POST", s.public+foreign+":confirm", big).want(t, 413, "body-too-large")
	s.do("POST", s.public+foreign+":confirm", "{", kind, text).want(t, 415, "unsupported-media-type")
	s.do("POST", s.public+foreign+":confirm", "{", kind, "").want(t, 415, "unsupported-media-type")
	s.do("POST", s.public+foreign+":confirm", "{", "Content-Encoding", "gzip").want(t, 415, "unsupported-media-type")
	s.do("POST", s.public+foreign+":confirm", "{").want(t, 401, "token-required")
	s.do("POST", s.public+foreign+":confirm", "{", auth, "Basic abc").want(t, 401, "token-required")
	s.do("POST", s.public+foreign+":confirm", "{", auth, "Bearer abc").want(t, 401, "token-invalid")
	s.do("POST", s.public+foreign+":confirm", "{", auth, good).want(t, 400, "idempotency-key-required")
	s.do("POST", s.public+foreign+":confirm", "{", auth, good, key, "k").want(t, 400, "invalid-request")
	s.do("POST", s.public+foreign+":confirm", `{"paymentToken":"t"}`, auth, good, key, "k").want(t, 404, "not-found")
	if s.last() != nil {
		t.Fatal("a request that is not in order reached the engine")
	}
	s.do("POST", s.public+orderPath(":confirm"), `{"paymentToken":"t"}`, auth, good, key, "k").want(t, 409, "seats-unavailable")
	s.do("POST", s.public+orderPath(":confirm"), `{"paymentToken":"t"}`, auth, good, key, "k",
		kind, "Application/JSON; charset=utf-8").want(t, 409, "seats-unavailable")
}

// Goal: all faults of key, id and body are told at once.
func TestFaultsTogether(t *testing.T) {
	s := start(t)
	p := s.buyer("/api/orders/nonsense:confirm", `{"seats":5,"amount":1}`, "Idempotency-Key", "zwei Wörter").
		want(t, 400, "invalid-request")
	if got := fields(p); got != "amount seats Idempotency-Key orderId" {
		t.Errorf("faults at %q", got)
	}
}

func fields(p map[string]any) string {
	var names []string
	for _, e := range p["errors"].([]any) {
		names = append(names, fmt.Sprint(e.(map[string]any)["field"]))
	}
	return strings.Join(names, " ")
}

// Goal: an expired token makes no order whatever else is wrong, and the event's owner judges it where nothing is.
func TestExpiredTokenCreating(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_TOKEN_EXPIRED})
	old := "Bearer " + s.token(testNow)
	s.buyer("/api/orders", `{"eventId":"E1","amount":1}`, "Authorization", old).want(t, 401, "token-expired")
	s.buyer("/api/orders", `{"eventId":"E1"}`, "Authorization", old, "Idempotency-Key", "").want(t, 401, "token-expired")
	s.buyer("/api/orders", `{"eventId":"E1","amount":1}`).want(t, 400, "invalid-request")
	s.buyer("/api/orders", `{"eventId":"E2"}`).want(t, 401, "token-invalid")
	if s.last() != nil {
		t.Fatal("asked the engine")
	}
	s.buyer("/api/orders", `{"eventId":"E1"}`, "Authorization", old).want(t, 401, "token-expired")
	if got := s.last().GetCreateOrder().GetTokenExpiresAt(); got != testNow {
		t.Errorf("the engine was told the expiry %d", got)
	}
}

func TestMethods(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/api/events", "GET, HEAD"},
		{"PUT", "/api/waiting-room/sessions/x", "DELETE, GET, HEAD"},
		{"POST", orderPath(""), "GET, HEAD"},
		{"GET", orderPath(":confirm"), "POST"},
		{"OPTIONS", "/api/orders", "POST"},
		{"DELETE", "/api/ticket-keys", "GET, HEAD"},
	} {
		r := s.do(c.method, s.public+c.path, "")
		r.want(t, 405, "method-not-allowed")
		if got := r.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	for _, path := range []string{"/Events/E1", "/api", "/api/orders/", "/API/events", "/api/events/E1/", "/metrics", "/api/admin/events"} {
		s.do("GET", s.public+path, "").want(t, 404, "not-found")
	}
	if r := s.do("HEAD", s.public+"/api/events/E1", ""); r.status != 200 || r.body != "" {
		t.Errorf("HEAD: %d %q", r.status, r.body)
	}
}

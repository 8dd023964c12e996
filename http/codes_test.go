package http_test

import (
	"slices"
	"testing"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/messages"
)

// Goal: each outcome of the engine has the status, the code and the members that the contract gives it.
// Method: a fake engine answers a confirm with each of them, or a call that can have it where a confirm cannot.
func TestOutcomesBecomeProblems(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		outcome messages.Outcome
		status  int
		code    string
		member  string
		value   any
	}{
		{messages.Outcome_OUTCOME_REQUEST_IN_FLIGHT, 409, "request-in-flight", "", nil},
		{messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED, 422, "idempotency-key-reused", "", nil},
		{messages.Outcome_OUTCOME_ORDER_NOT_FOUND, 404, "not-found", "", nil},
		{messages.Outcome_OUTCOME_EVENT_NOT_FOUND, 404, "not-found", "", nil},
		{messages.Outcome_OUTCOME_SESSION_LEFT, 401, "token-invalid", "", nil},
		{messages.Outcome_OUTCOME_TOKEN_EXPIRED, 401, "token-expired", "", nil},
		{messages.Outcome_OUTCOME_TOO_MANY_ANSWERS, 429, "rate-limited", "", nil},
		{messages.Outcome_OUTCOME_TOO_MANY_ORDERS, 422, "too-many-orders", "limit", 8.0},
		{messages.Outcome_OUTCOME_TOO_MANY_SEATS, 422, "too-many-seats", "limit", 8.0},
		{messages.Outcome_OUTCOME_UNKNOWN_SEAT, 422, "unknown-seat", "seats", "X-1"},
		{messages.Outcome_OUTCOME_DUPLICATE_SEAT, 422, "duplicate-seat", "seats", "X-1"},
		{messages.Outcome_OUTCOME_UNKNOWN_CATEGORY, 422, "unknown-category", "", nil},
		{messages.Outcome_OUTCOME_UNKNOWN_SECTION, 422, "unknown-section", "", nil},
		{messages.Outcome_OUTCOME_SEATS_REQUIRED, 400, "invalid-request", "", nil},
		{messages.Outcome_OUTCOME_HOLD_EXPIRED, 410, "order-expired", "", nil},
		{messages.Outcome_OUTCOME_ORDER_STATE, 409, "order-state", "orderStatus", "RESERVED"},
		{messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE, 409, "event-not-on-sale", "onSaleAt", "2026-01-02T03:04:05.678Z"},
		{messages.Outcome_OUTCOME_SEATS_UNAVAILABLE, 409, "seats-unavailable", "unavailable", "X-1"},
		{messages.Outcome_OUTCOME_NOT_ENOUGH_SEATS, 409, "not-enough-seats", "", nil},
		{messages.Outcome_OUTCOME_SETTINGS_INVALID, 400, "invalid-request", "", nil},
		{messages.Outcome_OUTCOME_ORDER_EXISTS, 500, "internal", "", nil},
		{messages.Outcome_OUTCOME_PAYMENT_DECLINED, 402, "payment-declined", "declineCode", "card_declined"},
		{messages.Outcome_OUTCOME_PAYMENT_DECLINED, 402, "payment-declined", "holdExpiresAt", "2026-01-02T03:09:05.678Z"},
		{messages.Outcome_OUTCOME_CAPTURE_FAILED, 402, "payment-capture-failed", "orderStatus", "RESERVED"},
		{messages.Outcome_OUTCOME_UNAVAILABLE, 503, "unavailable", "", nil},
		{messages.Outcome_OUTCOME_OVERLOADED, 503, "overloaded", "", nil},
		{messages.Outcome_OUTCOME_PAYMENT_UNKNOWN, 503, "payment-unknown", "", nil},
		{messages.Outcome_OUTCOME_INTERNAL, 500, "internal", "", nil},
		{messages.Outcome_OUTCOME_TICKED, 500, "internal", "", nil},
		{messages.Outcome_OUTCOME_UNSPECIFIED, 500, "internal", "", nil},
	} {
		s.replies(&messages.Reply{
			Outcome: c.outcome, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED), Seats: []string{"X-1"},
			Limit: 8, DeclineCode: "card_declined", OnSaleAt: testNow, Faults: []*messages.Fault{{Field: "a", Message: "b"}},
		})
		p := s.provoke(c.outcome).want(t, c.status, c.code)
		got := p[c.member]
		if list, ok := got.([]any); ok {
			got = list[0]
		}
		if got != c.value {
			t.Errorf("%s: %s is %v, want %v", c.code, c.member, p[c.member], c.value)
		}
		if _, has := p["errors"]; has != (c.code == "invalid-request") {
			t.Errorf("%s: errors %v", c.code, p["errors"])
		}
	}
}

// provoke makes a call that can have the outcome.
func (s *server) provoke(o messages.Outcome) response {
	switch o {
	case messages.Outcome_OUTCOME_TOKEN_EXPIRED, messages.Outcome_OUTCOME_TOO_MANY_ORDERS:
		return s.buyer("/api/orders", `{"eventId":"E1"}`)
	case messages.Outcome_OUTCOME_CAPTURE_FAILED:
		return s.buyer(orderPath(":finalize"), "")
	case messages.Outcome_OUTCOME_SETTINGS_INVALID:
		return s.organiser("PATCH", "/api/admin/events/E1", `{"name":"x"}`, contract.Beyond, "the event")
	}
	return s.buyer(orderPath(":confirm"), `{"paymentToken":"tok_visa"}`, contract.Beyond, "the order may hold no seats")
}

// Goal: no outcome is forgotten: each one either renders or is refused with a code.
func TestEveryOutcomeHasAnAnswer(t *testing.T) {
	codes := http.Codes()
	for n := range messages.Outcome_name {
		r := &messages.Reply{Outcome: messages.Outcome(n)}
		if code := http.Refusal(r); !slices.Contains(codes, code) {
			t.Errorf("%v: code %q is not of the closed set", r.GetOutcome(), code)
		}
	}
}

// Goal: every code can be looked up, by people and by programs.
func TestProblemPages(t *testing.T) {
	s := start(t)
	for _, code := range http.Codes() {
		page := s.do("GET", s.public+"/problems/"+code, "", "Accept", "text/html,*/*;q=0.8")
		if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %v", code, page.status, page.header)
		}
		text := s.do("GET", s.admin+"/problems/"+code, "", "Accept", "application/json")
		if text.status != 200 || text.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v", code, text.status, text.header)
		}
	}
	s.do("GET", s.public+"/problems/nonsense", "").want(t, 404, "not-found")
}

package http_test

import (
	"strings"
	"testing"

	"boxoffice/messages"
)

// Goal: a body that is not exactly what the contract describes is refused, with the field at fault.
func TestStrictBodies(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_UNAVAILABLE})
	for _, c := range []struct{ call, body, fields string }{
		{":reserve", ``, "seats"},
		{":reserve", `{}`, "seats"},
		{":reserve", `{"seats":[]}`, "seats"},
		{":reserve", `{"seats":null}`, "seats"},
		{":reserve", `{"seats":[null]}`, "seats[0]"},
		{":reserve", `{"seats":["a",""]}`, "seats[1]"},
		{":reserve", `{"seats":["a",7]}`, "seats[1]"},
		{":reserve", `{"seats":"a"}`, "seats"},
		{":reserve", `{"Seats":["a"]}`, "Seats"},
		{":reserve", `{"seats":["a"],"seats":["b"]}`, "seats"},
		{":reserve", `{"seats":["a"],"bestAvailable":{"quantity":1}}`, "bestAvailable"},
		{":reserve", `{"bestAvailable":{}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":0,"category":""}}`, "bestAvailable.quantity bestAvailable.category"},
		{":reserve", `{"bestAvailable":{"quantity":-1}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":1.5}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":"2"}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":4294967296.5}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":-99999999999999999999999}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":true}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":null}}`, "bestAvailable.quantity"},
		{":reserve", `{"bestAvailable":{"quantity":2,"row":"1"}}`, "bestAvailable.row"},
		{":reserve", `{"bestAvailable":[]}`, "bestAvailable"},
		{":confirm", `{"seats":["a"]}`, "paymentToken"},
		{":confirm", `{"seats":5,"paymentToken":6,"amount":1,"price":2}`, "amount paymentToken price seats"},
		{":finalize", `{"x":1}`, "x"},
		{":finalize", `[]`, ""},
		{":finalize", `null`, ""},
		{":finalize", `7`, ""},
		{":finalize", `{}{}`, ""},
		{":finalize", `{} x`, ""},
		{":finalize", `{`, ""},
		{":finalize", ` `, ""},
		{":finalize", `{"a":"\u0000"}`, ""},
		{":finalize", "{\"a\":\"\x00\"}", ""},
		{":finalize", "{\"a\":\"\xff\"}", ""},
		{":finalize", `{"a":"\ud800"}`, ""},
		{":finalize", `{"a":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`, ""},
		{":finalize", `{"a":NaN}`, ""},
		{":cancel", `{"reason":"x"}`, "reason"},
	} {
		r := s.buyer(orderPath(c.call), c.body)
		if got := fields(r.want(t, 400, "invalid-request")); got != c.fields {
			t.Errorf("%s %.60s: faults at %q, want %q: %s", c.call, c.body, got, c.fields, r.body)
		}
	}
	if s.last() != nil {
		t.Fatal("a bad body reached the engine")
	}
}

// Goal: what is allowed arrives at the engine as it was meant.
func TestBodiesArrive(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_UNAVAILABLE})
	s.buyer(orderPath(":reserve"), `{"seats":["D-14-1","\\u0000"]}`).want(t, 409, "seats-unavailable")
	if got := s.last().GetReserve().GetWant().GetSeats(); strings.Join(got, "|") != `D-14-1|\u0000` {
		t.Errorf("seats %q", got)
	}
	s.buyer(orderPath(":confirm"), `{"bestAvailable":{"quantity":2,"category":"Kategorie I","section":"Block E"},"paymentToken":"tok_visa"}`)
	got := s.last().GetConfirm()
	if w := got.GetWant(); w.GetQuantity() != 2 || w.GetCategory() != "Kategorie I" || w.GetSection() != "Block E" || got.GetPaymentToken() != "tok_visa" {
		t.Errorf("confirm %v", got)
	}
	s.buyer(orderPath(":confirm"), `{"paymentToken":"tok_visa"}`)
	if got := s.last().GetConfirm(); got.GetWant() != nil || string(got.GetOrderId()) != string(testOrder[:]) {
		t.Errorf("confirm %v", got)
	}
	s.replies(wrongState())
	for _, body := range []string{"", "{}", " {\n} "} {
		s.buyer(orderPath(":finalize"), body).want(t, 409, "order-state")
	}
	if r := s.last(); r.GetFinalize() == nil || r.GetEventId() != "E1" || string(r.GetSessionId()) != string(testSession[:]) {
		t.Errorf("finalize %v", r)
	}
}

// Goal: what no event can have is the engine's to refuse, with 422, however much of it fits a body.
func TestImpossibleWants(t *testing.T) {
	s := start(t)
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		body    string
		outcome messages.Outcome
		code    string
		arrived func(*messages.Want) bool
	}{
		{
			`{"seats":["a"` + strings.Repeat(`,"a"`, 4000) + `]}`, messages.Outcome_OUTCOME_TOO_MANY_SEATS, "too-many-seats",
			func(w *messages.Want) bool { return len(w.GetSeats()) == 4001 },
		},
		{
			`{"bestAvailable":{"quantity":4294967295}}`, messages.Outcome_OUTCOME_TOO_MANY_SEATS, "too-many-seats",
			func(w *messages.Want) bool { return w.GetQuantity() == 1<<32-1 },
		},
		{
			`{"bestAvailable":{"quantity":4294967296}}`, messages.Outcome_OUTCOME_TOO_MANY_SEATS, "too-many-seats",
			func(w *messages.Want) bool { return w.GetQuantity() == 1<<32-1 },
		},
		{
			`{"bestAvailable":{"quantity":` + strings.Repeat("9", 100) + `}}`, messages.Outcome_OUTCOME_TOO_MANY_SEATS, "too-many-seats",
			func(w *messages.Want) bool { return w.GetQuantity() == 1<<32-1 },
		},
		{
			`{"seats":["` + long + `"]}`, messages.Outcome_OUTCOME_UNKNOWN_SEAT, "unknown-seat",
			func(w *messages.Want) bool { return w.GetSeats()[0] == long },
		},
		{
			`{"bestAvailable":{"quantity":1,"category":"` + long + `"}}`, messages.Outcome_OUTCOME_UNKNOWN_CATEGORY, "unknown-category",
			func(w *messages.Want) bool { return w.GetCategory() == long },
		},
		{
			`{"bestAvailable":{"quantity":1,"section":"` + long + `"}}`, messages.Outcome_OUTCOME_UNKNOWN_SECTION, "unknown-section",
			func(w *messages.Want) bool { return w.GetSection() == long },
		},
	} {
		s.replies(&messages.Reply{Outcome: c.outcome, Seats: []string{long}, Limit: 8})
		s.buyer(orderPath(":reserve"), c.body).want(t, 422, c.code)
		if got := s.last().GetReserve().GetWant(); !c.arrived(got) {
			t.Errorf("%.60s: the engine got %.200s", c.body, got)
		}
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_UNKNOWN_SEAT, Seats: []string{long}})
	s.organiser("POST", "/api/admin/events/E1:block", `{"seats":["`+long+`"]}`).want(t, 422, "unknown-seat")
}

// Goal: the idempotency scope tells apart session, path and key, and the body hash takes no body for {}.
func TestIdempotencyScope(t *testing.T) {
	s := start(t)
	s.replies(wrongState())
	sent := func(path, body, key string) *messages.Idempotency {
		s.buyer(path, body, "Idempotency-Key", key)
		return s.last().GetIdempotency()
	}
	first := sent(orderPath(":finalize"), "", "a")
	if len(first.GetScope()) != 16 || len(first.GetBody()) != 16 {
		t.Fatalf("lengths %d and %d", len(first.GetScope()), len(first.GetBody()))
	}
	if again := sent(orderPath(":finalize"), "{}", "a"); again.String() != first.String() {
		t.Error("{} is not the same as no body")
	}
	if other := sent(orderPath(":finalize"), "{ }", "a"); string(other.GetBody()) == string(first.GetBody()) || string(other.GetScope()) != string(first.GetScope()) {
		t.Error("other bytes are not another body in the same scope")
	}
	for _, other := range []*messages.Idempotency{sent(orderPath(":cancel"), "", "a"), sent(orderPath(":finalize"), "", "b")} {
		if string(other.GetScope()) == string(first.GetScope()) {
			t.Error("another call or key has the same scope")
		}
	}
	for _, key := range []string{"~", strings.Repeat("k", 255)} {
		s.buyer(orderPath(":cancel"), "", "Idempotency-Key", key).want(t, 409, "order-state")
	}
	for _, key := range []string{"a b", "ü", strings.Repeat("k", 256)} {
		s.buyer(orderPath(":cancel"), "", "Idempotency-Key", key).want(t, 400, "invalid-request")
	}
}

package http_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"boxoffice/http"
	"boxoffice/messages"
)

// Goal: what the engine answers is what the client reads: status, Location and bytes.
func TestOrderAnswers(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		path, body, location string
		outcome              messages.Outcome
		status               int
	}{
		{"/api/orders", `{"eventId":"E1"}`, orderPath(""), messages.Outcome_OUTCOME_ORDER_CREATED, 201},
		{orderPath(":reserve"), `{"seats":["a"]}`, "", messages.Outcome_OUTCOME_SEATS_RESERVED, 200},
		{orderPath(":confirm"), `{"paymentToken":"t"}`, "", messages.Outcome_OUTCOME_ORDER_AUTHORIZED, 202},
		{orderPath(":finalize"), ``, "", messages.Outcome_OUTCOME_ORDER_COMPLETED, 200},
		{orderPath(":cancel"), `{}`, "", messages.Outcome_OUTCOME_ORDER_CANCELLED, 200},
	} {
		reply := &messages.Reply{Outcome: c.outcome, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)}
		for range 2 { // once rendered here, once as the engine stored it
			s.replies(reply)
			r := s.buyer(c.path, c.body)
			if r.status != c.status || r.header.Get("Location") != c.location || r.body != string(http.Render(reply).GetBody()) {
				t.Errorf("%s: %d %q %s", c.path, r.status, r.header.Get("Location"), r.body)
			}
			if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %v", c.path, r.header)
			}
			reply = &messages.Reply{Outcome: c.outcome, Order: reply.GetOrder(), Answer: http.Render(reply)}
		}
	}
}

// Goal: a repetition gets the stored bytes and says so; while the store is away, it is asked to come again.
func TestReplay(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_REPLAYED, Stored: &messages.StoredAnswer{Seq: 7, Slot: 1}})
	// Stored by an older version of this program, which spelled its answers differently.
	stored := http.Render(&messages.Reply{
		Outcome: messages.Outcome_OUTCOME_ORDER_CREATED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_PENDING),
	})
	stored.Body = append(stored.GetBody(), "\n "...)
	s.answer = stored
	r := s.buyer("/api/orders", `{"eventId":"E1"}`)
	if r.status != 201 || r.body != string(stored.GetBody()) || r.header.Get("Location") != orderPath("") || r.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	s.recordErr = errors.New("database away")
	r = s.buyer("/api/orders", `{"eventId":"E1"}`)
	r.want(t, 503, "unavailable")
	if r.header.Get("Idempotent-Replayed") != "" || strings.Contains(r.body, "database") {
		t.Errorf("%v %s", r.header, r.body)
	}
}

// Goal: an order that its owner has forgotten is known from the read model, to its session alone.
func TestForgottenOrders(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_NOT_FOUND})
	get := func() response {
		return s.do("GET", s.public+orderPath(""), "", "Authorization", "Bearer "+s.token(0))
	}
	get().want(t, 404, "not-found")
	s.buyer(orderPath(":finalize"), "").want(t, 404, "not-found")
	s.order = orderMessage(messages.OrderStatus_ORDER_STATUS_EXPIRED)
	if r := get(); r.status != 200 || !strings.Contains(r.body, `"status":"EXPIRED"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.buyer(orderPath(":finalize"), "").want(t, 410, "order-expired")
	s.order.Status = messages.OrderStatus_ORDER_STATUS_CANCELLED
	if p := s.buyer(orderPath(":cancel"), "").want(t, 409, "order-state"); p["orderStatus"] != "CANCELLED" {
		t.Errorf("orderStatus %v", p["orderStatus"])
	}
	s.order.SessionId = make([]byte, 16)
	get().want(t, 404, "not-found")
	s.buyer(orderPath(":cancel"), "").want(t, 404, "not-found")
	s.recordErr = errors.New("away")
	get().want(t, 503, "unavailable")
}

// Goal: a COMPLETED order shows its tickets wherever it is read from, and the reply it came in is not changed.
func TestCompletedOrderHasTickets(t *testing.T) {
	s := start(t)
	order := orderMessage(messages.OrderStatus_ORDER_STATUS_COMPLETED)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Order: order})
	s.tickets = []*messages.Ticket{{TicketId: testSession[:], SeatId: "D-14-1", Code: "v1.abc"}}
	r := s.do("GET", s.public+orderPath(""), "", "Authorization", "bearer "+s.token(0))
	var got struct {
		Tickets []struct{ TicketID, SeatID, Code string }
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || len(got.Tickets) != 1 || got.Tickets[0].Code != "v1.abc" {
		t.Errorf("%v %s", err, r.body)
	}
	if !strings.HasPrefix(got.Tickets[0].TicketID, "E1.t_") || len(order.GetTickets()) != 0 {
		t.Errorf("%+v, %d tickets in the reply", got, len(order.GetTickets()))
	}
	foreign := s.keys.Sign(http.Claims{EventID: "E2", SessionID: testSession, ExpiresAt: testNow + 1})
	s.do("GET", s.public+orderPath(""), "", "Authorization", "Bearer "+foreign).want(t, 404, "not-found")
	s.do("GET", s.public+orderPath(""), "").want(t, 401, "token-required")
}

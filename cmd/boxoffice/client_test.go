package main_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"boxoffice/http/contract"
)

// answer of the server; err where there was none.
type answer struct {
	call   string
	status int
	header nethttp.Header
	body   []byte
	err    error
}

// is nil where the status, and for a problem its code, are as wanted.
func (a answer) is(status int, code ...string) error {
	if a.err != nil {
		return fmt.Errorf("%s: want %d %s: %w", a.call, status, strings.Join(code, ""), a.err)
	}
	if a.status != status || (len(code) > 0 && a.code() != code[0]) {
		return fmt.Errorf("%s: want %d %s, got %d: %s", a.call, status, strings.Join(code, ""), a.status, a.body)
	}
	return nil
}

// code of a problem, "" of everything else.
func (a answer) code() string {
	if a.err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		return ""
	}
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

// definite is nil for an answer that a repetition under the same key does not change by waiting. What is not definite
// must say when to come again.
func (a answer) definite() error {
	switch {
	case a.err != nil:
		return a.err
	case a.status == 503 || a.code() == "request-in-flight":
		if a.header.Get("Retry-After") == "" {
			return &badAnswerError{a, "has no Retry-After"}
		}
		return a.is(200)
	}
	return nil
}

// badAnswerError is an answer that no repetition mends.
type badAnswerError struct {
	answer
	fault string
}

func (e *badAnswerError) Error() string {
	return fmt.Sprintf("%s: the answer %d %s: %s", e.call, e.status, e.body, e.fault)
}

// same is nil where b is the answer a, byte for byte.
func (a answer) same(b answer) error {
	if b.err != nil {
		return fmt.Errorf("%s: %w", b.call, b.err)
	}
	if a.status != b.status || !bytes.Equal(a.body, b.body) || a.header.Get("Location") != b.header.Get("Location") {
		return fmt.Errorf("%s: answered first with\n%d %s\nthen with\n%d %s", a.call, a.status, a.body, b.status, b.body)
	}
	return nil
}

type seat struct {
	SeatID   string
	Category string
	Price    money
}

type money struct {
	Currency string
	Amount   int64
}

// order as the contract shows it.
type order struct {
	OrderID, Status string
	Seats           []seat
	Amount          money
	HoldExpiresAt   time.Time
	Tickets         []struct{ TicketID, SeatID, Code string }
}

func (a answer) order() (o order) {
	a.into(&o)
	return o
}

func (a answer) into(v any) {
	if err := json.Unmarshal(a.body, v); err != nil {
		panic(fmt.Sprintf("%s: %v: %s", a.call, err, a.body))
	}
}

// send a request; bearer, key and body may be empty.
func (s *server) send(method, url, bearer, key, body string) answer {
	return s.sendMarked(method, url, bearer, key, body, false)
}

// sendMarked marks what is refused for its form although no schema can tell why.
func (s *server) sendMarked(method, url, bearer, key, body string, beyondSchemas bool) answer {
	a := answer{call: method + " " + url[strings.Index(url, "/api"):]}
	r, err := nethttp.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		a.err = err
		return a
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if beyondSchemas {
		r.Header.Set(contract.Beyond, "yes")
	}
	response, err := s.client.Do(r)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status, a.header = response.StatusCode, response.Header
	a.body, a.err = io.ReadAll(response.Body)
	return a
}

// organise is a call of the organiser's.
func (s *server) organise(method, path, body string) answer {
	_, admin := s.at()
	return s.send(method, admin+"/api/admin/events"+path, adminToken, "", body)
}

// organisePlan sends a seating plan that has a fault.
func (s *server) organisePlan(body string) answer {
	_, admin := s.at()
	return s.sendMarked("POST", admin+"/api/admin/events", adminToken, "", body, true)
}

// get is a call that needs no token.
func (s *server) get(path string) answer {
	public, _ := s.at()
	return s.send("GET", public+path, "", "", "")
}

// buyer is somebody's session.
type buyer struct {
	s                       *server
	event, sessionID, token string
	joined                  answer
}

// join an event.
func (s *server) join(event string) (buyer, error) { return s.joinAs(event, rand.Text()) }

// joinAs joins under a key: the same key is the same buyer. joined is the answer also where there is an error.
func (s *server) joinAs(event, key string) (buyer, error) {
	b, err := s.enter(event, key)
	if err == nil && b.token == "" {
		return buyer{joined: b.joined}, fmt.Errorf("join: not admitted: %s", b.joined.body)
	}
	return b, err
}

// enter joins under a key, and may have to wait: token is "" then. joined is the answer also where there is an error.
func (s *server) enter(event, key string) (buyer, error) {
	public, _ := s.at()
	a := s.send("POST", public+"/api/waiting-room/sessions", "", key, `{"eventId":"`+event+`"}`)
	if err := a.is(201); err != nil {
		return buyer{joined: a}, err
	}
	v := a.session()
	return buyer{s: s, event: event, sessionID: v.SessionID, token: v.AccessToken, joined: a}, v.sound()
}

// session as the contract shows it.
type session struct {
	SessionID, EventID, Status string
	Position                   *int64
	ETASeconds                 *float64
	AccessToken                string
	ActiveUntil                time.Time
}

func (a answer) session() (v session) {
	a.into(&v)
	return v
}

// sound is nil where what is shown goes with the status.
func (v session) sound() error {
	active := v.Status == "ACTIVE"
	if active != (v.AccessToken != "") || active == v.ActiveUntil.IsZero() || (v.Position != nil && (v.Status != "WAITING" || *v.Position < 1)) {
		return fmt.Errorf("a session is shown as %+v", v)
	}
	return nil
}

// look at the session, which shows its buyer up.
func (b buyer) look() answer { return b.s.get("/api/waiting-room/sessions/" + b.sessionID) }

// becomes waits until the session is in a status, and takes the token of an active one.
func (b *buyer) becomes(status string) error {
	return poll(patience, func() error {
		a := b.look()
		if err := a.is(200); err != nil {
			return err
		}
		v := a.session()
		if err := v.sound(); err != nil {
			return err
		}
		if v.Status != status {
			return fmt.Errorf("the session is %s, not %s", v.Status, status)
		}
		b.token = v.AccessToken
		return nil
	})
}

// create an order.
func (b buyer) create(key string) answer {
	public, _ := b.s.at()
	return b.s.send("POST", public+"/api/orders", b.token, key, `{"eventId":"`+b.event+`"}`)
}

// call a verb on an order.
func (b buyer) call(orderID, verb, key, body string) answer {
	public, _ := b.s.at()
	return b.s.send("POST", public+"/api/orders/"+orderID+":"+verb, b.token, key, body)
}

// order as the server shows it.
func (b buyer) order(orderID string) answer {
	public, _ := b.s.at()
	return b.s.send("GET", public+"/api/orders/"+orderID, b.token, "", "")
}

func (b buyer) leave() answer {
	public, _ := b.s.at()
	return b.s.send("DELETE", public+"/api/waiting-room/sessions/"+b.sessionID, "", "", "")
}

// insist repeats a call until its answer is definite.
func insist(call func() answer) (a answer) {
	_ = poll(patience, func() error {
		a = call()
		err := a.definite()
		var bad *badAnswerError
		if errors.As(err, &bad) {
			a.err = bad
			return nil
		}
		return err
	})
	return a
}

// newOrder of a buyer of its own.
func (s *server) newOrder(event string) (buyer, string, error) {
	b, err := s.join(event)
	if err != nil {
		return b, "", err
	}
	a := b.create(rand.Text())
	if err := a.is(201); err != nil {
		return b, "", err
	}
	return b, a.order().OrderID, nil
}

// authorized order of a buyer of its own.
func (s *server) authorized(event, want, token string) (b buyer, o order, err error) {
	b, id, err := s.newOrder(event)
	if err != nil {
		return b, o, err
	}
	a := b.call(id, "confirm", rand.Text(), pay(want, token))
	if err := a.is(202); err != nil {
		return b, o, err
	}
	return b, a.order(), nil
}

// best are n seats next to each other; named are these.
func best(n int) string { return fmt.Sprintf(`"bestAvailable":{"quantity":%d}`, n) }

func named(seats ...string) string {
	list, _ := json.Marshal(seats)
	return `"seats":` + string(list)
}

// pay is the body of a confirm.
func pay(want, token string) string {
	if want != "" {
		want += ","
	}
	return `{` + want + `"paymentToken":"` + token + `"}`
}

// availability of an event.
type availability struct {
	Counts struct{ Available, Held, Sold, Blocked int }
}

func (s *server) availability(event string) (v availability, err error) {
	a := s.get("/api/events/" + event + "/availability")
	if err := a.is(200); err != nil {
		return v, err
	}
	a.into(&v)
	return v, nil
}

// counts is nil where so many seats are available, held and sold.
func (s *server) counts(event string, available, held, sold int) error {
	v, err := s.availability(event)
	if err != nil {
		return err
	}
	if c := v.Counts; c.Available != available || c.Held != held || c.Sold != sold {
		return fmt.Errorf("event %s: want %d available, %d held, %d sold, it has %+v", event, available, held, sold, c)
	}
	return nil
}

// ready waits until a purchase would succeed.
func (s *server) ready(t testing.TB) {
	t.Helper()
	until(t, patience, func() error {
		public, _ := s.at()
		r, err := s.client.Get(public + "/readyz")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != 200 {
			return fmt.Errorf("readyz answers %d", r.StatusCode)
		}
		return nil
	})
}

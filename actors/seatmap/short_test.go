package seatmap

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Goal: what panics and Check say goes to the log, and names no order, session or key whole: whoever reads a log must
// not be able to use what it names. Method: facts that do not fit, and a state that is spoilt; every text is searched for
// the ids, however they are printed.
func TestNoIDIsLoggedWhole(t *testing.T) {
	ids := minted(1 << 60)
	mine, other, theirs := OrderID(ids.next()), OrderID(ids.next()), SessionID(ids.next())
	key := ids.key()
	var secrets []string
	for _, id := range [][16]byte{mine, other, theirs, key.Scope, key.Body} {
		secrets = append(secrets, hex.EncodeToString(id[:8]), strings.Trim(fmt.Sprintf("%d", id[:8]), "[]"))
	}
	search := func(text string) {
		t.Helper()
		if text == "" {
			t.Error("nothing was said")
		}
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("an id is told: %s", text)
			}
		}
	}
	fresh := func() *Map {
		m := created(hall(t, fuzzHall), defaults())
		do(t, m, t0, CreateOrder{Key: key, Session: theirs, Order: mine, TokenExpires: t0 + 600_000})
		do(t, m, t0, Confirm{Key: Key{Scope: ids.next()}, Session: theirs, Order: mine, Want: Want{Quantity: 2}, PaymentToken: "tok"})
		return m
	}
	for _, f := range []Fact{
		OrderWasCreated{Order: mine, Session: theirs, At: t0, Deadline: t0 + 1},
		SeatsWereHeld{Order: mine, Seats: []int32{1}, Deadline: t0},
		SeatsWereHeld{Order: other, Seats: []int32{1}, Deadline: t0},
		AuthorizeStarted{Order: mine, Attempt: 3},
		AuthorizeWasGranted{Order: other},
		CaptureStarted{Order: mine},
		OrderWasCompleted{Order: mine},
		CaptureWasRefused{Order: mine},
		AuthorizationWasVoided{Order: mine},
		Answered{Session: theirs, Key: key, Expires: t0 + 2*answerKeptFor},
		Answered{Session: theirs, Key: key, Expires: t0},
	} {
		func() {
			defer func() { search(fmt.Sprint(recover())) }()
			fresh().Apply(2, f)
			t.Errorf("%T was applied", f)
		}()
	}
	for what, spoil := range map[string]func(*Map, *order, *session){
		"status":  func(_ *Map, o *order, _ *session) { o.status = StatusPending },
		"session": func(_ *Map, _ *order, s *session) { s.answers = 77 },
		"list":    func(_ *Map, _ *order, s *session) { s.firstLive = 0 },
		"seats":   func(_ *Map, o *order, _ *session) { o.seats = append(o.seats, 5) },
		"index":   func(m *Map, o *order, s *session) { o.id[0], s.id[0] = ^o.id[0], ^s.id[0] },
		"answers": func(m *Map, _ *order, _ *session) { m.answers.at(m.answers.head).seq = 1 << 40 },
	} {
		m := fresh()
		slot, _ := m.findOrder(mine)
		o := m.orders.at(slot)
		spoil(m, o, m.sessions.at(o.session))
		if err := m.Check(); err != nil {
			search(err.Error())
		} else {
			t.Errorf("%s: not seen", what)
		}
	}
}

package main_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

// freedWithin is how soon the next must be in once a place is free: far below every time that a place becomes free by.
const freedWithin = 3 * time.Second

// Goal: whichever way a session ends, its place is the next one's at once, and both hear of it. Method: a room for one,
// with a line behind; who is in completes the last order, leaves, runs out of time, and does not show up.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := start(t, database, "REDIS_URL="+redis.URL())
	const long = 600
	for _, c := range []struct {
		name       string
		ttlSeconds int
		end        func(t *testing.T, in buyer)
		status     string
	}{
		{"completed", long, func(t *testing.T, in buyer) {
			for range 2 {
				a := in.create(rand.Text())
				must(t, a.is(201))
				id := a.order().OrderID
				must(t, in.call(id, "confirm", rand.Text(), pay(best(1), "tok_visa")).is(202))
				must(t, in.call(id, "finalize", rand.Text(), "").is(200))
			}
		}, "COMPLETED"},
		{"left", long, func(t *testing.T, in buyer) { must(t, in.leave().is(204)) }, "LEFT"},
		{"out-of-time", 1, func(t *testing.T, in buyer) {
			until(t, patience, func() error {
				if now := in.look().session(); now.Status == "ACTIVE" {
					return fmt.Errorf("the session goes on until %v", now.ActiveUntil)
				}
				return nil
			})
		}, "EXPIRED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.create(c.name, hall(2, 10), waitingRoom(1, c.ttlSeconds, 100, 2))
			in, err := s.join(c.name)
			must(t, err)
			next, err := s.enter(c.name, rand.Text())
			must(t, err)
			last, err := s.enter(c.name, rand.Text())
			must(t, err)
			if next.token != "" || last.token != "" || *next.joined.session().Position != 1 || *last.joined.session().Position != 2 {
				t.Fatalf("behind the one who is in: %s, %s", next.joined.body, last.joined.body)
			}
			inHears, nextHears, lastHears := in.hear(t), next.hear(t), last.hear(t)
			inHears.untilTold(t, "waiting-room-active", anything)
			nextHears.untilTold(t, "waiting-room-position", positioned(1))
			lastHears.untilTold(t, "waiting-room-position", positioned(2))
			s.awaitAdmission(t, c.name)
			c.end(t, in)
			ended := time.Now()
			inHears.untilTold(t, "waiting-room-expired", anything)
			active := nextHears.untilTold(t, "waiting-room-active", anything)
			took := active.at.Sub(ended)
			t.Logf("the next is in after %v", took)
			if took > freedWithin {
				t.Errorf("the next is in only after %v", took)
			}
			lastHears.untilTold(t, "waiting-room-position", positioned(1))
			if got := in.look().session(); got.Status != c.status {
				t.Errorf("who was in is %s", got.Status)
			}
			must(t, next.becomes("ACTIVE"))
			judge(t, database, c.name, 1, 100)
		})
	}
	t.Run("not-shown-up", func(t *testing.T) {
		s.create("not-shown-up", hall(2, 10), waitingRoom(1, long, 100, 2))
		in, err := s.join("not-shown-up")
		must(t, err)
		absent, err := s.enter("not-shown-up", rand.Text())
		must(t, err)
		next, err := s.enter("not-shown-up", rand.Text())
		must(t, err)
		nextHears := next.hear(t)
		must(t, in.leave().is(204))
		nextHears.untilTold(t, "waiting-room-position", positioned(1))
		active := `event_id = 'not-shown-up' and status = 'ACTIVE'`
		if given := query[int64](t, database, `select ends_at - admitted_at from session where `+active); len(given) != 1 || given[0] != 60_000 {
			t.Errorf("who has not shown up has %v ms", given)
		}
		execute(t, database, `update session set ends_at = now_ms() where `+active)
		nextHears.untilTold(t, "waiting-room-active", anything)
		absent.hear(t).untilTold(t, "waiting-room-expired", anything)
		must(t, absent.becomes("EXPIRED"))
		// Who listens has shown up.
		if lost := query[int64](t, database, `select active_until - ends_at from session where `+active); len(lost) != 1 || lost[0] != 0 {
			t.Errorf("who listens loses %v ms", lost)
		}
		judge(t, database, "not-shown-up", 1, 100)
	})
	must(t, awaitSettled(t, database))
	verify(t, database)
}

// awaitAdmission waits until somebody admits to the event: whom the waker finds, it finds within a second.
func (s *server) awaitAdmission(t testing.TB, event string) {
	t.Helper()
	until(t, patience, func() error {
		if query[int64](t, s.database, `select epoch from admission where event_id = $1`, event)[0] == 0 {
			return errors.New("nobody admits")
		}
		return nil
	})
}

// positioned is nil for an event that shows the position.
func positioned(want int64) func(told) error {
	return func(event told) error {
		if v := (answer{call: event.name, body: event.data}).session(); v.Position == nil || *v.Position != want {
			return fmt.Errorf("the position is %s, not %d", event.data, want)
		}
		return nil
	}
}

// Goal: who listens to an order is told each of its states, in order, as a reader would see it. Method: an order that is
// bought, and one whose hold runs out; each event is held against what GET shows.
func TestOrderStream(t *testing.T) {
	t.Parallel()
	database, redis := pgtest.New(t), pgtest.Redis(t)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(2, 10), waitingRoom(10, 600, 100, 4))
	s.create("short", hall(2, 10), map[string]any{"holdTtlSeconds": 1})

	b, id, err := s.newOrder("E1")
	must(t, err)
	hears := b.s.hear(t, "/api/sse/orders/"+id+"?accessToken="+url.QueryEscape(b.token), "")
	seen := func(hears *ear, b buyer, id, status string) {
		t.Helper()
		event := hears.untilTold(t, "order", func(event told) error {
			if o := (answer{call: event.name, body: event.data}).order(); o.Status != status {
				return fmt.Errorf("the order is %s", o.Status)
			}
			return nil
		})
		if a := b.order(id); !bytes.Equal(a.body, event.data) {
			t.Errorf("told\n%s\nshown\n%s", event.data, a.body)
		}
	}
	seen(hears, b, id, "PENDING")
	must(t, b.call(id, "reserve", "r", `{`+best(2)+`}`).is(200))
	seen(hears, b, id, "RESERVED")
	must(t, b.call(id, "confirm", "c", pay("", "tok_visa")).is(202))
	seen(hears, b, id, "AUTHORIZED")
	must(t, b.call(id, "finalize", "f", "").is(200))
	seen(hears, b, id, "COMPLETED")
	inOrder(t, hears, "PENDING", "RESERVED", "AUTHORIZING", "AUTHORIZED", "CAPTURING", "COMPLETED")

	// Connecting late, and by header.
	seen(s.hear(t, "/api/sse/orders/"+id, b.token), b, id, "COMPLETED")

	b, o, err := s.authorized("short", best(2), "tok_visa")
	must(t, err)
	hears = s.hear(t, "/api/sse/orders/"+o.OrderID+"?accessToken="+url.QueryEscape(b.token), "")
	seen(hears, b, o.OrderID, "EXPIRED")
	inOrder(t, hears, "AUTHORIZED", "EXPIRED")
}

// inOrder fails the test where an order's states were not told in this sequence; some may be missing.
func inOrder(t testing.TB, hears *ear, states ...string) {
	t.Helper()
	at := 0
	for _, event := range hears.told() {
		status := (answer{call: event.name, body: event.data}).order().Status
		for at < len(states) && states[at] != status {
			at++
		}
		if at == len(states) {
			t.Fatalf("%s was told out of order: %s", status, hears)
		}
	}
}

package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: a token opens what it was given for and nothing else, as long as it should, and what was answered under it stays
// answered. Method: two sessions of one event and one of another, and the ways in which a token can be wrong; then the
// sessions end, by time and by leaving.
func TestTokens(t *testing.T) {
	t.Parallel()
	database, redis := pgtest.New(t), pgtest.Redis(t)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(2, 10), waitingRoom(10, 600, 100, 4))
	s.create("E2", hall(2, 10), waitingRoom(10, 600, 100, 4))
	s.create("short", hall(2, 10), waitingRoom(10, 2, 100, 4))
	mine, id, err := s.newOrder("E1")
	must(t, err)
	neighbour, err := s.join("E1")
	must(t, err)
	stranger, err := s.join("E2")
	must(t, err)

	t.Run("of another", func(t *testing.T) {
		// A token of another event says nothing about this one.
		public, _ := s.at()
		create := func(token, event string) answer {
			return s.send("POST", public+"/api/orders", token, rand.Text(), `{"eventId":"`+event+`"}`)
		}
		must(t, create(stranger.token, "E1").is(401, "token-invalid"))
		must(t, create(mine.token, "E2").is(401, "token-invalid"))
		// Nor does a key of another session.
		first, second := mine.create("the-same-key"), neighbour.create("the-same-key")
		must(t, errors.Join(first.is(201), second.is(201)))
		if first.order().OrderID == second.order().OrderID || second.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("two sessions under one key: %s, %s", first.body, second.body)
		}
		for _, other := range []buyer{neighbour, stranger} {
			must(t, errors.Join(
				other.order(id).is(404, "not-found"),
				other.call(id, "reserve", rand.Text(), `{`+best(1)+`}`).is(404, "not-found"),
				other.call(id, "confirm", rand.Text(), pay(best(1), "tok_visa")).is(404, "not-found"),
				other.call(id, "finalize", rand.Text(), "").is(404, "not-found"),
				other.call(id, "cancel", rand.Text(), "").is(404, "not-found"),
				noStream(s, id, other.token, 404, "not-found"),
			))
		}
	})

	t.Run("bent", func(t *testing.T) {
		for i := range len(mine.token) {
			bent := mine
			letter := byte('A')
			if mine.token[i] == letter {
				letter = 'B'
			}
			bent.token = mine.token[:i] + string(letter) + mine.token[i+1:]
			if i%7 == 0 || i > len(mine.token)-3 {
				must(t, bent.create(rand.Text()).is(401, "token-invalid"))
			}
		}
		for _, bad := range []string{"x", mine.token[:len(mine.token)-1], mine.token + "A", mine.token + mine.token} {
			bent := mine
			bent.token = bad
			must(t, errors.Join(bent.create(rand.Text()).is(401, "token-invalid"), bent.order(id).is(401, "token-invalid"),
				noStream(s, id, bad, 401, "token-invalid")))
		}
		must(t, noStream(s, id, "", 401, "token-required"))
		// A server with other keys has signed nothing of this.
		other := start(t, pgtest.New(t), "BOXOFFICE_TOKEN_KEYS=test:"+"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		other.create("E1", hall(2, 10), nil)
		forged, err := other.join("E1")
		must(t, err)
		forged.s = s
		must(t, forged.create(rand.Text()).is(401, "token-invalid"))
	})

	t.Run("expired", func(t *testing.T) {
		b, id, err := s.newOrder("short")
		must(t, err)
		confirm := b.call(id, "confirm", "c", pay(best(1), "tok_visa"))
		must(t, confirm.is(202))
		watched := b // whose token is gone then
		must(t, watched.becomes("EXPIRED"))
		// The event's time follows the database's by as long as its owner's claim took to be answered.
		until(t, patience, func() error { return b.create(rand.Text()).is(401, "token-expired") })
		again := b.call(id, "confirm", "c", pay(best(1), "tok_visa"))
		must(t, confirm.same(again))
		if again.header.Get("Idempotent-Replayed") != "true" {
			t.Error("a repetition does not say Idempotent-Replayed")
		}
		finalize := b.call(id, "finalize", "f", "") // what was begun may be finished
		must(t, finalize.is(200))
		must(t, finalize.same(b.call(id, "finalize", "f", "")))
		must(t, b.call(id, "confirm", "c", pay(best(2), "tok_visa")).is(422, "idempotency-key-reused"))
	})

	t.Run("left", func(t *testing.T) {
		b, o, err := s.authorized("E2", best(1), "tok_visa")
		must(t, err)
		finalize := b.call(o.OrderID, "finalize", "f", "")
		must(t, finalize.is(200))
		a := b.create("open")
		must(t, a.is(201))
		must(t, b.leave().is(204))
		must(t, b.create(rand.Text()).is(401, "token-invalid"))
		must(t, finalize.same(b.call(o.OrderID, "finalize", "f", "")))
		must(t, a.same(b.create("open")))
		if o := b.order(a.order().OrderID).order(); o.Status != "CANCELLED" {
			t.Errorf("the open order of one who has left is %s", o.Status)
		}
		if got := b.look().session(); got.Status != "LEFT" || got.AccessToken != "" {
			t.Errorf("who has left is shown as %+v", got)
		}
		// The join's repetition still says what it said.
		must(t, b.joined.is(201))
	})
	must(t, awaitSettled(t, database))
	verify(t, database)
}

// noStream is nil where the order's stream is refused as wanted.
func noStream(s *server, orderID, token string, status int, code string) error {
	st, err := s.listen("/api/sse/orders/"+orderID+"?accessToken="+url.QueryEscape(token), "", func(told) {})
	var refused *refusedStreamError
	switch {
	case errors.As(err, &refused):
		return refused.is(status, code)
	case err != nil:
		return err
	}
	st.close()
	return fmt.Errorf("a stream of order %s is given", orderID)
}

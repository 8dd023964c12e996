package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: however many want the same seats at once, each is sold once. Method: 200 buyers, each with an order, want two
// neighbouring ones of the same 50 seats, overlapping with those of others, and try another pair when refused, until none
// is left; all sold seats and tickets are counted.
func TestManyBuyersOfTheSameSeats(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	s.create("E1", hall(2, 25), nil)
	var mu sync.Mutex
	sold := map[string]string{} // ticket by seat
	each(t, 200, func(i int) error {
		b, id, err := s.newOrder("E1")
		if err != nil {
			return err
		}
		// A seat and its right neighbour, from a place of the buyer's own on; the last of a row comes alone.
		for n := range 50 {
			at := (i*7 + n) % 50
			wanted := []string{seatID(at/25+1, at%25+1)}
			if at%25 < 24 {
				wanted = append(wanted, seatID(at/25+1, at%25+2))
			}
			a := b.call(id, "confirm", rand.Text(), pay(named(wanted...), "tok_visa"))
			if a.code() == "seats-unavailable" {
				if a = b.call(id, "confirm", rand.Text(), pay(named(wanted[0]), "tok_visa")); a.code() == "seats-unavailable" {
					continue
				}
			}
			if err := a.is(202); err != nil {
				return err
			}
			done := b.call(id, "finalize", rand.Text(), "")
			if err := done.is(200); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, ticket := range done.order().Tickets {
				if before := sold[ticket.SeatID]; before != "" {
					return fmt.Errorf("seat %s was sold twice: tickets %s and %s", ticket.SeatID, before, ticket.TicketID)
				}
				sold[ticket.SeatID] = ticket.TicketID
			}
			return nil
		}
		return b.call(id, "cancel", rand.Text(), "").is(200)
	})
	if len(sold) != 50 {
		t.Errorf("%d seats were sold: %v", len(sold), slices.Sorted(maps.Keys(sold)))
	}
	must(t, s.counts("E1", 0, 0, 50))
	if n := query[int](t, database, `select count(*)::int from ticket where voided_at is null`); n[0] != 50 {
		t.Errorf("%d tickets are stored", n[0])
	}
	verify(t, database)
}

// Goal: nobody is refused while there is room. Method: 160 buyers want 2 best available each of 400 free seats, in rows
// of an odd number, all at once.
func TestBestAvailableRefusesNobody(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	s.create("E1", hall(16, 25), nil)
	each(t, 160, func(int) error {
		b, o, err := s.authorized("E1", best(2), "tok_visa")
		if err != nil {
			return err
		}
		return b.call(o.OrderID, "finalize", rand.Text(), "").is(200)
	})
	must(t, s.counts("E1", 80, 0, 320))
	verify(t, database)
}

// Goal: a confirm that is sent many times takes effect once and has one answer, also after a restart. Method: 50 times
// at once under one key, with a provider that takes its time; then again, and after kill -9 again.
func TestConfirmSentManyTimes(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database, "BOXOFFICE_MOCK_PAYMENT_DELAY=100ms")
	s.create("E1", hall(2, 10), nil)
	b, id, err := s.newOrder("E1")
	must(t, err)
	confirm := func() answer { return b.call(id, "confirm", "confirm-1", pay(best(2), "tok_visa")) }

	var inFlight atomic.Int64
	var mu sync.Mutex
	var first *answer
	agree := func(a answer) error {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = &a
		}
		return errors.Join(a.is(202), first.same(a))
	}
	each(t, 50, func(int) error {
		a := confirm()
		if a.code() == "request-in-flight" {
			inFlight.Add(1)
			if err := a.is(409); err != nil {
				return err
			}
			a = insist(confirm)
		}
		return agree(a)
	})
	t.Logf("%d of 50 were told request-in-flight", inFlight.Load())
	wantLedger(t, database, "E1", map[string]int{"authorize": 1})

	replay := func() {
		t.Helper()
		each(t, 50, func(int) error {
			a := insist(confirm)
			if a.err == nil && a.header.Get("Idempotent-Replayed") != "true" {
				return errors.New("a repetition does not say Idempotent-Replayed")
			}
			return agree(a)
		})
	}
	replay()
	s.kill()
	s.run()
	replay()
	wantLedger(t, database, "E1", map[string]int{"authorize": 1})
	must(t, b.call(id, "confirm", "confirm-1", pay(best(3), "tok_visa")).is(422, "idempotency-key-reused"))
	must(t, b.call(id, "finalize", "finalize-1", "").is(200))
	must(t, confirm().same(*first))
	wantLedger(t, database, "E1", map[string]int{"authorize": 1, "capture": 1})
	verify(t, database)
}

// Goal: what the provider does shows in the order, and a reply that is lost changes nothing. Method: each token of the
// mock provider, by the flow that the contract describes; the provider's ledger is counted.
func TestPaymentTokens(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	for _, c := range []struct {
		event string
		flow  func(t *testing.T, b buyer, id string)
		want  map[string]int
	}{
		{"auth_timeout", func(t *testing.T, b buyer, id string) {
			confirm := insist(func() answer { return b.call(id, "confirm", "c", pay(best(2), "tok_auth_timeout")) })
			must(t, confirm.is(202))
			must(t, b.call(id, "confirm", "c", pay(best(2), "tok_auth_timeout")).same(confirm))
			must(t, b.call(id, "finalize", "f", "").is(200))
		}, map[string]int{"authorize": 1, "capture": 1}},
		{"capture_timeout", func(t *testing.T, b buyer, id string) {
			must(t, b.call(id, "confirm", "c", pay(best(2), "tok_capture_timeout")).is(202))
			finalize := insist(func() answer { return b.call(id, "finalize", "f", "") })
			must(t, finalize.is(200))
			if o := finalize.order(); o.Status != "COMPLETED" || len(o.Tickets) != 2 {
				t.Errorf("finalize answers %s", finalize.body)
			}
			must(t, b.call(id, "finalize", "f", "").same(finalize))
		}, map[string]int{"authorize": 1, "capture": 1}},
		{"slow", func(t *testing.T, b buyer, id string) {
			must(t, b.call(id, "confirm", "c", pay(best(2), "tok_slow")).is(202))
			must(t, b.call(id, "finalize", "f", "").is(200))
		}, map[string]int{"authorize": 1, "capture": 1}},
		{"declined", func(t *testing.T, b buyer, id string) {
			declined := b.call(id, "confirm", "c1", pay(best(2), "tok_declined"))
			must(t, declined.is(402, "payment-declined"))
			var p struct{ DeclineCode, HoldExpiresAt string }
			declined.into(&p)
			reserved := b.order(id)
			must(t, reserved.is(200))
			if p.DeclineCode == "" || p.HoldExpiresAt == "" || reserved.order().Status != "RESERVED" || len(reserved.order().Seats) != 2 {
				t.Errorf("after the answer %s the order is %s", declined.body, reserved.body)
			}
			must(t, b.call(id, "confirm", "c2", pay("", "tok_visa")).is(202))
			must(t, b.call(id, "confirm", "c1", pay(best(2), "tok_declined")).same(declined))
			must(t, b.call(id, "finalize", "f", "").is(200))
		}, map[string]int{"authorize declined": 1, "authorize": 1, "capture": 1}},
		{"capture_declined", func(t *testing.T, b buyer, id string) {
			must(t, b.call(id, "confirm", "c", pay(best(2), "tok_capture_declined")).is(202))
			must(t, b.s.counts(b.event, 18, 2, 0))
			failed := b.call(id, "finalize", "f", "")
			must(t, failed.is(402, "payment-capture-failed"))
			must(t, b.s.counts(b.event, 20, 0, 0))
			if o := b.order(id).order(); o.Status != "PAYMENT_FAILED" {
				t.Errorf("the order is %s", o.Status)
			}
			must(t, b.call(id, "finalize", "f", "").same(failed))
			must(t, b.call(id, "finalize", "f2", "").is(409, "order-state"))
		}, map[string]int{"authorize": 1, "capture declined": 1, "void": 1}},
	} {
		t.Run(c.event, func(t *testing.T) {
			s.create(c.event, hall(2, 10), nil)
			b, id, err := s.newOrder(c.event)
			must(t, err)
			c.flow(t, b, id)
			untilLedger(t, database, c.event, c.want)
			if c.want["capture"] == 1 {
				must(t, s.counts(c.event, 18, 0, 2))
			}
		})
	}
	verify(t, database)
}

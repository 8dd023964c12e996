package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

// shortHold makes an event whose holds last a second.
var shortHold = map[string]any{"holdTtlSeconds": 1}

// Goal: a hold that runs out gives its seats back and lets the authorization go. Method: a hold of 1 s, left alone, on a
// server that runs and on one that is down meanwhile; and one that runs out while the provider is still silent.
func TestHoldRunsOut(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)

	expires := func(t *testing.T, event string, b buyer, id string) {
		t.Helper()
		until(t, patience, func() error { return s.counts(event, 20, 0, 0) })
		untilLedger(t, database, event, map[string]int{"authorize": 1, "void": 1})
		if o := b.order(id).order(); o.Status != "EXPIRED" {
			t.Errorf("the order is %s", o.Status)
		}
		must(t, b.call(id, "finalize", rand.Text(), "").is(410, "order-expired"))
		must(t, b.call(id, "cancel", rand.Text(), "").is(410, "order-expired"))
	}
	t.Run("running", func(t *testing.T) {
		s.create("running", hall(2, 10), shortHold)
		b, o, err := s.authorized("running", best(2), "tok_visa")
		must(t, err)
		must(t, s.counts("running", 18, 2, 0))
		expires(t, "running", b, o.OrderID)
		if late := time.Since(o.HoldExpiresAt); late > 10*time.Second {
			t.Errorf("the hold ran out %v too late", late)
		}
	})
	t.Run("down", func(t *testing.T) {
		s.create("down", hall(2, 10), shortHold)
		b, o, err := s.authorized("down", best(2), "tok_visa")
		must(t, err)
		s.kill()
		until(t, patience, func() error {
			if time.Until(o.HoldExpiresAt) > -100*time.Millisecond {
				return errors.New("the hold still lasts")
			}
			return nil
		})
		s.run()
		// Nobody asks: what is due is found by the waker.
		untilLedger(t, database, "down", map[string]int{"authorize": 1, "void": 1})
		expires(t, "down", b, o.OrderID)
	})
	t.Run("authorizing", func(t *testing.T) {
		s.create("authorizing", hall(2, 10), shortHold)
		b, id, err := s.newOrder("authorizing")
		must(t, err)
		must(t, b.call(id, "confirm", "c", pay(best(2), "tok_slow")).is(410, "order-expired"))
		expires(t, "authorizing", b, id)
	})
	verify(t, database)
}

// Goal: a finalize that races the end of its hold wins or loses, never half. Method: 200 orders in four events are
// finalized from a little before their hold's end to a little after it; whatever the answers say must be what the order,
// its tickets, its seats and the provider say, and the first and the last of them leave no choice.
func TestFinalizeRacesExpiry(t *testing.T) {
	t.Parallel()
	const orders, events, seats = 200, 4, 50
	// The first are sent so long before the end that they win, the last so long after it that they lose. An event's time
	// is behind by as long as its claim took.
	const before, after, behind = 400 * time.Millisecond, 400 * time.Millisecond, 300 * time.Millisecond
	database := pgtest.New(t)
	s := start(t, database)
	for e := range events {
		s.create(fmt.Sprintf("E%d", e), hall(2, seats/2), map[string]any{"holdTtlSeconds": 2})
	}
	var won, lost atomic.Int64
	each(t, orders, func(i int) error {
		event := fmt.Sprintf("E%d", i%events)
		n := i / events
		b, o, err := s.authorized(event, named(seatID(n/(seats/2)+1, n%(seats/2)+1)), "tok_visa")
		if err != nil {
			return err
		}
		offset := -before + time.Duration(i)*(before+after)/(orders-1)
		timer := time.NewTimer(time.Until(o.HoldExpiresAt.Add(offset)))
		defer timer.Stop()
		<-timer.C
		late := time.Since(o.HoldExpiresAt)
		a := b.call(o.OrderID, "finalize", "f", "")
		shown := b.order(o.OrderID)
		if err := shown.is(200); err != nil {
			return err
		}
		switch {
		case a.status == 200:
			won.Add(1)
			if late > behind || len(a.order().Tickets) != 1 || a.order().Status != "COMPLETED" {
				return fmt.Errorf("finalized %v after the end: %s", late, a.body)
			}
			return a.same(answer{call: shown.call, status: 200, header: a.header, body: shown.body})
		case a.is(410, "order-expired") == nil:
			lost.Add(1)
			if o := shown.order(); o.Status != "EXPIRED" || len(o.Tickets) != 0 {
				return fmt.Errorf("after a 410 the order is %s", shown.body)
			}
			return nil
		}
		return a.is(200)
	})
	if won.Load() == 0 || lost.Load() == 0 {
		t.Errorf("%d won, %d lost: this was no race", won.Load(), lost.Load())
	}
	t.Logf("%d won, %d lost", won.Load(), lost.Load())
	must(t, awaitSettled(t, database))
	captured := query[string](t, database, `
select l.authorize_key from mock_payment l where l.kind = 'capture' and l.declined = ''
intersect select l.authorize_key from mock_payment l where l.kind = 'void' and l.declined = ''`)
	if len(captured) > 0 {
		t.Errorf("captured and voided: %s", strings.Join(captured, ", "))
	}
	total := map[string]int{}
	sold := 0
	for e := range events {
		for kind, n := range ledger(t, database, fmt.Sprintf("E%d", e)) {
			total[kind] += n
		}
		v, err := s.availability(fmt.Sprintf("E%d", e))
		must(t, err)
		sold += v.Counts.Sold
		if v.Counts.Held != 0 {
			t.Errorf("%d seats are still held", v.Counts.Held)
		}
	}
	if int64(sold) != won.Load() || int64(total["capture"]) != won.Load() || int64(total["void"]) != lost.Load() || total["authorize"] != orders {
		t.Errorf("%d won, %d lost, but %d seats are sold and the provider has %v", won.Load(), lost.Load(), sold, total)
	}
	verify(t, database)
}

// awaitSettled waits until the read model follows, no payment operation is under way and every order has ended or
// waits for its buyer.
func awaitSettled(t testing.TB, database string) error {
	return poll(time.Minute, func() error {
		left := query[string](t, database, `
select 'event ' || event_id || ' is not projected' from event_progress where lag > 0
union all select 'a payment is ' || status from payment where status in ('AUTHORIZING', 'CAPTURING', 'VOIDING')`)
		if len(left) > 0 {
			return errors.New(strings.Join(left, ", "))
		}
		return nil
	})
}

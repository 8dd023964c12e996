package actors_test

import (
	"errors"
	"fmt"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/seatmap"
)

// Goal: what could grow without end does not: a batch when everything expires at once, the tries of a projection that
// fails. Method: as owner_test.go.

func TestExpiriesGoOverSeveralBatches(t *testing.T) {
	const orders = 3*actors.ExpireFactsMax + 100
	r := newRig(t)
	for i := range orders {
		r.ask("", createOrder(fmt.Sprint("s", i), fmt.Sprint("o", i), t0+tokenTTL))
		if i%1000 == 0 {
			r.settle()
		}
	}
	r.settle()
	before := len(r.entries())
	r.now = t0 + tokenTTL
	clear(r.heard)
	r.step(actors.Due{}) // one batch in flight
	r.step(actors.Due{}) // one forming, that is full
	if at := r.owner.WakeAt(); at != 0 && at <= r.now {
		t.Fatal("the owner wants to be woken in a loop while it can do nothing")
	}
	// Who asks meanwhile is decided as if all had expired.
	r.ask("late", reserve(fmt.Sprint("s", orders-1), fmt.Sprint("o", orders-1), "1-1"))
	for steps := 0; r.flight != nil; steps++ {
		r.commit()
		if at := r.owner.WakeAt(); at != 0 && at <= r.now {
			r.step(actors.Due{})
		}
		if steps > 10 {
			t.Fatal("no end of it")
		}
	}
	r.hear("late", expired)
	expiries := 0
	for _, e := range r.entries()[before:] {
		facts, err := seatmap.DecodeEntry(e.Facts)
		if err != nil {
			t.Fatal(err)
		}
		if len(facts) > actors.ExpireFactsMax+1_025 {
			t.Errorf("entry %d has %d facts", e.Seq, len(facts))
		}
		for _, f := range facts {
			if _, ok := f.(seatmap.OrderHasExpired); ok {
				expiries++
			}
		}
	}
	if expiries != orders {
		t.Errorf("%d of %d orders have expired", expiries, orders)
	}
}

func TestFailingProjectionIsTriedLessAndLess(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	batch := *r.flight
	r.flight = nil
	if err := r.db.Journal("rig").Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	out := r.owner.Step(r.now, actors.Committed{})
	fail := func(pause seatmap.Time) {
		t.Helper()
		if out.ProjectTo == 0 {
			t.Fatal("no projection is asked for")
		}
		out = r.owner.Step(r.now, actors.Projected{Err: errors.New("the database is away")})
		if at := r.owner.WakeAt(); out.ProjectTo != 0 || at != r.now+pause {
			t.Fatalf("the next try is in %d ms, want %d", at-r.now, pause)
		}
		r.now += pause
		out = r.owner.Step(r.now, actors.Due{})
	}
	for pause := seatmap.Time(actors.ProjectPauseMillis); pause < actors.ProjectPauseMax; pause *= 2 {
		fail(pause)
	}
	fail(actors.ProjectPauseMax)
	fail(actors.ProjectPauseMax)
	r.owner.Step(r.now, actors.Projected{Seq: out.ProjectTo})
	r.now += actors.ProjectPauseMillis
	r.ask("", getOrder("s", "o"))
	r.ask("", createOrder("s2", "o2", t0+tokenTTL))
	for i := range 2 {
		b := *r.flight
		r.flight = nil
		if err := r.db.Journal("rig").Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		out = r.owner.Step(r.now, actors.Committed{})
		if i == 0 {
			r.flight = out.Commit
		}
	}
	fail(actors.ProjectPauseMillis) // from the beginning
}

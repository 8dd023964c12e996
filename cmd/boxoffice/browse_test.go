package main_test

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: whoever browses sees within about two seconds how an event sells, in the list and alone, and finds it however he
// spells it. Method: the life of a hall of two seats, over HTTP, held against the contract.
func TestBrowsingShowsHowAnEventSells(t *testing.T) {
	t.Parallel()
	const soon = 2*time.Second + patience // the read model's second, the cache's, and a busy machine
	database := pgtest.New(t)
	s := start(t, database)
	s.create("E1", hall(1, 2), map[string]any{"name": "Björk <script>", "city": "Erfurt", "holdTtlSeconds": 3})
	type sale struct {
		SeatsAvailable *int
		SoldOut        bool
		PriceFrom      *money
	}
	shows := func(available int, soldOut bool) {
		t.Helper()
		until(t, soon, func() error {
			var one sale
			var list struct{ Events []sale }
			s.get("/api/events/E1").into(&one)
			s.get("/api/events?q=" + url.QueryEscape("bjrok ERFURT")).into(&list)
			if len(list.Events) != 1 {
				return fmt.Errorf("%d events are found", len(list.Events))
			}
			for _, got := range []sale{one, list.Events[0]} {
				if got.SeatsAvailable == nil || *got.SeatsAvailable != available || got.SoldOut != soldOut || (got.PriceFrom == nil) != (available == 0) {
					return fmt.Errorf("%+v, want %d available, sold out %t", got, available, soldOut)
				}
			}
			return nil
		})
	}
	shows(2, false)
	b, id, err := s.newOrder("E1")
	must(t, err)
	must(t, b.call(id, "reserve", rand.Text(), `{`+named(seatID(1, 1), seatID(1, 2))+`}`).is(200))
	shows(0, false)
	shows(2, false) // the hold has run out
	b, id, err = s.newOrder("E1")
	must(t, err)
	must(t, b.call(id, "confirm", rand.Text(), pay(named(seatID(1, 1)), "tok_visa")).is(202))
	must(t, b.call(id, "finalize", rand.Text(), "").is(200))
	shows(1, false)
	changed := s.organise("PATCH", "/E1", `{"status":"PAUSED"}`)
	must(t, changed.is(200))
	var got sale
	if changed.into(&got); got.SeatsAvailable == nil || *got.SeatsAvailable != 1 {
		t.Errorf("changed: %s", changed.body)
	}
	if shown := s.get("/api/events/E1"); string(shown.body) != string(changed.body) {
		t.Errorf("shown right after: %s, changed: %s", shown.body, changed.body)
	}
	must(t, s.organise("POST", "/E1:block", `{`+named(seatID(1, 2))+`}`).is(200))
	shows(0, true)
	verify(t, database)
}

package main_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: an organiser creates the real hall, sells it, pauses, blocks and reads a report that adds up. Method: the plan of
// the Riethsporthalle by the organiser's listener, buyers by the public one.
func TestOrganiser(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	plan, err := os.ReadFile("../dev/riethsporthalle.seatingplan.json")
	must(t, err)
	prices := map[string]int{"Kategorie I": 4950, "Kategorie II": 3950, "Kategorie III": 2950, "Fanblock": 2400, "C unten": 3450, "VIP": 11900}
	s.create("E1", string(plan), map[string]any{"prices": prices})
	const seats = 1252
	must(t, s.counts("E1", seats, 0, 0))

	public, admin := s.at()
	must(t, s.send("POST", admin+"/api/admin/events", "", "", "{}").is(401, "token-required"))
	must(t, s.send("POST", admin+"/api/admin/events", "wrong", "", "{}").is(401, "token-invalid"))
	must(t, s.send("POST", public+"/api/admin/events", adminToken, "", "{}").is(404, "not-found"))

	sold, o, err := s.authorized("E1", `"bestAvailable":{"quantity":2,"category":"Kategorie I"}`, "tok_visa")
	must(t, err)
	must(t, sold.call(o.OrderID, "finalize", "f", "").is(200))
	waiting, authorized, err := s.authorized("E1", named("D-14-3", "D-14-4"), "tok_visa")
	must(t, err)
	holding, held, err := s.newOrder("E1")
	must(t, err)
	must(t, holding.call(held, "reserve", "r", `{`+named("D-14-5")+`}`).is(200))

	// Paused: nobody begins, who has authorized may finish.
	must(t, s.organise("PATCH", "/E1", `{"status":"PAUSED"}`).is(200))
	if a := s.get("/api/events/E1"); !strings.Contains(string(a.body), `"status":"PAUSED"`) {
		t.Errorf("who looks right after it sees %s", a.body)
	}
	must(t, waiting.create("another").is(409, "event-not-on-sale"))
	must(t, holding.call(held, "reserve", "r2", `{`+named("D-14-6")+`}`).is(409, "event-not-on-sale"))
	must(t, holding.call(held, "confirm", "c", pay("", "tok_visa")).is(409, "event-not-on-sale"))
	must(t, waiting.call(authorized.OrderID, "finalize", "f", "").is(200))
	must(t, s.organise("PATCH", "/E1", `{"status":"ON_SALE"}`).is(200))
	must(t, holding.call(held, "confirm", "c", pay("", "tok_visa")).is(202))

	// Blocked: all or none, and only what is available.
	must(t, s.organise("POST", "/E1:block", `{`+named("D-14-1", "D-14-2")+`}`).is(200))
	must(t, s.organise("POST", "/E1:block", `{`+named("D-14-7", "D-14-3")+`}`).is(409, "seats-unavailable"))
	must(t, s.organise("POST", "/E1:block", `{`+named("nowhere")+`}`).is(422, "unknown-seat"))
	must(t, holding.create("another").is(201))
	b, id, err := s.newOrder("E1")
	must(t, err)
	must(t, b.call(id, "reserve", rand.Text(), `{`+named("D-14-1")+`}`).is(409, "seats-unavailable"))
	must(t, s.organise("POST", "/E1:unblock", `{`+named("D-14-1")+`}`).is(200))
	must(t, b.call(id, "reserve", rand.Text(), `{`+named("D-14-1")+`}`).is(200))

	type line struct {
		Name                           string
		Available, Held, Sold, Blocked int
		Revenue                        money
	}
	var report struct {
		line
		Categories       []line
		Orders, Sessions map[string]int
	}
	a := s.organise("GET", "/E1/report", "")
	must(t, a.is(200))
	a.into(&report)
	if want := (line{"", seats - 4 - 2 - 1, 2, 4, 1, money{"EUR", 2*4950 + 2*3950}}); report.line != want {
		t.Errorf("the report says %+v, want %+v", report.line, want)
	}
	sum := line{Revenue: money{"EUR", 0}}
	for _, c := range report.Categories {
		sum.Available += c.Available
		sum.Held += c.Held
		sum.Sold += c.Sold
		sum.Blocked += c.Blocked
		sum.Revenue.Amount += c.Revenue.Amount
		if c.Revenue.Amount != int64(c.Sold*prices[c.Name]) {
			t.Errorf("category %s: %+v", c.Name, c)
		}
	}
	if sum != report.line {
		t.Errorf("the categories add up to %+v, the report says %+v", sum, report.line)
	}
	if got, want := fmt.Sprint(report.Orders, report.Sessions), "map[AUTHORIZED:1 COMPLETED:2 PENDING:1 RESERVED:1] map[ACTIVE:4]"; got != want {
		t.Errorf("the report says %s, want %s", got, want)
	}
	must(t, s.counts("E1", seats-7, 2, 4))
	verify(t, database)
}

package http_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/http"
	"boxoffice/messages"
)

func TestHowEventsSell(t *testing.T) {
	for _, c := range []struct {
		sale *messages.Sale
		want string
	}{
		{&messages.Sale{Available: 1}, `"seatsAvailable":1,"soldOut":false,"priceFrom":{"currency":"EUR","amount":0}`},
		{&messages.Sale{Held: 1}, `"seatsAvailable":0,"soldOut":false,"priceFrom":null`},
		{&messages.Sale{}, `"seatsAvailable":0,"soldOut":true,"priceFrom":null`},
		{nil, `"seatsAvailable":null,"soldOut":false,"priceFrom":null`},
	} {
		s := start(t)
		s.event.Sale = c.sale
		for _, path := range []string{"/api/events/E1", "/api/events"} {
			if r := s.do("GET", s.public+path, ""); !strings.Contains(r.body, c.want) {
				t.Errorf("%s: %s", path, r.body)
			}
		}
	}
}

// Goal: events and pages of them are read once a second however many ask, in every spelling that means the same; what is
// changed through this node counts at once; a sale opens on time. Method: reads are counted, on a clock that is moved.
func TestEventsAreCached(t *testing.T) {
	var now atomic.Int64
	now.Store(testNow)
	s := start(t, func(c *http.Config) { c.Now = func() time.Time { return time.UnixMilli(now.Load()) } })
	get := func(path string, reads int64) response {
		t.Helper()
		before := s.browses.Load()
		r := s.do("GET", s.public+path, "")
		if got := s.browses.Load() - before; r.status != 200 || got != reads {
			t.Errorf("%s: %d after %d reads, want %d", path, r.status, got, reads)
		}
		return r
	}
	for _, paths := range [][]string{
		{"/api/events/E1", "/api/events/E1"},
		{"/api/events", "/api/events?limit=20&q=&status=", "/api/events?x=y"},
		{"/api/events?q=%C3%84rzte+erfurt", "/api/events?q=++%C3%A4rzte++ERFURT+"},
		{"/api/events?q=a&cursor=1", "/api/events?q=a&cursor=1"},
		{"/api/events?q=1+a", "/api/events?q=1+a"},
		{"/api/events?q=x+y&cursor=1"},
		{"/api/events?q=y&cursor=1+x"},
		{"/api/events?q=a&limit=2"},
		{"/api/events?status=PAUSED"},
		{"/api/events?from=2026-01-02T03:04:05Z"},
		{"/api/events?to=2026-01-02T03:04:05Z"},
	} {
		for i, path := range paths {
			get(path, max(0, int64(1-i)))
		}
	}
	changed := proto.CloneOf(s.event)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_CONFIGURED, Event: changed})
	for _, path := range []string{"/api/events/E1", "/api/events"} {
		now.Add(1000)
		get(path, 1)
		now.Add(999)
		get(path, 0)
		now.Add(1)
		get(path, 1)
		if r := s.organiser("PATCH", "/api/admin/events/E1", `{"name":"N"}`); !strings.Contains(r.body, `"seatsAvailable":3,`) {
			t.Errorf("%s", r.body)
		}
		get(path, 1)
		s.organiser("POST", "/api/admin/events", newEvent)
		get(path, 1)
		s.event.OnSaleAt = now.Load() + 1500
		now.Add(1000)
		get(path, 1)
		now.Add(499)
		if r := get(path, 0); !strings.Contains(r.body, `"SCHEDULED"`) {
			t.Errorf("%s: %s", path, r.body)
		}
		now.Add(1)
		if r := get(path, 1); !strings.Contains(r.body, `"ON_SALE"`) || strings.Contains(r.body, `"SCHEDULED"`) {
			t.Errorf("%s: %s", path, r.body)
		}
		revalidate(t, s, path, get(path, 0).header.Get("ETag"))
		now.Add(-500)
		get(path, 0)
		now.Add(500)
		s.event.OnSaleAt = 0
		now.Add(1000)
		get(path, 1)
	}
	s.eventErr = errors.New("away")
	now.Add(1000)
	for range 2 {
		s.do("GET", s.public+"/api/events/E1", "").want(t, 503, "unavailable")
		s.do("GET", s.public+"/api/events", "").want(t, 503, "unavailable")
	}
}

// Goal: what is kept has a limit, however much is asked for. Method: long pages, more than fit, are looked at twice at the
// same time, so that none is out of date.
func TestEventsKeptHaveALimit(t *testing.T) {
	f := &fake{event: testEvent(), plan: testPlan()}
	f.event.Name = strings.Repeat("x", 50<<10)
	h := inBubble(f, func(c *http.Config) { c.Now = func() time.Time { return time.UnixMilli(testNow) } }).PublicHandler()
	const pages, bytesMax = 400, 32 << 20
	for n := range 2 * pages {
		if r := call(h, "GET", fmt.Sprint("/api/events?q=", n%pages), ""); r.StatusCode() != 200 || len(r.Body()) < 100<<10 {
			t.Fatalf("%d, %d bytes", r.StatusCode(), len(r.Body()))
		}
	}
	keptMax := int64(bytesMax / (3 * 100 << 10))
	if n := f.browses.Load(); n < 2*pages-keptMax || n == 2*pages {
		t.Errorf("%d reads of %d pages, of which %d may be kept", n, pages, keptMax)
	}
}

package http_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/http"
	"boxoffice/messages"
)

func TestCurve(t *testing.T) {
	s := start(t)
	const path = "/api/admin/events/E1/curve"
	s.curve = &messages.Curve{
		Currency: "EUR", AsOf: testNow, Step: 2000, Before: messages.CurvePoint{Sold: 7, Revenue: 700},
		Points: []messages.CurvePoint{{At: 1767323042000}, {At: 1767323044000, Sold: 2, Revenue: 200, Admitted: 3}},
	}
	const want = `{"eventId":"E1","asOf":"2026-01-02T03:04:05.678Z","stepSeconds":2,"before":{"sold":7,"revenue":{"currency":"EUR","amount":700}},"points":[` +
		`{"at":"2026-01-02T03:04:02.000Z","sold":0,"revenue":{"currency":"EUR","amount":0},"admitted":0},` +
		`{"at":"2026-01-02T03:04:04.000Z","sold":2,"revenue":{"currency":"EUR","amount":200},"admitted":3}]}`
	if r := s.organiser("GET", path+"?minutes=5", ""); r.status != 200 || r.body != want {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, minutes := range []string{"4", "1441", "0", "-5", "x", "5.5", "1e2", "99999999999999999999"} {
		if got := fields(s.organiser("GET", path+"?minutes="+minutes, "").want(t, 400, "invalid-request")); got != "minutes" {
			t.Errorf("%s: faults at %q", minutes, got)
		}
	}
	s.organiser("GET", "/api/admin/events/E2/curve", "").want(t, 404, "not-found")
	s.do("GET", s.admin+path, "").want(t, 401, "token-required")
	s.do("GET", s.public+path, "").want(t, 404, "not-found")
	s.recordErr = errors.New("away")
	s.organiser("GET", path+"?minutes=6", "").want(t, 503, "unavailable")
}

// Goal: a window has about as many points as a chart has room for, and the steps reach to the longest.
func TestCurveSteps(t *testing.T) {
	s := start(t)
	s.curve = &messages.Curve{Currency: "EUR", AsOf: testNow, Step: 2000, Points: []messages.CurvePoint{{At: testNow}}}
	for minutes, want := range map[int]time.Duration{
		5: 2 * time.Second, 8: 2 * time.Second, 9: 5 * time.Second, 60: 15 * time.Second, 240: time.Minute, 1440: 10 * time.Minute,
	} {
		s.organiser("GET", fmt.Sprint("/api/admin/events/E1/curve?minutes=", minutes), "")
		if s.window != time.Duration(minutes)*time.Minute || s.step != want || s.window/s.step > 240 {
			t.Errorf("%d minutes: asked for %s in steps of %s", minutes, s.window, s.step)
		}
	}
}

// timed is a store of curves that takes its time.
type timed struct {
	*fake
	mu    sync.Mutex
	takes time.Duration
	reads int
}

// Curve after a while.
func (s *timed) Curve(_ context.Context, _ string, _, step time.Duration) (*messages.Curve, error) {
	s.mu.Lock()
	takes := s.takes
	s.reads++
	s.mu.Unlock()
	<-time.After(takes)
	return &messages.Curve{Currency: "EUR", AsOf: testNow, Step: step.Milliseconds()}, nil
}

// Goal: many pages cost one read a second, and a tenth of the time where a read is slow. Method: pages that ask ten times a
// second for a while, on a fake clock.
func TestCurveIsReadSeldom(t *testing.T) {
	for takes, most := range map[time.Duration]int{time.Millisecond: 10, 300 * time.Millisecond: 4} {
		synctest.Test(t, func(t *testing.T) {
			s := &timed{fake: &fake{event: testEvent(), plan: testPlan()}, takes: takes}
			h := inBubble(s.fake, func(c *http.Config) { c.Records = s }).AdminHandler()
			var pages sync.WaitGroup
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(100 * time.Millisecond) {
				for range 10 {
					pages.Go(func() {
						r := call(h, "GET", "/api/admin/events/E1/curve", "", "Authorization", "Bearer "+adminToken)
						if r.StatusCode() != 200 {
							t.Errorf("%d %s", r.StatusCode(), r.Body())
						}
					})
				}
			}
			pages.Wait()
			if s.reads > most || s.reads < most-1 {
				t.Errorf("a read of %s: %d reads in 10 s, want %d", takes, s.reads, most)
			}
		})
	}
}

// Goal: the curves that are kept are few. Method: many windows are looked at, twice; at the same time, so that none is
// out of date.
func TestCurvesKeptAreFew(t *testing.T) {
	s := &timed{fake: &fake{event: testEvent(), plan: testPlan()}}
	h := inBubble(s.fake, func(c *http.Config) {
		c.Records, c.Now = s, func() time.Time { return time.UnixMilli(testNow) }
	}).AdminHandler()
	const windows, keptMax = 200, 64
	for n := range 2 * windows {
		path := fmt.Sprint("/api/admin/events/E1/curve?minutes=", 5+n%windows)
		for range 2 {
			if r := call(h, "GET", path, "", "Authorization", "Bearer "+adminToken); r.StatusCode() != 200 {
				t.Fatalf("%d %s", r.StatusCode(), r.Body())
			}
		}
	}
	if s.reads < 2*windows-keptMax || s.reads > 2*windows {
		t.Errorf("%d reads of %d curves", s.reads, windows)
	}
}

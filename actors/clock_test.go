package actors_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"boxoffice/actors/seatmap"
)

// fakeClock goes when it is told to.
type fakeClock struct {
	mu     sync.Mutex
	at     time.Duration
	timers []*fakeTimer
}

type fakeTimer struct {
	at time.Duration
	f  func()
}

func (c *fakeClock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &fakeTimer{c.at + max(d, 0), f}
	c.timers = append(c.timers, t)
	return func() { c.take(t) }
}

func (c *fakeClock) take(t *fakeTimer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = slices.DeleteFunc(c.timers, func(other *fakeTimer) bool { return other == t })
}

// advance the clock, and call what falls due, earliest first. What it causes elsewhere is to be waited for.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	end := c.at + d
	for {
		var next *fakeTimer
		for _, t := range c.timers {
			if t.at <= end && (next == nil || t.at < next.at) {
				next = t
			}
		}
		if next == nil {
			break
		}
		c.at = max(c.at, next.at)
		c.mu.Unlock()
		c.take(next)
		next.f()
		c.mu.Lock()
	}
	c.at = end
	c.mu.Unlock()
}

// now is the event's time, near enough: the database's is t0 or the wall clock's when the event is claimed.
func (s *store) now() seatmap.Time {
	if s.url != "" {
		return seatmap.Time(time.Now().UnixMilli() + s.clock.Elapsed().Milliseconds())
	}
	return t0 + seatmap.Time(s.clock.Elapsed().Milliseconds())
}

// patience bounds the wait for a condition: only a test that fails takes so long.
const patience = 20 * time.Second

// eventually waits until the condition holds; advance is how far the clock goes before each look.
func (s *store) eventually(what string, advance time.Duration, holds func() bool) {
	s.Helper()
	eventually(s.TB, what, func() bool {
		s.clock.advance(advance)
		return holds()
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("never came true: %s", what)
		case <-tick.C:
		}
	}
}

package cluster

import "time"

// Clock is the process's monotonic clock. The wall clock is never asked: it may jump.
type Clock struct{ start time.Time }

// NewClock starts counting.
func NewClock() *Clock { return &Clock{start: time.Now()} }

// Elapsed since the clock was made.
func (c *Clock) Elapsed() time.Duration { return time.Since(c.start) }

// AfterFunc calls f, d from now, unless stopped before.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func()) {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

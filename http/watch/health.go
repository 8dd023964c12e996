package watch

import (
	"log/slog"
	"sync"
	"time"
)

// soundAfter is how long nothing may fail until all is well again: longer than what fails by itself, such as one event's
// orders, takes to fail again.
const soundAfter = 3 * sweepEvery

// health of one kind of reads: the first failure is logged, and when there are none any more.
type health struct {
	of string

	mu      sync.Mutex
	failing bool
	failed  time.Time
}

// note what came of a read. Nobody is told of what the hub's own end broke off.
func (s *health) note(h *Hub, err error) {
	h.Metrics.read(s.of, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := time.Now(); {
	case err != nil && h.ctx.Err() == nil:
		if s.failed = now; !s.failing {
			s.failing = true
			h.Logger.Warn("http: streams cannot be told of changes", slog.String("of", s.of), slog.Any("cause", err))
		}
	case err == nil && s.failing && now.Sub(s.failed) >= soundAfter:
		s.failing = false
		h.Logger.Info("http: streams are told of changes again", slog.String("of", s.of))
	}
}

package hall

import (
	"log/slog"
	"sync"
	"time"
)

// soundAfter is how long nothing may fail until all is well again: longer than what fails by itself takes to fail again.
const soundAfter = 3 * pollEvery

// health of reads: the first failure is logged, and when there are none any more.
type health struct {
	mu      sync.Mutex
	failing bool
	failed  time.Time
}

// note what came of a read. Nobody is told of what the halls' own end broke off.
func (s *health) note(hs *Halls, err error) {
	hs.Metrics.read(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := time.Now(); {
	case err != nil && hs.ctx.Err() == nil:
		if s.failed = now; !s.failing {
			s.failing = true
			hs.Logger.Warn("http: seats cannot be read; they are shown as they were", slog.Any("cause", err))
		}
	case err == nil && s.failing && now.Sub(s.failed) >= soundAfter:
		s.failing = false
		hs.Logger.Info("http: seats can be read again")
	}
}

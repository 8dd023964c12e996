package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// miniredisTick is how often Miniredis lets keys expire.
const miniredisTick = 100 * time.Millisecond

// Miniredis is a Redis within this process, for a machine that has no Redis server. It is slower, does
// less, and its keys expire up to miniredisTick late.
type Miniredis struct {
	server *miniredis.Miniredis
	stop   chan struct{}
	ended  sync.WaitGroup
	once   sync.Once
}

// StartMiniredis starts one on a port of 127.0.0.1 that it picks.
func StartMiniredis() (*Miniredis, error) {
	m := &Miniredis{server: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	if err := m.server.Start(); err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	// Its clock stands still unless someone moves it.
	m.ended.Go(func() {
		ticker := time.NewTicker(miniredisTick)
		defer ticker.Stop()
		last := time.Now()
		for {
			select {
			case now := <-ticker.C:
				m.server.FastForward(now.Sub(last))
				last = now
			case <-m.stop:
				return
			}
		}
	})
	return m, nil
}

// URL is the server's address as go-redis's ParseURL reads it.
func (m *Miniredis) URL() string { return "redis://" + m.server.Addr() + "/0" }

// Stop ends it and its connections.
func (m *Miniredis) Stop() {
	m.once.Do(func() {
		close(m.stop)
		m.ended.Wait()
		m.server.Close()
	})
}

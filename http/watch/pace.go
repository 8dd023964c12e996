package watch

import (
	"sync"
	"time"
)

const (
	// framesPerSecondMax bounds what positions cost, whoever waits: where more wait, each is told less often.
	framesPerSecondMax = 20_000
	// waitersPerSecondMax bounds what it costs to read anew who waits: where more wait, each is read less often.
	waitersPerSecondMax = 300
	paceWindow          = 100 * time.Millisecond
	// chunk is how many an event takes of a pace at once, so that others get theirs.
	chunk = 250
)

// pace spreads what is done for all events evenly over a second.
type pace struct {
	perSecond int

	mu    sync.Mutex
	begun time.Time
	taken int
}

// take grants as many as there are left, n at most; if none, wait says for how long.
func (p *pace) take(n int, now time.Time) (granted int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.begun) >= paceWindow {
		p.begun, p.taken = now, 0
	}
	granted = min(n, p.perSecond*int(paceWindow)/int(time.Second)-p.taken)
	p.taken += granted
	if granted == 0 {
		return 0, max(p.begun.Add(paceWindow).Sub(now), time.Millisecond)
	}
	return granted, 0
}

package http

import (
	"context"
	"sync"
	"time"
)

// Rates where the Config does not say.
const (
	joinsPerMinuteDefault  = 60
	ordersPerMinuteDefault = 600
	// limitKeysMax bounds a generation of a limiter's keys: two of them take about 20 MB.
	limitKeysMax = 1 << 17
)

// limitKey is a session's id or what stands for an address.
type limitKey [16]byte

// limiter counts what each key does.
type limiter interface {
	// take is 0 where the key may go on, which is counted. Else it is how long to wait, and nothing is counted.
	take(ctx context.Context, key limitKey) (wait time.Duration)
}

// sharedLimiter counts for all nodes together, and for this one alone while that is not to be had. A key that moves from
// one to the other has a whole window again: the limits are there against floods, and a flood meets both.
type sharedLimiter struct {
	what  string
	rates Rates
	own   *localLimiter
}

func (l *sharedLimiter) take(ctx context.Context, key limitKey) time.Duration {
	wait, err := l.rates.Take(ctx, l.what, key, l.own.rate.interval, l.own.rate.window)
	if err != nil {
		return l.own.take(ctx, key)
	}
	return min(max(wait, 0), l.own.rate.window)
}

// rate is the generic cell rate algorithm's: window's worth at once, then one each interval.
type rate struct{ interval, window time.Duration }

func perMinute(n int) rate {
	interval := time.Minute / time.Duration(n)
	return rate{interval: interval, window: interval * time.Duration(n)}
}

// decide is pure. due is when all that a key took will be paid back, at one each interval; it never lies further ahead
// than the window.
func (r rate) decide(due, now time.Duration) (next, wait time.Duration) {
	next = max(due, now) + r.interval
	if wait = next - now - r.window; wait > 0 {
		return due, wait
	}
	return next, 0
}

// localLimiter keeps a time for each key in two generations. A key that was not counted for a generation, which lasts a
// window, has nothing left to pay back: it is forgotten with its generation and nothing is lost. Where more keys come
// in a window than a generation holds, those are forgotten that were not counted for longest.
type localLimiter struct {
	rate    rate
	keysMax int
	now     func() time.Time
	// begun is what times are counted from: where now has a monotonic reading, setting the wall clock changes nothing.
	begun time.Time

	mu              sync.Mutex
	recent, earlier map[limitKey]time.Duration
	turned          time.Duration
}

// newLimiter is nil, which limits nothing, for a negative n; absent stands for 0. Without rates it counts what this
// process sees.
func newLimiter(what string, n, absent int, rates Rates, now func() time.Time) limiter {
	switch {
	case n < 0:
		return nil
	case n == 0:
		n = absent
	}
	own := newLocalLimiter(perMinute(n), limitKeysMax, now)
	if rates == nil {
		return own
	}
	return &sharedLimiter{what: what, rates: rates, own: own}
}

func newLocalLimiter(r rate, keysMax int, now func() time.Time) *localLimiter {
	return &localLimiter{rate: r, keysMax: keysMax, now: now, begun: now(), recent: map[limitKey]time.Duration{}}
}

func (l *localLimiter) take(_ context.Context, key limitKey) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().Sub(l.begun)
	if now-l.turned >= l.rate.window || len(l.recent) >= l.keysMax {
		l.earlier, l.recent, l.turned = l.recent, map[limitKey]time.Duration{}, now
	}
	due, ok := l.recent[key]
	if !ok {
		if due, ok = l.earlier[key]; !ok {
			due = now
		}
	}
	next, wait := l.rate.decide(due, now)
	if wait == 0 {
		l.recent[key] = next
	}
	return wait
}

// limited is a 429 where the key has to wait.
func limited(ctx context.Context, l limiter, key limitKey, detail string) *problem {
	if l == nil {
		return nil
	}
	wait := l.take(ctx, key)
	if wait == 0 {
		return nil
	}
	return newProblem(codeRateLimited, detail).retry(int((wait + time.Second - 1) / time.Second))
}

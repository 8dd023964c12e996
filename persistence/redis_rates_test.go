package persistence

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"boxoffice/persistence/embedded/pgtest"
)

// rateModel is http's rate, which counts where Redis does not, on a clock in microseconds.
type rateModel struct{ interval, window, due int64 }

func (m *rateModel) take(now int64) (wait int64) {
	next := max(m.due, now) + m.interval
	if wait = next - now - m.window; wait > 0 {
		return wait
	}
	m.due = next
	return 0
}

// Goal: the script decides as the local limiter does. Method: random rates and steps in time, which is given to both.
func TestRedisRatesAreTheLocalOnes(t *testing.T) {
	t.Parallel()
	raw := redisRaw(t, pgtest.Redis(t).URL())
	keys := 0
	rapid.Check(t, func(rt *rapid.T) {
		// Slow ones: keys go by the server's clock, not by the given one.
		m := rateModel{interval: rapid.Int64Range(time.Minute.Microseconds(), time.Hour.Microseconds()).Draw(rt, "interval")}
		m.window = m.interval * rapid.Int64Range(1, 1000).Draw(rt, "window's worth")
		now := rapid.Int64Range(1, 1<<52).Draw(rt, "now")
		keys++
		key := fmt.Sprintf("rate:x:%d", keys)
		for range rapid.IntRange(1, 40).Draw(rt, "takes") {
			now += rapid.Int64Range(0, 2*m.interval).Draw(rt, "step")
			if rapid.IntRange(0, 9).Draw(rt, "long") == 0 {
				now += rapid.Int64Range(0, 2*m.window).Draw(rt, "pause")
			}
			want := m.take(now)
			got, err := rateScript.Run(t.Context(), raw, []string{key}, m.interval, m.window, now).Int64()
			if err != nil {
				rt.Fatal(err)
			}
			if got != want {
				rt.Fatalf("at %d the wait is %d, want %d", now, got, want)
			}
			if want == 0 {
				ttl := raw.PTTL(t.Context(), key).Val()
				owed := time.Duration(m.due-now) * time.Microsecond
				if ttl < owed-redisTestMax || ttl > owed+time.Millisecond {
					rt.Fatalf("it goes in %v, and owes %v", ttl, owed)
				}
			}
		}
	})
}

// Goal: a clock that was set back makes nobody wait longer than an interval after a window.
func TestRedisRatesWithAClockSetBack(t *testing.T) {
	t.Parallel()
	raw := redisRaw(t, pgtest.Redis(t).URL())
	const interval = int64(time.Minute / time.Microsecond)
	take := func(now int64) int64 {
		t.Helper()
		wait, err := rateScript.Run(t.Context(), raw, []string{"rate:x:1"}, interval, 10*interval, now).Int64()
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	if wait := take(1 << 50); wait != 0 {
		t.Fatal(wait)
	}
	if wait := take(1 << 40); wait != interval {
		t.Errorf("wait %d", wait)
	}
}

// Goal: however many nodes ask at once, no more are let through than the window holds; a key goes when it is paid back.
func TestRedisTake(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	raw := redisRaw(t, server.URL())
	nodes := []*Redis{redisAt(t, server.URL()), redisAt(t, server.URL())}
	const most = 10
	var counted, refused, failed atomic.Int64
	var takers sync.WaitGroup
	for i := range 40 {
		takers.Go(func() {
			for asked := 0; asked < 5; {
				wait, err := nodes[i%2].Take(t.Context(), "join", [16]byte{1}, time.Hour, most*time.Hour)
				if err != nil { // a busy machine: it may have been counted, and nobody is asked for a while
					failed.Add(1)
					pause(t.Context(), 10*time.Millisecond)
					continue
				}
				asked++
				switch {
				case wait == 0:
					counted.Add(1)
				case wait > time.Hour || wait < time.Hour-redisTestMax:
					t.Errorf("wait %v", wait)
				default:
					refused.Add(1)
				}
			}
		})
	}
	takers.Wait()
	t.Logf("%d counted, %d refused, %d failed", counted.Load(), refused.Load(), failed.Load())
	if n := counted.Load(); n > most || n+failed.Load() < most {
		t.Errorf("%d were let through, want %d", n, most)
	}
	if n := raw.Exists(t.Context(), "rate:join:01000000000000000000000000000000").Val(); n != 1 {
		t.Error("there is no such key")
	}
	redisUntil(t, "a short one is counted", func() bool {
		_, err := nodes[0].Take(t.Context(), "short", [16]byte{2}, time.Millisecond, time.Second)
		return err == nil
	})
	redisUntil(t, "its key goes", func() bool { return raw.Exists(t.Context(), rateKey("short", [16]byte{2})).Val() == 0 })
}

func BenchmarkRedisTake(b *testing.B) {
	r := redisAt(b, pgtest.Redis(b).URL())
	var n atomic.Uint32
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := n.Add(1)
			if _, err := r.Take(b.Context(), "x", [16]byte{byte(i), byte(i >> 8)}, time.Second, time.Minute); err != nil {
				b.Log(err)
			}
		}
	})
}

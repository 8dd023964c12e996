package admission_test

import (
	"math"
	"testing"
	"time"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// Goal: what is told of the line is told at once where somebody was let in, else seldom, and its rate is the one a watch
// would measure. Method: the bench, with lines that move on as regularly as nothing does.

func TestProgressIsPaced(t *testing.T) {
	b := newBench(t, false)
	told := func(out admission.Effects, head uint64) {
		t.Helper()
		if out.Publish == nil || out.Publish.GetHead() != head || !out.Publish.GetOnSale() {
			t.Fatalf("tells %v, want head %d", out.Publish, head)
		}
	}
	untold := func(out admission.Effects) {
		t.Helper()
		if out.Publish != nil {
			t.Fatalf("tells %v", out.Publish)
		}
	}
	told(b.admitted(0, 10), 10) // the first is news
	told(b.poke(40).admitted(1, 11), 11)
	told(b.poke(20).admitted(2, 13), 13)
	untold(b.poke(20).admitted(0, 14)) // one has left the line
	untold(b.poke(40).admitted(0, 15))
	if b.wakeAt != b.now+40*time.Millisecond {
		t.Errorf("wakes in %v", b.wakeAt-b.now)
	}
	told(b.wait(40*time.Millisecond).step(admission.Due{}), 15)
	b.wait(time.Second).step(admission.Due{})
	untold(b.admitted(0, 15)) // no news
	b.wait(time.Second).step(admission.Due{})
	told(b.admitted(0, 16), 16)
	b.wait(time.Second).step(admission.Due{})
	told(b.admitted(0, 12), 16) // it tells another rate, but never falls
}

// poke after so many milliseconds; an Admit is in flight then.
func (b *bench) poke(millis int) *bench {
	b.Helper()
	b.step(admission.Poked{})
	if out := b.wait(time.Duration(millis) * time.Millisecond).step(admission.Due{}); out.Admit == nil {
		b.Fatalf("does not admit: %+v", out)
	}
	return b
}

// measure an admission that goes on from a rate before it. Heads come each 100 ms; the rate after the last is returned.
func measure(t *testing.T, prior float64, ticks int, head func(tick int) (head uint64, onSale bool)) float64 {
	t.Helper()
	a := admission.New("E1", false)
	now := 1234 * time.Millisecond
	a.Step(now, admission.Started{})
	out := a.Step(now, admission.Claimed{Claim: messages.AdmissionClaim{Epoch: 1, PerSecond: prior}})
	rate := out.Admit.PerSecond
	for tick := range ticks {
		at, onSale := head(tick)
		a.Step(now, admission.Admitted{Admitted: messages.Admitted{At: t0, Head: at, OnSale: onSale, Waiting: true, Due: t0 + 100}})
		now += 100 * time.Millisecond
		out = a.Step(now, admission.Due{})
		rate = out.Admit.PerSecond
	}
	return rate
}

func TestRate(t *testing.T) {
	ten := func(tick int) (uint64, bool) { return uint64(tick), true }
	stands := func(int) (uint64, bool) { return 7, true }
	for _, c := range []struct {
		name     string
		prior    float64
		ticks    int
		head     func(int) (uint64, bool)
		from, to float64
	}{
		{"nothing known", 0, 15, ten, 0, 0},
		{"evidence", 0, 21, ten, 9, 10.1},
		{"steady", 0, 1_000, ten, 9.8, 10.2},
		{"a restart does not forget", 10, 1, ten, 10, 10},
		{"nor tells what is long past", 100, 400, ten, 9.8, 10.2},
		{"what was before counts less and less", 100, 50, ten, 50, 60},
		{"no number before", math.NaN(), 10, stands, 0, 0},
		{"infinite before", math.Inf(1), 10, stands, 0, 0},
		{"stands", 0, 300, stands, 0, 0},
		{"stands though it went before", 50, 101, stands, 0, 0},
		{"stopped a while ago", 0, 400, func(tick int) (uint64, bool) { return uint64(min(tick, 200)), true }, 3, 4},
		{"stopped long ago", 0, 520, func(tick int) (uint64, bool) { return uint64(min(tick, 200)), true }, 0, 0},
		{"the doors have just opened", 0, 1_030, func(tick int) (uint64, bool) { return uint64(max(0, tick-1_000)), tick > 1_000 }, 9, 10.5},
		{"goes on after a stop", 0, 1_030, func(tick int) (uint64, bool) { return uint64(max(0, tick-1_000)), true }, 9, 10.5},
		{"one leap after a stop is no pace", 0, 1_030, func(tick int) (uint64, bool) {
			if tick < 1_000 {
				return 0, true
			}
			return 5_000, true
		}, 0, 0},
		{"one place each three seconds", 0, 1_200, func(tick int) (uint64, bool) { return uint64(tick / 30), true }, 0.3, 0.36},
	} {
		if got := measure(t, c.prior, c.ticks, c.head); got < c.from || got > c.to {
			t.Errorf("%s: %v places a second, want %v to %v", c.name, got, c.from, c.to)
		}
	}
}

package admission_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// Goal: each rule of the step function by itself. Method: a bench on which every effect is performed by hand, at a time
// that the test tells.

type bench struct {
	testing.TB
	admission *admission.Admission
	now       time.Duration
	last      admission.Effects
	wakeAt    time.Duration
}

var errLost = errors.New("lost")

// newBench has a claim, and its first Admit in flight.
func newBench(t testing.TB, hasDemand bool) *bench {
	t.Helper()
	b := &bench{TB: t, admission: admission.New("E1", hasDemand), now: time.Hour}
	if out := b.step(admission.Started{}); !out.Claim || out.Admit != nil || out.Pull || out.Recover || out.WakeAt != 0 {
		t.Fatalf("began with %+v", out)
	}
	out := b.step(admission.Claimed{Claim: messages.AdmissionClaim{Epoch: 7}})
	if out.Admit == nil || *out.Admit != (messages.Admit{EventID: "E1", Epoch: 7}) || out.Recover != hasDemand || out.Pull {
		t.Fatalf("after the claim: %+v", out)
	}
	return b
}

func (b *bench) step(in admission.Input) admission.Effects {
	b.Helper()
	b.last = b.admission.Step(b.now, in)
	b.wakeAt = b.last.WakeAt
	return b.last
}

func (b *bench) wait(d time.Duration) *bench { b.now += d; return b }

// admitted tells that somebody waits still, and is to be looked after in a second.
func (b *bench) admitted(count int, head uint64) admission.Effects {
	b.Helper()
	return b.step(waiting(count, head, 1000))
}

func waiting(count int, head uint64, dueIn int64) admission.Admitted {
	return admission.Admitted{Admitted: messages.Admitted{At: t0, Count: count, Head: head, OnSale: true, Waiting: true, Due: t0 + dueIn}}
}

func nobodyWaits(head uint64) admission.Admitted {
	return admission.Admitted{Admitted: messages.Admitted{At: t0, Head: head, OnSale: true}}
}

// admits wakes the admission, which must want that in exactly d, and must then begin an Admit.
func (b *bench) admits(d time.Duration) {
	b.Helper()
	if b.wakeAt != b.now+d {
		b.Fatalf("wants to be woken in %v, want %v", b.wakeAt-b.now, d)
	}
	if out := b.wait(d).step(admission.Due{}); out.Admit == nil {
		b.Fatalf("does not admit: %+v", out)
	}
}

func (b *bench) admitsNobody(out admission.Effects) {
	b.Helper()
	if out.Admit != nil {
		b.Fatalf("admits: %+v", out)
	}
}

func TestFailedClaimEnds(t *testing.T) {
	a := admission.New("E1", true)
	a.Step(0, admission.Started{})
	out := a.Step(0, admission.Claimed{Err: errLost})
	if !errors.Is(out.Stop, errLost) || out.Admit != nil || out.Recover {
		t.Errorf("%+v", out)
	}
}

// The database's times are compared with each other alone.
func TestDueIsObeyed(t *testing.T) {
	for _, c := range []struct {
		due  int64
		want time.Duration
	}{{1000, time.Second}, {5000, 5 * time.Second}, {100, 100 * time.Millisecond}, {0, admission.GapMin}, {-50, admission.GapMin}, {10_000, 10 * time.Second}} {
		b := newBench(t, false)
		b.wait(time.Second).step(waiting(0, 0, c.due))
		b.admits(c.want)
	}
}

// Where nobody can be let in for long, as before a sale, the admission does not stay: unless something has come meanwhile.
func TestFarDueEnds(t *testing.T) {
	b := newBench(t, true)
	b.step(admission.Recovered{IDs: []string{"1"}})
	out := b.wait(time.Second).step(waiting(0, 0, 10_001))
	if out.Stop != nil || out.Admit == nil {
		t.Fatalf("the entry that was read while the Admit was in flight is forgotten: %+v", out)
	}
	if out := b.step(waiting(0, 0, 10_001)); !errors.Is(out.Stop, admission.ErrIdle) || len(out.Ack) != 1 {
		t.Errorf("%+v", out)
	}
}

// What comes while an Admit is in flight makes one follow, and no more than one.
func TestOneAdmitAtOnce(t *testing.T) {
	b := newBench(t, true)
	b.admitsNobody(b.step(admission.Recovered{IDs: []string{"1"}}))
	b.admitsNobody(b.step(admission.Pulled{IDs: []string{"2"}}))
	b.admitsNobody(b.step(admission.Poked{}))
	if out := b.wait(admission.GapMax).admitted(1, 1); out.Admit == nil {
		t.Fatalf("no second Admit: %+v", out)
	}
	out := b.wait(admission.GapMax).admitted(1, 2)
	b.admitsNobody(out)
	if b.wakeAt != b.now+time.Second {
		t.Errorf("wakes in %v", b.wakeAt-b.now)
	}
}

// Entries and pokes make an Admit follow after a gap, which grows while nobody is let in.
func TestGap(t *testing.T) {
	b := newBench(t, true)
	b.step(admission.Recovered{})
	b.admitted(1, 1)
	for _, gap := range []time.Duration{20, 40, 80, 100, 100} {
		b.admitsNobody(b.step(admission.Pulled{IDs: []string{"1"}}))
		b.step(admission.Poked{})
		b.admits(gap * time.Millisecond)
		b.admitted(0, 1)
	}
	b.step(admission.Poked{})
	b.admits(admission.GapMax)
	b.admitted(1, 2)
	b.step(admission.Poked{})
	b.admits(admission.GapMin)
	b.admitted(1, 2)
	if out := b.wait(admission.GapMax).step(admission.Poked{}); out.Admit == nil {
		t.Error("a poke after a pause does not admit at once")
	}
}

func TestAckAfterTheCommit(t *testing.T) {
	b := newBench(t, true)
	acks := func(out admission.Effects, want ...string) {
		t.Helper()
		if !slices.Equal(out.Ack, want) {
			t.Fatalf("acknowledges %q, want %q", out.Ack, want)
		}
	}
	acks(b.step(admission.Recovered{IDs: []string{"1"}}))
	acks(b.admitted(1, 1)) // it began before
	acks(b.wait(admission.GapMin).step(admission.Due{}))
	acks(b.step(admission.Pulled{IDs: []string{"2"}}))
	acks(b.step(admission.Admitted{Err: errLost}))
	acks(b.wait(admission.RetryMin).step(admission.Due{}))
	acks(b.admitted(1, 1), "1", "2")
	// One Ack at a time.
	b.step(admission.Pulled{IDs: []string{"3"}})
	b.wait(admission.GapMax).step(admission.Due{})
	acks(b.admitted(1, 1))
	acks(b.step(admission.Acked{}), "3")
	acks(b.step(admission.Acked{}))
}

func TestPullGoesOn(t *testing.T) {
	b := newBench(t, true)
	pause := admission.PullPauseMin
	for range 10 { // while the first Admit hangs
		out := b.step(admission.Recovered{Err: errLost})
		if out.Recover || out.Pull || b.wakeAt != b.now+pause {
			t.Fatalf("%+v after a failure, and wakes in %v, want %v", out, b.wakeAt-b.now, pause)
		}
		if out = b.wait(pause).step(admission.Due{}); !out.Recover || out.Pull {
			t.Fatalf("%+v, want Recover", out)
		}
		pause = min(2*pause, admission.PullPauseMax)
	}
	for range 3 {
		if out := b.step(admission.Recovered{}); !out.Pull || out.Recover {
			t.Fatalf("%+v, want Pull", out)
		}
	}
	b.step(admission.Pulled{Err: errLost})
	if out := b.wait(admission.PullPauseMin).step(admission.Due{}); !out.Recover {
		t.Errorf("%+v, want Recover after a Pull that failed", out)
	}
}

// No more is read than can be held.
func TestHeldIsBounded(t *testing.T) {
	b := newBench(t, true)
	out, held := b.step(admission.Recovered{}), 0
	for ; out.Pull; held += 100 {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = fmt.Sprint(held + i)
		}
		out = b.step(admission.Pulled{IDs: ids})
	}
	if held < admission.HeldMax || held > admission.HeldMax+100 || b.wakeAt != 0 {
		t.Errorf("holds %d, wakes at %v", held, b.wakeAt)
	}
	b.wait(admission.GapMax).admitted(1, 1)
	if out := b.wait(admission.GapMax).admitted(1, 1); len(out.Ack) != held || !out.Pull {
		t.Errorf("acknowledges %d of %d; pulls on: %t", len(out.Ack), held, out.Pull)
	}
}

func TestFailedAdmitIsRepeated(t *testing.T) {
	b := newBench(t, true)
	b.step(admission.Recovered{})
	for _, pause := range []time.Duration{1, 2, 4, 5, 5} {
		b.step(admission.Admitted{Err: errLost})
		b.admitsNobody(b.step(admission.Poked{}))
		b.admitsNobody(b.step(admission.Pulled{IDs: []string{"1"}}))
		b.admits(pause * time.Second)
	}
	b.admitted(1, 1)
	b.step(admission.Poked{})
	b.admits(admission.GapMin)
	b.step(admission.Admitted{Err: errLost})
	b.admits(admission.RetryMin)
	if out := b.step(admission.Admitted{Err: messages.ErrFenced}); !errors.Is(out.Stop, messages.ErrFenced) || out.Admit != nil {
		t.Errorf("deposed: %+v", out)
	}
}

func TestIdle(t *testing.T) {
	b := newBench(t, true)
	b.step(admission.Recovered{})
	b.step(nobodyWaits(5))
	b.admits(admission.IdleAfter)
	b.admitted(0, 5) // somebody has come of whom nobody was told
	b.admits(time.Second)
	b.step(nobodyWaits(6))
	// Entries do not keep it awake: they say that places become free.
	b.wait(admission.IdleAfter / 2).step(admission.Pulled{IDs: []string{"1"}})
	b.step(nobodyWaits(6))
	b.admits(admission.IdleAfter / 2)
	// But one that came during the last look makes another.
	b.step(admission.Pulled{IDs: []string{"2"}})
	if out := b.wait(time.Millisecond).step(nobodyWaits(6)); out.Stop != nil {
		t.Fatalf("ended with an entry that no Admit has begun after: %+v", out)
	}
	b.wait(admission.GapMax).step(admission.Due{})
	b.step(admission.Acked{})
	if out := b.step(nobodyWaits(6)); !errors.Is(out.Stop, admission.ErrIdle) || out.WakeAt != 0 {
		t.Errorf("%+v, want idle", out)
	}
	defer func() {
		if recover() == nil {
			t.Error("it can be stepped after its end")
		}
	}()
	b.step(admission.Poked{})
}

func TestDrain(t *testing.T) {
	b := newBench(t, true)
	b.step(admission.Recovered{IDs: []string{"1"}})
	b.admission.Drain()
	if b.admission.Idle() {
		t.Error("idle with an Admit in flight")
	}
	out := b.wait(time.Millisecond).admitted(0, 3)
	if out.Admit != nil || out.Pull || out.WakeAt != 0 || out.Publish.GetHead() != 3 || !b.admission.Idle() {
		t.Errorf("%+v; idle: %t", out, b.admission.Idle())
	}
}

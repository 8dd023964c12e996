package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// Goal: a node admits where it is poked to, and only there; not in doubt, not while it drains, and not to more events than
// it can. Method: as for events, over waiting rooms that count who asks.

// foyers are the waiting rooms of many events, of which none has anybody waiting.
type foyers struct {
	mu      sync.Mutex
	claimed map[string]int
	admits  atomic.Int64
	takes   atomic.Int64 // how long an Admit does, in nanoseconds
	opensIn atomic.Int64 // ms; somebody waits for it. 0: nobody waits
}

func (f *foyers) Claim(_ context.Context, eventID string) (messages.AdmissionClaim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claimed[eventID]++
	return messages.AdmissionClaim{Epoch: uint64(f.claimed[eventID])}, nil
}

func (f *foyers) Admit(ctx context.Context, _ messages.Admit) (messages.Admitted, error) {
	f.admits.Add(1)
	if d := time.Duration(f.takes.Load()); d > 0 {
		done := time.NewTimer(d)
		defer done.Stop()
		select {
		case <-done.C:
		case <-ctx.Done():
			return messages.Admitted{}, ctx.Err()
		}
	}
	now, in := time.Now().UnixMilli(), f.opensIn.Load()
	if in > 0 {
		return messages.Admitted{At: now, Waiting: true, Due: now + in}, nil
	}
	return messages.Admitted{At: now, OnSale: true}, nil
}

func (f *foyers) events() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.claimed)
}

// withFoyers lets the world's node admit.
func withFoyers(w *world) *foyers {
	f := &foyers{claimed: map[string]int{}}
	w.node.room = admission.Env{
		Rooms: f, Clock: NewClock(), Log: w.node.env.Log, Ended: w.node.room.Ended,
		Claims: NewPool(4, 2*admissionsMax), Admissions: NewPool(4, 2*admissionsMax), Pulls: NewPool(4, 0),
	}
	return f
}

func (w *world) admitters() int {
	w.node.mu.RLock()
	defer w.node.mu.RUnlock()
	return w.node.admissions
}

func TestPoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := withFoyers(w)
		var doubt atomic.Bool
		doubt.Store(true)
		w.node.alive = func() bool { return !doubt.Load() }
		w.node.Poke(eventID)
		synctest.Wait()
		if n := f.events(); n != 0 {
			t.Error("a node in doubt admits")
		}
		doubt.Store(false)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { w.node.Poke(eventID) })
		}
		wg.Wait()
		synctest.Wait()
		if f.claimed[eventID] != 1 || w.admitters() != 1 {
			t.Errorf("claimed %v, %d admissions", f.claimed, w.admitters())
		}
		w.must(report(), read)  // the event's owner is another actor
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's time: nobody waits
		if w.admitters() != 0 {
			t.Error("an admission with nothing to do lives on")
		}
		w.node.Poke(eventID)
		synctest.Wait()
		w.end()
		w.node.Poke(eventID)
		synctest.Wait()
		if f.claimed[eventID] != 2 {
			t.Errorf("claimed %v", f.claimed)
		}
	})
}

func TestAdmissionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := withFoyers(w)
		for i := range admissionsMax + 10 {
			w.node.Poke(fmt.Sprint("X", i))
		}
		synctest.Wait()
		if f.events() != admissionsMax || w.admitters() != admissionsMax {
			t.Errorf("%d events claimed, %d admissions", f.events(), w.admitters())
		}
		w.must(report(), read)
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's time
		w.node.Poke(eventID)
		synctest.Wait()
		if w.admitters() != 1 {
			t.Errorf("%d admissions", w.admitters())
		}
		w.end()
	})
}

// Events at which people wait for a sale that is far off leave room for the one that sells now.
func TestFarSalesHoldNoAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := withFoyers(w)
		f.opensIn.Store(time.Hour.Milliseconds())
		for i := range admissionsMax {
			w.node.Poke(fmt.Sprint("X", i))
		}
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's time: a poke that comes late makes it look twice
		if f.events() != admissionsMax || w.admitters() != 0 {
			t.Errorf("%d events claimed, %d admissions", f.events(), w.admitters())
		}
		f.opensIn.Store(0)
		w.node.Poke(eventID)
		synctest.Wait()
		if w.admitters() != 1 || f.claimed[eventID] != 1 {
			t.Errorf("%d admissions, claimed %d times", w.admitters(), f.claimed[eventID])
		}
		w.must(report(), read)
		w.end()
	})
}

// Admissions are poked once a second, whatever hangs.
func TestWakerPokesAdmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := withFoyers(w)
		w.journal.gate = make(chan struct{}) // that nobody opens
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			hang := func(context.Context) (ids []string, err error) {
				for i := range 2 * wakeAtOnceMax {
					ids = append(ids, fmt.Sprint("E", i))
				}
				return ids, nil
			}
			w.node.RunWaker(ctx, hang, func(context.Context) ([]string, error) { return []string{"E1", "E2"}, nil }, w.node.env.Log)
		}()
		time.Sleep(5*wakeEvery + wakeEvery/2) //nolint:forbidigo // the bubble's time
		// The poke that starts an admission may come after it has looked already, and have it look once more.
		if n := f.admits.Load(); n < 12 || n > 14 || f.events() != 2 {
			t.Errorf("%d Admits for 6 pokes of 2 events", n)
		}
		stop()
		<-done
		close(w.journal.gate)
		w.end()
	})
}

// An admission that hangs takes half of the time that there is to drain, no more.
func TestHangingAdmissionHoldsUpNoDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		f := withFoyers(w)
		w.must(report(), read)
		f.takes.Store(int64(time.Minute))
		w.node.Poke(eventID)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		w.node.Drain(ctx)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("draining took %v", took)
		}
		w.end()
	})
}

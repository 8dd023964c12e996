package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// nobody is due.
func nobody(context.Context) ([]string, error) { return nil, nil }

// Goal: the waker asks once a second, whatever happened the last time, and goes when it is told to. Method: synctest.
func TestWaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		looks := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.node.RunWaker(ctx, func(context.Context) ([]string, error) {
				looks++
				if looks%2 == 1 {
					return nil, errors.New("the database is away")
				}
				return []string{eventID, "E9"}, nil
			}, nobody, w.node.env.Log)
		}()
		time.Sleep(10*wakeEvery + wakeEvery/2) //nolint:forbidigo // the bubble's time
		stop()
		<-done
		if looks != 11 {
			t.Errorf("%d looks in 10.5 s", looks)
		}
		if n := w.journal.claimed(); n == 0 {
			t.Error("nobody was woken")
		}
		w.end()
	})
}

// An event that hangs holds up nobody, and is not asked again before it has answered.
func TestWakerWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(report(), read)
		w.journal.gate = make(chan struct{}) // that nobody opens
		ctx, stop := context.WithCancel(t.Context())
		var looks atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.node.RunWaker(ctx, func(context.Context) ([]string, error) {
				looks.Add(1)
				return []string{"E9", eventID}, nil
			}, nobody, w.node.env.Log)
		}()
		time.Sleep(5*wakeEvery + wakeEvery/2) //nolint:forbidigo // the bubble's time
		if n := looks.Load(); n != 6 {
			t.Errorf("%d looks in 5.5 s", n)
		}
		if n := w.node.InFlight(); n != 1 {
			t.Errorf("%d requests are in flight: the event that hangs is asked more than once", n)
		}
		stop()
		began := time.Now()
		<-done
		if took := time.Since(began); took > askTimeout {
			t.Errorf("it took %v to stop", took)
		}
		close(w.journal.gate)
		w.end()
	})
}

func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, waiting = 3, 5
		p := NewPool(size, waiting)
		var running, most, done atomic.Int64
		gate := make(chan struct{})
		f := func() {
			most.Store(max(most.Load(), running.Add(1)))
			<-gate
			running.Add(-1)
			done.Add(1)
		}
		for i := range size + waiting {
			if !p.Go(f) {
				t.Fatalf("refused number %d", i)
			}
		}
		synctest.Wait()
		if p.Go(f) || running.Load() != size {
			t.Errorf("%d run at once", running.Load())
		}
		close(gate)
		synctest.Wait()
		if done.Load() != size+waiting || most.Load() != size {
			t.Errorf("%d done, at most %d at once", done.Load(), most.Load())
		}
		if !p.Go(f) {
			t.Error("refused though there is room")
		}
		synctest.Wait()
	})
}

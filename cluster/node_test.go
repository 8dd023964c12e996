package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

// Goal: Ask always brings a reply in time, and no more than one actor of an event is alive at once on a node. Method:
// real actors over the journal in memory, in a synctest bubble, where time-outs take no time.

func TestFirstRequestsSpawnOneActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() { w.must(report(), read) })
		}
		wg.Wait()
		if n := w.journal.claimed(); n != 1 {
			t.Errorf("%d activations", n)
		}
		w.end()
	})
}

func TestAskTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.journal.gate = make(chan struct{}) // that nobody opens
		began := time.Now()
		w.must(report(), unavailable)
		if took := time.Since(began); took != askTimeout {
			t.Errorf("the reply came after %v", took)
		}
		if n := w.node.InFlight(); n != 0 {
			t.Errorf("%d requests are in flight", n)
		}
		close(w.journal.gate) // the reply comes, and nobody waits for it any more
		synctest.Wait()
		w.must(report(), read)
		w.end()
		if strings.Contains(w.log.String(), "DeadLetter") {
			t.Errorf("a reply was logged:\n%s", w.log.String())
		}
	})
}

// An event that has moved by then is not asked for once more.
func TestAskTimesOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.journal.gate = make(chan struct{})
		began, done := time.Now(), make(chan messages.Outcome, 1)
		go func() { done <- w.ask(report()) }()
		synctest.Wait()
		w.node.setMembers([]messages.Member{{ID: aloneID, Leaving: true}, {ID: "other", Address: "127.0.0.1:1"}})
		if got := <-done; got != unavailable {
			t.Error(got)
		}
		if took := time.Since(began); took != askTimeout {
			t.Errorf("the reply came after %v", took)
		}
		close(w.journal.gate)
		w.end()
	})
}

func TestFullIsRefusedAtTheEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(report(), read)
		e := w.node.locate(name{owner, eventID})
		for name, full := range map[string]struct {
			count *atomic.Int64
			limit int64
		}{
			"event": {&e.inFlight, inFlightEventMax},
			"node":  {&w.node.inFlight, inFlightNodeMax},
		} {
			full.count.Store(full.limit - 1)
			w.must(report(), read)
			full.count.Store(full.limit)
			w.must(report(), overloaded)
			if n := full.count.Load(); n != full.limit {
				t.Errorf("%s: %d after a refusal, want %d", name, n, full.limit)
			}
			full.count.Store(0)
		}
		w.must(report(), read)
		w.end()
	})
}

// Who comes while an event activates waits, up to a bound; past it nobody waits for a refusal.
func TestActivationStash(t *testing.T) {
	const asked, stash = 5_000, 4_096
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.journal.gate = make(chan struct{})
		var outcomes sync.Map
		var wg sync.WaitGroup
		for i := range asked {
			wg.Go(func() { outcomes.Store(i, w.ask(report())) })
		}
		synctest.Wait()
		count := func(want messages.Outcome) (n int) {
			outcomes.Range(func(_, o any) bool {
				if o == want {
					n++
				}
				return true
			})
			return n
		}
		if n := count(overloaded); n != asked-stash {
			t.Errorf("%d refused at once, want %d", n, asked-stash)
		}
		close(w.journal.gate)
		wg.Wait()
		if n := count(read); n != stash {
			t.Errorf("%d served, want %d", n, stash)
		}
		w.end()
	})
}

// A request that never arrived is sent again, to a new actor.
func TestDeadLetterIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 5 {
			w.must(report(), read)
			if err := w.node.system.Root.PoisonFuture(w.node.locate(name{owner, eventID}).pid).Wait(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			w.must(createOrder(i), created)
			if took := time.Since(began); took != 0 {
				t.Errorf("the retry took %v", took)
			}
		}
		if n := w.journal.claimed(); n != 6 {
			t.Errorf("%d activations", n)
		}
		w.end()
	})
}

// Whoever comes while an owner ends for a failed commit is served by the next one.
func TestStragglersFindTheNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(report(), read)
		old := w.node.locate(name{owner, eventID})
		if _, err := w.db.Journal("other").Claim(t.Context(), eventID); err != nil {
			t.Fatal(err)
		}
		w.must(report(), unavailable) // by this the owner learns that it is deposed
		w.node.mu.Lock()
		w.node.actors[name{owner, eventID}] = old // as a request would see it that has located the owner just before
		w.node.mu.Unlock()
		w.must(report(), read)
		w.end()
	})
}

func TestNodeInDoubtServesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var alive atomic.Bool
		w.node.alive = alive.Load
		w.must(report(), unavailable)
		if n := w.journal.claimed(); n != 0 {
			t.Error("a node in doubt has claimed an event")
		}
		alive.Store(true)
		w.must(report(), read)
		w.end()
	})
}

// However many activations hang, an event that is alive goes on.
func TestActivationsHoldUpNoCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(report(), read)
		w.journal.gate = make(chan struct{})
		var wg sync.WaitGroup
		for i := range 20 { // more than any pool has room for
			wg.Go(func() {
				r := report()
				r.EventId = fmt.Sprint("X", i)
				w.must(r, messages.Outcome_OUTCOME_EVENT_NOT_FOUND)
			})
		}
		synctest.Wait()
		began := time.Now()
		w.must(createOrder(1), created)
		if took := time.Since(began); took != 0 {
			t.Errorf("a commit waited %v for activations", took)
		}
		close(w.journal.gate)
		wg.Wait()
		w.end()
	})
}

// A journal that takes longer to replay than an activation may take without progress is replayed all the same.
func TestLongReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const entries = 60
		w := newWorld(t)
		for i := range entries {
			w.must(createOrder(i), created)
		}
		if err := w.node.system.Root.PoisonFuture(w.node.locate(name{owner, eventID}).pid).Wait(); err != nil {
			t.Fatal(err)
		}
		w.journal.entryTakes.Store(int64(time.Second))
		began := time.Now()
		for w.ask(report()) != read {
			if time.Since(began) > 2*entries*time.Second {
				t.Fatal("the event never came back")
			}
			time.Sleep(time.Second) //nolint:forbidigo // the bubble's time, which does not go by while nobody waits
		}
		if n := w.journal.claimed(); n != 2 {
			t.Errorf("%d activations", n)
		}
		w.journal.entryTakes.Store(0)
		w.end()
	})
}

func TestUnknownEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := report()
		r.EventId = "E9"
		for range 10 {
			w.must(r, messages.Outcome_OUTCOME_EVENT_NOT_FOUND)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's time: the actors of unknown events go
		if w.node.mu.RLock(); len(w.node.actors) != 0 {
			t.Errorf("%d events are kept for nothing", len(w.node.actors))
		}
		w.node.mu.RUnlock()
		w.end()
	})
}

// Nothing is acknowledged and lost by a node that ends under load, and once it has, it does nothing more.
func TestDrainUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var acknowledged, refused atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for buyer := range 50 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					switch got := w.ask(createOrder(buyer*1_000 + n%1_000)); got {
					case created:
						acknowledged.Add(1)
					case unavailable:
						refused.Add(1)
						return
					case messages.Outcome_OUTCOME_REPLAYED, messages.Outcome_OUTCOME_TOO_MANY_ORDERS:
					default:
						t.Errorf("heard %s", got)
						return
					}
				}
			})
		}
		for acknowledged.Load() < 200 {
			w.must(report(), read)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		w.node.Drain(ctx)
		if took := time.Since(began); took > time.Second {
			t.Errorf("draining took %v", took)
		}
		view, err := w.db.View(eventID)
		if err != nil {
			t.Fatal(err)
		}
		w.must(report(), unavailable)
		close(stop)
		wg.Wait()
		if int64(len(view.Orders)) != acknowledged.Load() || view.ProjectedSeq != view.LastSeq {
			t.Errorf("%d orders acknowledged, %d stored; the read model follows up to %d of %d",
				acknowledged.Load(), len(view.Orders), view.ProjectedSeq, view.LastSeq)
		}
		if again, _ := w.db.View(eventID); again.LastSeq != view.LastSeq || again.Epoch != view.Epoch {
			t.Error("a drained node went on")
		}
		w.node.Drain(ctx) // once more is no harm
		w.end()
	})
}

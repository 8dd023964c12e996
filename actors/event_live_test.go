package actors_test

import (
	"slices"
	"sync"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// Goal: who watches an order hears that it has changed once that is committed, and never holds up the event. Method: a
// publisher that notes what it hears, one that panics, and none.

type listener struct {
	mu    sync.Mutex
	heard []string // order ids
	// onHeard, if set, is called for each message.
	onHeard func()
}

func (l *listener) Publish(m *messages.Live) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, order := range m.GetOrders().GetOrderIds() {
		l.heard = append(l.heard, m.GetEventId()+" "+string(order))
	}
	if l.onHeard != nil {
		l.onHeard()
	}
}

func (l *listener) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

func TestChangedOrdersAreTold(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		l := new(listener)
		sh := s.newShell("a", func(e *actors.Env) { e.Live = l })
		told := func(order string) {
			t.Helper()
			want := []string{eventID + " " + string(id(order))}
			var heard []string
			s.eventually("the change is told", 0, func() bool {
				heard = append(heard, l.take()...)
				return len(heard) >= len(want)
			})
			if !slices.Equal(heard, want) {
				t.Fatalf("heard %q, want %q", heard, want)
			}
		}
		sh.must(createOrder("s", "o", sh.now()+tokenTTL), created)
		told("o")
		sh.must(reserve("s", "o", "1-1"), reserved)
		told("o")
		// Reads and refusals change nothing.
		sh.must(getOrder("s", "o"), read)
		sh.must(reserve("s2", "o", "1-2"), messages.Outcome_OUTCOME_ORDER_NOT_FOUND)
		sh.must(createOrder("s", "o2", sh.now()+tokenTTL), created)
		told("o2")
		// A commit whose reply is lost tells nobody: what became of it nobody knows.
		sh.journal.set(func(w *wire) {
			w.onCommit = func(_ messages.Batch, commit func() error) error {
				_ = commit()
				return actors.ErrStalled
			}
		})
		sh.must(reserve("s", "o2", "1-2"), unavailable)
		sh.journal.set(func(w *wire) { w.onCommit = nil })
		sh.own()
		if heard := l.take(); len(heard) != 0 {
			t.Errorf("heard %q", heard)
		}
	})
}

// Nobody listens, or somebody who is broken: nothing of it comes to the buyer.
func TestBrokenListenerHarmsNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", func(e *actors.Env) { e.Live = &listener{onHeard: func() { panic("broken") }} })
		sh.order("s", "o", "1-1")
		sh.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		sh.must(finalize("s", "o"), completed)
		if n := sh.journal.claimed(); n != 1 {
			t.Errorf("%d activations", n)
		}
	})
}

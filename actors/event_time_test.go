package actors_test

import (
	"context"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// Goal: what time does to an event happens whether or not anybody asks, and whether or not an owner is there. Method: as
// event_test.go.

func TestHoldExpiresByItself(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		sh.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		sh.clock.advance(time.Duration(holdTTL) * time.Millisecond)
		s.eventually("the authorization is voided and the read model follows", 300*time.Millisecond, func() bool {
			a := s.audit()
			return len(a.Ledger) == 2 && a.ProjectedSeq == a.LastSeq && a.Payments[0].Status == messages.PaymentVoided
		})
		sh.must(finalize("s", "o"), expired)
		verify(t, s.audit())
	})
}

// An event that nobody asks anything gives back its memory, and is there again when somebody does.
func TestIdlePassivation(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		for range 100 { // the read model may need a moment before the owner has nothing to do
			sh.must(getOrder("s", "o"), read)
			if sh.journal.claimed() > 1 {
				return
			}
			sh.clock.advance(actors.IdleAfter)
			s.eventually("the read model follows", time.Second, func() bool { a := s.audit(); return a.ProjectedSeq == a.LastSeq })
			sh.clock.advance(actors.IdleAfter)
		}
		t.Error("the owner stayed")
	})
}

// An event that is used stays.
func TestBusyEventStays(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		for range 5 {
			sh.must(getReport(), read)
			sh.clock.advance(actors.IdleAfter * 2 / 3)
		}
		if n := sh.journal.claimed(); n != 1 {
			t.Errorf("%d activations", n)
		}
	})
}

// A node dies, and another one's waker lets its holds expire.
func TestWakerBringsBackWhatIsDue(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		createEvent(t, s.catalogue, eventID, 20, 1)
		stopped := new(fakeClock) // of the node that dies: it stands from now on
		dead := s.newShell("dead", func(e *actors.Env) { e.Clock = stopped })
		dead.order("s", "o", "1-1")
		s.eventually("the database says that the event is due", 100*time.Millisecond, func() bool {
			a := s.audit()
			due, err := s.due(t.Context())
			return err == nil && len(due) == 1 && a.Entries[a.LastSeq-1].At+1_000 <= int64(s.now())
		})
		alive := s.newShell("alive", nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			alive.node.RunWaker(ctx, s.due, func(context.Context) ([]string, error) { return nil, nil }, silentLog())
		}()
		s.eventually("the hold has expired", 300*time.Millisecond, func() bool {
			a := s.audit()
			return len(a.Orders) == 1 && a.Orders[0].Status == messages.OrderStatus_ORDER_STATUS_EXPIRED
		})
		stop()
		<-done
		verify(t, s.audit())
	})
}

func TestDrainFinishesWhatIsBegun(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		entered, release := make(chan struct{}, 2), make(chan struct{})
		sh.provider.set(func() {
			entered <- struct{}{}
			<-release
		})
		begun := sh.begin(confirm("s", "o", "", payment.TokenVisa))
		<-entered
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			sh.node.Drain(ctx)
		}()
		s.eventually("nobody else is let in", 0, func() bool { return sh.ask(getOrder("s", "o")).GetOutcome() == unavailable })
		select {
		case <-drained:
			t.Fatal("drained with a payment under way")
		default:
		}
		close(release)
		if r := <-begun; r.GetOutcome() != authorized {
			t.Errorf("who had begun heard %v", r)
		}
		s.eventually("drained", actors.ProjectPauseMillis*time.Millisecond, func() bool {
			select {
			case <-drained:
				return true
			default:
				return false
			}
		})
		if a := s.audit(); a.ProjectedSeq != a.LastSeq {
			t.Errorf("the read model follows up to %d of %d", a.ProjectedSeq, a.LastSeq)
		}
	})
}

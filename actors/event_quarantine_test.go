package actors_test

import (
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// Goal: an event whose memory and journal do not fit is kept away from buyers for a while that grows, and nothing else
// suffers. Method: an answer that cannot be rendered is a panic after Apply; an entry that is spoilt on its way is one in
// replay. The clock is the test's.

// poisoned renders no answer for orders of the session "poison".
func poisoned(e *actors.Env) {
	e.Render = func(r *messages.Reply) *messages.Answer {
		if string(r.GetOrder().GetSessionId()) == string(id("poison")) {
			return nil
		}
		return render(r)
	}
}

// poison quarantines the event. The second request is answered by the actor in quarantine: its timer runs by then.
func (sh *shell) poison() {
	sh.Helper()
	sh.must(createOrder("poison", "p", sh.now()+tokenTTL), unavailable)
	sh.must(getReport(), unavailable)
}

func elsewhere(r *messages.Request, event string) *messages.Request {
	r.EventId = event
	return r
}

func TestPanicAfterApplyQuarantines(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		createEvent(t, s.catalogue, "E2", 20, uint32(holdTTL/1000))
		sh := s.newShell("a", poisoned)
		sh.order("s", "o", "1-1")
		last := s.audit().LastSeq
		pause := actors.QuarantineMin
		for range 2 { // a third would outlast the hold
			sh.poison()
			sh.must(elsewhere(getReport(), "E2"), read)
			sh.clock.advance(pause - time.Millisecond)
			sh.must(getOrder("s", "o"), unavailable)
			sh.clock.advance(time.Millisecond)
			// The first that asks after it finds the event as it was committed. Its clock is the database's again.
			sh.must(getOrder("s", "o"), read)
			pause *= 2
		}
		if got := s.audit().LastSeq; got != last {
			t.Errorf("entry %d was written by an owner whose memory was broken", got)
		}
	})
}

// After a quarantine the event's timers run again.
func TestHoldsExpireAfterQuarantine(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", poisoned)
		sh.order("s", "o", "1-1")
		sh.poison()
		sh.clock.advance(actors.QuarantineMin)
		sh.must(getOrder("s", "o"), read)
		entries := s.audit().LastSeq
		s.eventually("the hold has expired and nobody has asked", time.Minute, func() bool { return s.audit().LastSeq > entries })
		if got := sh.must(getOrder("s", "o"), read).GetOrder().GetStatus(); got != messages.OrderStatus_ORDER_STATUS_EXPIRED {
			t.Errorf("the order is %s", got)
		}
	})
}

func TestSpoiltJournalQuarantines(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		s.newShell("a", nil).order("s", "o", "1-1")
		for name, spoil := range map[string]func(*messages.Entry){
			"a fact that does not fit": func(e *messages.Entry) { e.Facts = append(e.Facts, e.Facts...) },
			"bytes that are no facts":  func(e *messages.Entry) { e.Facts = []byte{255, 255, 255} },
			"a gap":                    func(e *messages.Entry) { e.Seq++ },
		} {
			sh := s.newShell("b", nil)
			sh.journal.set(func(w *wire) { w.onEntry = spoil })
			sh.must(getOrder("s", "o"), unavailable)
			sh.must(getOrder("s", "o"), unavailable)
			if n := sh.journal.claimed(); n != 1 {
				t.Errorf("%s: activated %d times instead of being quarantined", name, n)
			}
			sh.journal.set(func(w *wire) { w.onEntry = nil })
			sh.clock.advance(actors.QuarantineMin)
			sh.must(getOrder("s", "o"), read)
		}
	})
}

// A database that is away quarantines nobody: the event is back when it is.
func TestLostDatabaseIsNoQuarantine(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		sh := s.newShell("a", nil)
		sh.must(getReport(), messages.Outcome_OUTCOME_EVENT_NOT_FOUND)
		s.withEvent()
		s.eventually("the event is found once it is there", 50*time.Millisecond, func() bool {
			return sh.ask(getReport()).GetOutcome() == read
		})
	})
}

// What an incarnation asked for and comes back after its end is dropped: its successor has asked for itself.
func TestStaleCompletionsAreDropped(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", poisoned)
		sh.order("s", "o", "1-1")
		entered := make(chan struct{})
		first, second := make(chan struct{}), make(chan struct{})
		gates := make(chan chan struct{}, 2)
		gates <- first
		gates <- second
		sh.provider.set(func() {
			gate := <-gates
			entered <- struct{}{}
			<-gate
		})
		waiting := sh.begin(confirm("s", "o", "", payment.TokenVisa))
		<-entered // the first incarnation's call
		sh.poison()
		if r := <-waiting; r.GetOutcome() != unavailable {
			t.Errorf("who waited heard %v", r)
		}
		sh.clock.advance(actors.QuarantineMin)
		<-entered // the second incarnation's, which looks up
		joined := sh.begin(confirm("s", "o", "", payment.TokenVisa))
		close(first)
		// The stale answer is in the mailbox before long; then nothing but the second may count.
		for range 20 {
			if got := sh.must(getOrder("s", "o"), read).GetOrder().GetStatus(); got != messages.OrderStatus_ORDER_STATUS_AUTHORIZING {
				t.Fatalf("the order is %s by an answer to an incarnation that has ended", got)
			}
		}
		close(second)
		if r := <-joined; r.GetOutcome() != authorized && r.GetOutcome() != replayed { // where it came too late to wait
			t.Errorf("who joined heard %v", r)
		}
		if rows := s.ledger.Rows(); len(rows) != 1 {
			t.Errorf("ledger: %+v", rows)
		}
	})
}

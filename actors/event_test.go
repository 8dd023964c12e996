package actors_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// Goal: the event actor around an Owner keeps its promises with real mailboxes, pools and databases. Method: nodes over
// the journal in memory and over Postgres'; the clock is the test's, and what passes between node and journal too.

// withEvent gives the store its event.
func (s *store) withEvent() *store {
	createEvent(s.TB, s.catalogue, eventID, 20, uint32(holdTTL/1000))
	return s
}

func TestDeposedOwnerIsMute(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		a, b := s.newShell("a", nil), s.newShell("b", nil)
		a.order("s", "o", "1-1")
		for name, r := range map[string]*messages.Request{
			"success": createOrder("s", "o2", s.now()+tokenTTL),
			"refusal": reserve("s2", "o", "1-2"),
			"read":    getOrder("s", "o"),
			"report":  getReport(),
			"stored":  reserve("s", "o", "1-1"),
		} {
			a.own() // until b is the owner, of which a knows nothing
			b.own()
			before := len(s.audit().Entries)
			a.must(r, unavailable)
			if after := len(s.audit().Entries); after != before {
				t.Errorf("%s: the deposed owner wrote entry %d", name, after)
			}
			b.must(getOrder("s", "o"), read)
		}
	})
}

func TestLostCommitReply(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		sh.journal.set(func(w *wire) {
			w.onCommit = func(_ messages.Batch, commit func() error) error {
				return errors.Join(commit(), errors.New("the network is gone"))
			}
		})
		again := reserve("s", "o", "1-2")
		sh.must(again, unavailable)
		sh.must(getOrder("s", "o"), unavailable)
		sh.journal.set(func(w *wire) { w.onCommit = nil })

		answer := stored(t, s.audit().Entries, sh.must(again, replayed).GetStored())
		var said messages.Reply
		if err := proto.Unmarshal(answer.GetBody(), &said); err != nil || said.GetOrder().GetSeats()[0].GetSeatId() != "1-2" {
			t.Errorf("replayed %v, %v", &said, err)
		}
	})
}

// A commit that fails without effect is no different to its callers, but for the retry.
func TestFailedCommit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.journal.set(func(w *wire) {
			w.onCommit = func(messages.Batch, func() error) error { return errors.New("the database is gone") }
		})
		first := createOrder("s", "o", s.now()+tokenTTL)
		sh.must(first, unavailable)
		sh.journal.set(func(w *wire) { w.onCommit = nil })
		sh.must(first, created)
	})
}

// Requests that come in while an activation or a commit is under way wait for it, and are answered together.
func TestGroupCommit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		entered, release := make(chan struct{}), make(chan struct{})
		sh.journal.set(func(w *wire) {
			w.onCommit = func(_ messages.Batch, commit func() error) error {
				entered <- struct{}{}
				<-release
				return commit()
			}
		})
		first := sh.begin(reserve("s", "o", "1-2"))
		<-entered // one batch is in flight
		var others []<-chan *messages.Reply
		for range 20 {
			others = append(others, sh.begin(getOrder("s", "o")))
		}
		s.eventually("the node has taken them all", 0, func() bool { return sh.node.InFlight() == 21 })
		for _, reply := range others {
			select {
			case r := <-reply:
				t.Fatalf("a read left before the commit that it rests on: %v", r)
			default:
			}
		}
		close(release)
		if r := <-first; r.GetOutcome() != reserved {
			t.Errorf("the first heard %v", r)
		}
		sh.journal.set(func(w *wire) { w.onCommit = nil })
		batches := 0
		for done := 0; done < len(others); {
			select {
			case <-entered:
				batches++
			case r := <-others[done]:
				done++
				if r.GetOutcome() != read || r.GetOrder().GetSeats()[0].GetSeatId() != "1-2" {
					t.Errorf("a reader heard %v", r)
				}
			}
		}
		if batches > 10 { // two, but for those that were late for the first
			t.Errorf("20 reads took %d batches", batches)
		}
	})
}

func TestPanicInDecideSparesTheEvent(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", func(e *actors.Env) { e.Issuer = wrongIssuer{} })
		sh.order("s", "o", "1-1", "1-2")
		sh.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		sh.must(finalize("s", "o"), unknown)
		sh.must(createOrder("s2", "o2", s.now()+tokenTTL), created)
		if n := sh.journal.claimed(); n != 1 {
			t.Errorf("%d activations", n)
		}
		// A mended build drives it on.
		mended := s.newShell("b", nil)
		s.eventually("the capture is noted", actors.ProjectPauseMillis*1e6, func() bool {
			return mended.ask(getOrder("s", "o")).GetOrder().GetStatus() == messages.OrderStatus_ORDER_STATUS_COMPLETED
		})
		mended.must(finalize("s", "o"), replayed)
	})
}

package actors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: a panic in what an event does elsewhere ends nothing but that, and an event that has tried to sell a seat twice is
// kept away from buyers. Method: as event_quarantine_test.go; everything an event calls elsewhere panics once.

// once panics the first time that it is called after it was set.
type once struct{ armed atomic.Bool }

func (o *once) hit() {
	if o.armed.CompareAndSwap(true, false) {
		panic("a bug elsewhere")
	}
}

type panickyJournal struct {
	actors.Journal
	claim, commit once
}

func (j *panickyJournal) Claim(ctx context.Context, event string) (messages.Claim, error) {
	j.claim.hit()
	return j.Journal.Claim(ctx, event)
}

func (j *panickyJournal) Commit(ctx context.Context, b messages.Batch) error {
	j.commit.hit()
	return j.Journal.Commit(ctx, b)
}

type panickyModel struct {
	actors.ReadModel
	once
}

func (m *panickyModel) Project(ctx context.Context, p messages.Projection) error {
	m.hit()
	return m.ReadModel.Project(ctx, p)
}

type panickyIssuer struct {
	issuer
	once
}

func (i *panickyIssuer) Issue(event string, order seatmap.OrderID, seats []int32, seatIDs []string, at seatmap.Time) []messages.TicketRow {
	i.hit()
	return i.issuer.Issue(event, order, seats, seatIDs, at)
}

func TestPanicElsewhere(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		journal, model, tickets := &panickyJournal{}, &panickyModel{ReadModel: s.readModel}, &panickyIssuer{}
		sh := s.newShell("a", func(e *actors.Env) {
			journal.Journal = e.Journal
			e.Journal, e.ReadModel, e.Issuer = journal, model, tickets
		})
		// An activation: what panics once may panic in a loop, so that there is a pause.
		journal.claim.armed.Store(true)
		sh.must(getReport(), unavailable)
		sh.must(getReport(), unavailable)
		sh.clock.advance(actors.QuarantineMin)
		sh.order("s", "o", "1-1")
		sh.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		// A call: nothing was heard of it, and it is tried again.
		tickets.armed.Store(true)
		captured := sh.begin(finalize("s", "o"))
		s.eventually("the capture is tried again", 100*time.Millisecond, func() bool { return len(captured) > 0 })
		if got := (<-captured).GetOutcome(); got != completed && got != unknown {
			t.Errorf("the capture's caller heard %s", got)
		}
		// A projection.
		model.armed.Store(true)
		sh.must(createOrder("s2", "o2", sh.now()+tokenTTL), created)
		s.eventually("the read model follows", 100*time.Millisecond, func() bool {
			a := s.audit()
			return a.ProjectedSeq == a.LastSeq && !model.armed.Load()
		})
		// A commit: its owner ends as after any that failed.
		journal.commit.armed.Store(true)
		sh.must(createOrder("s3", "o3", sh.now()+tokenTTL), unavailable)
		sh.must(createOrder("s3", "o3", sh.now()+tokenTTL), created)
		verify(t, s.audit())
	})
}

func TestDoubleSaleQuarantines(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		sh := s.newShell("a", nil)
		sh.order("s", "o", "1-1")
		claims := sh.journal.claimed()
		sh.journal.set(func(w *wire) {
			w.onCommit = func(messages.Batch, func() error) error {
				return &messages.DoubleSaleError{EventID: eventID, Detail: "seat 0"}
			}
		})
		for range 5 {
			sh.must(getOrder("s", "o"), unavailable)
		}
		if n := sh.journal.claimed(); n != claims {
			t.Errorf("activated %d times instead of being quarantined", n-claims)
		}
		sh.journal.set(func(w *wire) { w.onCommit = nil })
		sh.clock.advance(actors.QuarantineMin)
		sh.must(getOrder("s", "o"), read)
	})
}

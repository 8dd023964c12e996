package actors_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: whoever folds the journal into the read model, from wherever and at the same time as whomever, the read model
// is what the journal says, and never goes back. Method: many projectors, some of them stopped in the middle.

const projectedEntries = 120

func (s *store) newProjector(node string) *actors.Projector {
	p := actors.NewProjector(eventID, s.plan(), s.env(node))
	p.SnapshotEvery(10)
	return p
}

// plan of the event's hall.
func (s *store) plan() *seatmap.Plan {
	s.Helper()
	recovery, err := s.journal("plan").Recover(s.Context(), eventID)
	if err != nil {
		s.Fatal(err)
	}
	return emptyMap(s.TB, recovery).Plan()
}

// env is what an activation and a projector of one node need of the world.
func (s *store) env(node string) *actors.Env {
	return &actors.Env{Journal: s.journal(node), ReadModel: s.readModel, Clock: still{}, Log: silentLog()}
}

func run(t *testing.T, p *actors.Projector, to uint64) uint64 {
	t.Helper()
	seq, err := p.Run(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func TestProjectorRepeatedFromAnyEarlierEntry(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		w.write(projectedEntries)
		// One projector for each place to stand at; each has read what there was up to there.
		var behind []*actors.Projector
		main := s.newProjector("a")
		for to := uint64(2); to <= w.seq; to += 7 {
			p := s.newProjector("late")
			run(t, p, to-1)
			behind = append(behind, p)
			if to == 2 {
				continue
			}
			// Whoever finds that others have gone on says how far they are, and is asked again.
			for at := uint64(0); at < to; {
				at = run(t, main, to)
			}
			verify(t, s.audit())
		}
		run(t, main, w.seq)
		last := s.audit()
		verify(t, last)
		for _, p := range behind {
			if got := run(t, p, w.seq); got != w.seq {
				t.Errorf("a late projector says %d", got)
			}
		}
		if again := s.audit(); !reflect.DeepEqual(again, last) {
			t.Error("a projector that repeats changed something")
		}
	})
}

func TestProjectorsRace(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		w.write(projectedEntries)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				p := s.newProjector("racer")
				for to := uint64(i) + 2; to <= w.seq && errs[i] == nil; to += uint64(i) + 3 {
					_, errs[i] = p.Run(t.Context(), to)
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		run(t, s.newProjector("last"), w.seq)
		verify(t, s.audit())
	})
}

// heldModel stops each projection before it is written.
type heldModel struct {
	actors.ReadModel
	entered chan messages.Projection
	release chan struct{}
}

func (m heldModel) Project(ctx context.Context, p messages.Projection) error {
	m.entered <- p
	<-m.release
	return m.ReadModel.Project(ctx, p)
}

// A deposed owner's projector is about to write a snapshot while its successor takes over and goes on.
func TestSnapshotRacedByTakeOver(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		w.write(projectedEntries / 2)
		held := heldModel{s.readModel, make(chan messages.Projection), make(chan struct{})}
		env := s.env("old")
		env.ReadModel = held
		deposed := actors.NewProjector(eventID, s.plan(), env)
		deposed.SnapshotEvery(10)
		to := w.seq
		type result struct {
			seq uint64
			err error
		}
		done := make(chan result, 1)
		go func() {
			seq, err := deposed.Run(context.Background(), to)
			done <- result{seq, err}
		}()
		if p := <-held.entered; p.Snapshot == nil {
			t.Fatal("the projection has no snapshot")
		}
		successor := s.newWriter()
		successor.write(projectedEntries)
		run(t, s.newProjector("new"), successor.seq)
		before := s.audit()
		close(held.release)
		if r := <-done; r.err != nil || r.seq != successor.seq {
			t.Errorf("the deposed projector: %+v, want to be told of entry %d", r, successor.seq)
		}
		after := s.audit()
		if !reflect.DeepEqual(after, before) || after.SnapshotSeq != successor.seq {
			t.Errorf("snapshot of entry %d before, %d after", before.SnapshotSeq, after.SnapshotSeq)
		}
		verify(t, after)
	})
}

// A declined attempt keeps the amount that was asked for, whatever its order goes on with, and wherever a projection
// begins and ends.
func TestDeclinedAttemptKeepsItsAmount(t *testing.T) {
	const seat = 4950
	for _, each := range []bool{false, true} {
		r := newRig(t)
		for _, request := range []*messages.Request{
			createOrder("s", "o", t0+tokenTTL), confirm("s", "o", "first", payment.TokenDeclined, "1-1"),
			reserve("s", "o", "1-1", "1-2"), confirm("s", "o", "second", payment.TokenDeclined),
			reserve("s", "o", "1-1", "1-2", "1-3"), confirm("s", "o", "third", payment.TokenVisa),
			cancel("s", "o"),
			createOrder("s", "o2", t0+tokenTTL), confirm("s", "o2", "", payment.TokenDeclined, "1-4"), reserve("s", "o2", "1-5", "1-6"),
			cancel("s", "o2"), // with nothing to void
		} {
			r.ask("", request)
			r.settle()
			for _, c := range r.calls {
				r.calls = nil
				r.pay(c)
				r.settle()
			}
			if each {
				r.projected()
			}
		}
		var got []messages.PaymentRow
		for _, row := range r.projected().Payments {
			if row.OrderID == [16]byte(id("o")) {
				got = append(got, row)
			} else if row.Status != messages.PaymentDeclined || row.Amount != seat {
				t.Errorf("the cancelled order's payment: %+v", row)
			}
		}
		for i, want := range []messages.PaymentStatus{messages.PaymentDeclined, messages.PaymentDeclined, messages.PaymentVoided} {
			if len(got) != 3 || got[i].Status != want || got[i].Amount != int64(i+1)*seat || got[i].Attempt != uint32(i+1) {
				t.Fatalf("payments %+v", got)
			}
		}
		verify(t, r.projected())
	}
}

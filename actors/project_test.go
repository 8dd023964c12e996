package actors_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"boxoffice/actors"
	"boxoffice/messages"
)

// Goal: whoever folds the journal into the read model, from wherever and at the same time as whomever, the read model
// is what the journal says, and never goes back. Method: many projectors, some of them stopped in the middle.

const projectedEntries = 120

func (s *store) newProjector(node string) *actors.Projector {
	p := actors.NewProjector(eventID, s.journal(node), s.readModel)
	p.SnapshotEvery(10)
	return p
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
		deposed := actors.NewProjector(eventID, s.journal("old"), held)
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

package actors_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/messages"
)

// Goal: a snapshot only saves time. One that cannot be read is passed over, and replaced. Method: what Recover gives is
// spoilt on its way.

// spoiling is a journal whose snapshots are spoilt.
type spoiling struct {
	actors.Journal
	spoil func(*messages.Recovery)
}

func (j spoiling) Recover(ctx context.Context, event string) (messages.Recovery, error) {
	r, err := j.Journal.Recover(ctx, event)
	if r.Snapshot != nil {
		r.Snapshot = bytes.Clone(r.Snapshot)
		j.spoil(&r)
	}
	return r, err
}

func TestSpoiltSnapshotIsPassedOver(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		for what, spoil := range map[string]func(*messages.Recovery){
			"another version":   func(r *messages.Recovery) { r.Snapshot[0]++ },
			"a bit that turned": func(r *messages.Recovery) { r.Snapshot[len(r.Snapshot)/2] ^= 8 },
			"cut off":           func(r *messages.Recovery) { r.Snapshot = r.Snapshot[:len(r.Snapshot)/2] },
			"empty":             func(r *messages.Recovery) { r.Snapshot = r.Snapshot[:0] },
			"of another entry":  func(r *messages.Recovery) { r.SnapshotSeq-- },
		} {
			w.write(w.seq + 30)
			run(t, s.newProjector("before"), w.seq)
			before := s.audit()
			if before.SnapshotSeq != w.seq {
				t.Fatalf("%s: the snapshot is of entry %d of %d", what, before.SnapshotSeq, w.seq)
			}
			w.write(w.seq + 1)
			want := w.state.AppendSnapshot(nil)

			env := w.env()
			env.Journal = spoiling{w.journal, spoil}
			var log bytes.Buffer
			env.Log = logTo(&log)
			a, err := actors.Activate(t.Context(), eventID, env)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if !bytes.Equal(a.State.AppendSnapshot(nil), want) {
				t.Errorf("%s: the state is another", what)
			}
			if !bytes.Contains(log.Bytes(), []byte("snapshot passed over")) {
				t.Errorf("%s: not logged", what)
			}
			p := actors.NewProjector(eventID, a.State.Plan(), env)
			p.SnapshotEvery(10)
			run(t, p, w.seq)
			if after := s.audit(); after.SnapshotSeq != w.seq {
				t.Errorf("%s: the snapshot is still of entry %d, not %d", what, after.SnapshotSeq, w.seq)
			}
			verify(t, s.audit())
			w = s.newWriter() // the activation has deposed it
		}
	})
}

// slow is a journal each of whose entries takes so long by the clock.
type slow struct {
	actors.Journal
	clock *fakeClock
	entry time.Duration
}

func (j slow) Entries(ctx context.Context, event string, after, upTo uint64, yield func(messages.Entry) error) error {
	return j.Journal.Entries(ctx, event, after, upTo, func(e messages.Entry) error {
		j.clock.advance(j.entry)
		return yield(e)
	})
}

// However long a journal takes, it can be replayed; but one that no longer moves is given up.
func TestReplayMayTakeLong(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		w.write(300) // more than a page of Postgres'
		env := w.env()
		env.Clock = s.clock

		env.Journal = slow{w.journal, s.clock, actors.ActivateTimeout - 1}
		a, err := actors.Activate(t.Context(), eventID, env)
		if err != nil {
			t.Fatal(err)
		}
		env.Journal = slow{w.journal, s.clock, actors.ProjectTimeout - 1}
		run(t, actors.NewProjector(eventID, a.State.Plan(), env), w.seq/2)
		run(t, actors.NewProjector(eventID, a.State.Plan(), env), w.seq) // which reads the first half again
		verify(t, s.audit())

		var unreplayable *actors.ReplayError
		env.Journal = slow{w.journal, s.clock, actors.ActivateTimeout}
		if _, err := actors.Activate(t.Context(), eventID, env); !errors.Is(err, actors.ErrStalled) || errors.As(err, &unreplayable) {
			t.Errorf("an activation that stalls: %v", err)
		}
		env.Journal = slow{w.journal, s.clock, actors.ProjectTimeout}
		if _, err := actors.NewProjector(eventID, a.State.Plan(), env).Run(t.Context(), w.seq+1); !errors.Is(err, actors.ErrStalled) {
			t.Errorf("a projection that stalls: %v", err)
		}
		if n := len(s.clock.timers); n > 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

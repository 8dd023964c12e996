package actors_test

import (
	"bytes"
	"fmt"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: an activation finds what was committed, from a snapshot as from the first entry. Method: a hand-stepped Owner
// writes a long journal through the store's own; then the event is activated with and without a snapshot.

// writer is an owner whose effects are performed at once, one after another.
type writer struct {
	*store
	journal  actors.Journal
	provider payment.Provider
	owner    *actors.Owner
	state    *seatmap.Map
	at       seatmap.Time
	seq      uint64
}

func (s *store) newWriter() *writer {
	s.Helper()
	w := &writer{store: s, journal: s.journal("writer"), provider: newProvider(s.ledger)}
	a := w.activate()
	w.owner, w.state, w.at, w.seq = actors.NewOwner(eventID, a, render), a.State, a.Now, a.Claim.LastSeq
	w.step(actors.Due{})
	return w
}

func (w *writer) env() *actors.Env {
	env := w.store.env("writer")
	env.Journal = w.journal
	return env
}

func (w *writer) activate() actors.Activation {
	w.Helper()
	a, err := actors.Activate(w.Context(), eventID, w.env())
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// step and perform everything but projections.
func (w *writer) step(in actors.Input) {
	w.Helper()
	out := w.owner.Step(w.at, in)
	if out.Stop != nil {
		w.Fatal(out.Stop)
	}
	for _, c := range out.Calls {
		w.step(actors.Paid{Result: actors.Pay(w.Context(), w.provider, issuer{}, c)})
	}
	if b := out.Commit; b != nil {
		if b.Entry != nil {
			w.seq = b.Entry.Seq
		}
		w.step(actors.Committed{Err: w.journal.Commit(w.Context(), *b)})
	}
}

// write at least so many entries: orders that are cancelled, expire, are paid for and stay open.
func (w *writer) write(entries uint64) {
	w.Helper()
	for n := 0; w.seq < entries; n++ {
		session, order, seat := fmt.Sprint("s", n), fmt.Sprint("o", n), seatID(n%20)
		w.ask(createOrder(session, order, w.at+tokenTTL))
		w.ask(reserve(session, order, seat))
		switch n % 4 {
		case 0:
			w.ask(cancel(session, order))
		case 1:
			w.ask(confirm(session, order, "", payment.TokenVisa))
			w.ask(cancel(session, order))
		case 2:
			w.at += holdTTL
			w.step(actors.Due{})
		case 3:
			w.ask(reserve(session, order, seatID((n+1)%20)))
			if n%40 == 3 {
				w.ask(confirm(session, order, "", payment.TokenVisa))
				w.ask(finalize(session, order))
			}
		}
	}
}

func (w *writer) ask(r *messages.Request) { w.step(actors.Asked{Request: r}) }

func TestActivationFromSnapshotOrNot(t *testing.T) {
	const entries = 5_000
	eachStore(t, func(t *testing.T, s *store) {
		w := s.withEvent().newWriter()
		w.write(entries)
		want := w.state.AppendSnapshot(nil)

		from := func(what string, snapshot bool) {
			t.Helper()
			recovery, err := w.journal.Recover(t.Context(), eventID)
			if err != nil {
				t.Fatal(err)
			}
			if (recovery.Snapshot != nil) != snapshot {
				t.Fatalf("%s: the snapshot is of entry %d", what, recovery.SnapshotSeq)
			}
			if a := w.activate(); !bytes.Equal(a.State.AppendSnapshot(nil), want) || a.Claim.LastSeq != w.seq {
				t.Errorf("%s: the state is another", what)
			}
		}
		from("without a snapshot", false)
		// Not to the end: the snapshot is not of the last entry.
		half := actors.NewProjector(eventID, w.state.Plan(), w.env())
		if _, err := half.Run(t.Context(), entries/2); err != nil {
			t.Fatal(err)
		}
		from("with a snapshot", true)
		if _, err := half.Run(t.Context(), w.seq); err != nil {
			t.Fatal(err)
		}
		from("with a later snapshot", true)
		if a := s.audit(); a.SnapshotSeq <= entries/2 || a.ProjectedSeq != w.seq {
			t.Errorf("snapshot of entry %d, projected up to %d of %d", a.SnapshotSeq, a.ProjectedSeq, w.seq)
		}
		verify(t, s.audit())
	})
}

// An activation between any two facts of an order's life goes on as if nothing had been.
func TestActivationAfterEveryStep(t *testing.T) {
	r := newRig(t)
	steps := []*messages.Request{
		createOrder("s", "o", t0+tokenTTL), reserve("s", "o", "1-1", "1-2"), reserve("s", "o", "1-2", "1-3"),
		confirm("s", "o", "", payment.TokenVisa), finalize("s", "o"),
	}
	for _, request := range steps {
		r.ask("buyer", request)
		r.settle()
		before := r.state.AppendSnapshot(nil)
		r.activate() // whoever waited is gone, and the provider has heard nothing
		if !bytes.Equal(r.state.AppendSnapshot(nil), before) {
			t.Fatalf("%s: another state after the activation", describe(request))
		}
		if len(r.calls) > 0 {
			r.pay(r.call(r.calls[0].Op.Kind, true))
			r.settle()
		}
		clear(r.heard)
		r.ask("buyer", request)
		r.settle()
		r.hear("buyer", replayed)
	}
	if v := verify(t, r.projected()); v.Sold != 2 {
		t.Errorf("%+v", v)
	}
}

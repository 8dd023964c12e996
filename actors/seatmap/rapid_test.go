package seatmap

import (
	"bytes"
	"math/bits"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Goal: the fast Map and the plain model agree on everything that can be seen, whatever is asked of them.
// Method: random halls and commands, from small pools so that they meet. After each command outcomes and states are
// compared and the invariants checked; now and then the Map goes on from its own snapshot; at the end a replay of all
// facts, through the journal's encoding, gives the same bytes. -rapid.seed repeats a failure.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGenerator(func(n int, label string) int { return even(t, n, label) })
		twin := newTwin(t, g.spec, g.settings)
		for range rapid.IntRange(20, 100).Draw(t, "commands") {
			g.step()
			twin.run(g.now, g.command(twin.model), g.draw(3, "same entry") == 0)
			if g.draw(8, "restart") == 0 {
				twin.restart()
			}
		}
		twin.replay()
	})
}

// even draws each of 0 to n-1 alike, where rapid.IntRange favours small numbers: it tosses a coin for each bit, and once
// more to be evener.
func even(t *rapid.T, n int, label string) (v int) {
	for range bits.Len(uint(n)) + 1 {
		v <<= 1
		if rapid.Bool().Draw(t, label) {
			v++
		}
	}
	return v % n
}

// fataler is what testing and rapid have in common.
type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

// twin is a Map beside its judge.
type twin struct {
	t       fataler
	m       *Map
	model   *model
	journal map[uint64][]Fact
}

func newTwin(t fataler, spec PlanSpec, settings Settings) *twin {
	plan, err := NewPlan(spec)
	if err != nil {
		t.Fatalf("%v", err)
	}
	w := &twin{t: t, m: created(plan, settings), model: newModel(spec, settings), journal: map[uint64][]Fact{}}
	w.journal[1] = []Fact{EventCreated{PlanHash: plan.Hash(), Settings: settings}}
	return w
}

func (w *twin) run(now Time, c Command, sameEntry bool) {
	w.t.Helper()
	entry := w.m.Seq() + 1
	if sameEntry {
		entry--
	}
	before := w.m.AppendSnapshot(nil)
	wasDue := w.m.NextDue()
	facts, got := w.m.Decide(now, c, nil)
	if !bytes.Equal(before, w.m.AppendSnapshot(nil)) {
		w.t.Fatalf("%T: Decide has changed the state", c)
	}
	for _, f := range facts {
		w.m.Apply(entry, f)
		if err := w.m.Check(); err != nil {
			w.t.Fatalf("%T: after %T: %v", c, f, err)
		}
	}
	w.journal[entry] = append(w.journal[entry], facts...)
	if _, tick := c.(Tick); tick && (len(facts) > 0) != (wasDue != 0 && wasDue <= max(now, w.model.now)) {
		w.t.Fatalf("Tick at %d has %d facts, the next was due at %d", now, len(facts), wasDue)
	}
	want := w.model.do(now, entry, c)
	if !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%T %+v:\n got %s %+v\nwant %s %+v", c, c, outcomeNames[got.Outcome], got, outcomeNames[want.Outcome], want)
	}
	w.compare()
}

// compare looks at all that can be seen.
func (w *twin) compare() {
	w.t.Helper()
	md := w.model
	letters := []byte{}
	for _, seat := range md.seats {
		letters = append(letters, byte(seat.state))
	}
	if got := w.m.Letters(nil); !bytes.Equal(got, letters) {
		w.t.Fatalf("seats:\n got %s\nwant %s", got, letters)
	}
	statuses := md.ended
	var operations []Operation
	for _, o := range md.sorted(byTurn) {
		statuses[o.Status]++
		if got, ok := w.m.Order(o.ID); !ok || !reflect.DeepEqual(got, o.Order) {
			w.t.Fatalf("order:\n got %+v\nwant %+v", got, o.Order)
		}
		if o.open() {
			kinds := [...]OperationKind{PaymentAuthorizing: Authorize, PaymentCapturing: Capture, PaymentVoiding: Void}
			kind := kinds[o.Payment]
			operations = append(operations, Operation{o.ID, o.Attempt, kind, o.token, o.reference, o.Amount, o.Seats})
		}
	}
	if got := slices.Collect(w.m.Operations()); !reflect.DeepEqual(got, operations) {
		w.t.Fatalf("operations:\n got %+v\nwant %+v", got, operations)
	}
	if got := w.m.OrderCounts(); got != statuses {
		w.t.Fatalf("orders by status:\n got %v\nwant %v", got, statuses)
	}
	if w.m.orders.len() != len(md.orders) || w.m.sessions.len() != len(md.until) || w.m.answers.len() != len(md.answers) {
		w.t.Fatalf("in memory: %d orders, %d sessions, %d answers, not %d, %d, %d",
			w.m.orders.len(), w.m.sessions.len(), w.m.answers.len(), len(md.orders), len(md.until), len(md.answers))
	}
	for by := range md.until {
		got, _ := w.m.Session(by)
		want := Session{Completed: md.done[by], Ended: md.left[by]}
		for _, o := range md.orders {
			if o.Session == by && o.EndedAt == 0 {
				want.Live++
			}
		}
		if got != want {
			w.t.Fatalf("session:\n got %+v\nwant %+v", got, want)
		}
	}
	if got, want := w.m.NextDue(), md.nextDue(); got != want {
		w.t.Fatalf("next due %d, not %d", got, want)
	}
	if w.m.Version() != md.version || w.m.Seq() != md.seq {
		w.t.Fatalf("version %d of entry %d, not %d of %d", w.m.Version(), w.m.Seq(), md.version, md.seq)
	}
}

func (w *twin) restart() {
	w.t.Helper()
	snapshot := w.m.AppendSnapshot(nil)
	m, err := DecodeSnapshot(w.m.Plan(), snapshot)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	if !bytes.Equal(snapshot, m.AppendSnapshot(nil)) {
		w.t.Fatalf("a snapshot changes by being read")
	}
	w.m = m
}

func (w *twin) replay() {
	w.t.Helper()
	m := New(w.m.Plan())
	for seq := uint64(1); seq <= w.m.Seq(); seq++ {
		entry := AppendEntry(nil, w.journal[seq])
		facts, err := DecodeEntry(entry)
		if err != nil || !bytes.Equal(entry, AppendEntry(nil, facts)) {
			w.t.Fatalf("entry %d: %v", seq, err)
		}
		for _, f := range facts {
			m.Apply(seq, f)
		}
	}
	if !bytes.Equal(m.AppendSnapshot(nil), w.m.AppendSnapshot(nil)) {
		w.t.Fatalf("a replay of the journal gives another state")
	}
}

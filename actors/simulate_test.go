package actors_test

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"

	"boxoffice/actors"
	"boxoffice/messages"
)

// Goal: whatever goes wrong and in whatever sequence, nothing acknowledged is lost, no seat is sold twice, a deposed
// owner tells nobody anything, money and tickets agree, and every order comes to an end.
//
// Method: buyers, several owners of one event at once, projectors, provider and database are run on a virtual clock by a
// seeded scheduler, which picks what happens next: a request, a commit that takes effect, fails, or whose reply is lost
// or late, a call that is never made, made late, or not heard, a claim by a new owner while the old ones go on, a crash,
// a projector of anybody's up to anywhere. Then the faults end, time passes, and the books are compared.
// A failure names the seed: BOXOFFICE_SIM_SEED=n runs that one alone; BOXOFFICE_SIM_RUNS=n runs so many.

const (
	simRuns  = 300
	simSteps = 400
)

func TestSimulation(t *testing.T) {
	if seed, err := strconv.ParseUint(os.Getenv("BOXOFFICE_SIM_SEED"), 10, 64); err == nil {
		simulate(t, seed)
		return
	}
	runs := uint64(simRuns)
	if n, err := strconv.ParseUint(os.Getenv("BOXOFFICE_SIM_RUNS"), 10, 64); err == nil {
		runs = n
	} else if testing.Short() {
		runs /= 10
	}
	var total simTotals
	for seed := uint64(1); seed <= runs; seed++ {
		total.add(simulate(t, seed))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d runs: %+v", runs, total)
	if runs >= simRuns/10 {
		total.check(t)
	}
}

// A seed is worth nothing if it does not give the same run again.
func TestSimulationRepeats(t *testing.T) {
	var journals [2][]messages.Entry
	for i := range journals {
		w := newWorld(t, 7)
		for range simSteps {
			w.act()
		}
		journals[i] = audit(t, w.db, eventID, w.ledger).Entries
	}
	if !reflect.DeepEqual(journals[0], journals[1]) {
		t.Error("two runs of one seed differ")
	}
}

// simTotals say what the runs have met: a simulation that meets nothing proves nothing.
type simTotals struct {
	Acknowledged, Refused, Replayed, Unheard         int
	Entries, Sold, Claims, Fenced, Lost, Snapshots   int
	Completed, Expired, Cancelled, Failed, Projected int
	Announced, Moved, Repaired, Swapped              int
}

func (s *simTotals) add(o simTotals) {
	s.Acknowledged += o.Acknowledged
	s.Refused += o.Refused
	s.Replayed += o.Replayed
	s.Unheard += o.Unheard
	s.Entries += o.Entries
	s.Sold += o.Sold
	s.Claims += o.Claims
	s.Fenced += o.Fenced
	s.Lost += o.Lost
	s.Snapshots += o.Snapshots
	s.Completed += o.Completed
	s.Expired += o.Expired
	s.Cancelled += o.Cancelled
	s.Failed += o.Failed
	s.Projected += o.Projected
	s.Announced += o.Announced
	s.Moved += o.Moved
	s.Repaired += o.Repaired
	s.Swapped += o.Swapped
}

func (s *simTotals) check(t *testing.T) {
	for what, n := range map[string]int{
		"acknowledged": s.Acknowledged, "refused": s.Refused, "replayed": s.Replayed, "unheard": s.Unheard, "sold": s.Sold,
		"fenced": s.Fenced, "lost": s.Lost, "snapshots": s.Snapshots, "completed": s.Completed, "expired": s.Expired,
		"cancelled": s.Cancelled, "payment failed": s.Failed, "projected by others": s.Projected,
		"announced": s.Announced, "moved": s.Moved, "repaired": s.Repaired, "moved nothing in the end": s.Swapped,
	} {
		if n == 0 {
			t.Errorf("no run met: %s", what)
		}
	}
}

// simulate one run.
func simulate(t *testing.T, seed uint64) simTotals {
	w := newWorld(t, seed)
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v", p)
			panic(p)
		}
	}()
	for range simSteps {
		w.act()
	}
	w.heal()
	w.audit()
	return w.met
}

// heal ends all faults and lets time pass until nothing is left to do.
func (w *world) heal() {
	w.healed = true
	for _, o := range w.owners {
		o.crashed = true
	}
	w.runTasks()
	w.owners = nil
	last := w.activate()
	for range 100_000 {
		w.runTasks()
		at := last.owner.WakeAt()
		if at == 0 || at > last.now()+simRestMillis {
			return
		}
		w.elapsed += max(last.until(at), 1)
		w.step(last, actors.Due{})
	}
	w.fail("the event does not come to rest")
}

// audit compares the books at the end.
func (w *world) audit() {
	a := audit(w.TB, w.db, eventID, w.ledger)
	v := actors.Verify(a)
	for _, finding := range v.Findings {
		w.fail("verify: %s", finding)
	}
	if v.Open != 0 || a.ProjectedSeq != a.LastSeq {
		w.fail("%d operations are open, the read model follows up to %d of %d", v.Open, a.ProjectedSeq, a.LastSeq)
	}
	w.met.Entries, w.met.Sold = len(a.Entries), v.Sold
	if a.SnapshotSeq > 0 {
		w.met.Snapshots = 1
	}
	status := map[[16]byte]messages.OrderStatus{}
	for _, o := range a.Orders {
		status[o.OrderID] = o.Status
		switch o.Status {
		case messages.OrderStatus_ORDER_STATUS_COMPLETED:
			w.met.Completed++
		case messages.OrderStatus_ORDER_STATUS_EXPIRED:
			w.met.Expired++
		case messages.OrderStatus_ORDER_STATUS_CANCELLED:
			w.met.Cancelled++
		case messages.OrderStatus_ORDER_STATUS_PAYMENT_FAILED:
			w.met.Failed++
		default:
			w.fail("order %x has not ended: %s", o.OrderID, o.Status)
		}
	}
	for _, said := range w.ended {
		if got := status[said.order]; got != said.status {
			w.fail("order %x was acknowledged as %s and is %s", said.order, said.status, got)
		}
	}
	w.replayAll(a)
}

// replayAll sends every acknowledged request once more: it must get the same answer, byte for byte.
func (w *world) replayAll(a *messages.Audit) {
	last := w.owners[0]
	for _, scope := range w.scopes {
		said := w.acknowledged[scope]
		p := &pending{request: said.request}
		w.step(last, actors.Asked{From: p, Request: said.request})
		w.runTasks()
		switch {
		case p.reply.GetOutcome() != replayed:
			w.fail("%s was acknowledged, and its repetition hears %v", describe(said.request), p.reply)
		case answerKey(stored(w.TB, a.Entries, p.reply.GetStored())) != said.answer:
			w.fail("%s was acknowledged with another answer than its repetition finds", describe(said.request))
		}
	}
}

func describe(r *messages.Request) string { return fmt.Sprintf("%T", r.GetCall()) }

package admission_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// Goal: whatever becomes of the demand, the database's answers and the actors themselves, everybody who stays is let in,
// nothing is acknowledged too early, nothing uncommitted is told, and nobody spins. Method: many admissions at once, one
// deposing the other, on a virtual clock over a naive model of the waiting room, all chance from one seed.
//
// A failure names the seed: BOXOFFICE_SIM_SEED=n runs that one alone; BOXOFFICE_SIM_RUNS=n runs so many.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, runs := uint64(1), uint64(250)
	if testing.Short() {
		runs = 60
	}
	if seed, err := strconv.ParseUint(os.Getenv("BOXOFFICE_SIM_SEED"), 10, 64); err == nil {
		simulate(t, seed)
		return
	}
	if n, err := strconv.ParseUint(os.Getenv("BOXOFFICE_SIM_RUNS"), 10, 64); err == nil {
		runs = n
	}
	var total simTotals
	for seed := first; seed < first+runs; seed++ {
		total.add(simulate(t, seed))
	}
	t.Logf("%d runs: %+v", runs, total)
	total.check(t)
}

const simSteps = 1_500

// simTotals says what runs have met: a simulation that meets nothing proves nothing.
type simTotals struct{ Joined, Waited, Admitted, Activations, Fenced, Lost, Idle, Told, Flushed, Crashed, Acknowledged int }

func (s *simTotals) add(o simTotals) {
	s.Joined += o.Joined
	s.Waited += o.Waited
	s.Admitted += o.Admitted
	s.Activations += o.Activations
	s.Fenced += o.Fenced
	s.Lost += o.Lost
	s.Idle += o.Idle
	s.Told += o.Told
	s.Flushed += o.Flushed
	s.Crashed += o.Crashed
	s.Acknowledged += o.Acknowledged
}

func (s *simTotals) check(t *testing.T) {
	for what, n := range map[string]int{
		"waited": s.Waited, "admitted": s.Admitted, "fenced": s.Fenced, "lost": s.Lost, "idle": s.Idle, "told": s.Told,
		"flushed": s.Flushed, "crashed": s.Crashed, "acknowledged": s.Acknowledged,
	} {
		if n == 0 {
			t.Errorf("no run met: %s", what)
		}
	}
}

// simulate one run.
func simulate(t *testing.T, seed uint64) simTotals {
	w := &world{TB: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
	defer func() {
		if p := recover(); p != nil {
			w.Errorf("seed %d: panic: %v", seed, p)
			panic(p)
		}
	}()
	w.rooms = rooms{limit: 1 + w.rng.Int64N(8), perSecond: 1 + w.rng.Int64N(20), ttl: 5_000 + w.rng.Int64N(30_000), onSaleAt: t0}
	if w.chance(30) {
		w.rooms.onSaleAt += w.rng.Int64N(60_000)
	}
	w.crowd = []int{100, 30, 5}[w.rng.IntN(3)]
	if w.chance(80) {
		w.demand = &stream{w: w}
	}
	for range simSteps {
		w.act()
		w.check()
	}
	w.heal()
	return w.met
}

// act lets one thing happen, of whatever kind.
func (w *world) act() {
	switch n := w.rng.IntN(100); {
	case n < 50:
		w.runTask()
	case n < 70:
		w.pass()
	case n < 82:
		w.join()
	case n < 97:
		w.visit()
	case n < 98:
		w.activate()
	case n < 99 && len(w.actors) > 0:
		a := w.actors[w.rng.IntN(len(w.actors))]
		w.note("%d crashes", a.number)
		w.met.Crashed++
		w.crash(a)
	case w.demand != nil && w.chance(50):
		w.note("the demand is flushed")
		w.met.Flushed++
		w.demand.flush()
	case w.demand != nil:
		w.demand.away = !w.demand.away
		w.note("the demand is away: %t", w.demand.away)
	}
}

// pass some time, and have those woken who want it.
func (w *world) pass() {
	switch {
	case w.chance(70):
		w.elapsed += time.Duration(w.rng.IntN(60)) * time.Millisecond
	case w.chance(80):
		w.elapsed += time.Duration(w.rng.IntN(1_000)) * time.Millisecond
	default:
		w.elapsed += time.Duration(w.rng.IntN(12_000)) * time.Millisecond
	}
	w.rooms.expire(w.dbNow())
	w.timers()
}

// timers wake whoever is to be woken.
func (w *world) timers() {
	for _, a := range append([]*simActor(nil), w.actors...) {
		if a.due() <= w.elapsed {
			w.note("%d is woken", a.number)
			w.step(a, admission.Due{})
		}
	}
	if w.elapsed < w.wakeAt {
		return
	}
	w.wakeAt = w.elapsed + time.Second
	if due := w.rooms.due; due == 0 || due > w.dbNow() {
		return
	}
	if len(w.actors) == 0 {
		w.activate()
		return
	}
	a := w.actors[w.rng.IntN(len(w.actors))]
	w.note("%d is poked", a.number)
	w.step(a, admission.Poked{})
}

func (w *world) join() {
	if !w.chance(w.crowd) {
		return
	}
	w.met.Joined++
	waits := w.rooms.join(w.dbNow())
	w.note("a join; waits: %t", waits)
	if waits {
		w.met.Waited++
		w.demand.announce()
	}
}

// visit of a buyer: who shows up, leaves or is done.
func (w *world) visit() {
	if len(w.rooms.sessions) == 0 {
		return
	}
	s := w.rooms.sessions[w.rng.IntN(len(w.rooms.sessions))]
	alive := s.status == messages.SessionActive && s.endsAt > w.dbNow()
	switch n := w.rng.IntN(10); {
	case n < 5 && alive:
		s.endsAt = s.until
	case n < 8 && alive:
		s.status = messages.SessionCompleted
		w.demand.announce()
	case n == 8 && alive, n == 9 && s.status == messages.SessionWaiting:
		s.status = messages.SessionLeft
		w.demand.announce()
	}
}

// heal ends all faults and joins, and lets time pass until nobody waits and every actor has ended. Whoever stays is let
// in, and no room is left empty for longer than it takes to notice.
func (w *world) heal() {
	w.healed = true
	if w.demand != nil {
		w.demand.away = false
	}
	w.note("healed")
	healedAt, emptyAt := w.elapsed, never
	for range 200_000 {
		for w.runTask() {
			w.check()
		}
		waiting := len(w.rooms.having(messages.SessionWaiting)) > 0
		if !waiting && len(w.actors) == 0 {
			w.atRest()
			return
		}
		if room, _ := w.rooms.room(w.dbNow()); room == 0 || !waiting {
			emptyAt = never
		} else {
			emptyAt = min(emptyAt, w.elapsed)
		}
		// At first an actor may still pause after a failure, or none may be there.
		if emptyAt != never && w.elapsed-emptyAt > 1_500*time.Millisecond && w.elapsed-healedAt > 15*time.Second {
			w.fail("there has been room for %v, and somebody waits", w.elapsed-emptyAt)
		}
		next := w.wakeAt
		for _, a := range w.actors {
			next = min(next, a.due())
		}
		w.elapsed = max(next, w.elapsed+time.Millisecond)
		w.rooms.expire(w.dbNow())
		w.timers()
	}
	w.fail("%d wait for ever, %d actors live on", len(w.rooms.having(messages.SessionWaiting)), len(w.actors))
}

// atRest everything that could be acknowledged has been.
func (w *world) atRest() {
	for _, id := range w.dealtWith {
		if slices.Contains(w.demand.pending, id) {
			w.fail("%s is never acknowledged", id)
		}
	}
	w.met.Acknowledged += len(w.dealtWith)
}

package admission_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// simActor is one activation of the admission, and what an honest observer remembers of it.
type simActor struct {
	w         *world
	admission *admission.Admission
	number    int
	epoch     uint64
	startedAt time.Duration // of the world
	base      time.Duration // what its clock showed then
	rate      time.Duration // of its clock, in percent: they drift
	wakeAt    time.Duration // by its clock; 0: never
	crashed   bool

	inFlight, acking, reading bool
	recovered                 bool           // since the last failed Pull
	begun                     int            // Admits
	committed                 int            // number of the last Admit that is known to be committed
	firstRead                 map[string]int // by entry: Admits begun before it was read
	acked                     map[string]bool
	readHealed                []string // entries, since all faults have ended
	heard                     messages.Admitted
	admitBy                   time.Duration // when it must have begun the next Admit
	failed                    bool          // the last Admit
	failedAt                  time.Duration
	waitedAt                  time.Duration // when it heard last that somebody waits, or was claimed
	movedAt                   time.Duration // when it last heard of another head
	began                     time.Duration
	told                      *messages.Progress
	toldAt                    time.Duration
	second                    time.Duration // in which these happened:
	admits, dues, failures    int
}

const never = time.Duration(math.MaxInt64)

func (a *simActor) now() time.Duration { return a.base + (a.w.elapsed-a.startedAt)*a.rate/100 }

// due is when the actor wants to be woken by the world's clock.
func (a *simActor) due() time.Duration {
	if a.wakeAt == 0 || a.crashed {
		return never
	}
	return a.startedAt + (a.wakeAt-a.base)*100/a.rate + 1
}

// activate a new actor. Those before go on.
func (w *world) activate() {
	w.met.Activations++
	a := &simActor{
		w: w, admission: admission.New("E1", w.demand != nil), number: w.met.Activations, startedAt: w.elapsed,
		base: time.Duration(w.rng.IntN(100_000)) * time.Millisecond, rate: 90 + time.Duration(w.rng.IntN(21)),
		firstRead: map[string]int{}, acked: map[string]bool{}, admitBy: never,
	}
	w.actors = append(w.actors, a)
	w.step(a, admission.Started{})
}

// step an actor, check what it wants, and note that it is to be done.
func (w *world) step(a *simActor, in admission.Input) {
	if a.crashed {
		return
	}
	a.observe(in)
	out := a.admission.Step(a.now(), in)
	a.wakeAt = out.WakeAt
	a.check(in, out)
	if out.Stop != nil {
		w.note("%d ended: %v", a.number, out.Stop)
		a.ended(out.Stop)
		w.crash(a)
	}
	if out.Claim {
		w.later("claim", a, nil, func() { w.claim(a) })
	}
	if out.Admit != nil {
		m := *out.Admit
		w.later("admit", a, nil, func() { w.admit(a, m) })
	}
	if out.Ack != nil {
		w.later("ack", a, nil, func() {
			w.demand.ack(out.Ack)
			w.step(a, admission.Acked{})
		})
	}
	if out.Recover {
		w.later("recover", a, nil, func() {
			ids, err := w.demand.recover()
			w.step(a, admission.Recovered{IDs: ids, Err: err})
		})
	}
	if out.Pull {
		until := w.elapsed + time.Second
		ready := func() bool { return w.demand.away || len(w.demand.unread) > 0 || w.elapsed >= until }
		w.later("pull", a, ready, func() {
			ids, err := w.demand.pull()
			w.step(a, admission.Pulled{IDs: ids, Err: err})
		})
	}
}

func (w *world) crash(a *simActor) {
	a.crashed = true
	w.actors = slices.DeleteFunc(w.actors, func(other *simActor) bool { return other == a })
}

// claim takes effect, or not, and is heard, or not.
func (w *world) claim(a *simActor) {
	fault := w.fault()
	if fault >= 97 {
		w.step(a, admission.Claimed{Err: errors.New("failed")})
		return
	}
	w.rooms.epoch++
	c := admission.Claimed{Claim: messages.AdmissionClaim{Epoch: w.rooms.epoch, PerSecond: w.rooms.rate}}
	if fault >= 94 {
		c = admission.Claimed{Err: errors.New("reply lost")}
	}
	w.step(a, c)
}

// admit takes effect, or not, now or later, and is heard, or not, now or later.
func (w *world) admit(a *simActor, m messages.Admit) {
	effect := func() admission.Admitted {
		r, err := w.rooms.admit(w.dbNow(), m)
		if errors.Is(err, messages.ErrFenced) {
			w.met.Fenced++
		}
		w.met.Admitted += r.Count
		w.check()
		return admission.Admitted{Admitted: r, Err: err}
	}
	lost := admission.Admitted{Err: errors.New("lost")}
	switch fault := w.fault(); {
	case fault >= 97:
		w.met.Lost++
		w.step(a, lost)
	case fault >= 94:
		w.met.Lost++
		effect()
		w.step(a, lost)
	case fault >= 91:
		w.met.Lost++
		w.later("late admit", a, nil, func() { effect() })
		w.step(a, lost)
	case fault >= 75:
		r := effect()
		w.later("admit's reply", a, nil, func() { w.step(a, r) })
	default:
		w.step(a, effect())
	}
}

// observe what the actor is told.
func (a *simActor) observe(in admission.Input) {
	if s := a.now().Truncate(time.Second); s != a.second {
		a.second, a.admits, a.dues, a.failures = s, 0, 0, 0
	}
	soon := max(a.now(), a.began+admission.GapMax)
	switch in := in.(type) {
	case admission.Claimed:
		a.epoch, a.admitBy, a.waitedAt, a.movedAt = in.Claim.Epoch, a.now(), a.now(), a.now()
	case admission.Recovered:
		a.read(in.IDs, in.Err, soon)
	case admission.Pulled:
		a.read(in.IDs, in.Err, soon)
	case admission.Poked:
		if !a.failed {
			a.admitBy = min(a.admitBy, soon)
		}
	case admission.Due:
		a.dues++
	case admission.Acked:
		a.acking = false
	case admission.Admitted:
		a.inFlight = false
		a.failed = in.Err != nil
		if a.failed {
			a.failedAt = a.now()
			a.admitBy = a.now() + admission.RetryMax
			return
		}
		if in.Head != a.heard.Head {
			a.movedAt = a.now()
		}
		a.heard, a.committed = in.Admitted, a.begun
		if in.Waiting {
			a.waitedAt = a.now()
			a.admitBy = min(a.admitBy, a.now()+max(time.Duration(in.Due-in.At)*time.Millisecond, admission.GapMin))
		}
	case admission.Started:
	}
}

func (a *simActor) read(ids []string, err error, soon time.Duration) {
	a.reading = false
	a.recovered = err == nil
	if err != nil {
		a.failures++
	}
	if a.w.healed {
		a.readHealed = append(a.readHealed, ids...)
	}
	for _, id := range ids {
		if _, ok := a.firstRead[id]; !ok {
			a.firstRead[id] = a.begun
		}
		if !a.failed {
			a.admitBy = min(a.admitBy, soon)
		}
	}
}

// check what the actor wants done.
func (a *simActor) check(in admission.Input, out admission.Effects) {
	w, now := a.w, a.now()
	if out.Admit != nil {
		if a.inFlight || out.Admit.Epoch != a.epoch || a.epoch == 0 {
			w.fail("%d admits %+v; in flight: %t, claimed: %d", a.number, *out.Admit, a.inFlight, a.epoch)
		}
		if a.begun > 0 && now-a.began < admission.GapMin {
			w.fail("%d admits %v after it did", a.number, now-a.began)
		}
		if a.failed && now-a.failedAt < admission.RetryMin {
			w.fail("%d admits %v after a failure", a.number, now-a.failedAt)
		}
		a.inFlight, a.began, a.admitBy = true, now, never
		a.begun++
		a.admits++
		a.checkRate(out.Admit.PerSecond)
	}
	for _, id := range out.Ack {
		if before, ok := a.firstRead[id]; !ok || before >= a.committed {
			w.fail("%d acknowledges %s, read after %d Admits, with %d committed", a.number, id, before, a.committed)
		}
		a.acked[id] = true
	}
	if out.Ack != nil && a.acking || (out.Pull || out.Recover) && a.reading || out.Pull && (out.Recover || !a.recovered) {
		w.fail("%d does too much at once: %+v", a.number, out)
	}
	a.acking = a.acking || out.Ack != nil
	a.reading = a.reading || out.Pull || out.Recover
	if a.wakeAt != 0 && a.wakeAt <= now {
		w.fail("%d wants to be woken at %v, and it is %v", a.number, a.wakeAt, now)
	}
	if out.Stop == nil && a.epoch != 0 && !a.inFlight && a.admitBy != never && (a.wakeAt == 0 || a.wakeAt > a.admitBy) {
		w.fail("%d sleeps until %v and should admit by %v", a.number, a.wakeAt, a.admitBy)
	}
	a.checkPublished(in, out.Publish, out.Stop != nil)
	if stale := a.committed > 0 && (a.told.GetHead() != a.heard.Head || a.told.GetOnSale() != a.heard.OnSale); stale && out.Stop == nil &&
		(a.wakeAt == 0 || a.wakeAt > a.toldAt+admission.PublishEvery) {
		w.fail("%d sleeps until %v; it told %v at %v, and has heard %+v", a.number, a.wakeAt, a.told, a.toldAt, a.heard)
	}
	if a.admits > 51 || a.dues > 80 || a.failures > 11 {
		w.fail("%d is busy: %d Admits, %d times woken, %d failures in a second", a.number, a.admits, a.dues, a.failures)
	}
}

// checkPublished: as soon as somebody was let in, never back, never what is not committed.
func (a *simActor) checkPublished(in admission.Input, p *messages.Progress, last bool) {
	w := a.w
	r, ok := in.(admission.Admitted)
	urgent := ok && r.Err == nil && r.Count > 0
	switch {
	case p == nil && urgent:
		w.fail("%d has let in %d and tells nobody", a.number, r.Count)
	case p == nil:
		return
	case p.GetHead() != a.heard.Head || p.GetOnSale() != a.heard.OnSale || p.GetHead() < a.told.GetHead():
		w.fail("%d tells %v after %v, and has heard %+v", a.number, p, a.told, a.heard)
	case !urgent && !last && a.told != nil && a.now()-a.toldAt < admission.PublishEvery:
		w.fail("%d tells something every %v", a.number, a.now()-a.toldAt)
	}
	a.checkRate(p.GetPerSecond())
	a.told, a.toldAt = p, a.now()
	w.met.Told++
}

func (a *simActor) checkRate(rate float64) {
	most := float64(len(a.w.rooms.sessions)) / 2
	stands := a.epoch != 0 && a.now()-a.movedAt >= admission.RateWindow
	if rate < 0 || math.IsNaN(rate) || rate > most || stands && rate != 0 {
		a.w.fail("%d measures %v places a second; the head stands since %v", a.number, rate, a.now()-a.movedAt)
	}
}

// ended: for a good reason.
func (a *simActor) ended(why error) {
	switch {
	case errors.Is(why, admission.ErrIdle):
		a.w.met.Idle++
		far := a.heard.Waiting && a.heard.Due-a.heard.At > 10_000
		if !far && (a.heard.Waiting || a.now()-a.waitedAt < admission.IdleAfter) {
			a.w.fail("%d ends as if nobody waited", a.number)
		}
		for _, id := range slices.Sorted(maps.Keys(a.firstRead)) {
			if !a.acked[id] && !a.acking {
				a.w.fail("%d ends and has not acknowledged %s", a.number, id)
			}
		}
		a.w.dealtWith = append(a.w.dealtWith, a.readHealed...)
	case errors.Is(why, messages.ErrFenced):
		if a.epoch == a.w.rooms.epoch {
			a.w.fail("%d ends as deposed, and is not", a.number)
		}
	case a.epoch != 0:
		a.w.fail("%d ends: %v", a.number, why)
	}
}

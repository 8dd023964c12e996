package actors_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatingplan"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// simOwner is one activation of the event. It does not learn that it is deposed but by its commits.
type simOwner struct {
	w          *world
	owner      *actors.Owner
	projector  *actors.Projector
	projecting bool // one run at a time
	epoch      uint64
	claimedAt  seatmap.Time
	startTime  seatmap.Time
	rate       seatmap.Time // of its clock, in percent: they drift
	waking     bool
	crashed    bool
	// version of what was committed when its last commit took effect.
	version uint64
	// begun: it has said at which version the event goes on.
	begun bool
	// moving is what its batch in flight moves, as the journal is to have it.
	moving []byte
	// changing are the orders that its batch in flight changes.
	changing map[seatmap.OrderID]bool
}

func (o *simOwner) now() seatmap.Time { return o.startTime + (o.w.elapsed-o.claimedAt)*o.rate/100 }

// until is how long the owner's clock takes from now to the time.
func (o *simOwner) until(at seatmap.Time) seatmap.Time { return (at-o.now())*100/o.rate + 1 }

func emptyMap(t testing.TB, r messages.Recovery) *seatmap.Map {
	plan, err := seatmap.NewPlan(seatingplan.Spec(r.Plan, r.PlanHash))
	if err != nil {
		t.Fatal(err)
	}
	return seatmap.New(plan)
}

// activate a new owner. Those before go on.
func (w *world) activate() *simOwner {
	journal := simJournal{w.db.Journal("sim"), w}
	readModel := simReadModel{w.db.ReadModel(), w}
	env := &actors.Env{Journal: claiming{journal}, ReadModel: readModel, Clock: virtual{w}, Log: silentLog()}
	a, err := actors.Activate(context.Background(), eventID, env)
	if err != nil {
		w.fail("activating: %v", err)
		w.FailNow()
	}
	w.met.Claims++
	o := &simOwner{
		w: w, owner: actors.NewOwner(eventID, a, render), projector: actors.NewProjector(eventID, a.State.Plan(), env),
		epoch: a.Claim.Epoch, claimedAt: seatmap.Time(a.ClaimedAt.Milliseconds()), startTime: a.Now, rate: 90 + seatmap.Time(w.rng.IntN(21)),
	}
	o.projector.SnapshotEvery(20)
	w.note("owner %d activated at entry %d", o.epoch, a.Claim.LastSeq)
	w.owners = append(w.owners, o)
	w.step(o, actors.Due{})
	return o
}

// claiming tells the world which epoch stands.
type claiming struct{ simJournal }

func (j claiming) Claim(ctx context.Context, id string) (messages.Claim, error) {
	c, err := j.simJournal.Claim(ctx, id)
	j.w.epoch = max(j.w.epoch, c.Epoch)
	return c, err
}

// step an owner, check what leaves it, and note what it wants done.
func (w *world) step(o *simOwner, in actors.Input) {
	if o.crashed {
		return
	}
	out := o.owner.Step(o.now(), in)
	committed, isCommit := in.(actors.Committed)
	w.moved(o, out.Moved, isCommit && committed.Err == nil)
	for _, r := range out.Replies {
		w.hear(o, r, isCommit && committed.Err == nil)
	}
	w.announced(o, out.Changed, isCommit && committed.Err == nil)
	if len(out.Bugs) > 0 {
		w.fail("owner %d: %v", o.epoch, out.Bugs)
	}
	if out.Stop != nil {
		w.note("owner %d ended: %v", o.epoch, out.Stop)
		o.crashed = true
		w.owners = without(w.owners, o)
		return
	}
	if out.Commit != nil {
		b := *out.Commit
		o.changing = changedBy(w.TB, b)
		o.moving = nil
		if b.Entry != nil {
			o.moving = b.Entry.Moved
		}
		w.later("commit", o, func() { w.commit(o, b) })
	}
	for _, c := range out.Calls {
		w.later("call "+c.Op.Kind.String(), o, func() { w.call(o, c) })
	}
	if out.ProjectTo != 0 {
		w.later("project", o, func() { w.project(o, out.ProjectTo, true) })
	}
}

// announced orders are those that the entry just committed has changed, each once.
func (w *world) announced(o *simOwner, ids []seatmap.OrderID, committed bool) {
	if !committed {
		if len(ids) > 0 {
			w.fail("owner %d announces %d orders before a commit", o.epoch, len(ids))
		}
		return
	}
	for _, id := range ids {
		if _, ok := w.truth.Order(id); !ok || !o.changing[id] {
			w.fail("owner %d announces order %x, which its entry has not changed, or twice", o.epoch, id)
		}
		delete(o.changing, id)
	}
	if len(o.changing) > 0 {
		w.fail("owner %d does not announce %d orders", o.epoch, len(o.changing))
	}
	w.met.Announced += len(ids)
}

// changedBy says which orders the entry of a batch changes, as whoever looks at them sees it.
func changedBy(t testing.TB, b messages.Batch) map[seatmap.OrderID]bool {
	changed := map[seatmap.OrderID]bool{}
	if b.Entry == nil {
		return changed
	}
	facts, err := seatmap.DecodeEntry(b.Entry.Facts)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if _, voided := f.(seatmap.AuthorizationWasVoided); voided {
			continue
		}
		if order := reflect.ValueOf(f).FieldByName("Order"); order.IsValid() {
			changed[order.Interface().(seatmap.OrderID)] = true
		}
	}
	return changed
}

func without(owners []*simOwner, o *simOwner) (rest []*simOwner) {
	for _, other := range owners {
		if other != o {
			rest = append(rest, other)
		}
	}
	return rest
}

// commit takes effect, or not, and its reply comes, or not, now or later.
func (w *world) commit(o *simOwner, b messages.Batch) {
	fault := 0
	if !w.healed {
		fault = w.rng.IntN(100)
	}
	if fault >= 97 {
		w.met.Lost++
		w.note("… fails")
		w.step(o, actors.Committed{Err: errors.New("failed")})
		return
	}
	err := w.db.Journal("sim").Commit(context.Background(), b)
	w.learn()
	switch {
	case err == nil && b.Epoch != w.epoch:
		w.fail("owner %d committed while epoch %d stands", b.Epoch, w.epoch)
	case err == nil:
		o.version = w.truth.Version()
	case errors.Is(err, messages.ErrFenced):
		w.met.Fenced++
	default:
		w.fail("owner %d: %v", o.epoch, err)
	}
	switch {
	case fault >= 94:
		w.met.Lost++
		w.note("… its reply is lost")
		w.step(o, actors.Committed{Err: errors.New("reply lost")})
	case fault >= 80:
		w.later("commit's reply", o, func() { w.step(o, actors.Committed{Err: err}) })
	default:
		w.step(o, actors.Committed{Err: err})
	}
}

// call the provider, who may not hear it, or not be heard, or hear it late.
func (w *world) call(o *simOwner, c actors.Call) {
	pay := func() actors.CallResult { return actors.Pay(context.Background(), w.provider, issuer{}, c) }
	silence := actors.Paid{Result: actors.CallResult{Op: c.Op, Err: payment.ErrUnknown}}
	fault := 0
	if !w.healed {
		fault = w.rng.IntN(100)
	}
	switch {
	case fault >= 92:
		w.note("… not made")
		w.step(o, silence)
	case fault >= 84:
		w.note("… not heard")
		pay()
		w.step(o, silence)
	case fault >= 76:
		w.note("… made late")
		w.later("late call", o, func() { pay() })
		w.step(o, silence)
	case fault >= 60:
		result := pay()
		w.later("provider's reply", o, func() { w.step(o, actors.Paid{Result: result}) })
	default:
		w.step(o, actors.Paid{Result: pay()})
	}
}

// project with the owner's projector, for the owner or for nobody.
func (w *world) project(o *simOwner, to uint64, asked bool) {
	if o.projecting {
		if asked {
			w.step(o, actors.Projected{Err: errors.New("busy")})
		}
		return
	}
	o.projecting = true
	seq, err := o.projector.Run(context.Background(), to)
	o.projecting = false
	if asked {
		w.step(o, actors.Projected{Seq: seq, Err: err})
	} else if err == nil {
		w.met.Projected++
	}
	if err != nil {
		w.fail("owner %d, projecting to %d: %v", o.epoch, to, err)
	}
}

package admission

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"boxoffice/actors"
	"boxoffice/actors/failpoint"
	"boxoffice/messages"
)

const (
	claimTimeout = 5 * time.Second
	admitTimeout = 5 * time.Second
	// demandTimeout is for Recover, Pull and Ack each; a Pull's own wait is shorter.
	demandTimeout = 3 * time.Second
	// pauseAfterFailure lies between an admission that has failed and the next, lest a lost database be asked without end.
	pauseAfterFailure = 100 * time.Millisecond
	// graceAfterEnd is how long an ended actor still takes those who come late: they are pokes, and the waker's comes again.
	graceAfterEnd = time.Second
)

// Env is all that an admission's actor has of the world.
type Env struct {
	Rooms Rooms
	// Demand wakes sooner than the sweep of once a second; nil: there is none.
	Demand Demand
	// Live hears how far the line is; nil: nobody does.
	Live  actors.Publisher
	Clock actors.Clock
	// Claims runs claims, Admissions Admits, Pulls what has to do with the Demand: there each admission has a function that
	// waits nearly always.
	Claims, Admissions, Pulls actors.Pool
	Log                       *slog.Logger
	// Metrics count what is done; nil: nobody does.
	Metrics *Metrics
	// Ended is called when an admission's actor does nothing more, and again when it stops.
	Ended func(eventID string, self *actor.PID)
}

// Poke asks an admission to look whether somebody is to be let in. Nobody answers.
type Poke struct{}

type timeUp struct{} // for an actor that has ended

// Actor is the protoactor shell of one event's Admission: it knows the clock, the mailbox and the pools, and decides
// nothing. It is drained as an event actor is, with actors.Drain.
type Actor struct {
	id  string
	env *Env
	log *slog.Logger

	self      *actor.PID
	root      *actor.RootContext
	errands   *actors.Errands
	admission *Admission // nil: at its end
	drainers  []*actor.PID

	wakeAt     time.Duration // of the timer that runs; 0: none
	stopWaking func()
}

// Props makes the actor of the admission to one event.
func Props(eventID string, env *Env) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &Actor{id: eventID, env: env} })
}

// Receive handles one message; protoactor calls it with one at a time. A panic that comes out of it is a bug of the
// shell: protoactor puts a new Actor in this one's place, and says so to nobody.
func (a *Actor) Receive(c actor.Context) {
	defer func() {
		if p := recover(); p != nil {
			a.env.Log.Error("admission's actor starts anew after a panic", "event", a.id, "panic", p, "stack", string(debug.Stack()))
			a.env.Metrics.panicked()
			if a.admission != nil {
				a.env.Metrics.began(-1)
			}
			panic(p)
		}
	}()
	switch m := c.Message().(type) {
	case *actor.Started:
		a.log = a.env.Log.With("event", a.id)
		a.self, a.root = c.Self(), c.ActorSystem().Root
		a.errands = actors.NewErrands(c, a.env.Clock, a.log)
		a.admission = New(a.id, a.env.Demand != nil)
		a.env.Metrics.began(1)
		a.step(Started{})
	case Poke:
		a.step(Poked{})
	case actors.Drain:
		a.drain(c.Sender())
	case *actor.Stopped: // by protoactor, after too many panics: no poke would find that out
		a.env.Ended(a.id, c.Self())
	default:
		if of, ok := a.errands.Returned(m); ok {
			a.returned(of)
		}
	}
}

func (a *Actor) returned(of any) {
	switch m := of.(type) {
	case Due:
		a.wakeAt = 0
		a.step(m)
	case Input:
		a.step(m)
	case timeUp:
		a.root.Stop(a.self)
	}
}

// step the admission and do what it says.
func (a *Actor) step(in Input) {
	if a.admission == nil {
		return
	}
	a.env.Metrics.took(in)
	out, panicked := a.stepSafely(in)
	a.perform(out)
	switch {
	case panicked:
		a.end(pauseAfterFailure)
	case errors.Is(out.Stop, ErrIdle):
		a.log.Info("admission ended", "epoch", a.admission.Epoch(), "reason", out.Stop)
		a.end(0)
	case out.Stop != nil:
		a.log.Warn("admission ended", "epoch", a.admission.Epoch(), "reason", out.Stop)
		a.end(pauseAfterFailure)
	default:
		if c, ok := in.(Claimed); ok {
			a.log.Info("admission claimed", "epoch", c.Claim.Epoch)
		}
		a.wake(out.WakeAt)
		a.drained()
	}
}

func (a *Actor) stepSafely(in Input) (out Effects, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("admission ended by a panic", "panic", p, "stack", string(debug.Stack()))
			a.env.Metrics.panicked()
			out, panicked = Effects{}, true
		}
	}()
	return a.admission.Step(a.env.Clock.Elapsed(), in), false
}

func (a *Actor) perform(out Effects) {
	if out.Publish != nil {
		a.errands.Publish(a.env.Live, &messages.Live{EventId: a.id, What: &messages.Live_Progress{Progress: out.Publish}})
	}
	if out.Claim {
		a.errands.Elsewhere(a.env.Claims, func() any { return a.claim() }, func(err error) any { return Claimed{Err: err} })
	}
	if out.Admit != nil {
		m := *out.Admit
		a.errands.Elsewhere(a.env.Admissions, func() any { return a.admit(m) }, func(err error) any { return Admitted{Err: err} })
	}
	if out.Ack != nil {
		a.errands.Elsewhere(a.env.Pulls, func() any { return a.ack(out.Ack) }, func(error) any { return Acked{} })
	}
	if out.Recover {
		a.errands.Elsewhere(a.env.Pulls, func() any { return a.recover() }, func(err error) any { return Recovered{Err: err} })
	}
	if out.Pull {
		a.errands.Elsewhere(a.env.Pulls, func() any { return a.pull() }, func(err error) any { return Pulled{Err: err} })
	}
}

// wake keeps one timer running, for the moment the admission has named.
func (a *Actor) wake(at time.Duration) {
	if at == a.wakeAt {
		return
	}
	a.stopTimer()
	if at != 0 {
		a.wakeAt = at
		a.stopWaking = a.errands.After(at-a.env.Clock.Elapsed(), Due{})
	}
}

func (a *Actor) stopTimer() {
	if a.stopWaking != nil {
		a.stopWaking()
	}
	a.wakeAt, a.stopWaking = 0, nil
}

// end does nothing more, and stops once no straggler is to be expected. Whoever asks for the event's admission before the
// pause is over finds this one.
func (a *Actor) end(pause time.Duration) {
	a.admission = nil
	a.env.Metrics.began(-1)
	a.errands.Renew()
	a.stopTimer()
	id, self, ended := a.id, a.self, a.env.Ended
	if pause == 0 {
		ended(id, self)
	} else {
		a.env.Clock.AfterFunc(pause, func() { ended(id, self) })
	}
	a.errands.After(pause+graceAfterEnd, timeUp{})
	a.finishDrain()
}

func (a *Actor) drain(from *actor.PID) {
	a.drainers = append(a.drainers, from)
	if a.admission == nil {
		a.finishDrain()
		return
	}
	a.admission.Drain()
	a.drained()
}

// drained ends the actor once no Admit is in flight.
func (a *Actor) drained() {
	if len(a.drainers) > 0 && a.admission.Idle() {
		a.end(0)
	}
}

func (a *Actor) finishDrain() {
	for _, pid := range a.drainers {
		if pid != nil {
			a.root.Send(pid, actors.Drained{})
		}
	}
	a.drainers = nil
}

// What an admission does elsewhere, on a pool.

func (a *Actor) claim() Claimed {
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	c, err := a.env.Rooms.Claim(ctx, a.id)
	return Claimed{Claim: c, Err: err}
}

// admit whoever is next. In a build with failpoints the process can be made to die right before it, or once it has let
// somebody in.
func (a *Actor) admit(m messages.Admit) Admitted {
	ctx, cancel := context.WithTimeout(context.Background(), admitTimeout)
	defer cancel()
	failpoint.Hit("before-admit")
	begun := a.env.Metrics.elapsed()
	r, err := a.env.Rooms.Admit(ctx, m)
	a.env.Metrics.admit(begun, r, err)
	if err != nil {
		a.log.Warn("nobody admitted, as far as is known", "error", err)
	} else if r.Count > 0 {
		failpoint.Hit("after-admit")
	}
	return Admitted{Admitted: r, Err: err}
}

func (a *Actor) ack(ids []string) Acked {
	ctx, cancel := context.WithTimeout(context.Background(), demandTimeout)
	defer cancel()
	if err := a.env.Demand.Ack(ctx, a.id, ids); err != nil {
		a.log.Debug("entries not acknowledged", "count", len(ids), "error", err)
	}
	return Acked{}
}

func (a *Actor) recover() Recovered {
	ctx, cancel := context.WithTimeout(context.Background(), demandTimeout)
	defer cancel()
	ids, err := a.env.Demand.Recover(ctx, a.id)
	return Recovered{IDs: ids, Err: logged(a.log, "entries not recovered", err)}
}

func (a *Actor) pull() Pulled {
	ctx, cancel := context.WithTimeout(context.Background(), demandTimeout)
	defer cancel()
	ids, err := a.env.Demand.Pull(ctx, a.id)
	return Pulled{IDs: ids, Err: logged(a.log, "entries not read", err)}
}

// logged at debug: while the demand is away, each admission tries again and again, and whoever lost it says so once.
func logged(log *slog.Logger, what string, err error) error {
	if err != nil {
		log.Debug(what, "error", err)
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

const (
	// stashMax bounds the requests that wait for an activation.
	stashMax = batchCommandsMax
	// activateTimeout is how long an activation may go without progress, which is an entry replayed: past it the event is
	// unavailable until the next try.
	activateTimeout = 15 * time.Second
	// commitTimeout is when a commit counts as lost. The owner ends then, and its successor finds out.
	commitTimeout = 5 * time.Second
	// callTimeout is when a provider's answer counts as not heard. tok_slow's 3 s are an answer.
	callTimeout = 5 * time.Second
	// projectTimeout is how long the projector may go without progress: an entry read, or a step written.
	projectTimeout = 30 * time.Second
	// graceAfterEnd is how long an ended owner still turns stragglers away: a stopped actor would leave them waiting.
	graceAfterEnd = time.Second
	// pauseAfterFailure lies between a failed activation and the next, lest a lost database be asked by every request.
	pauseAfterFailure = 100 * time.Millisecond
	// idleAfter is when an owner that nobody asks anything gives back its memory. The waker brings it back.
	idleAfter = 10 * time.Minute
	// changedMax bounds one message that names changed orders: 18 bytes each.
	changedMax    = 1_024
	quarantineMin = time.Minute
	quarantineMax = time.Hour
)

// Env is all that an event actor has of the world.
type Env struct {
	Journal   Journal
	ReadModel ReadModel
	Provider  payment.Provider
	Issuer    Issuer
	Render    Render
	// Live hears which seats have moved and which orders have changed; nil: nobody does.
	Live  Publisher
	Clock Clock
	// Activations runs activations, which may be long; Commits commits, Calls the provider's calls, Projections the read
	// model's. None of them waits for another's work.
	Activations, Commits, Calls, Projections Pool
	Log                                      *slog.Logger
	// Metrics count what is done; nil: nobody does.
	Metrics *Metrics
	// TakeOver is called before an event is claimed: where another node owns it, that one is asked to finish what it has
	// begun. nil: there is no other.
	TakeOver func(ctx context.Context, eventID string)
	// Tracer makes the spans of requests that come with a traceparent, and of what they cause; nil: none.
	Tracer trace.Tracer
	// Ended is called once, when an event actor takes no more requests.
	Ended func(eventID string, self *actor.PID)
}

// Drain asks an event actor to finish what it has begun and to end. It takes no more requests: who asks is turned away, for
// he may find the event elsewhere. It is answered with Drained.
type Drain struct {
	// Within, if not 0, says that another owner waits: the read model is left to it, and so is what is not finished by then,
	// as a call to a silent payment provider. 0: all is waited for.
	Within time.Duration
}

// Drained says that an event actor has ended.
type Drained struct{}

// What comes back from elsewhere, beside Inputs.
type (
	activated struct {
		activation Activation
		err        error
	}
	timeUp    struct{} // for what the phase waits for
	drainOver struct{}
	idleCheck struct{}
)

type phase uint8

const (
	activating phase = iota
	running
	quarantined
	ended
)

// Event is the protoactor shell of one event's Owner: it knows the clock, the mailbox and the pools, and decides nothing.
type Event struct {
	id  string
	env *Env

	self        *actor.PID
	root        *actor.RootContext
	errands     *Errands
	meter       *meter
	traces      *tracing
	phase       phase
	mailbox     actor.Mailbox
	owner       *Owner
	projector   *Projector
	startedAt   time.Duration // Clock.Elapsed at which the event's time was startTime
	startTime   seatmap.Time
	stash       []Asked
	quarantines int
	farewell    messages.Outcome // of a failed activation, for those who ask after it
	drainers    []*actor.PID
	handingOver bool // another owner waits
	lastAsked   time.Duration

	wakeAt     seatmap.Time // of the timer that runs; 0: none
	stopWaking func()
}

// EventProps makes the actor of one event.
func EventProps(eventID string, env *Env) *actor.Props {
	mailbox := actor.Unbounded()() // of the one actor that is spawned by this
	return actor.PropsFromProducer(func() actor.Actor {
		return &Event{id: eventID, env: env, traces: newTracing(env.Tracer, eventID), mailbox: mailbox}
	}, actor.WithMailbox(func() actor.Mailbox { return mailbox }))
}

// Receive handles one message; protoactor calls it with one at a time. A panic that comes out of it is a bug of the
// shell: protoactor puts a new Event in this one's place, and says so to nobody.
func (e *Event) Receive(c actor.Context) {
	defer func() {
		if p := recover(); p != nil {
			e.env.Log.Error("event's actor starts anew after a panic", "event", e.id, "panic", p, "stack", string(debug.Stack()))
			e.env.Metrics.panicked()
			e.meter.leave()
			panic(p)
		}
	}()
	switch m := c.Message().(type) {
	case *actor.Started:
		e.self, e.root = c.Self(), c.ActorSystem().Root
		e.errands = NewErrands(c, e.env.Clock, e.env.Log.With("event", e.id))
		e.meter = e.env.Metrics.meter(e.id, e.mailbox.UserMessageCount)
		e.activate()
	case *messages.Request:
		e.lastAsked = e.env.Clock.Elapsed()
		e.request(Asked{From: e.traces.received(c.Sender(), m), Request: m})
	case Drain:
		e.drain(c.Sender(), m.Within)
	default:
		if of, ok := e.errands.Returned(m); ok {
			e.completed(of)
		}
	}
}

func (e *Event) request(in Asked) {
	switch e.phase {
	case running:
		if len(e.drainers) > 0 {
			e.turnAway(in.From)
			return
		}
		e.step(in)
	case activating:
		if len(e.stash) < stashMax {
			e.stash = append(e.stash, in)
			return
		}
		e.reply(in.From, messages.Outcome_OUTCOME_OVERLOADED)
	case quarantined:
		e.reply(in.From, messages.Outcome_OUTCOME_UNAVAILABLE)
	case ended:
		e.turnAway(in.From)
	}
}

// turnAway a straggler: to where it came from, for it has not been looked at and its sender will find another actor; or,
// where this one never came to be, with the reason.
func (e *Event) turnAway(from Caller) {
	if e.farewell != messages.Outcome_OUTCOME_UNSPECIFIED {
		e.reply(from, e.farewell)
		return
	}
	if pid, ok := e.traces.replied(from, messages.Outcome_OUTCOME_UNSPECIFIED).(*actor.PID); ok && pid != nil {
		e.root.Send(pid, &actor.DeadLetterResponse{})
	}
}

func (e *Event) completed(of any) {
	switch m := of.(type) {
	case activated:
		e.activated(m.activation, m.err)
	case Due:
		if e.phase == running && e.wakeAt != 0 {
			e.meter.late(e.now() - e.wakeAt)
		}
		e.wakeAt = 0
		if e.phase == running {
			e.step(m)
		}
	case Input:
		if e.phase == running {
			e.step(m)
		}
	case timeUp:
		switch e.phase {
		case quarantined:
			e.activate()
		case ended:
			e.root.Stop(e.self)
		case activating, running:
		}
	case drainOver:
		if e.phase == running {
			out := e.owner.End(errDrained)
			e.env.Metrics.sent(out.Replies)
			e.perform(out)
			e.end()
		}
	case idleCheck:
		if e.phase == running && e.owner.Idle() && e.env.Clock.Elapsed()-e.lastAsked >= idleAfter {
			e.end()
			return
		}
		e.errands.After(idleAfter, idleCheck{})
	}
}

// activate begins a new incarnation: what earlier ones asked for is dropped when it comes back.
func (e *Event) activate() {
	e.phase = activating
	e.meter.activating()
	e.traces.renew()
	e.errands.Renew()
	e.errands.Elsewhere(e.env.Activations, func() any {
		a, err := Activate(context.Background(), e.id, e.env)
		return activated{a, err}
	}, func(err error) any { return activated{err: err} })
}

func (e *Event) activated(a Activation, err error) {
	stash := e.stash
	e.stash = nil
	e.meter.activated(err)
	if err != nil {
		outcome := messages.Outcome_OUTCOME_UNAVAILABLE
		var missing *messages.EventNotFoundError
		if errors.As(err, &missing) {
			outcome = messages.Outcome_OUTCOME_EVENT_NOT_FOUND
		} else {
			e.env.Log.Error("event not activated", "event", e.id, "error", err)
		}
		for _, in := range stash {
			e.reply(in.From, outcome)
		}
		var panicked *panicError // in a loop, as like as not
		if isBroken(err) || errors.As(err, &panicked) {
			e.quarantine()
			return
		}
		e.farewell = outcome
		e.endAfter(pauseAfterFailure)
		return
	}
	if e.handingOver { // before anything has begun
		for _, in := range stash {
			e.turnAway(in.From)
		}
		e.end()
		return
	}
	e.owner = NewOwner(e.id, a, e.env.Render)
	e.projector = NewProjector(e.id, a.State.Plan(), e.env) // its own: an earlier one may still be running
	e.startedAt, e.startTime = a.ClaimedAt, a.Now
	e.phase = running
	e.errands.After(idleAfter, idleCheck{})
	e.env.Log.Info("event activated", "event", e.id, "epoch", a.Claim.Epoch, "seq", a.Claim.LastSeq)
	e.step(Due{})
	for _, in := range stash {
		e.request(in)
	}
	if len(e.drainers) > 0 && e.phase == running {
		e.owner.Drain()
		e.drained()
	}
}

// isBroken: the database is there, but what it holds does not fit what we want of it, so that another try would end as
// this one did.
func isBroken(err error) bool {
	var unreplayable *ReplayError
	var broken *messages.BrokenJournalError
	var sold *messages.DoubleSaleError
	return errors.As(err, &unreplayable) || errors.As(err, &broken) || errors.As(err, &sold)
}

// step the owner and do what it says. A panic means that memory and journal do not fit.
func (e *Event) step(in Input) {
	out, panicked := e.stepSafely(in)
	e.meter.stepped(e.owner, in, &out)
	e.traces.stepped(e.owner.Epoch(), in, out)
	e.perform(out)
	if panicked {
		e.owner = nil
		e.quarantine()
		return
	}
	if out.Stop != nil {
		e.env.Log.Warn("event's owner ended", "event", e.id, "epoch", e.owner.Epoch(), "reason", out.Stop)
		if isBroken(out.Stop) {
			e.owner = nil
			e.quarantine()
			return
		}
		e.end()
		return
	}
	e.wake()
	e.drained()
}

func (e *Event) stepSafely(in Input) (out Effects, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			e.env.Log.Error("event quarantined: its memory does not fit its journal", "event", e.id, "panic", p, "stack", string(debug.Stack()))
			e.env.Metrics.panicked()
			out, panicked = e.owner.End(fmt.Errorf("panic: %v", p)), true
			if asked, ok := in.(Asked); ok {
				out.Replies = append(out.Replies, Addressed{asked.From, &messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE}})
			}
		}
	}()
	return e.owner.Step(e.now(), in), false
}

func (e *Event) perform(out Effects) {
	for _, bug := range out.Bugs {
		e.env.Log.Error("event refused a command for a bug", "event", e.id, "error", bug)
	}
	// Before the replies: whoever hears one, and looks at the hall on this node, sees what it speaks of.
	if out.Moved != nil {
		e.errands.Publish(e.env.Live, seatsMoved(e.id, out.Moved))
	}
	for _, r := range out.Replies {
		if to, ok := e.traces.replied(r.To, r.Reply.GetOutcome()).(*actor.PID); ok && to != nil {
			e.root.Send(to, r.Reply)
		}
	}
	for ids := range slices.Chunk(out.Changed, changedMax) {
		e.errands.Publish(e.env.Live, ordersChanged(e.id, ids))
	}
	if out.Commit != nil {
		b, span := *out.Commit, e.traces.commit(out.Commit)
		e.errands.Elsewhere(e.env.Commits, func() any { return span.committed(e.commit(b)) },
			func(err error) any { return span.committed(Committed{Err: err}) })
	}
	for _, c := range out.Calls {
		span := e.traces.call(c)
		e.errands.Elsewhere(e.env.Calls, func() any { return Paid{span.paid(e.pay(span.context(), c))} },
			func(err error) any { return Paid{span.paid(CallResult{Op: c.Op, Err: err})} })
	}
	if out.ProjectTo != 0 {
		projector := e.projector
		e.errands.Elsewhere(e.env.Projections, func() any { return e.project(projector, out.ProjectTo) },
			func(err error) any { return Projected{Err: err} })
	}
}

func ordersChanged(eventID string, ids []seatmap.OrderID) *messages.Live {
	changed := &messages.OrdersChanged{OrderIds: make([][]byte, len(ids))}
	for i := range ids {
		changed.OrderIds[i] = ids[i][:]
	}
	return &messages.Live{EventId: eventID, What: &messages.Live_Orders{Orders: changed}}
}

func (e *Event) reply(to Caller, outcome messages.Outcome) {
	e.env.Metrics.replied(outcome)
	if pid, ok := e.traces.replied(to, outcome).(*actor.PID); ok && pid != nil {
		e.root.Send(pid, &messages.Reply{Outcome: outcome})
	}
}

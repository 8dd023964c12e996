package actors_test

import (
	"context"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// rig is an Owner on a workbench: a virtual time, and every effect is performed by hand.
type rig struct {
	testing.TB
	db       *memory.DB
	ledger   *paymenttest.Ledger
	provider payment.Provider
	state    *seatmap.Map // the owner's own
	owner    *actors.Owner
	now      seatmap.Time
	render   actors.Render

	flight *messages.Batch
	calls  []actors.Call
	heard  map[string][]*messages.Reply
	last   actors.Effects
	told   *messages.SeatsMoved // since the test last looked
}

// still is a clock that stands.
type still struct{}

func (still) Elapsed() time.Duration                        { return 0 }
func (still) AfterFunc(time.Duration, func()) (stop func()) { return func() {} }

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOf(t, holdTTL)
}

func newRigOf(t testing.TB, ttl seatmap.Time) *rig {
	t.Helper()
	r := &rig{TB: t, ledger: paymenttest.NewLedger(), now: t0, render: render, heard: map[string][]*messages.Reply{}}
	r.db = memory.New(func() int64 { return int64(r.now) })
	r.provider = newProvider(r.ledger)
	createEvent(t, r.db.Catalogue(), eventID, 20, uint32(ttl/1000))
	r.activate()
	return r
}

// env is what an activation and a projector need of the world.
func (r *rig) env() *actors.Env {
	return &actors.Env{Journal: r.db.Journal("rig"), ReadModel: r.db.ReadModel(), Clock: still{}, Log: silentLog()}
}

// activate makes a new owner; the one before is forgotten.
func (r *rig) activate() {
	r.Helper()
	a, err := actors.Activate(r.Context(), eventID, r.env())
	if err != nil {
		r.Fatal(err)
	}
	r.flight, r.calls, r.state = nil, nil, a.State
	r.owner = actors.NewOwner(eventID, a, func(reply *messages.Reply) *messages.Answer { return r.render(reply) })
	r.step(actors.Due{})
}

// step the owner and note what it wants done.
func (r *rig) step(in actors.Input) actors.Effects {
	r.Helper()
	out := r.owner.Step(r.now, in)
	r.note(out)
	return out
}

func (r *rig) note(out actors.Effects) {
	r.Helper()
	r.last = out
	if out.Moved != nil {
		if r.told != nil && r.told.GetVersion() > out.Moved.GetPrevious() {
			r.Errorf("told of %v, then of %v", r.told, out.Moved)
		}
		r.told = out.Moved
	}
	for _, reply := range out.Replies {
		if who, ok := reply.To.(string); ok {
			r.heard[who] = append(r.heard[who], reply.Reply)
		}
	}
	if out.Commit != nil {
		if r.flight != nil {
			r.Fatal("a second batch was sent off while one is in flight")
		}
		r.flight = out.Commit
	}
	r.calls = append(r.calls, out.Calls...)
	if out.ProjectTo != 0 {
		r.note(r.owner.Step(r.now, actors.Projected{Seq: out.ProjectTo}))
	}
}

func (r *rig) ask(who string, request *messages.Request) actors.Effects {
	r.Helper()
	return r.step(actors.Asked{From: who, Request: request})
}

// commit performs the batch in flight.
func (r *rig) commit() actors.Effects {
	r.Helper()
	if r.flight == nil {
		r.Fatal("no batch is in flight")
	}
	b := *r.flight
	r.flight = nil
	return r.step(actors.Committed{Err: r.db.Journal("rig").Commit(r.Context(), b)})
}

// settle commits until nothing is in flight.
func (r *rig) settle() {
	r.Helper()
	for r.flight != nil {
		r.commit()
	}
}

// call takes the one call that the owner wants made.
func (r *rig) call(kind seatmap.OperationKind, repeated bool) actors.Call {
	r.Helper()
	if len(r.calls) != 1 || r.calls[0].Op.Kind != kind || r.calls[0].Repeated != repeated {
		r.Fatalf("calls %+v, want one %s, repeated %t", r.calls, kind, repeated)
	}
	c := r.calls[0]
	r.calls = nil
	return c
}

// pay makes a call and tells the owner.
func (r *rig) pay(c actors.Call) actors.Effects {
	r.Helper()
	return r.step(actors.Paid{Result: actors.Pay(context.Background(), r.provider, issuer{}, c)})
}

// unheard tells the owner that the provider is silent.
func (r *rig) unheard(c actors.Call) actors.Effects {
	r.Helper()
	return r.step(actors.Paid{Result: actors.CallResult{Op: c.Op, Err: payment.ErrUnknown}})
}

// wake lets time go by, up to the moment the owner wants to be woken at, and wakes it.
func (r *rig) wake(want seatmap.Time) actors.Effects {
	r.Helper()
	if at := r.owner.WakeAt(); at != want {
		r.Fatalf("the owner wants to be woken at t0+%d, want t0+%d", at-t0, want-t0)
	}
	r.now = want
	return r.step(actors.Due{})
}

// hear takes the one reply that the caller has got.
func (r *rig) hear(who string, want messages.Outcome) *messages.Reply {
	r.Helper()
	got := r.heard[who]
	if len(got) != 1 || got[0].GetOutcome() != want {
		r.Fatalf("%s heard %v, want %v", who, got, want)
	}
	delete(r.heard, who)
	return got[0]
}

// silence fails the test if anybody has heard anything.
func (r *rig) silence() {
	r.Helper()
	if len(r.heard) != 0 {
		r.Fatalf("heard too early: %v", r.heard)
	}
}

// authorized makes an order that is AUTHORIZED for the seats.
func (r *rig) authorized(session, order, token string, seats ...string) {
	r.Helper()
	r.ask("", createOrder(session, order, r.now+tokenTTL))
	r.settle()
	r.ask("", confirm(session, order, "", token, seats...))
	r.settle()
	r.pay(r.call(seatmap.Authorize, false))
	r.settle()
	delete(r.heard, "")
	if got := r.status(session, order); got != messages.OrderStatus_ORDER_STATUS_AUTHORIZED {
		r.Fatalf("the order is %s", got)
	}
}

func (r *rig) status(session, order string) messages.OrderStatus {
	r.Helper()
	r.settle()
	r.ask("status", getOrder(session, order))
	r.settle()
	return r.hear("status", messages.Outcome_OUTCOME_READ).GetOrder().GetStatus()
}

func (r *rig) entries() []messages.Entry {
	r.Helper()
	return audit(r.TB, r.db, eventID, r.ledger).Entries
}

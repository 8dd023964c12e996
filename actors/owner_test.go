package actors_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: nothing uncommitted leaves an owner, and its batches are what they should be. Method: an Owner on a workbench:
// inputs are given, time is moved and effects are performed one by one, in the sequence that the test wants.

const (
	created     = messages.Outcome_OUTCOME_ORDER_CREATED
	reserved    = messages.Outcome_OUTCOME_SEATS_RESERVED
	read        = messages.Outcome_OUTCOME_READ
	replayed    = messages.Outcome_OUTCOME_REPLAYED
	unavailable = messages.Outcome_OUTCOME_UNAVAILABLE
	overloaded  = messages.Outcome_OUTCOME_OVERLOADED
	notFound    = messages.Outcome_OUTCOME_ORDER_NOT_FOUND
)

func TestNothingLeavesBeforeItsCommit(t *testing.T) {
	r := newRig(t)
	r.ask("success", createOrder("s", "o", t0+tokenTTL))
	r.silence()
	r.commit()
	r.hear("success", created)

	for name, c := range map[string]struct {
		request *messages.Request
		want    messages.Outcome
	}{
		"refusal":  {reserve("s", "nobody's", "1-1"), notFound},
		"read":     {getOrder("s", "o"), read},
		"report":   {getReport(), read},
		"repeated": {createOrder("s", "o", t0+tokenTTL), replayed},
	} {
		r.ask(name, c.request)
		r.silence()
		if r.flight == nil || r.flight.Entry != nil {
			t.Fatalf("%s: batch %+v, want a check of the fence alone", name, r.flight)
		}
		r.commit()
		r.hear(name, c.want)
	}
	if view, _ := r.db.View(eventID); view.LastSeq != 2 {
		t.Errorf("the journal ends at %d: a refusal or a read took an entry", view.LastSeq)
	}
}

func TestWhatArrivesMeanwhileIsTheNextBatch(t *testing.T) {
	r := newRig(t)
	r.ask("a", createOrder("s", "o", t0+tokenTTL))
	first := r.flight
	// Decided at once, on what is not committed yet, but not sent off: note fails the test on a second batch in flight.
	r.ask("b", reserve("s", "o", "1-1", "1-2"))
	r.ask("c", getOrder("s", "o"))
	r.ask("d", reserve("s", "o", "9-9"))
	r.ask("e", createOrder("s", "o2", t0+tokenTTL))
	r.silence()
	if r.flight != first {
		t.Fatal("the batch in flight was replaced")
	}
	r.commit()
	r.hear("a", created)
	r.silence()
	if e := r.flight.Entry; e == nil || e.Seq != 3 {
		t.Fatalf("the next batch is %+v, want entry 3", r.flight)
	}
	r.commit()
	r.hear("b", reserved)
	if got := r.hear("c", read).GetOrder().GetStatus(); got != messages.OrderStatus_ORDER_STATUS_RESERVED {
		t.Errorf("the read shows %s", got)
	}
	r.hear("d", messages.Outcome_OUTCOME_UNKNOWN_SEAT)
	r.hear("e", created)
	r.silence()
	if r.flight != nil {
		t.Error("there is a batch of nothing")
	}
}

func TestStoredAnswersStandWhereTheirFactsSay(t *testing.T) {
	r := newRig(t)
	answers := map[string]*messages.Answer{}
	requests := map[string]*messages.Request{}
	r.ask("first", createOrder("s", "o", t0+tokenTTL))
	for i := range 4 { // one entry with several answers, and other facts between them
		name := fmt.Sprint(i)
		r.ask(name+" create", createOrder("s"+name, name, t0+tokenTTL))
		r.ask(name+" refused", reserve("s"+name, name, "1-1", "1-1"))
		r.ask(name+" reserve", reserve("s"+name, name, seatID(i)))
		requests[name+" create"], requests[name+" reserve"] = createOrder("s"+name, name, t0+tokenTTL), reserve("s"+name, name, seatID(i))
	}
	r.settle()
	for name := range requests {
		answers[name] = r.heard[name][0].GetAnswer()
		if answers[name] == nil {
			t.Fatalf("%s heard %v: no answer", name, r.heard[name])
		}
	}
	clear(r.heard)
	for _, again := range []string{"same owner", "after an activation"} {
		for name, request := range requests {
			r.ask(name, request)
			r.settle()
			got := stored(t, r.entries(), r.hear(name, replayed).GetStored())
			if !proto.Equal(got, answers[name]) || !bytes.Equal(got.GetBody(), answers[name].GetBody()) {
				t.Errorf("%s, %s: stored %v, answered %v", again, name, got, answers[name])
			}
		}
		r.activate()
	}
}

func TestFailedCommitEndsTheOwner(t *testing.T) {
	r := newRig(t)
	r.authorized("s", "o", "tok_visa", "1-1")
	r.ask("waiter", finalize("s", "o"))
	r.settle() // CAPTURING is committed, the provider is asked
	r.silence()
	r.ask("in flight", createOrder("s", "o2", t0+tokenTTL))
	r.ask("forming", getOrder("s", "o"))
	out := r.step(actors.Committed{Err: messages.ErrFenced})
	if !errors.Is(out.Stop, messages.ErrFenced) || out.Commit != nil || len(out.Calls) > 0 || out.ProjectTo != 0 {
		t.Errorf("effects of a failed commit: %+v", out)
	}
	for _, who := range []string{"waiter", "in flight", "forming"} {
		r.hear(who, unavailable)
	}
	defer func() {
		if recover() == nil {
			t.Error("an owner was stepped after its end")
		}
	}()
	r.step(actors.Due{})
}

func TestOverload(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	for range actors.BatchCommandsMax {
		r.ask("many", getOrder("s", "o"))
	}
	r.silence()
	r.ask("one too many", getOrder("s", "o"))
	r.hear("one too many", overloaded)
	r.commit()
	clear(r.heard)
	r.ask("later", getOrder("s", "o"))
	r.settle()
	r.hear("later", read)
}

// A caller who joins the wait for the provider takes no place in a batch for longer than a step.
func TestJoiningTheWaitOverloadsNobody(t *testing.T) {
	const day = 24 * 3_600_000
	r := newRigOf(t, day)
	r.ask("", createOrder("s", "o", t0+2*day))
	r.settle()
	again := func() { r.ask("again", confirm("s", "o", "", "tok_visa", "1-1")) }
	again()
	r.settle()
	clear(r.heard)
	r.unheard(r.call(seatmap.Authorize, false))
	for range actors.BatchCommandsMax + 1 {
		r.now += actors.CallerWaitMillisMax // whoever waited is told so and goes
		r.step(actors.Due{})
		for _, call := range r.calls {
			r.unheard(call)
		}
		r.calls = nil
		r.hear("again", messages.Outcome_OUTCOME_PAYMENT_UNKNOWN)
		again()
		r.silence()
		if r.flight != nil {
			t.Fatal("who joins the wait makes a batch")
		}
	}
}

func TestNextDueAndWakeAt(t *testing.T) {
	r := newRig(t)
	due := func(want seatmap.Time) {
		t.Helper()
		if got := seatmap.Time(r.flight.NextDue); got != want {
			t.Errorf("the batch says due at t0+%d, want t0+%d", got-t0, want-t0)
		}
		r.settle()
	}
	if r.owner.WakeAt() != 0 {
		t.Error("an idle owner wants to be woken")
	}
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	due(t0 + tokenTTL)
	r.ask("", reserve("s", "o", "1-1"))
	due(t0 + holdTTL)
	r.ask("", confirm("s", "o", "", "tok_visa"))
	due(t0 + actors.OperationLeaseMillis)
	call := r.call(seatmap.Authorize, false)
	if got := r.owner.WakeAt(); got != t0+actors.ProjectPauseMillis {
		t.Errorf("wake at t0+%d, want the next projection", got-t0)
	}
	r.now += actors.ProjectPauseMillis
	r.step(actors.Due{})
	if got := r.owner.WakeAt(); got != t0+actors.CallerWaitMillisMax {
		t.Errorf("wake at t0+%d, want the end of the caller's patience", got-t0)
	}
	wake := func() *messages.Request {
		return &messages.Request{Call: &messages.Request_Wake{Wake: &messages.Wake{}}}
	}
	// The provider is silent. Who is woken for that says when to wake the next time, and no sooner.
	r.ask("", wake())
	due(0)
	r.now = t0 + actors.OperationLeaseMillis
	r.ask("", wake())
	due(t0 + 2*actors.OperationLeaseMillis)
	r.ask("", wake())
	due(0)
	r.pay(call)
	due(t0 + holdTTL)
	r.now += 2 * actors.OperationLeaseMillis
	r.ask("", wake())
	due(0)
}

func TestDraining(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.settle()
	r.ask("begun", confirm("s", "o", "", "tok_visa", "1-1"))
	r.owner.Drain()
	r.ask("late", getOrder("s", "o"))
	r.hear("late", unavailable)
	for _, finish := range []func(){
		func() { r.settle() },
		func() { r.pay(r.call(seatmap.Authorize, false)) },
		func() { r.settle() },
	} {
		if r.owner.Idle() {
			t.Fatal("idle, but not finished")
		}
		finish()
	}
	r.hear("begun", messages.Outcome_OUTCOME_ORDER_AUTHORIZED)
	r.now += actors.ProjectPauseMillis
	r.step(actors.Due{})
	if !r.owner.Idle() {
		t.Error("not idle, but finished")
	}
}

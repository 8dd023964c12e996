package actors_test

import (
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: whoever waits for the payment provider hears in time what became of it, and the provider is asked for what is
// committed, again and again until it has answered. Method: as owner_test.go; the provider is the mock one, or silent.

const (
	authorized    = messages.Outcome_OUTCOME_ORDER_AUTHORIZED
	completed     = messages.Outcome_OUTCOME_ORDER_COMPLETED
	declined      = messages.Outcome_OUTCOME_PAYMENT_DECLINED
	captureFailed = messages.Outcome_OUTCOME_CAPTURE_FAILED
	unknown       = messages.Outcome_OUTCOME_PAYMENT_UNKNOWN
	inFlight      = messages.Outcome_OUTCOME_REQUEST_IN_FLIGHT
	expired       = messages.Outcome_OUTCOME_HOLD_EXPIRED
	wrongState    = messages.Outcome_OUTCOME_ORDER_STATE
	internal      = messages.Outcome_OUTCOME_INTERNAL
)

// confirming is a rig with an order whose confirm waits for the provider.
func confirming(t *testing.T, token string) (r *rig, c actors.Call) {
	t.Helper()
	r = newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.settle()
	r.ask("buyer", confirm("s", "o", "", token, "1-1"))
	if len(r.calls) > 0 {
		t.Fatal("the provider is called before the attempt is committed")
	}
	r.settle()
	delete(r.heard, "")
	return r, r.call(seatmap.Authorize, false)
}

func TestPurchase(t *testing.T) {
	r, c := confirming(t, payment.TokenVisa)
	r.pay(c)
	r.silence()
	r.commit()
	r.hear("buyer", authorized)

	r.ask("buyer", finalize("s", "o"))
	if len(r.calls) > 0 {
		t.Fatal("the provider is called before CAPTURING is committed")
	}
	r.settle()
	r.pay(r.call(seatmap.Capture, false))
	r.silence()
	if len(r.flight.Tickets) != 1 || r.flight.Tickets[0].SeatID != "1-1" {
		t.Errorf("tickets of the batch: %+v", r.flight.Tickets)
	}
	r.commit()
	reply := r.hear("buyer", completed)
	if tickets := reply.GetOrder().GetTickets(); len(tickets) != 1 || tickets[0].GetCode() == "" || reply.GetAnswer() == nil {
		t.Errorf("completed with tickets %v, answer %v", tickets, reply.GetAnswer())
	}
	if v := actors.Verify(r.projected()); len(v.Findings) > 0 || v.Sold != 1 || v.Open != 0 {
		t.Errorf("verify: %+v", v)
	}
}

// projected is the audit after the read model has followed.
func (r *rig) projected() *messages.Audit {
	r.Helper()
	view, err := r.db.View(eventID)
	if err != nil {
		r.Fatal(err)
	}
	if _, err := actors.NewProjector(eventID, r.state.Plan(), r.env()).Run(r.Context(), view.LastSeq); err != nil {
		r.Fatal(err)
	}
	return audit(r.TB, r.db, eventID, r.ledger)
}

func TestSilentProvider(t *testing.T) {
	r, c := confirming(t, payment.TokenVisa)
	r.now += actors.ProjectPauseMillis
	r.step(actors.Due{})
	// The same request meanwhile, and another key: nothing is answered twice, nothing is asked twice.
	r.ask("twin", confirm("s", "o", "", payment.TokenVisa, "1-1"))
	r.ask("other key", confirm("s", "o", "other", payment.TokenVisa, "1-1"))
	r.settle()
	r.hear("twin", inFlight)
	r.hear("other key", wrongState)

	r.wake(t0 + actors.CallerWaitMillisMax)
	r.hear("buyer", unknown) // this says nothing of the event: it needs no commit
	if r.flight != nil {
		t.Error("a caller's patience is no batch")
	}
	r.ask("buyer again", confirm("s", "o", "", payment.TokenVisa, "1-1"))
	r.settle()
	r.silence()
	r.pay(c)
	r.commit()
	r.hear("buyer again", authorized)
	r.silence()
}

func TestJoinAfterAnActivation(t *testing.T) {
	r, c := confirming(t, payment.TokenAuthTimeout)
	actors.Pay(t.Context(), r.provider, issuer{}, c) // it takes place, and nobody hears of it
	r.activate()
	again := r.call(seatmap.Authorize, true)
	r.ask("buyer again", confirm("s", "o", "", payment.TokenAuthTimeout, "1-1"))
	r.settle()
	r.silence()
	r.pay(again)
	r.settle()
	r.hear("buyer again", authorized)
	if rows := r.ledger.Rows(); len(rows) != 1 {
		t.Errorf("the provider did %d operations: %+v", len(rows), rows)
	}
}

func TestPausesGrowAndLookUpFirst(t *testing.T) {
	r, c := confirming(t, payment.TokenVisa)
	at, pause := t0, seatmap.Time(actors.RetryMillisMin)
	for range 12 {
		r.unheard(c)
		if r.flight != nil {
			t.Fatal("silence is no batch")
		}
		at += min(pause, actors.RetryMillisMax)
		if at >= t0+holdTTL {
			break
		}
		// Other things want to be done before: projections, callers' patience.
		for r.owner.WakeAt() < at {
			r.wake(r.owner.WakeAt())
			r.settle()
		}
		if len(r.calls) > 0 {
			t.Fatalf("called again at t0+%d, want t0+%d", r.now-t0, at-t0)
		}
		r.wake(at)
		c = r.call(seatmap.Authorize, true)
		pause *= 2
	}
	if pause < actors.RetryMillisMax {
		t.Errorf("the pause grew to %d only", pause)
	}
}

func TestHoldEndsWhileAuthorizing(t *testing.T) {
	r, c := confirming(t, payment.TokenVisa)
	// A second request joins, so that somebody waits when the hold ends.
	r.now = t0 + holdTTL - 1
	r.step(actors.Due{})
	r.hear("buyer", unknown)
	r.ask("buyer again", confirm("s", "o", "", payment.TokenVisa, "1-1"))
	r.settle()
	r.now++
	r.step(actors.Due{})
	r.silence()
	r.commit()
	if got := r.hear("buyer again", expired).GetOrder().GetStatus(); got != messages.OrderStatus_ORDER_STATUS_EXPIRED {
		t.Errorf("the order is %s", got)
	}
	if len(r.calls) > 0 {
		t.Fatal("voided before it was known whether there is something to void")
	}
	r.ask("other", createOrder("s2", "o2", t0+tokenTTL))
	r.ask("other", reserve("s2", "o2", "1-1")) // the seat is free at once
	r.settle()
	if got := r.heard["other"]; len(got) != 2 || got[1].GetOutcome() != reserved {
		t.Errorf("heard %v", got)
	}
	r.pay(c) // the authorization comes late
	r.settle()
	r.pay(r.call(seatmap.Void, false))
	r.settle()
	verify(t, r.projected())
	if rows := r.ledger.Rows(); len(rows) != 2 || rows[1].Kind != string(payment.KindVoid) {
		t.Errorf("ledger: %+v", rows)
	}
	if !r.idleSoon() {
		t.Error("something is still open")
	}
}

func (r *rig) idleSoon() bool {
	r.now += actors.ProjectPauseMillis
	r.step(actors.Due{})
	r.settle()
	r.now += actors.ProjectPauseMillis
	r.step(actors.Due{})
	return r.owner.Idle()
}

// A cancel while authorizing tells the one who waits, and the authorization is voided when it comes.
func TestCancelWhileAuthorizing(t *testing.T) {
	r, c := confirming(t, payment.TokenVisa)
	r.ask("canceller", cancel("s", "o"))
	r.silence()
	r.commit()
	r.hear("canceller", messages.Outcome_OUTCOME_ORDER_CANCELLED)
	r.hear("buyer", wrongState)
	r.pay(c)
	r.settle()
	r.pay(r.call(seatmap.Void, false))
	r.settle()
	verify(t, r.projected())
}

func TestDeclineKeepsTheSeats(t *testing.T) {
	r, c := confirming(t, payment.TokenDeclined)
	r.pay(c)
	r.settle()
	reply := r.hear("buyer", declined)
	if reply.GetDeclineCode() != payment.CodeCardDeclined || reply.GetOrder().GetStatus() != messages.OrderStatus_ORDER_STATUS_RESERVED ||
		reply.GetOrder().GetHoldExpiresAt() != int64(t0+holdTTL) || reply.GetAnswer() == nil {
		t.Errorf("declined with %v", reply)
	}
	r.ask("same key", confirm("s", "o", "", payment.TokenDeclined, "1-1"))
	r.ask("buyer", confirm("s", "o", "second", payment.TokenVisa))
	r.settle()
	r.hear("same key", replayed)
	second := r.call(seatmap.Authorize, false)
	if second.Op.Attempt != 2 {
		t.Errorf("attempt %d", second.Op.Attempt)
	}
	r.pay(second)
	r.settle()
	r.hear("buyer", authorized)
	verify(t, r.projected())
}

func TestCaptureRefused(t *testing.T) {
	r := newRig(t)
	r.authorized("s", "o", payment.TokenCaptureDeclined, "1-1")
	r.ask("buyer", finalize("s", "o"))
	r.settle()
	// CAPTURING pins the seats: the hold's end passes without a trace.
	call := r.call(seatmap.Capture, false)
	r.now = t0 + holdTTL + 1
	r.step(actors.Due{})
	r.hear("buyer", unknown)
	r.ask("buyer", finalize("s", "o"))
	r.pay(call)
	r.settle()
	if got := r.hear("buyer", captureFailed).GetOrder().GetStatus(); got != messages.OrderStatus_ORDER_STATUS_PAYMENT_FAILED {
		t.Errorf("the order is %s", got)
	}
	r.pay(r.call(seatmap.Void, false))
	r.settle()
	if v := verify(t, r.projected()); v.Sold != 0 || v.Open != 0 {
		t.Errorf("%+v", v)
	}
}

// An answer that comes twice, or from an attempt that is over, changes nothing.
func TestStalePaymentAnswers(t *testing.T) {
	r, c := confirming(t, payment.TokenDeclined)
	r.pay(c)
	r.settle()
	r.hear("buyer", declined)
	for _, late := range []actors.CallResult{
		{Op: c.Op, Command: seatmap.AuthorizeSucceeded{Order: c.Op.Order, Attempt: 1, Reference: "late"}},
		{Op: c.Op, Err: payment.ErrUnknown},
	} {
		if out := r.step(actors.Paid{Result: late}); out.Commit != nil || len(out.Calls) > 0 {
			t.Errorf("effects of a late answer: %+v", out)
		}
	}
	if r.owner.WakeAt() == 0 || r.status("s", "o") != messages.OrderStatus_ORDER_STATUS_RESERVED {
		t.Error("a late answer had an effect")
	}
}

// What is overdue ends before anything else is decided, so that its seats are free for whoever comes next.
func TestOverdueEndsBeforeTheNextDecision(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.ask("", reserve("s", "o", "1-1"))
	r.ask("", createOrder("s2", "o2", t0+tokenTTL))
	r.settle()
	r.now = t0 + holdTTL // and no Due has come
	r.ask("next", reserve("s2", "o2", "1-1"))
	r.settle()
	r.hear("next", reserved)
	if got := r.status("s", "o"); got != messages.OrderStatus_ORDER_STATUS_EXPIRED {
		t.Errorf("the order is %s", got)
	}
}

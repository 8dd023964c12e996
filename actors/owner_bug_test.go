package actors_test

import (
	"strings"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: a bug in Decide costs one command and no more; one in Apply ends the owner and tells everybody. Method: the
// owner's state is spoilt behind its back, so that a decision or a fact meets what cannot be.

func TestPanicInDecideCostsOneCommand(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.settle()
	delete(r.heard, "")
	prices := r.state.Settings().Prices
	r.state.Settings().Prices = nil // holding a seat looks up its price
	out := r.ask("unlucky", reserve("s", "o", "1-1"))
	if len(out.Bugs) != 1 || !strings.Contains(out.Bugs[0].Error(), "Reserve") {
		t.Errorf("bugs reported: %v", out.Bugs)
	}
	r.silence()
	r.commit()
	r.hear("unlucky", internal)
	r.state.Settings().Prices = prices
	r.ask("lucky", reserve("s", "o", "1-1"))
	r.settle()
	r.hear("lucky", reserved)
	if r.last.Bugs != nil {
		t.Error("a bug is reported twice")
	}
}

// wrongIssuer forgets a ticket, which Decide does not take.
type wrongIssuer struct{ issuer }

func (i wrongIssuer) Issue(event string, order seatmap.OrderID, seats []int32, seatIDs []string, at seatmap.Time) []messages.TicketRow {
	return i.issuer.Issue(event, order, seats[1:], seatIDs[1:], at)
}

// Whoever waits for a payment whose answer cannot be decided hears that nothing is known, and the provider is asked again.
func TestPanicInDecideOfAPayment(t *testing.T) {
	for _, by := range []string{"the same owner", "a mended build"} {
		t.Run(by, func(t *testing.T) { testPanicInDecideOfAPayment(t, by == "the same owner") })
	}
}

func testPanicInDecideOfAPayment(t *testing.T, sameOwner bool) {
	r := newRig(t)
	r.authorized("s", "o", payment.TokenVisa, "1-1", "1-2")
	r.ask("buyer", finalize("s", "o"))
	r.settle()
	r.step(actors.Paid{Result: actors.Pay(t.Context(), r.provider, wrongIssuer{}, r.call(seatmap.Capture, false))})
	r.ask("next", createOrder("s2", "o2", t0+tokenTTL))
	r.settle()
	r.hear("buyer", unknown)
	r.hear("next", created)
	if view, _ := r.db.View(eventID); len(view.Tickets) != 0 {
		t.Errorf("tickets of a sale that was not decided: %v", view.Tickets)
	}
	// It is tried again after a while, and who asks again meanwhile waits for that.
	r.ask("buyer again", finalize("s", "o"))
	r.settle()
	r.silence()
	r.now = t0 + actors.BugPauseMillis - 1
	r.step(actors.Due{})
	r.hear("buyer again", unknown) // after 8 s
	if len(r.calls) > 0 {
		t.Error("tried again too early")
	}
	r.now++
	r.step(actors.Due{})
	again := r.call(seatmap.Capture, true)
	if !sameOwner {
		r.activate()
		again = r.call(seatmap.Capture, true)
	}
	r.pay(again)
	r.settle()
	if v := verify(t, r.projected()); v.Sold != 2 {
		t.Errorf("%+v", v)
	}
}

// A Tick that cannot be decided is tried again after a pause, and not in a loop.
func TestPanicInTick(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.settle()
	delete(r.heard, "")
	r.idleSoon()
	r.now = 1 << 60 // no time that Decide accepts
	if out := r.step(actors.Due{}); len(out.Bugs) != 1 {
		t.Fatalf("bugs: %v", out.Bugs)
	}
	if got := r.owner.WakeAt(); got != r.now+actors.ExpirePauseMillis {
		t.Errorf("wakes again after %d ms", got-r.now)
	}
	r.ask("reader", getReport())
	r.settle()
	r.hear("reader", read)
}

func TestPanicInApply(t *testing.T) {
	r := newRig(t)
	r.ask("in flight", createOrder("s", "o", t0+tokenTTL))
	r.ask("forming", getOrder("s", "o"))
	r.state.Apply(1_000, seatmap.SettingsChanged{Settings: *r.state.Settings()}) // no fact fits after this one
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("a fact that does not fit was applied")
			}
		}()
		r.ask("unlucky", reserve("s", "o", "1-1"))
	}()
	r.note(r.owner.End(messages.ErrFenced))
	r.hear("in flight", unavailable)
	r.hear("forming", unavailable)
	if out := r.owner.End(messages.ErrFenced); len(out.Replies) > 0 {
		t.Error("an owner ends twice")
	}
}

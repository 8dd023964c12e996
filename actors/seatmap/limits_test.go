package seatmap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Goal: one Tick makes no more than tickFactsMax facts, the oldest deadlines first, and is due again at once.
func TestTickIsBounded(t *testing.T) {
	plan := hall(t, "section Stalls\nA 11")
	m := created(plan, defaults())
	const orders = 2*tickFactsMax + 10
	for i := range orders {
		c := CreateOrder{Session: SessionID(id16(fmt.Sprint(i))), Order: OrderID(id16(fmt.Sprint(i))), TokenExpires: t0 + 1 + Time(orders-i)}
		facts, _ := m.Decide(t0, c, nil)
		m.Apply(m.Seq()+1, facts[0])
	}
	now := t0 + 10*orders
	for _, want := range []int{tickFactsMax, tickFactsMax, 10, 0} {
		if due := m.NextDue(); (due != 0 && due <= now) != (want > 0) {
			t.Errorf("next due %d with %d to do at %d", due, want, now)
		}
		var deadlines []Time
		facts, _ := m.Decide(now, Tick{}, nil)
		for _, f := range facts {
			o, _ := m.Order(f.(OrderHasExpired).Order)
			deadlines = append(deadlines, o.Deadline)
		}
		if len(facts) != want || !slices.IsSorted(deadlines) {
			t.Errorf("%d facts, not %d; or out of sequence", len(facts), want)
		}
		for _, f := range facts {
			m.Apply(m.Seq()+1, f)
		}
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

// Goal: a session's answers are bounded; a pending one counts; whoever is refused may go on once they are forgotten.
func TestTooManyAnswers(t *testing.T) {
	m := created(hall(t, "section Stalls\nA 1111"), defaults())
	requests := 0
	key := func() Key { requests++; return Key{Scope: id16(fmt.Sprint("r", requests))} }
	must := func(now Time, c Command, want Outcome) {
		t.Helper()
		facts, res := m.Decide(now, c, nil)
		if res.Outcome != want {
			t.Fatalf("%T: %s, not %s", c, outcomeNames[res.Outcome], outcomeNames[want])
		}
		for i, f := range facts {
			m.Apply(m.Seq()+uint64(min(1, len(facts)-i)), f)
		}
	}
	must(t0, CreateOrder{Key: key(), Session: buyer, Order: theOrder, TokenExpires: t0 + 100*3_600_000}, OrderCreated)
	for i := range answersPerSessionMax - 2 {
		seat := []string{fmt.Sprint("A-", 1+i%4)}
		must(t0, Reserve{Key: key(), Session: buyer, Order: theOrder, Want: Want{Seats: seat}}, SeatsReserved)
	}
	must(t0, Confirm{Key: key(), Session: buyer, Order: theOrder}, AuthorizePending)
	must(t0, Cancel{Key: key(), Session: buyer, Order: theOrder}, TooManyAnswers)
	must(t0, CreateOrder{Key: key(), Session: buyer, Order: OrderID(id16("o2")), TokenExpires: t0 + 1}, TooManyAnswers)
	must(t0, Cancel{Session: buyer, Order: theOrder}, OrderCancelled) // not to be remembered; and nothing is pending now
	must(t0, CreateOrder{Key: key(), Session: buyer, Order: OrderID(id16("o2")), TokenExpires: t0 + 100*3_600_000}, OrderCreated)
	must(t0, Cancel{Key: key(), Session: buyer, Order: OrderID(id16("o2"))}, TooManyAnswers)
	must(t0+answerKeptFor, Tick{}, Ticked)
	must(t0+answerKeptFor, Cancel{Key: key(), Session: buyer, Order: OrderID(id16("o2"))}, OrderCancelled)
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

// Goal: a fact that does not fit the state is our bug, and panics with the fact and the order.
func TestApplyRefusesWhatDoesNotFit(t *testing.T) {
	plan := hall(t, fuzzHall)
	reserved := func() *Map {
		m := created(plan, defaults())
		do(t, m, t0, CreateOrder{Session: buyer, Order: theOrder, TokenExpires: t0 + 1})
		do(t, m, t0, Reserve{Session: buyer, Order: theOrder, Want: Want{Seats: []string{"A-1"}}})
		return m
	}
	for _, c := range []struct {
		fact Fact
		says string
	}{
		{EventCreated{PlanHash: plan.Hash(), Settings: defaults()}, "EventCreated"},
		{SeatsWereBlocked{Seats: []int32{0}}, "SeatsWereBlocked: seat 0 is H"},
		{SeatsWereUnblocked{Seats: []int32{1}}, "SeatsWereUnblocked: seat 1 is A"},
		{OrderWasCreated{Order: theOrder}, "6f0000"},
		{SeatsWereHeld{Order: theOrder, Seats: []int32{2}, Deadline: 1}, "moves the deadline"},
		{AuthorizeStarted{Order: theOrder, Attempt: 2}, "attempt 2 after 0"},
		{AuthorizeWasGranted{Order: theOrder}, "AuthorizeWasGranted: order 6f0000"},
		{AuthorizeWasDeclined{Order: theOrder}, "status 2"},
		{CaptureStarted{Order: theOrder}, "CaptureStarted"},
		{OrderWasCompleted{Order: theOrder}, "OrderWasCompleted"},
		{CaptureWasRefused{Order: theOrder}, "CaptureWasRefused"},
		{OrderHasExpired{Order: OrderID{9}}, "there is no order 0900"},
		{OrderWasCancelled{Order: OrderID{9}}, "there is no order"},
		{AuthorizationWasVoided{Order: theOrder}, "AuthorizationWasVoided"},
	} {
		if got := panicOf(func() { reserved().Apply(9, c.fact) }); !strings.Contains(got, c.says) {
			t.Errorf("%T: panic %q does not say %q", c.fact, got, c.says)
		}
	}
	for what, wrong := range map[string]func(){
		"first fact":      func() { New(plan).Apply(1, SettingsChanged{}) },
		"other plan":      func() { New(plan).Apply(1, EventCreated{PlanHash: [32]byte{9}, Settings: defaults()}) },
		"no prices":       func() { New(plan).Apply(1, EventCreated{PlanHash: plan.Hash()}) },
		"earlier entry":   func() { reserved().Apply(1, SettingsChanged{Settings: defaults()}) },
		"the same answer": func() { m := reserved(); a := Answered{Key: Key{Scope: id16("k")}}; m.Apply(9, a); m.Apply(9, a) },
		"decide at 0":     func() { created(plan, defaults()).Decide(0, Tick{}, nil) },
		"decide before":   func() { New(plan).Decide(t0, Tick{}, nil) },
	} {
		if panicOf(wrong) == "" {
			t.Errorf("%s: no panic", what)
		}
	}
}

func panicOf(f func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

package actors_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// Goal: browsing shows how an event sells: what is available, what may become so, and from what price. Method: the life
// of a hall of three seats, two of them cheap, projected after each step.
func TestHowAnEventSells(t *testing.T) {
	r := &rig{TB: t, ledger: paymenttest.NewLedger(), now: t0, render: render, heard: map[string][]*messages.Reply{}}
	r.db = memory.New(func() int64 { return int64(r.now) })
	r.provider = newProvider(r.ledger)
	const plan = `{"name":"Hall","size":{"width":9,"height":9},"categories":[{"name":"dear","color":""},{"name":"cheap","color":""}],
		"zones":[{"name":"Z","position":{"x":0,"y":0},"rows":[{"row_number":"1","position":{"x":0,"y":0},"seats":[
		{"seat_guid":"d","seat_number":"1","category":"dear","position":{"x":0,"y":0}},
		{"seat_guid":"a","seat_number":"2","category":"cheap","position":{"x":1,"y":0}},
		{"seat_guid":"b","seat_number":"3","category":"cheap","position":{"x":2,"y":0}}]}]}]}`
	created, err := actors.NewOrganiser(r.db.Catalogue()).Create(t.Context(), messages.NewEvent{
		Event: &messages.Event{
			EventId: eventID, Name: "Concert", Venue: "Hall", StartsAt: int64(t0) + 1, Currency: "EUR",
			HoldTtlSeconds: uint32(holdTTL / 1000), MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
		},
		Prices: map[string]int64{"dear": 9900, "cheap": 0}, PlanJSON: []byte(plan),
	})
	if err != nil || !proto.Equal(created.GetSale(), &messages.Sale{Available: 3}) {
		t.Fatalf("created as %v, %v", created.GetSale(), err)
	}
	r.activate()
	sells := func(when string, available, held uint32, from int64) {
		t.Helper()
		verify(t, r.projected())
		view, err := r.db.View(eventID)
		if want := (&messages.Sale{Available: available, Held: held, PriceFrom: from}); err != nil || !proto.Equal(view.Sale, want) {
			t.Errorf("%s: {%v}, want {%v} (%v)", when, view.Sale, want, err)
		}
	}
	ask := func(request *messages.Request) {
		t.Helper()
		r.ask("", request)
		r.settle()
	}
	buy := func(session string) {
		t.Helper()
		ask(confirm(session, session, "", payment.TokenVisa))
		r.pay(r.call(seatmap.Authorize, false))
		r.settle()
		ask(finalize(session, session))
		r.pay(r.call(seatmap.Capture, false))
		r.settle()
	}
	for i := range 4 {
		ask(createOrder(fmt.Sprint("s", i), fmt.Sprint("s", i), t0+tokenTTL))
	}
	sells("before anybody has chosen", 3, 0, 0)
	ask(reserve("s0", "s0", "a"))
	sells("one of the cheap ones is held", 2, 1, 0)
	ask(request("", "", &messages.Request{Call: &messages.Request_Block{Block: &messages.Block{Seats: []string{"b"}}}}))
	sells("the other is blocked", 1, 1, 9900)
	ask(reserve("s1", "s1", "d"))
	sells("nothing is available, but two may become so", 0, 2, 0)
	buy("s1")
	sells("the dear one is sold", 0, 1, 0)
	ask(cancel("s0", "s0"))
	sells("the cheap one is back", 1, 0, 0)
	ask(reserve("s2", "s2", "a"))
	buy("s2")
	sells("sold out", 0, 0, 0)
	ask(request("", "", &messages.Request{Call: &messages.Request_Unblock{Unblock: &messages.Unblock{Seats: []string{"b"}}}}))
	sells("one is given out again", 1, 0, 0)
	ask(reserve("s3", "s3", "b"))
	sells("and held", 0, 1, 0)
	r.now += holdTTL
	r.step(actors.Due{})
	r.settle()
	sells("until its hold runs out", 1, 0, 0)
}

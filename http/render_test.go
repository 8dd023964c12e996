package http_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"boxoffice/http"
	"boxoffice/messages"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Goal: rendered answers stay as they are, byte for byte: they are stored for a day, across versions of this program.
// Method: golden files; after a wanted change, go test -run TestRender -update.
func TestRender(t *testing.T) {
	held := orderMessage(messages.OrderStatus_ORDER_STATUS_RESERVED)
	created := orderMessage(messages.OrderStatus_ORDER_STATUS_PENDING)
	created.Seats, created.Amount, created.HoldExpiresAt = nil, 0, 0
	done := orderMessage(messages.OrderStatus_ORDER_STATUS_COMPLETED)
	done.Seats[0].Section, done.HoldExpiresAt = "Block \"D\" <ü>\u2028\n", 0
	done.Tickets = []*messages.Ticket{{TicketId: testOrder[:], SeatId: "D-14-1", Code: "v1.abc"}, {TicketId: testSession[:], SeatId: "D-14-2", Code: "v1.def"}}
	failed := orderMessage(messages.OrderStatus_ORDER_STATUS_PAYMENT_FAILED)
	for name, r := range map[string]*messages.Reply{
		"created":        {Outcome: messages.Outcome_OUTCOME_ORDER_CREATED, Order: created},
		"reserved":       {Outcome: messages.Outcome_OUTCOME_SEATS_RESERVED, Order: held},
		"authorized":     {Outcome: messages.Outcome_OUTCOME_ORDER_AUTHORIZED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_AUTHORIZED)},
		"completed":      {Outcome: messages.Outcome_OUTCOME_ORDER_COMPLETED, Order: done},
		"cancelled":      {Outcome: messages.Outcome_OUTCOME_ORDER_CANCELLED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_CANCELLED)},
		"declined":       {Outcome: messages.Outcome_OUTCOME_PAYMENT_DECLINED, Order: held, DeclineCode: "insufficient_funds"},
		"capture-failed": {Outcome: messages.Outcome_OUTCOME_CAPTURE_FAILED, Order: failed},
	} {
		a := http.Render(r)
		got := fmt.Sprintf("%d\n%s\n%s\n%s\n", a.GetStatus(), a.GetContentType(), a.GetLocation(), a.GetBody())
		if again := http.Render(r); string(again.GetBody()) != string(a.GetBody()) {
			t.Errorf("%s: not the same twice", name)
		}
		golden(t, name, got)
	}
	for n := range messages.Outcome_name {
		if r := (&messages.Reply{Outcome: messages.Outcome(n)}); http.Render(r) != nil {
			t.Errorf("%v renders without an order", r.GetOutcome())
		}
	}
	for _, o := range []messages.Outcome{messages.Outcome_OUTCOME_READ, messages.Outcome_OUTCOME_ORDER_STATE, messages.Outcome_OUTCOME_HOLD_EXPIRED, messages.Outcome_OUTCOME_REPLAYED} {
		if http.Render(&messages.Reply{Outcome: o, Order: held}) != nil {
			t.Errorf("%v renders", o)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != got {
		t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
	}
}

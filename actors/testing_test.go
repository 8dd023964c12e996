package actors_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
	"boxoffice/migrations"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/memory"
)

// The package's tests leak no goroutine, and have a Postgres at hand.
func TestMain(m *testing.M) { pgtest.Main(m, migrations.Up) }

const (
	eventID = "E1"
	// t0 is when tests begin, in milliseconds since the Unix epoch.
	t0 = seatmap.Time(1_700_000_000_000)
	// holdTTL of the tests' events, and how long their tokens last.
	holdTTL  = seatmap.Time(300_000)
	tokenTTL = seatmap.Time(600_000)
)

// createEvent makes an event with so many seats, ten to a row: seat 3 of row 1 is "1-3".
func createEvent(t testing.TB, catalogue actors.Catalogue, id string, seats int, ttlSeconds uint32) {
	t.Helper()
	type object = map[string]any
	var rows []any
	for i := 0; i < seats; i += 10 {
		var row []any
		for k := i; k < min(i+10, seats); k++ {
			row = append(row, object{
				"seat_guid": seatID(k), "seat_number": fmt.Sprint(k%10 + 1), "category": "I", "position": object{"x": k % 10, "y": 0},
			})
		}
		rows = append(rows, object{"row_number": fmt.Sprint(i/10 + 1), "seats": row, "position": object{"x": 0, "y": i}})
	}
	plan, err := json.Marshal(object{
		"name": "Hall", "size": object{"width": 100, "height": 100}, "categories": []any{object{"name": "I", "color": "#111111"}},
		"zones": []any{object{"name": "Parkett", "position": object{"x": 0, "y": 0}, "rows": rows}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = actors.NewOrganiser(catalogue).Create(t.Context(), messages.NewEvent{
		Event: &messages.Event{
			EventId: id, Name: "Concert", Venue: "Hall", StartsAt: int64(t0) + 90*24*3_600_000, Currency: "EUR",
			HoldTtlSeconds: ttlSeconds, MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
		},
		Prices: map[string]int64{"I": 4950}, PlanJSON: plan,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func seatID(i int) string { return fmt.Sprintf("%d-%d", i/10+1, i%10+1) }

// id makes an id of a name.
func id(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:16]
}

// request makes a request of a session. Its key is named; its body is the call's.
func request(session, key string, r *messages.Request) *messages.Request {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		panic(err)
	}
	r.EventId, r.SessionId = eventID, id(session)
	if key != "" {
		r.Idempotency = &messages.Idempotency{Scope: id("scope " + session + " " + key), Body: id(string(body))}
	}
	return r
}

func createOrder(session, order string, expires seatmap.Time) *messages.Request {
	return request(session, "create "+order, &messages.Request{Call: &messages.Request_CreateOrder{
		CreateOrder: &messages.CreateOrder{OrderId: id(order), TokenExpiresAt: int64(expires)},
	}})
}

func reserve(session, order string, seats ...string) *messages.Request {
	return request(session, fmt.Sprint("reserve ", order, seats), &messages.Request{Call: &messages.Request_Reserve{
		Reserve: &messages.Reserve{OrderId: id(order), Want: &messages.Want{Seats: seats}},
	}})
}

func confirm(session, order, key, token string, seats ...string) *messages.Request {
	return request(session, "confirm "+order+key, &messages.Request{Call: &messages.Request_Confirm{
		Confirm: &messages.Confirm{OrderId: id(order), Want: &messages.Want{Seats: seats}, PaymentToken: token},
	}})
}

func finalize(session, order string) *messages.Request {
	return request(session, "finalize "+order, &messages.Request{Call: &messages.Request_Finalize{
		Finalize: &messages.Finalize{OrderId: id(order)},
	}})
}

func cancel(session, order string) *messages.Request {
	return request(session, "cancel "+order, &messages.Request{Call: &messages.Request_Cancel{
		Cancel: &messages.Cancel{OrderId: id(order)},
	}})
}

func getOrder(session, order string) *messages.Request {
	return request(session, "", &messages.Request{Call: &messages.Request_GetOrder{GetOrder: &messages.GetOrder{OrderId: id(order)}}})
}

func getReport() *messages.Request {
	return request("anyone", "", &messages.Request{Call: &messages.Request_GetReport{GetReport: &messages.GetReport{}}})
}

// render stands for http's: a pure function of the reply, whatever it says.
func render(r *messages.Reply) *messages.Answer {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		panic(err)
	}
	return &messages.Answer{Status: 200 + uint32(r.GetOutcome()), ContentType: "application/x-test", Body: body}
}

// issuer makes tickets whose ids tell what they are for.
type issuer struct{}

func (issuer) Issue(event string, order seatmap.OrderID, seats []int32, seatIDs []string, at seatmap.Time) []messages.TicketRow {
	rows := make([]messages.TicketRow, len(seats))
	for i, seat := range seats {
		name := fmt.Sprintf("ticket %s %x %d", event, order, seat)
		rows[i] = messages.TicketRow{
			TicketID: [16]byte(id(name)), OrderID: order, SeatIndex: seat, SeatID: seatIDs[i], Code: name, IssuedAt: int64(at),
		}
	}
	return rows
}

// newProvider is the mock provider without its pauses.
func newProvider(ledger *paymenttest.Ledger) *payment.Mock {
	return payment.NewMock(ledger, payment.MockConfig{Wait: func(context.Context, time.Duration) error { return nil }})
}

// audit gathers what Verify compares from a database in memory.
func audit(t testing.TB, db *memory.DB, event string, ledger *paymenttest.Ledger) *messages.Audit {
	t.Helper()
	view, err := db.View(event)
	if err != nil {
		t.Fatal(err)
	}
	journal := db.Journal("audit")
	recovery, err := journal.Recover(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	a := &messages.Audit{
		EventID: event, LastSeq: view.LastSeq, MovedAfter: 1, Sale: view.Sale, ProjectedSeq: view.ProjectedSeq, NextDue: view.NextDue,
		Plan: recovery.Plan, PlanHash: recovery.PlanHash,
		Seats: view.Seats, Orders: view.Orders, Payments: view.Payments, Tickets: view.Tickets,
		Snapshot: recovery.Snapshot, SnapshotSeq: recovery.SnapshotSeq,
	}
	if a.Entries, err = db.Written(event, 0); err != nil {
		t.Fatal(err)
	}
	for _, row := range ledger.Rows() {
		if row.Event == event {
			a.Ledger = append(a.Ledger, row)
		}
	}
	return a
}

// verify fails the test where journal, read model, tickets and ledger differ.
func verify(t testing.TB, a *messages.Audit) actors.Verified {
	t.Helper()
	v := actors.Verify(a)
	for _, finding := range v.Findings {
		t.Errorf("verify: %s", finding)
	}
	return v
}

// stored finds the answer of a REPLAYED reply.
func stored(t testing.TB, entries []messages.Entry, at *messages.StoredAnswer) *messages.Answer {
	t.Helper()
	var answers messages.Answers
	if err := proto.Unmarshal(entries[at.GetSeq()-1].Answers, &answers); err != nil {
		t.Fatal(err)
	}
	if int(at.GetSlot()) >= len(answers.GetAnswers()) {
		t.Fatalf("entry %d has %d answers, but not number %d", at.GetSeq(), len(answers.GetAnswers()), at.GetSlot())
	}
	return answers.GetAnswers()[at.GetSlot()]
}

func silentLog() *slog.Logger { return logTo(io.Discard) }

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

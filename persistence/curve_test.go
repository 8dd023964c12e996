package persistence

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// createPriced makes an event E1 where the seats from dear on cost 119.00 rather than 49.50.
func createPriced(t testing.TB, db *DB, seats, dear int) {
	t.Helper()
	e, plan := journaltest.NewEvent("E1", seats), new(messages.SeatingPlan)
	if err := proto.Unmarshal(e.Plan, plan); err != nil {
		t.Fatal(err)
	}
	plan.Categories = append(plan.Categories, &messages.SeatingPlan_Category{Name: "VIP"})
	e.Event.Categories = append(e.Event.Categories, &messages.Category{Name: "VIP", Price: 11900})
	n := 0
	for _, row := range plan.GetSections()[0].GetRows() {
		for _, seat := range row.GetSeats() {
			if n >= dear {
				seat.Category = 1
			}
			n++
		}
	}
	var err error
	if e.Plan, err = proto.Marshal(plan); err != nil {
		t.Fatal(err)
	}
	e.PlanHash = sha256.Sum256(e.Plan)
	if err := db.Catalogue().CreateEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

const (
	// sell issues the tickets of seats, in turn, so many milliseconds ago.
	sell = `
insert into ticket (event_id, ticket_id, order_id, n, seat_index, seat_id, code, issued_at, voided_at)
select 'E1', substr(sha256(('t' || seat)::bytea), 1, 16), substr(sha256('o'), 1, 16), seat + 1, seat, seat::text, '',
    now_ms() - ago, case when void then now_ms() + 100000 end
from unnest($1::int[], $2::bigint[], $3::bool[]) as s (seat, ago, void)`

	// admitSome lets sessions in, so many milliseconds ago; null: they wait.
	admitSome = `
insert into session (event_id, session_id, place, status, joined_at, admitted_at)
select 'E1', substr(sha256(('s' || n)::bytea), 1, 16), n, case when ago is null then 'WAITING' else 'LEFT' end, 1, now_ms() - ago
from unnest($1::bigint[]) with ordinality as s (ago, n)`
)

// Goal: a sale is counted where it belongs: with its price, in its step, before the window where it is older, in the last
// step where its time is yet to come, and not where it is void. Method: a few of each kind, an hour as the step.
func TestCurve(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	createPriced(t, db, 25, 12)
	records := db.Records()
	const minute, hour = int64(time.Minute / time.Millisecond), int64(time.Hour / time.Millisecond)

	c, err := records.Curve(t.Context(), "E1", 4*time.Hour, time.Hour)
	if err != nil || len(c.Points) != 5 || c.Before != (messages.CurvePoint{}) || c.Currency != "EUR" || c.Step != hour {
		t.Fatalf("before any sale: %+v, %v", c, err)
	}
	conn := outsider(t, url)
	execute(t, conn, sell, []int32{0, 11, 12, 24, 3, 4}, []int64{240 * hour, 2 * hour, 2 * hour, 10 * hour, 0, -30 * minute},
		[]bool{false, false, false, false, true, false})
	ago, late := 2*hour, -30*minute
	execute(t, conn, admitSome, []*int64{&ago, &ago, nil, &late})

	if c, err = records.Curve(t.Context(), "E1", 4*time.Hour, time.Hour); err != nil {
		t.Fatal(err)
	}
	var sum messages.CurvePoint
	for i, p := range c.Points {
		if p.At != (c.AsOf/hour+int64(i)-4)*hour {
			t.Errorf("point %d is at %d", i, p.At)
		}
		sum.Sold += p.Sold
		sum.Revenue += p.Revenue
		sum.Admitted += p.Admitted
	}
	if c.Before != (messages.CurvePoint{Sold: 2, Revenue: 4950 + 11900}) {
		t.Errorf("before: %+v", c.Before)
	}
	if last := c.Points[4]; len(c.Points) != 5 || last.Sold != 1 || last.Revenue != 4950 || last.Admitted != 1 {
		t.Errorf("last: %+v", c.Points)
	}
	if sum.Sold != 3 || sum.Revenue != 2*4950+11900 || sum.Admitted != 3 {
		t.Errorf("in the window: %+v", sum)
	}
	var unknown *messages.EventNotFoundError
	if _, err := records.Curve(t.Context(), "E9", time.Hour, time.Minute); !errors.As(err, &unknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

// BenchmarkCurve: a hall of 50,000 sold out, and a waiting room that a million came through in a day.
func BenchmarkCurve(b *testing.B) {
	db, url := open(b)
	const seats, sessions = 50_000, 1_000_000
	createPriced(b, db, seats, seats/2)
	conn := outsider(b, url)
	execute(b, conn, `
insert into ticket (event_id, ticket_id, order_id, n, seat_index, seat_id, code, issued_at)
select 'E1', substr(sha256(('t' || n)::bytea), 1, 16), substr(sha256(('o' || n / 2)::bytea), 1, 16), 1 + n % 2, n, n::text,
    repeat('c', 170), now_ms() - 86400000::bigint * n / $1 from generate_series(0, $1::int - 1) n`, seats)
	execute(b, conn, `
insert into session (event_id, session_id, place, status, joined_at, admitted_at)
select 'E1', substr(sha256(('s' || n)::bytea), 1, 16), n, 'LEFT', 1, now_ms() - 86400000::bigint * n / $1
from generate_series(1, $1::int) n`, sessions)
	for _, vacuumed := range []bool{false, true} {
		name := "just sold "
		if vacuumed {
			execute(b, conn, "vacuum analyze")
			name = "vacuumed "
		}
		for _, window := range []time.Duration{time.Hour, 24 * time.Hour} {
			b.Run(name+window.String(), func(b *testing.B) {
				for range b.N {
					if _, err := db.Records().Curve(b.Context(), "E1", window, window/240); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

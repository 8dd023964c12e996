package persistence

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// Goal: the catalogue finds what the query asks for, and pages through it. Method: a few events that differ.
func TestBrowse(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	ctx, catalogue := t.Context(), db.Catalogue()
	for i := range 5 {
		e := journaltest.NewEvent(fmt.Sprint("E", i), 10)
		e.Event.StartsAt = int64(1000 * (i / 2))
		e.Event.Name = []string{"Die Ärzte", "Björk-Abend", "Rock'n'Roll", "Ärzte ohne Grenzen", "Taylor.Swift"}[i]
		e.Event.Performers = []string{fmt.Sprint("Performer", i)}
		if i == 1 {
			e.Event.OnSaleAt = time.Now().Add(time.Hour).UnixMilli()
		}
		if i == 2 {
			e.Event.Status = messages.EventStatus_EVENT_STATUS_PAUSED
		}
		if err := catalogue.CreateEvent(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		query messages.EventQuery
		want  string
	}{
		"all":             {messages.EventQuery{}, "[E0 E1 E2 E3 E4]"},
		"a word":          {messages.EventQuery{Text: "ärzte"}, "[E0 E3]"},
		"its beginning":   {messages.EventQuery{Text: "  ÄRZ"}, "[E0 E3]"},
		"two words":       {messages.EventQuery{Text: "grenz ärzte"}, "[E3]"},
		"a performer":     {messages.EventQuery{Text: "performer4"}, "[E4]"},
		"in a host name":  {messages.EventQuery{Text: "swift"}, "[E4]"},
		"a city":          {messages.EventQuery{Text: "erfurt & !(riet:*"}, "[E0 E1 E2 E3 E4]"},
		"nothing":         {messages.EventQuery{Text: "'"}, "[]"},
		"scheduled":       {messages.EventQuery{Status: messages.EventStatus_EVENT_STATUS_SCHEDULED}, "[E1]"},
		"on sale":         {messages.EventQuery{Status: messages.EventStatus_EVENT_STATUS_ON_SALE}, "[E0 E3 E4]"},
		"from":            {messages.EventQuery{From: 1000}, "[E2 E3 E4]"},
		"from and before": {messages.EventQuery{From: 1000, To: 2000}, "[E2 E3]"},
	} {
		t.Run(name, func(t *testing.T) {
			test.query.Limit = 2
			var ids []string
			for {
				events, next, err := catalogue.Events(ctx, test.query)
				if err != nil || len(events) > 2 {
					t.Fatalf("%d events, %v", len(events), err)
				}
				for _, e := range events {
					ids = append(ids, e.GetEventId())
				}
				if test.query.Cursor = next; next == "" {
					break
				}
			}
			if fmt.Sprint(ids) != test.want {
				t.Errorf("found %v, want %s", ids, test.want)
			}
		})
	}
	e, err := catalogue.Event(ctx, "E1")
	if err != nil || e.GetStatus() != messages.EventStatus_EVENT_STATUS_SCHEDULED || e.GetCategories()[0].GetPrice() != 4950 {
		t.Errorf("event %v, %v", e, err)
	}
	var unknown *messages.EventNotFoundError
	if _, err := catalogue.Event(ctx, "E9"); !errors.As(err, &unknown) {
		t.Errorf("an unknown event: %v", err)
	}
	if _, _, err := catalogue.Plan(ctx, "E9"); !errors.As(err, &unknown) {
		t.Errorf("an unknown event's plan: %v", err)
	}
	for _, bad := range []string{"!", "e30", "eyJzIjoxLCJlIjoiXHUwMDAwIn0"} {
		var invalid *messages.InvalidInputError
		if _, _, err := catalogue.Events(ctx, messages.EventQuery{Cursor: bad}); !errors.As(err, &invalid) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

// Goal: answers, orders and tickets come back as they were stored. Method: one sale, written and projected.
func TestRecords(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	create(t, db, "E1", 25)
	ctx, records, j := t.Context(), db.Records(), db.Journal("a")
	c, err := j.Claim(ctx, "E1")
	if err != nil {
		t.Fatal(err)
	}
	answers := &messages.Answers{Answers: []*messages.Answer{{Status: 201}, {Status: 200, Location: "/x", Body: []byte("{}")}}}
	encoded, err := proto.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	order := journaltest.ID("order", 1)
	b := journaltest.Batch("E1", c.Epoch, 2)
	b.Entry.Answers = encoded
	b.Tickets = []messages.TicketRow{journaltest.Ticket(order, 12), journaltest.Ticket(order, 3)}
	if err := j.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	for slot, want := range answers.GetAnswers() {
		got, err := records.Answer(ctx, "E1", &messages.StoredAnswer{Seq: 2, Slot: uint32(slot)}) //nolint:gosec // small
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("answer %d is %v, %v", slot, got, err)
		}
	}
	for _, at := range []*messages.StoredAnswer{{Seq: 2, Slot: 2}, {Seq: 3}} {
		if got, err := records.Answer(ctx, "E1", at); err == nil {
			t.Errorf("answer at %v: %v", at, got)
		}
	}
	if _, err := records.Order(ctx, "E1", order); !errors.Is(err, messages.ErrOrderNotFound) {
		t.Errorf("before it is projected: %v", err)
	}
	err = db.ReadModel().Project(ctx, messages.Projection{EventID: "E1", From: 1, To: 2, Orders: []messages.OrderRow{{
		OrderID: order, SessionID: journaltest.ID("session", 1), Status: messages.OrderStatus_ORDER_STATUS_COMPLETED,
		Seats: []int32{12, 3}, Amount: 9900, CreatedAt: 5, EndedAt: 6,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := records.Order(ctx, "E1", order)
	if err != nil {
		t.Fatal(err)
	}
	session := journaltest.ID("session", 1)
	one, two := journaltest.Ticket(order, 12), journaltest.Ticket(order, 3)
	want := &messages.Order{
		OrderId: order[:], EventId: "E1", SessionId: session[:], Status: messages.OrderStatus_ORDER_STATUS_COMPLETED,
		Currency: "EUR", Amount: 9900, CreatedAt: 5,
		Seats: []*messages.Seat{
			{SeatId: "P-2-3", Section: "Parkett", Row: "2", Number: "3", Category: "Kategorie I", Price: 4950},
			{SeatId: "P-1-4", Section: "Parkett", Row: "1", Number: "4", Category: "Kategorie I", Price: 4950},
		},
		Tickets: []*messages.Ticket{
			{TicketId: one.TicketID[:], SeatId: "P-2-3", Code: one.Code}, {TicketId: two.TicketID[:], SeatId: "P-1-4", Code: two.Code},
		},
	}
	if !proto.Equal(got, want) {
		t.Errorf("order %v\nwant  %v", got, want)
	}
}

// Goal: an audit sees one moment. Method: it waits in its midst for an outsider, who meanwhile changes each table.
func TestAuditStandsStill(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	create(t, db, "E1", 10)
	join(t, db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 1)})
	other := outsider(t, url)
	execute(t, other, "begin")
	execute(t, other, "lock table journal, seat in access exclusive mode")
	type audited struct {
		*messages.Audit
		err error
	}
	done := make(chan audited, 1)
	go func() {
		a, err := db.Audit(t.Context(), "E1")
		done <- audited{a, err}
	}()
	waitForWaiting(t, other)
	for _, change := range []string{
		"update event_owner set last_seq = 2, next_due = 1",
		"insert into journal values ('E1', 2, 0, 9999999999999, 'facts', 'answers')",
		"update seat set state = 'B'",
		"update session set status = 'LEFT'",
		"insert into ticket values ('E1', substr(sha256('t'), 1, 16), substr(sha256('o'), 1, 16), 1, 1, 'P-1-2', '', 1)",
		"insert into mock_payment values ('a', 1, 'k', 'void', '', 'E1', '', '', '', 0, 1)",
	} {
		execute(t, other, change)
	}
	execute(t, other, "commit")
	a := <-done
	if a.err != nil {
		t.Fatal(a.err)
	}
	if len(a.Entries) != 1 || a.LastSeq != 1 || a.NextDue != 0 || a.Seats[1].State != 'A' || len(a.Tickets)+len(a.Ledger) != 0 ||
		a.Sessions[0] != (messages.SessionState{SessionID: journaltest.ID("session", 1), Status: messages.SessionActive, Place: 1}) {
		t.Errorf("in the midst: %+v", a.Audit)
	}
	after, err := db.Audit(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Entries) != 2 || after.LastSeq != 2 || after.NextDue != 1 || after.Seats[1].State != 'B' || len(after.Tickets) != 1 ||
		len(after.Ledger) != 1 || after.Sessions[0].Status != messages.SessionLeft {
		t.Errorf("afterwards: %+v", after)
	}
	if ids, err := db.EventIDs(t.Context()); err != nil || !slices.Equal(ids, []string{"E1"}) {
		t.Errorf("events %v, %v", ids, err)
	}
	var unknown *messages.EventNotFoundError
	if _, err := db.Audit(t.Context(), "E9"); !errors.As(err, &unknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

// Goal: an audit reads answers, which no replay does, and what nobody may have written. Method: an entry committed, a gap,
// and an entry that no owner's row knows.
func TestAuditReadsTheWholeJournal(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	create(t, db, "E1", 10)
	c, err := db.Journal("a").Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	b := journaltest.Batch("E1", c.Epoch, 2)
	if err := db.Journal("a").Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	execute(t, outsider(t, url), "insert into journal values ('E1', 4, 0, 1, 'stray', 'none')")
	a, err := db.Audit(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	stray := messages.Entry{Seq: 4, At: 1, Facts: []byte("stray"), Answers: []byte("none")}
	if a.LastSeq != 2 || a.NextDue != b.NextDue || !reflect.DeepEqual(a.Entries[1:], []messages.Entry{*b.Entry, stray}) {
		t.Errorf("last entry %d, due %d, entries %+v", a.LastSeq, a.NextDue, a.Entries)
	}
}

// Goal: the waker hears of deadlines that have passed and of read models that lag, and of nothing else.
func TestDue(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	ctx, j := t.Context(), db.Journal("a")
	for i, due := range []int64{0, 1, journaltest.Base, 0} {
		id := fmt.Sprint("E", i)
		create(t, db, id, 10)
		c, err := j.Claim(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		b := journaltest.Batch(id, c.Epoch, 2)
		b.NextDue = due
		if err := j.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			continue // lags
		}
		if err := db.ReadModel().Project(ctx, messages.Projection{EventID: id, From: 1, To: 2}); err != nil {
			t.Fatal(err)
		}
	}
	due, err := db.Due(ctx)
	slices.Sort(due)
	if err != nil || !slices.Equal(due, []string{"E1", "E3"}) {
		t.Errorf("due are %v, %v", due, err)
	}
}

// Goal: an abandoned event is woken however many are due all the time. Method: more events than one look takes, all of
// them more overdue; the one must be seen within some looks (all miss it with a chance of 1 in 3^50).
func TestDueStarvesNobody(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	create(t, db, "abandoned", 10)
	conn := outsider(t, url)
	const others = dueEventsMax / 2 * 3
	const columns = "name, venue, city, performers, starts_at, status, seats_total, currency, settings, search, plan, plan_hash"
	execute(t, conn, "insert into event (event_id, "+columns+") select 'E' || n, "+columns+" from event, generate_series(1, $1::int) n", others)
	execute(t, conn, "insert into event_owner select event_id, 0, 1, '', 1 from event where event_id <> 'abandoned'")
	execute(t, conn, "insert into projection select event_id, 1 from event where event_id <> 'abandoned'")
	execute(t, conn, "update event_owner set next_due = 2 where event_id = 'abandoned'")
	for range 50 {
		due, err := db.Due(t.Context())
		if err != nil || len(due) != dueEventsMax {
			t.Fatalf("%d are due, %v", len(due), err)
		}
		if slices.Contains(due, "abandoned") {
			return
		}
	}
	t.Error("the abandoned event is never seen")
}

// Goal: the plan cache stays within its bound and shares what it has. Method: more plans than fit.
func TestPlanCache(t *testing.T) {
	t.Parallel()
	var c planCache
	for i := range 10 {
		c.put(fmt.Sprint(i), &plan{seats: planSeatsMax / 4})
		c.get("0") // is used, and stays
	}
	var kept []string
	for i := range 10 {
		if c.get(fmt.Sprint(i)) != nil {
			kept = append(kept, fmt.Sprint(i))
		}
	}
	if !reflect.DeepEqual(kept, []string{"0", "7", "8", "9"}) || c.seats != planSeatsMax {
		t.Errorf("kept %v, %d seats", kept, c.seats)
	}
	c.put("large", &plan{seats: 2 * planSeatsMax})
	if c.get("large") == nil || c.recent.Len() != 1 {
		t.Errorf("a large plan: %d kept", c.recent.Len())
	}
}

// Goal: commits leave no bloat behind, and SQL users see how far the read model is behind. Method: many commits of one
// event; its row must still be on the one page of event_owner. On a server of its own: a transaction in any database of a
// server holds up the pruning of dead row versions in all.
func TestCommitsStayOnThePage(t *testing.T) {
	t.Parallel()
	url := pgtest.Private(t).URL()
	db := openAt(t, url, Options{})
	create(t, db, "E1", 10)
	j := db.Journal("a")
	c, err := j.Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	const last = 1000
	for seq := uint64(2); seq <= last; seq++ {
		if err := j.Commit(t.Context(), journaltest.Batch("E1", c.Epoch, seq)); err != nil {
			t.Fatal(err)
		}
	}
	var size, lag int
	query := "select pg_relation_size('event_owner'), lag from event_progress"
	if err := outsider(t, url).QueryRow(t.Context(), query).Scan(&size, &lag); err != nil {
		t.Fatal(err)
	}
	if size != 8192 || lag != last-1 {
		t.Errorf("event_owner has %d bytes; the read model lags by %d", size, lag)
	}
}

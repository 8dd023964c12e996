package actors_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/actors/payment"
	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
)

// serveWithin is how long a successor may take to answer where the owner before is frozen.
const serveWithin = time.Second

// Goal: an owner that is frozen in the middle of its commit keeps nobody from buying. Method: its statement holds the
// owner's row and waits for an outsider, who has inserted a ticket of the same seat and does not commit; another node is
// asked meanwhile.
func TestFrozenOwner(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	old := openPostgres(t, url, "old").withEvent()
	fresh := openPostgres(t, url, "fresh")
	fresh.ledger = old.ledger // there is one provider
	a, b := old.newShell("a", nil), fresh.newShell("b", nil)
	a.order("s", "o", "1-1")
	a.must(confirm("s", "o", "", payment.TokenVisa), authorized)

	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	execute := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	execute("begin")
	execute(`insert into ticket (event_id, ticket_id, order_id, n, seat_index, seat_id, code, issued_at)
		values ('E1', decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'), 1, 0, '1-1', 'x', 1)`)
	frozen := a.begin(finalize("s", "o"))
	eventually(t, "the commit waits for the outsider", func() bool {
		var n int
		err := conn.QueryRow(t.Context(), `select count(*) from pg_locks where not granted and locktype = 'transactionid'`).Scan(&n)
		return err == nil && n == 1
	})

	began := time.Now()
	b.must(createOrder("s2", "o2", fresh.now()+tokenTTL), created)
	if took := time.Since(began); took > serveWithin {
		t.Errorf("the successor served after %v", took)
	} else {
		t.Logf("the successor served after %v", took)
	}
	if r := <-frozen; r.GetOutcome() != unavailable {
		t.Errorf("who asked the frozen owner heard %v", r)
	}
	execute("rollback")

	// The successor drives the capture on, and the buyer finds the answer under the same key.
	fresh.eventually("the buyer's retry is answered", 100*time.Millisecond, func() bool {
		r := b.ask(finalize("s", "o"))
		return r.GetOutcome() == replayed || r.GetOutcome() == completed
	})
	fresh.eventually("the read model follows", 300*time.Millisecond, func() bool {
		view := fresh.audit()
		return view.ProjectedSeq == view.LastSeq
	})
	if v := verify(t, fresh.audit()); v.Sold != 1 {
		t.Errorf("%+v", v)
	}
	captures := 0
	for _, row := range fresh.ledger.Rows() {
		if row.Kind == string(payment.KindCapture) {
			captures++
		}
	}
	if captures != 1 {
		t.Errorf("%d captures", captures)
	}
	// The thawed node is of use again.
	a.own()
	a.must(request("s", "", &messages.Request{Call: &messages.Request_GetReport{GetReport: &messages.GetReport{}}}), read)
}

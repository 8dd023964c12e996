package persistence

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// Goal: what a step costs does not hang on how many wait, with statistics or without. Method: a long line, with a gap of
// those who have left at its beginning; Postgres counts the rows that the statements look at.
func TestAdmitReadsNoLine(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 20, 50)
	const line, gone, rowsMax = 10_000, 500, 700
	r.join(t, 1, 20)
	execute(t, r.conn, `
insert into session (event_id, session_id, place, status, joined_at, join_key, join_body, client)
select 'E1', x, n, case when n > 20 + $2 then 'WAITING' else 'LEFT' end, 1, x, x, x
from (select n, substr(sha256(n::text::bytea), 1, 16) as x from generate_series(21, $1::int) n) s`, line, gone)
	execute(t, r.conn, "update admission set last_place = $1, next_due = 1", line)
	conn, err := r.db.commits.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statistics := range []string{"without", "with"} {
		for n := range 12 { // plans change after some
			read := func(what, statement string, args ...any) {
				t.Helper()
				rows := rowsRead(t, conn.Conn(), "session", statement, args...)
				if rows > rowsMax {
					t.Errorf("%s statistics, %d. %s: %d rows read", statistics, n, what, rows)
				}
			}
			if n%3 == 1 {
				execute(t, r.conn, "update session set ends_at = 1, admitted_at = 1 where status = 'ACTIVE'")
			}
			read("admit", admitStatement, "E1", r.epoch, 1.0)
			calls := make([]*joinCall, 10)
			for i := range calls {
				id := journaltest.ID(statistics, 10*n+i)
				calls[i] = &joinCall{join: messages.Join{EventID: "E1", SessionID: id, Key: id, Client: id, ClientMax: 3}}
			}
			read("join", joinStatement, joinArgs("E1", calls)...)
		}
		execute(t, r.conn, "analyze")
	}
	var head int
	if err := r.conn.QueryRow(t.Context(), "select head from admission").Scan(&head); err != nil || head < 20+gone+100 {
		t.Errorf("the head is at %d: nobody was admitted (%v)", head, err)
	}
}

// rowsRead is how many rows of a table the statement looks at.
func rowsRead(t *testing.T, conn *pgx.Conn, table, statement string, args ...any) (rows int) {
	t.Helper()
	const count = `
select pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)
    + (select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0) from pg_index i where i.indrelid = c.oid)
from pg_class c where c.relname = $1`
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		var before int
		if err := tx.QueryRow(t.Context(), count, table).Scan(&before); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), statement, args...); err != nil {
			return err
		}
		err := tx.QueryRow(t.Context(), count, table).Scan(&rows)
		rows -= before
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"boxoffice/messages"
)

// ReadModel is the tables that follow the journal.
type ReadModel struct{ db *DB }

// ReadModel of the database.
func (db *DB) ReadModel() *ReadModel { return &ReadModel{db: db} }

// Each step is a statement or a few over arrays, however many rows it changes. Seats are updated by their place (ctid),
// looked up by key for each: without statistics, a join would read all of an event's seats. Nobody moves them meanwhile:
// only the projector that has the projection's row writes them.
const (
	projectedStatement = `select projected_seq from projection where event_id = $1`

	// Whoever moves the row first has it; a second projector waits, and then finds it elsewhere. How the event sells
	// stays where $4 to $6 are null.
	projectStatement = `
update projection p set projected_seq = $3, seats_available = coalesce($4, p.seats_available),
    seats_held = coalesce($5, p.seats_held), price_from = coalesce($6, p.price_from)
from event_owner o
where p.event_id = $1 and p.projected_seq = $2 and o.event_id = p.event_id
returning o.last_seq`

	projectSeatsStatement = `
update seat s set state = c.state, order_id = c.order_id
from unnest($2::int[], $3::text[], $4::bytea[]) as c (seat_index, state, order_id)
cross join lateral (
    select f.ctid from seat f where f.event_id = $1 and f.seat_index = c.seat_index offset 0) f
where s.ctid = f.ctid`

	projectOrdersStatement = `
insert into orders as o (event_id, order_id, session_id, status, seats, amount, hold_expires_at, created_at, ended_at)
select $1, c.order_id, c.session_id, c.status, c.seats::int[], c.amount, nullif(c.hold_expires_at, 0), c.created_at, nullif(c.ended_at, 0)
from unnest($2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
    as c (order_id, session_id, status, seats, amount, hold_expires_at, created_at, ended_at)
on conflict (event_id, order_id) do update set
    status = excluded.status, seats = excluded.seats, amount = excluded.amount,
    hold_expires_at = excluded.hold_expires_at, ended_at = excluded.ended_at`

	projectPaymentsStatement = `
insert into payment (event_id, order_id, attempt, status, amount, code)
select $1, c.* from unnest($2::bytea[], $3::int[], $4::text[], $5::bigint[], $6::text[]) as c
on conflict (event_id, order_id, attempt) do update set
    status = excluded.status, amount = excluded.amount, code = excluded.code`

	// Others update sessions too: no ctid here, and their rows are locked first, in the order that showStatement keeps.
	projectSessionsLockStatement = `
select from session where event_id = $1 and session_id = any ($2::bytea[]) order by session_id for update`

	// A session that has ended stays as it ended, also by time, but the count of its orders is the journal's. $3 is where it
	// ends, empty where it does not.
	projectSessionsStatement = `
update session set
    completed = $4,
    status = case
        when $3 = '' or status not in ('WAITING', 'ACTIVE') then status
        when ends_at <= now_ms() then 'EXPIRED'
        else $3 end,
    ended_at = case when $3 = '' or status not in ('WAITING', 'ACTIVE') then ended_at else least(ends_at, now_ms()) end
where event_id = $1 and session_id = any ($2::bytea[])`

	// As settings change, whoever sleeps until a far due must look again. An admission under way may have read the settings
	// of before: it is waited for, whatever stands there now. It comes first: whoever admits has this row before those of
	// sessions, too.
	projectWakeStatement = `
update admission set next_due = least(next_due, now_ms()) where event_id = $1 and next_due is not null`

	projectDemandStatement = `select exists (select from admission where event_id = $1 and next_due is not null)`

	projectSnapshotStatement = `
insert into snapshot as s (event_id, seq, state) values ($1, $2, $3)
on conflict (event_id) do update set seq = excluded.seq, state = excluded.state
where s.seq < excluded.seq`
)

// Projected is the sequence number up to which the read model follows; *messages.EventNotFoundError where there is no
// such event.
func (m *ReadModel) Projected(ctx context.Context, eventID string) (uint64, error) {
	var seq uint64
	err := m.db.queries.QueryRow(ctx, projectedStatement, eventID).Scan(&seq)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, &messages.EventNotFoundError{EventID: eventID}
	case err != nil:
		return 0, m.db.failed(fmt.Sprintf("read the projection of event %q", eventID), err)
	}
	return seq, nil
}

// Project moves the read model from p.From to p.To in one transaction; messages.ErrProjected, and nothing written,
// where it does not stand at p.From. The rows must be those of committed entries.
func (m *ReadModel) Project(ctx context.Context, p messages.Projection) error {
	op := fmt.Sprintf("project event %q from %d to %d", p.EventID, p.From, p.To)
	if p.From >= p.To {
		return fmt.Errorf("%s: not forward", op)
	}
	var wakes bool // whoever admits: there may be room for somebody who waits
	batch, err := projectBatch(p, &wakes)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	err = pgx.BeginFunc(ctx, m.db.queries, func(tx pgx.Tx) error {
		// Never pipelined with what follows: that would be written even where this finds no row.
		var lastSeq uint64
		args := append([]any{p.EventID, p.From, p.To}, saleArgs(p.Sale)...)
		err := tx.QueryRow(ctx, projectStatement, args...).Scan(&lastSeq)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return messages.ErrProjected
		case err != nil:
			return err
		case lastSeq < p.To:
			return fmt.Errorf("entry %d is not committed: the journal ends at %d", p.To, lastSeq)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return m.db.failed(op, err)
	}
	if wakes {
		m.db.announce(p.EventID)
	}
	return nil
}

func projectBatch(p messages.Projection, wakes *bool) (*pgx.Batch, error) {
	b := new(pgx.Batch)
	var known []string
	if p.Event != nil {
		b.Queue(projectWakeStatement, p.EventID).Exec(func(done pgconn.CommandTag) error {
			*wakes = done.RowsAffected() > 0
			return nil
		})
	}
	if len(p.Seats) > 0 {
		queueSeats(b, p)
	}
	if len(p.Orders) > 0 {
		if err := queueOrders(b, p); err != nil {
			return nil, err
		}
	}
	if len(p.Payments) > 0 {
		queuePayments(b, p)
	}
	if len(p.Sessions) > 0 {
		queueSessions(b, p, wakes)
	}
	if p.Event != nil {
		c, err := eventColumnsOf(p.Event)
		if err != nil {
			return nil, err
		}
		b.Queue(updateEventStatement, append([]any{p.EventID}, c.args()...)...)
		known = vocabulary(c.words)
	}
	if p.Snapshot != nil {
		b.Queue(projectSnapshotStatement, p.EventID, p.To, p.Snapshot)
	}
	if len(known) > 0 {
		b.Queue(addWordsStatement, known) // last: others may wait for the words' rows
	}
	return b, nil
}

func saleArgs(s *messages.Sale) []any {
	if s == nil {
		return []any{nil, nil, nil}
	}
	return []any{s.GetAvailable(), s.GetHeld(), s.GetPriceFrom()}
}

func queueSeats(b *pgx.Batch, p messages.Projection) {
	n := len(p.Seats)
	indexes, states, orders := make([]int32, n), make([]string, n), make([][]byte, n)
	for i := range p.Seats {
		s := &p.Seats[i]
		indexes[i], states[i], orders[i] = s.Index, string(rune(s.State)), orNull(s.OrderID)
	}
	q := b.Queue(projectSeatsStatement, p.EventID, indexes, states, orders)
	q.Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() != int64(n) {
			return fmt.Errorf("%d of %d seats exist", done.RowsAffected(), n)
		}
		return nil
	})
}

func queueOrders(b *pgx.Batch, p messages.Projection) error {
	n := len(p.Orders)
	ids, sessions, statuses, seats := make([][]byte, n), make([][]byte, n), make([]string, n), make([]string, n)
	amounts, holds, created, ended := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range p.Orders {
		o := &p.Orders[i]
		status, err := orderStatusName(o.Status)
		if err != nil {
			return err
		}
		ids[i], sessions[i], statuses[i], seats[i] = o.OrderID[:], o.SessionID[:], status, intArray(o.Seats)
		amounts[i], holds[i], created[i], ended[i] = o.Amount, o.HoldExpiresAt, o.CreatedAt, o.EndedAt
	}
	b.Queue(projectOrdersStatement, p.EventID, ids, sessions, statuses, seats, amounts, holds, created, ended)
	return nil
}

func queuePayments(b *pgx.Batch, p messages.Projection) {
	n := len(p.Payments)
	orders, attempts, statuses := make([][]byte, n), make([]uint32, n), make([]string, n)
	amounts, codes := make([]int64, n), make([]string, n)
	for i := range p.Payments {
		r := &p.Payments[i]
		orders[i], attempts[i], statuses[i], amounts[i], codes[i] = r.OrderID[:], r.Attempt, string(r.Status), r.Amount, r.Code
	}
	b.Queue(projectPaymentsStatement, p.EventID, orders, attempts, statuses, amounts, codes)
}

// queueSessions queues one statement for all sessions that have come to the same: a handful.
func queueSessions(b *pgx.Batch, p messages.Projection, wakes *bool) {
	type state struct {
		ended     messages.SessionStatus
		completed uint32
	}
	ids := map[state][][]byte{}
	all := make([][]byte, len(p.Sessions))
	ends := false
	for i := range p.Sessions {
		r := &p.Sessions[i]
		s := state{completed: r.Completed}
		switch {
		case r.Left:
			s.ended = messages.SessionLeft
		case r.Done:
			s.ended = messages.SessionCompleted
		}
		ids[s] = append(ids[s], r.SessionID[:])
		all[i] = r.SessionID[:]
		ends = ends || s.ended != ""
	}
	b.Queue(projectSessionsLockStatement, p.EventID, all)
	for s, ids := range ids {
		b.Queue(projectSessionsStatement, p.EventID, ids, string(s.ended), s.completed)
	}
	if ends {
		b.Queue(projectDemandStatement, p.EventID).QueryRow(func(row pgx.Row) error { return row.Scan(wakes) })
	}
}

// intArray is Postgres' text form of an int[]: an array of arrays of different lengths has no other way in.
func intArray(ints []int32) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range ints {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d", v)
	}
	b.WriteByte('}')
	return b.String()
}

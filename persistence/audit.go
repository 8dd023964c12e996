package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

const (
	auditStatement = `
select o.last_seq, coalesce(o.next_due, 0), o.moved_after, p.projected_seq, p.seats_available, p.seats_held, p.price_from,
    coalesce(s.seq, 0), s.state, e.settings, now_ms()
from event e
join event_owner o using (event_id)
join projection p using (event_id)
left join snapshot s using (event_id)
where e.event_id = $1`

	auditEntriesStatement = `select seq, epoch, at, facts, answers, moved from journal where event_id = $1 order by seq`

	auditSeatsStatement = `select seat_index, state, order_id from seat where event_id = $1 order by seat_index`

	auditOrdersStatement = `
select order_id, session_id, status, seats, amount, coalesce(hold_expires_at, 0), created_at, coalesce(ended_at, 0)
from orders
where event_id = $1
order by created_at, order_id`

	auditPaymentsStatement = `
select order_id, attempt, status, amount, code
from payment
where event_id = $1
order by order_id, attempt`

	auditTicketsStatement = `
select ticket_id, order_id, n, seat_index, seat_id, code, issued_at
from ticket
where event_id = $1 and voided_at is null
order by seat_index`

	auditLineStatement = `select last_place, head, coalesce(next_due, 0) from admission where event_id = $1`

	auditSessionsStatement = `select session_id, status, completed, place from session where event_id = $1 order by place`

	// A long journal takes as long as it takes.
	auditNoTimeoutsStatement = `
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`

	eventIDsStatement = `select event_id from event order by event_id`
)

// Audit reads all that is stored of the event as of one moment, in one repeatable-read transaction that writes nothing.
// *messages.EventNotFoundError where there is no such event.
func (db *DB) Audit(ctx context.Context, eventID string) (*messages.Audit, error) {
	plan, err := db.plan(ctx, eventID)
	if err != nil {
		return nil, err
	}
	a := &messages.Audit{EventID: eventID, Plan: plan.Plan, PlanHash: plan.Hash}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, db.queries, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, auditNoTimeoutsStatement); err != nil {
			return err
		}
		return audit(ctx, tx, a)
	})
	if err != nil {
		return nil, db.failed(fmt.Sprintf("audit event %q", eventID), err)
	}
	return a, nil
}

// EventIDs of all events, for tools that look at each.
func (db *DB) EventIDs(ctx context.Context) ([]string, error) {
	rows, err := db.queries.Query(ctx, eventIDsStatement)
	if err != nil {
		return nil, db.failed("list event ids", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, db.failed("list event ids", err)
	}
	return ids, nil
}

func audit(ctx context.Context, tx pgx.Tx, a *messages.Audit) error {
	b := new(pgx.Batch)
	b.Queue(auditStatement, a.EventID).QueryRow(func(row pgx.Row) error {
		var settings []byte
		var now int64
		a.Sale = new(messages.Sale)
		err := row.Scan(&a.LastSeq, &a.NextDue, &a.MovedAfter, &a.ProjectedSeq, &a.Sale.Available, &a.Sale.Held, &a.Sale.PriceFrom,
			&a.SnapshotSeq, &a.Snapshot, &settings, &now)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return &messages.EventNotFoundError{EventID: a.EventID}
		case err != nil:
			return err
		}
		a.Event, err = decodeEvent(settings, now)
		return err
	})
	queueRows(b, auditEntriesStatement, a.EventID, scanWholeEntry, &a.Entries)
	queueRows(b, auditSeatsStatement, a.EventID, scanSeat, &a.Seats)
	queueRows(b, auditOrdersStatement, a.EventID, scanOrder, &a.Orders)
	queueRows(b, auditPaymentsStatement, a.EventID, scanPayment, &a.Payments)
	b.Queue(auditLineStatement, a.EventID).QueryRow(func(row pgx.Row) error {
		a.Line = new(messages.LineState)
		err := row.Scan(&a.Line.LastPlace, &a.Line.Head, &a.Line.NextDue)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // a row that is missing is a difference, not a failure: nobody has a place then
		}
		return err
	})
	queueRows(b, auditSessionsStatement, a.EventID, scanSession, &a.Sessions)
	queueRows(b, auditTicketsStatement, a.EventID, scanTicket, &a.Tickets)
	queueRows(b, ledgerEventStatement, a.EventID, scanLedgerRow, &a.Ledger)
	return tx.SendBatch(ctx, b).Close()
}

func queueRows[T any](b *pgx.Batch, statement, eventID string, scan pgx.RowToFunc[T], into *[]T) {
	b.Queue(statement, eventID).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, scan)
		return err
	})
}

func scanWholeEntry(row pgx.CollectableRow) (e messages.Entry, err error) {
	err = row.Scan(&e.Seq, &e.Epoch, &e.At, &e.Facts, &e.Answers, &e.Moved)
	return e, err
}

func scanSeat(row pgx.CollectableRow) (r messages.SeatRow, err error) {
	var state string
	var order []byte
	if err = row.Scan(&r.Index, &state, &order); err == nil {
		r.State = state[0] // one letter: the table's check
		copy(r.OrderID[:], order)
	}
	return r, err
}

func scanOrder(row pgx.CollectableRow) (r messages.OrderRow, err error) {
	var order, session []byte
	var status string
	err = row.Scan(&order, &session, &status, &r.Seats, &r.Amount, &r.HoldExpiresAt, &r.CreatedAt, &r.EndedAt)
	if err != nil {
		return r, err
	}
	copy(r.OrderID[:], order)
	copy(r.SessionID[:], session)
	r.Status, err = orderStatusOf(status)
	return r, err
}

func scanPayment(row pgx.CollectableRow) (r messages.PaymentRow, err error) {
	var order []byte
	err = row.Scan(&order, &r.Attempt, &r.Status, &r.Amount, &r.Code)
	copy(r.OrderID[:], order)
	return r, err
}

func scanTicket(row pgx.CollectableRow) (r messages.TicketRow, err error) {
	var ticket, order []byte
	err = row.Scan(&ticket, &order, &r.N, &r.SeatIndex, &r.SeatID, &r.Code, &r.IssuedAt)
	copy(r.TicketID[:], ticket)
	copy(r.OrderID[:], order)
	return r, err
}

func scanSession(row pgx.CollectableRow) (r messages.SessionState, err error) {
	var session []byte
	err = row.Scan(&session, &r.Status, &r.Completed, &r.Place)
	copy(r.SessionID[:], session)
	return r, err
}

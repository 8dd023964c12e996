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
select o.last_seq, p.projected_seq, coalesce(s.seq, 0), s.state, e.settings, now_ms()
from event e
join event_owner o using (event_id)
join projection p using (event_id)
left join snapshot s using (event_id)
where e.event_id = $1`

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
select ticket_id, order_id, seat_index, seat_id, code, issued_at
from ticket
where event_id = $1 and voided_at is null
order by seat_index`

	auditSessionsStatement = `
select session_id, completed, status = 'COMPLETED', status = 'LEFT'
from session
where event_id = $1
order by place`

	// A long journal takes as long as it takes, and so does its replay between two reads.
	auditNoTimeoutsStatement = `
select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`

	eventIDsStatement = `select event_id from event order by event_id`
)

// AuditView is all that the database holds of an event, as of one moment. It stands only while Audit calls.
type AuditView struct {
	EventID      string
	LastSeq      uint64
	ProjectedSeq uint64
	Plan         *messages.SeatingPlan
	PlanHash     [32]byte
	// Event as the read model has it.
	Event *messages.Event
	// Snapshot after entry SnapshotSeq; nil, and 0, where there is none.
	Snapshot    []byte
	SnapshotSeq uint64

	tx pgx.Tx
}

// Audit calls f with a view of the event in which nothing moves: one repeatable-read transaction that writes nothing.
// *messages.EventNotFoundError where there is no such event.
func (db *DB) Audit(ctx context.Context, eventID string, f func(*AuditView) error) error {
	op := fmt.Sprintf("audit event %q", eventID)
	plan, err := db.plan(ctx, eventID)
	if err != nil {
		return err
	}
	view := &AuditView{EventID: eventID, Plan: plan.Plan, PlanHash: plan.Hash}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, db.queries, options, func(tx pgx.Tx) error {
		view.tx = tx
		if _, err := tx.Exec(ctx, auditNoTimeoutsStatement); err != nil {
			return err
		}
		var settings []byte
		var now int64
		err := tx.QueryRow(ctx, auditStatement, eventID).
			Scan(&view.LastSeq, &view.ProjectedSeq, &view.SnapshotSeq, &view.Snapshot, &settings, &now)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return &messages.EventNotFoundError{EventID: eventID}
		case err != nil:
			return err
		}
		if view.Event, err = decodeEvent(settings, now); err != nil {
			return err
		}
		return f(view)
	})
	if err != nil {
		return db.failed(op, err)
	}
	return nil
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

// Entries calls yield with all entries of the journal from 1 to LastSeq, in order; a gap is an error.
func (v *AuditView) Entries(ctx context.Context, yield func(messages.Entry) error) error {
	return eachEntry(ctx, v.tx, v.EventID, 0, v.LastSeq, yield)
}

// Seats of the read model, by index.
func (v *AuditView) Seats(ctx context.Context) ([]messages.SeatRow, error) {
	return audit(ctx, v, auditSeatsStatement, func(row pgx.CollectableRow) (r messages.SeatRow, err error) {
		var state string
		var order []byte
		if err = row.Scan(&r.Index, &state, &order); err == nil {
			r.State = state[0] // one letter: the table's check
			copy(r.OrderID[:], order)
		}
		return r, err
	})
}

// Orders of the read model, by creation.
func (v *AuditView) Orders(ctx context.Context) ([]messages.OrderRow, error) {
	return audit(ctx, v, auditOrdersStatement, func(row pgx.CollectableRow) (r messages.OrderRow, err error) {
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
	})
}

// Payments of the read model, by order and attempt.
func (v *AuditView) Payments(ctx context.Context) ([]messages.PaymentRow, error) {
	return audit(ctx, v, auditPaymentsStatement, func(row pgx.CollectableRow) (r messages.PaymentRow, err error) {
		var order []byte
		err = row.Scan(&order, &r.Attempt, &r.Status, &r.Amount, &r.Code)
		copy(r.OrderID[:], order)
		return r, err
	})
}

// Tickets that are live, by seat.
func (v *AuditView) Tickets(ctx context.Context) ([]messages.TicketRow, error) {
	return audit(ctx, v, auditTicketsStatement, func(row pgx.CollectableRow) (r messages.TicketRow, err error) {
		var ticket, order []byte
		err = row.Scan(&ticket, &order, &r.SeatIndex, &r.SeatID, &r.Code, &r.IssuedAt)
		copy(r.TicketID[:], ticket)
		copy(r.OrderID[:], order)
		return r, err
	})
}

// Sessions by place, as the journal has moved them: those still WAITING or ACTIVE are neither Done nor Left. A session
// may have left before the journal says so.
func (v *AuditView) Sessions(ctx context.Context) ([]messages.SessionRow, error) {
	return audit(ctx, v, auditSessionsStatement, func(row pgx.CollectableRow) (r messages.SessionRow, err error) {
		var session []byte
		err = row.Scan(&session, &r.Completed, &r.Done, &r.Left)
		copy(r.SessionID[:], session)
		return r, err
	})
}

// Ledger of the mock payment provider, by authorization and number.
func (v *AuditView) Ledger(ctx context.Context) ([]messages.LedgerRow, error) {
	return ledgerRows(ctx, v.tx, v.EventID)
}

func audit[T any](ctx context.Context, v *AuditView, statement string, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := v.tx.Query(ctx, statement, v.EventID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

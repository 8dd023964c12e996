package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"boxoffice/messages"
)

// Journal is the log of events, written for one node.
type Journal struct {
	db     *DB
	node   string
	member bool // node is a member of the cluster, and claims only as long as its lease is good
}

// Journal as the node writes it; node names the owner in event_owner.
func (db *DB) Journal(node string) *Journal { return &Journal{db: db, node: node} }

// A batch is one statement, so that a failed fence writes nothing and an owner that freezes leaves no transaction open.
// The fence waits for whoever holds the owner's row, and then looks at it anew (read committed).
const (
	commitStatement = `
with fence as (
    update event_owner set last_seq = $3, next_due = nullif($4::bigint, 0)
    where event_id = $1 and epoch = $2 and last_seq = $3 - 1
    returning event_id),
entry as (
    insert into journal (event_id, seq, epoch, at, facts, answers, moved)
    select event_id, $3, $2, $5, $6, $7, $8 from fence)
select count(*) from fence`

	commitTicketsStatement = `
with fence as (
    update event_owner set last_seq = $3, next_due = nullif($4::bigint, 0)
    where event_id = $1 and epoch = $2 and last_seq = $3 - 1
    returning event_id),
entry as (
    insert into journal (event_id, seq, epoch, at, facts, answers, moved)
    select event_id, $3, $2, $5, $6, $7, $8 from fence),
issued as (
    insert into ticket (event_id, ticket_id, order_id, n, seat_index, seat_id, code, issued_at)
    select f.event_id, t.ticket_id, t.order_id, t.n, t.seat_index, t.seat_id, t.code, t.issued_at
    from fence f, unnest($9::bytea[], $10::bytea[], $11::int[], $12::int[], $13::text[], $14::text[], $15::bigint[])
        as t (ticket_id, order_id, n, seat_index, seat_id, code, issued_at))
select count(*) from fence`

	fenceStatement = `select count(*) from event_owner where event_id = $1 and epoch = $2`

	dueLaterStatement = `
with fence as (update event_owner set next_due = $3 where event_id = $1 and epoch = $2 returning event_id)
select count(*) from fence`
)

// Commit writes the batch whole, durably, if its epoch stands and its entry is the next: else messages.ErrFenced, and
// nothing is written. A batch without an entry checks the epoch, and may move the deadline. *messages.DoubleSaleError: see there. Any other error
// leaves open whether the batch was written.
func (j *Journal) Commit(ctx context.Context, b messages.Batch) error {
	if err := checkBatch(b); err != nil {
		return fmt.Errorf("commit to event %q: %w", b.EventID, err)
	}
	var row pgx.Row
	switch e := b.Entry; {
	case e == nil && b.NextDue == 0:
		row = j.db.commits.QueryRow(ctx, fenceStatement, b.EventID, b.Epoch)
	case e == nil:
		row = j.db.commits.QueryRow(ctx, dueLaterStatement, b.EventID, b.Epoch, b.NextDue)
	case len(b.Tickets) == 0:
		row = j.db.commits.QueryRow(ctx, commitStatement,
			b.EventID, b.Epoch, e.Seq, b.NextDue, e.At, e.Facts, notNull(e.Answers), nullIfEmpty(e.Moved))
	default:
		t := ticketColumnsOf(b.Tickets)
		row = j.db.commits.QueryRow(ctx, commitTicketsStatement,
			b.EventID, b.Epoch, e.Seq, b.NextDue, e.At, e.Facts, notNull(e.Answers), nullIfEmpty(e.Moved),
			t.ticketIDs, t.orderIDs, t.n, t.seatIndexes, t.seatIDs, t.codes, t.issuedAt)
	}
	var stood int
	if err := row.Scan(&stood); err != nil {
		if d := doubleSale(b.EventID, err); d != nil {
			return d
		}
		return j.db.failed(fmt.Sprintf("commit to event %q", b.EventID), err)
	}
	if stood == 0 {
		return fmt.Errorf("commit to event %q: %w", b.EventID, messages.ErrFenced)
	}
	return nil
}

// checkBatch refuses what no sound owner sends.
func checkBatch(b messages.Batch) error {
	switch e := b.Entry; {
	case e == nil && len(b.Tickets) > 0:
		return errors.New("tickets without an entry")
	case e == nil:
		return nil
	case e.Epoch != b.Epoch:
		return fmt.Errorf("entry of epoch %d in a batch of epoch %d", e.Epoch, b.Epoch)
	case e.Seq < 2:
		return fmt.Errorf("entry %d: 1 is the event's creation", e.Seq)
	case e.At <= 0:
		return errors.New("entry without a time")
	case len(e.Facts) == 0:
		return errors.New("entry without facts")
	}
	return nil
}

// nullIfEmpty is b, as a bytea that is null rather than empty.
func nullIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func doubleSale(eventID string, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == uniqueViolation && refused.ConstraintName == "ticket_one_per_seat" {
		return &messages.DoubleSaleError{EventID: eventID, Detail: refused.Detail}
	}
	return nil
}

// ticketColumns are a batch's tickets, as unnest takes them.
type ticketColumns struct {
	ticketIDs, orderIDs [][]byte
	n, seatIndexes      []int32
	seatIDs, codes      []string
	issuedAt            []int64
}

// ticketColumnsOf numbers the tickets of each order from 1: an order's tickets are issued in one batch, in its sequence
// of seats.
func ticketColumnsOf(rows []messages.TicketRow) ticketColumns {
	var t ticketColumns
	issued := map[[16]byte]int32{}
	for i := range rows {
		r := &rows[i]
		issued[r.OrderID]++
		t.ticketIDs = append(t.ticketIDs, r.TicketID[:])
		t.orderIDs = append(t.orderIDs, r.OrderID[:])
		t.n = append(t.n, issued[r.OrderID])
		t.seatIndexes = append(t.seatIndexes, r.SeatIndex)
		t.seatIDs = append(t.seatIDs, r.SeatID)
		t.codes = append(t.codes, r.Code)
		t.issuedAt = append(t.issuedAt, r.IssuedAt)
	}
	return t
}

package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// Records are what the journal and its read model keep of what was.
type Records struct{ db *DB }

// Records of the database.
func (db *DB) Records() *Records { return &Records{db: db} }

const (
	answerStatement = `select answers from journal where event_id = $1 and seq = $2`

	orderStatement = `
select o.session_id, o.status, o.seats, o.amount, coalesce(o.hold_expires_at, 0), o.created_at, e.settings, now_ms()
from orders o
join event e using (event_id)
where o.event_id = $1 and o.order_id = $2`

	orderTicketsStatement = `
select ticket_id, seat_id, code
from ticket
where event_id = $1 and order_id = $2 and voided_at is null
order by n`
)

// Answer that stands in the journal at the given place. That there is none is an error like any other: whoever asks
// was told the place by the journal.
func (r *Records) Answer(ctx context.Context, eventID string, at *messages.StoredAnswer) (*messages.Answer, error) {
	op := fmt.Sprintf("read answer %d of entry %d of event %q", at.GetSlot(), at.GetSeq(), eventID)
	var encoded []byte
	if err := r.db.queries.QueryRow(ctx, answerStatement, eventID, at.GetSeq()).Scan(&encoded); err != nil {
		return nil, r.db.failed(op, err)
	}
	answers := new(messages.Answers)
	if err := proto.Unmarshal(encoded, answers); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if int(at.GetSlot()) >= len(answers.GetAnswers()) {
		return nil, fmt.Errorf("%s: it has %d", op, len(answers.GetAnswers()))
	}
	return answers.GetAnswers()[at.GetSlot()], nil
}

// Order as the read model has it, with its tickets where it is COMPLETED; messages.ErrOrderNotFound where there is none.
func (r *Records) Order(ctx context.Context, eventID string, orderID [16]byte) (*messages.Order, error) {
	op := fmt.Sprintf("read an order of event %q", eventID)
	o, seats, event, err := r.order(ctx, eventID, orderID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, messages.ErrOrderNotFound
	case err != nil:
		return nil, r.db.failed(op, err)
	}
	plan, err := r.db.plan(ctx, eventID)
	if err != nil {
		return nil, err
	}
	o.Currency = event.GetCurrency()
	for _, index := range seats {
		seat, err := plan.seat(index, event)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		o.Seats = append(o.Seats, seat)
	}
	if o.GetStatus() == messages.OrderStatus_ORDER_STATUS_COMPLETED {
		if o.Tickets, err = r.Tickets(ctx, eventID, orderID); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (r *Records) order(ctx context.Context, eventID string, orderID [16]byte) (*messages.Order, []int32, *messages.Event, error) {
	o := &messages.Order{OrderId: orderID[:], EventId: eventID}
	var status string
	var seats []int32
	var settings []byte
	var now int64
	err := r.db.queries.QueryRow(ctx, orderStatement, eventID, orderID[:]).
		Scan(&o.SessionId, &status, &seats, &o.Amount, &o.HoldExpiresAt, &o.CreatedAt, &settings, &now)
	if err != nil {
		return nil, nil, nil, err
	}
	if o.Status, err = orderStatusOf(status); err != nil {
		return nil, nil, nil, err
	}
	event, err := decodeEvent(settings, now)
	return o, seats, event, err
}

// Tickets of an order, in its sequence of seats; none where it has none.
func (r *Records) Tickets(ctx context.Context, eventID string, orderID [16]byte) ([]*messages.Ticket, error) {
	op := fmt.Sprintf("read tickets of event %q", eventID)
	rows, err := r.db.queries.Query(ctx, orderTicketsStatement, eventID, orderID[:])
	if err != nil {
		return nil, r.db.failed(op, err)
	}
	tickets, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*messages.Ticket, error) {
		t := new(messages.Ticket)
		err := row.Scan(&t.TicketId, &t.SeatId, &t.Code)
		return t, err
	})
	if err != nil {
		return nil, r.db.failed(op, err)
	}
	return tickets, nil
}

// seat by its index in the plan's order, at the event's price.
func (p *plan) seat(index int32, e *messages.Event) (*messages.Seat, error) {
	rest := int(index)
	for _, section := range p.Plan.GetSections() {
		for _, row := range section.GetRows() {
			if rest >= len(row.GetSeats()) {
				rest -= len(row.GetSeats())
				continue
			}
			s := row.GetSeats()[rest]
			category := p.Plan.GetCategories()[s.GetCategory()].GetName()
			seat := &messages.Seat{
				SeatId: s.GetSeatId(), Section: section.GetName(), Row: row.GetName(), Number: s.GetNumber(), Category: category,
			}
			for _, c := range e.GetCategories() {
				if c.GetName() == category {
					seat.Price = c.GetPrice()
				}
			}
			return seat, nil
		}
	}
	return nil, fmt.Errorf("seat %d: the plan has %d", index, p.seats)
}

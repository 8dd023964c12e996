package persistence

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// Catalogue of events.
type Catalogue struct{ db *DB }

// Catalogue of the database.
func (db *DB) Catalogue() *Catalogue { return &Catalogue{db: db} }

const (
	createEventStatement = `
insert into event (event_id, name, venue, city, performers, starts_at, on_sale_at, status, seats_total, currency,
    settings, search, plan, plan_hash)
values ($1, $2, $3, $4, $5, $6, nullif($7::bigint, 0), $8, $9, $10, $11, array_to_tsvector($12), $13, $14)
on conflict (event_id) do nothing`

	// Used by the projector.
	updateEventStatement = `
update event set name = $2, venue = $3, city = $4, performers = $5, starts_at = $6, on_sale_at = nullif($7::bigint, 0),
    status = $8, seats_total = $9, currency = $10, settings = $11, search = array_to_tsvector($12)
where event_id = $1`

	createOwnerStatement = `
insert into event_owner (event_id, epoch, last_seq, node_id) values ($1, $2, 1, '')`

	createJournalStatement = `
insert into journal (event_id, seq, epoch, at, facts, answers) values ($1, 1, $2, now_ms(), $3, $4)`

	createProjectionStatement = `
insert into projection (event_id, projected_seq, seats_available, seats_held, price_from) values ($1, 1, $2, $3, $4)`

	createAdmissionStatement = `insert into admission (event_id, last_place) values ($1, 0)`

	createSeatsStatement = `
insert into seat (event_id, seat_index, seat_id, state)
select $1, s.n - 1, s.seat_id, 'A' from unnest($2::text[]) with ordinality as s (seat_id, n)`
)

// CreateEvent stores the event, entry 1 of its journal, and the read model as of it: every seat available, and how it
// sells, which the event says.
// *messages.EventExistsError where the id is taken.
func (c *Catalogue) CreateEvent(ctx context.Context, e messages.EventRecord) error {
	id := e.Event.GetEventId()
	op := fmt.Sprintf("create event %q", id)
	switch {
	case e.First.Seq != 1:
		return fmt.Errorf("%s: its first entry is number %d", op, e.First.Seq)
	case len(e.SeatIDs) != int(e.Event.GetSeatsTotal()):
		return fmt.Errorf("%s: %d seat ids for %d seats", op, len(e.SeatIDs), e.Event.GetSeatsTotal())
	case e.PlanHash != sha256.Sum256(e.Plan):
		return fmt.Errorf("%s: the plan's hash is not its own", op)
	}
	columns, err := eventColumnsOf(e.Event)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	err = pgx.BeginFunc(ctx, c.db.queries, func(tx pgx.Tx) error {
		args := append([]any{id}, columns.args()...)
		created, err := tx.Exec(ctx, createEventStatement, append(args, e.Plan, e.PlanHash[:])...)
		if err != nil {
			return err
		}
		if created.RowsAffected() == 0 {
			return &messages.EventExistsError{EventID: id}
		}
		b := new(pgx.Batch)
		b.Queue(createOwnerStatement, id, e.First.Epoch)
		b.Queue(createJournalStatement, id, e.First.Epoch, e.First.Facts, notNull(e.First.Answers))
		sale := e.Event.GetSale()
		b.Queue(createProjectionStatement, id, sale.GetAvailable(), sale.GetHeld(), sale.GetPriceFrom())
		b.Queue(createAdmissionStatement, id)
		b.Queue(createSeatsStatement, id, e.SeatIDs)
		b.Queue(addWordsStatement, vocabulary(columns.words)) // last: others may wait for the words' rows
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return c.db.failed(op, err)
	}
	return nil
}

// eventColumns are the columns of table event that follow the settings.
type eventColumns struct {
	event    *messages.Event
	status   string
	settings []byte
	words    []string
}

func eventColumnsOf(e *messages.Event) (eventColumns, error) {
	e = proto.CloneOf(e)
	e.Sale = nil // not a setting: the projection has it
	if e.GetStatus() == messages.EventStatus_EVENT_STATUS_SCHEDULED {
		// What is scheduled is on sale, later: stored once and read by the clock.
		e.Status = messages.EventStatus_EVENT_STATUS_ON_SALE
	}
	settings, err := protojson.Marshal(e)
	if err != nil {
		return eventColumns{}, fmt.Errorf("encode the settings: %w", err)
	}
	return eventColumns{
		event: e, status: eventStatusName(e.GetStatus()), settings: settings,
		words: words(e.GetName(), e.GetVenue(), e.GetCity(), strings.Join(e.GetPerformers(), " ")),
	}, nil
}

// args are $2 to $12 of the statements above.
func (c eventColumns) args() []any {
	e := c.event
	performers := e.GetPerformers()
	if performers == nil {
		performers = []string{}
	}
	return []any{
		e.GetName(), e.GetVenue(), e.GetCity(), performers, e.GetStartsAt(), e.GetOnSaleAt(), c.status,
		e.GetSeatsTotal(), e.GetCurrency(), c.settings,
		lexemes(c.words),
	}
}

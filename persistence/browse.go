package persistence

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"

	"boxoffice/messages"
)

// eventsLimitMax bounds a page of events, and is what a limit of 0 means.
const eventsLimitMax = 100

const (
	eventStatement = `
select e.settings, now_ms(), p.seats_available, p.seats_held, p.price_from
from event e
join projection p using (event_id)
where event_id = $1`

	// Of table event: $2 is the status asked for, SCHEDULED among them; $3 and $4 bound the start, 0 for open; $5 and $6 are
	// where the page before ended. All statements with it are planned anew for what is asked each time, so that what is not
	// asked for is not there.
	eventsWhere = `
        ($2 = '' or status = case when $2 = 'SCHEDULED' then 'ON_SALE' else $2 end)
        and ($2 not in ('ON_SALE', 'SCHEDULED') or (coalesce(on_sale_at, 0) > n.now) = ($2 = 'SCHEDULED'))
        and ($3::bigint = 0 or starts_at >= $3)
        and ($4::bigint = 0 or starts_at < $4)
        and ($5::bigint is null or (starts_at, event_id) > ($5, $6))`

	eventsStatement = `
select e.settings, e.now, p.seats_available, p.seats_held, p.price_from
from (
    select event_id, starts_at, settings, n.now
    from event, (select now_ms() as now) n
    where ` + eventsWhere + `
    order by starts_at, event_id
    limit $1) e
join projection p using (event_id)
order by e.starts_at, e.event_id`

	// $7 is what to search for, and $8 what was found by that before, empty for nothing. Whether to go by the words or by the
	// start hangs on how many have the words, at which Postgres guesses badly: so the first thousand are counted. Are there
	// more, every twentieth or so has them, and a page of those that start first is soon together.
	searchStatement = `
with n as materialized (select now_ms() as now),
hits as materialized (
    select event_id, starts_at
    from event, n
    where ` + eventsWhere + `
        and search @@ $7::tsquery and ($8 = '' or not search @@ $8::tsquery)
    limit 1001),
few as materialized (select count(*) <= 1000 as are from hits)
select e.settings, n.now, p.seats_available, p.seats_held, p.price_from
from (
    (select event_id from hits where (select are from few) order by starts_at, event_id limit $1)
    union all
    (select event_id
    from event, n
    where not (select are from few) and ` + eventsWhere + `
        and search @@ $7::tsquery and ($8 = '' or not search @@ $8::tsquery)
    order by starts_at, event_id
    limit $1)) f
join event e using (event_id)
join projection p using (event_id)
cross join n
order by e.starts_at, e.event_id`
)

// Event as the read model has it; *messages.EventNotFoundError where there is none. Its status is that of now: SCHEDULED
// until the sale opens.
func (c *Catalogue) Event(ctx context.Context, eventID string) (*messages.Event, error) {
	op := fmt.Sprintf("read event %q", eventID)
	rows, err := c.db.queries.Query(ctx, eventStatement, eventID)
	if err != nil {
		return nil, c.db.failed(op, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEvent)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, &messages.EventNotFoundError{EventID: eventID}
	case err != nil:
		return nil, c.db.failed(op, err)
	}
	return e, nil
}

// Events that the query selects, by start and then id, but those that have all words of its text before those that have
// similar ones; next is the cursor of the following page, empty on the last. *messages.InvalidInputError for a cursor that
// is not ours.
func (c *Catalogue) Events(ctx context.Context, q messages.EventQuery) (events []*messages.Event, next string, err error) {
	after, err := cursorOf(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	select {
	case c.db.pages <- struct{}{}:
		defer func() { <-c.db.pages }()
	case <-ctx.Done():
		return nil, "", c.db.failed("list events", ctx.Err())
	}
	limit := q.Limit
	if limit <= 0 || limit > eventsLimitMax {
		limit = eventsLimitMax
	}
	status := ""
	if q.Status != messages.EventStatus_EVENT_STATUS_UNSPECIFIED {
		status = eventStatusName(q.Status)
	}
	w := queryWords(q.Text)
	if len(w) == 0 && strings.TrimSpace(q.Text) != "" {
		return nil, "", nil // a text without any word finds nothing, an empty one all
	}
	page := func(limit int, text, but string, after cursor) ([]*messages.Event, error) {
		statement := eventsStatement
		args := []any{pgx.QueryExecModeCacheDescribe, limit, status, q.From, q.To, after.StartsAt, after.EventID}
		if text != "" {
			statement, args = searchStatement, append(args, text, but)
		}
		rows, err := c.db.queries.Query(ctx, statement, args...)
		if err != nil {
			return nil, c.db.failed("list events", err)
		}
		events, err := pgx.CollectRows(rows, scanEvent)
		if err != nil {
			return nil, c.db.failed("list events", err)
		}
		return events, nil
	}
	// One more than asked for tells whether a page follows.
	exact := textQuery(w, nil)
	if !after.Similar {
		if events, err = page(limit+1, exact, "", after); err != nil {
			return nil, "", err
		}
		after = cursor{}
	}
	found := len(events)
	if found <= limit && len(w) > 0 {
		meant, err := c.meant(ctx, w)
		if err != nil {
			return nil, "", err
		}
		if similar := textQuery(w, meant); similar != exact {
			more, err := page(limit+1-found, similar, exact, after)
			if err != nil {
				return nil, "", err
			}
			events = append(events, more...)
		}
	}
	if len(events) > limit {
		events = events[:limit]
		last := events[limit-1]
		next = cursor{StartsAt: &last.StartsAt, EventID: last.GetEventId(), Similar: limit > found}.String()
	}
	return events, next, nil
}

// Plan of the event's hall and its hash, shared: nobody may change it. *messages.EventNotFoundError where there is none.
func (c *Catalogue) Plan(ctx context.Context, eventID string) (*messages.SeatingPlan, [32]byte, error) {
	p, err := c.db.plan(ctx, eventID)
	if err != nil {
		return nil, [32]byte{}, err
	}
	return p.Plan, p.Hash, nil
}

func scanEvent(row pgx.CollectableRow) (*messages.Event, error) {
	var settings []byte
	var now int64
	sale := new(messages.Sale)
	if err := row.Scan(&settings, &now, &sale.Available, &sale.Held, &sale.PriceFrom); err != nil {
		return nil, err
	}
	e, err := decodeEvent(settings, now)
	if err != nil {
		return nil, err
	}
	e.Sale = sale
	return e, nil
}

// decodeEvent reads the settings as they show at the time now.
func decodeEvent(settings []byte, now int64) (*messages.Event, error) {
	e := new(messages.Event)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(settings, e); err != nil {
		return nil, fmt.Errorf("decode the settings: %w", err)
	}
	if e.GetStatus() == messages.EventStatus_EVENT_STATUS_ON_SALE && e.GetOnSaleAt() > now {
		e.Status = messages.EventStatus_EVENT_STATUS_SCHEDULED
	}
	return e, nil
}

// textQuery asks for all words, each at least as the beginning of one, or as one of those that it may mean. Words are
// letters, digits and marks: nothing in them means anything to Postgres.
func textQuery(words []string, meant [][]string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(" & ")
		}
		b.WriteString("('" + w + "':*")
		if meant != nil {
			for _, m := range meant[i] {
				b.WriteString(" | '" + m + "'")
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}

// cursor is where a page ended: opaque to clients.
type cursor struct {
	StartsAt *int64 `json:"s"`
	EventID  string `json:"e"`
	// Similar: among those that have not the words themselves, which come last.
	Similar bool `json:"t,omitempty"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) //nolint:errchkjson // a number and a string
	return base64.RawURLEncoding.EncodeToString(b)
}

func cursorOf(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.StartsAt == nil || strings.ContainsRune(c.EventID, 0) {
		return c, &messages.InvalidInputError{Faults: []*messages.Fault{{Field: "cursor", Message: "is not one of ours"}}}
	}
	return c, nil
}

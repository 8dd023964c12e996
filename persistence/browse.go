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
	eventStatement = `select settings, now_ms() from event where event_id = $1`

	// $2 is a text query, empty for all; $3 the status asked for, SCHEDULED among them; $4 and $5 bound the start,
	// 0 for open; $6 and $7 are where the page before ended.
	eventsStatement = `
select settings, n.now
from event, (select now_ms() as now) n
where ($2 = '' or search @@ to_tsquery('simple', $2))
    and ($3 = '' or $3 = case when status = 'ON_SALE' and on_sale_at > n.now then 'SCHEDULED' else status end)
    and ($4::bigint = 0 or starts_at >= $4)
    and ($5::bigint = 0 or starts_at < $5)
    and ($6::bigint is null or (starts_at, event_id) > ($6, $7))
order by starts_at, event_id
limit $1`
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

// Events that the query selects, by start and then id; next is the cursor of the following page, empty on the last.
// *messages.InvalidInputError for a cursor that is not ours.
func (c *Catalogue) Events(ctx context.Context, q messages.EventQuery) (events []*messages.Event, next string, err error) {
	after, err := cursorOf(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 || limit > eventsLimitMax {
		limit = eventsLimitMax
	}
	status := ""
	if q.Status != messages.EventStatus_EVENT_STATUS_UNSPECIFIED {
		status = eventStatusName(q.Status)
	}
	text, some := textQuery(q.Text)
	if !some {
		return nil, "", nil
	}
	// One more than asked for tells whether a page follows.
	rows, err := c.db.queries.Query(ctx, eventsStatement, limit+1, text, status, q.From, q.To, after.StartsAt, after.EventID)
	if err != nil {
		return nil, "", c.db.failed("list events", err)
	}
	events, err = pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, "", c.db.failed("list events", err)
	}
	if len(events) > limit {
		events = events[:limit]
		last := events[limit-1]
		next = cursor{StartsAt: &last.StartsAt, EventID: last.GetEventId()}.String()
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
	if err := row.Scan(&settings, &now); err != nil {
		return nil, err
	}
	return decodeEvent(settings, now)
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

// textQuery asks for all words of the text, each at least as the beginning of one. A text without any word finds
// nothing, an empty one all.
func textQuery(text string) (query string, some bool) {
	if strings.TrimSpace(text) == "" {
		return "", true
	}
	w := words(text)
	if len(w) == 0 {
		return "", false
	}
	return strings.Join(w, ":* & ") + ":*", true
}

// cursor is where a page ended: opaque to clients.
type cursor struct {
	StartsAt *int64 `json:"s"`
	EventID  string `json:"e"`
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

package persistence

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// dueEventsMax bounds one look of the waker. The others get their chance a second later.
const dueEventsMax = 1000

// There is no index on next_due, so that commits stay cheap: this reads all of event_owner, a row an event. At random:
// events with an open payment call are due again and again though their owners live, and in any fixed order enough of
// them would keep an abandoned event from ever being seen.
const dueStatement = `
select o.event_id
from event_owner o
join projection p using (event_id)
where o.next_due <= now_ms() or p.projected_seq < o.last_seq
order by random()
limit $1`

// Due are the ids of events whose owner has something to do: a deadline that has passed, or a read model that lags. Where
// more than dueEventsMax are due, it is any of them.
func (db *DB) Due(ctx context.Context) ([]string, error) {
	rows, err := db.queries.Query(ctx, dueStatement, dueEventsMax)
	if err != nil {
		return nil, db.failed("look for due events", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, db.failed("look for due events", err)
	}
	return ids, nil
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

const (
	// hallTailMax bounds the entries that are folded onto a snapshot from Redis. One that lags further is no help: the
	// read model is at most a second behind.
	hallTailMax = 1024
	// sinceEventsMax bounds the events that one statement looks at: some 10 µs each.
	sinceEventsMax = 4096
)

// Halls are the seats of events, as their journals have them.
//
//  1. What is shown was committed, and all that was committed before the call is in it, whatever Redis says.
//  2. A state is that after a whole entry, and its version says which.
//  3. Redis saves work, and nothing else hangs on it: what it says is held against the journal, and where it is away, slow
//     or wrong, Postgres alone answers.
type Halls struct {
	db    *DB
	redis *Redis // nil: none
	away  away
	said  seldom
}

// Halls of the database, with snapshots in Redis, if it is given.
func (db *DB) Halls(redis *Redis) *Halls { return &Halls{db: db, redis: redis} }

// The seats as of projected_seq, and in the sequence of the journal what moved them since: one statement sees one moment.
// The first row, of seq 0, is the hall's. Its version is the entry that last moved a seat, or where none has said so,
// moved_after, up to which none need have said so.
const hallStatement = `
with hall as (
    select o.moved_after, p.projected_seq, e.seats_total, now_ms() as at,
        coalesce(last.seq, o.moved_after) as version, coalesce(last.at, 0) as moved_at
    from event e
    join event_owner o using (event_id)
    join projection p using (event_id)
    left join lateral (
        select j.seq, j.at from journal j
        where j.event_id = $1 and j.moved is not null
        order by j.seq desc limit 1) last on true
    where e.event_id = $1)
select 0 as seq, h.version, h.moved_at, h.moved_after, h.projected_seq, h.seats_total, h.at,
    (select convert_to(string_agg(s.state, '' order by s.seat_index), 'UTF8') from seat s where s.event_id = $1) as bytes
from hall h
union all
select j.seq, 0, 0, 0, 0, 0, 0, j.moved
from hall h
cross join lateral (
    select j.seq, j.moved from journal j
    where j.event_id = $1 and j.seq > h.projected_seq and j.moved is not null
    order by j.seq) j
order by seq`

// Availability of all seats, as committed no earlier than the call. AsOf is the database's time. *messages.EventNotFoundError
// where there is no such event.
func (h *Halls) Availability(ctx context.Context, eventID string) (*messages.Availability, error) {
	if a := h.kept(ctx, eventID); a != nil {
		return a, nil
	}
	a, err := h.db.hall(ctx, eventID)
	if err != nil {
		return nil, h.db.failed(fmt.Sprintf("read the hall of event %q", eventID), err)
	}
	return a, nil
}

// hall as Postgres alone knows it.
func (db *DB) hall(ctx context.Context, eventID string) (*messages.Availability, error) {
	rows, err := db.queries.Query(ctx, hallStatement, eventID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	a := new(messages.Availability)
	var version uint64
	for rows.Next() {
		// Row by row: where the read model is held up, the journal's tail may be longer than fits in memory at once.
		var seq, last, movedAfter, projected uint64
		var seats int
		var at, movedAt int64
		var b []byte
		if err := rows.Scan(&seq, &last, &movedAt, &movedAfter, &projected, &seats, &at, &b); err != nil {
			return nil, err
		}
		if seq > 0 {
			if err := foldMoved(a, b); err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case len(b) != seats:
			return nil, fmt.Errorf("%d of %d seats are stored", len(b), seats)
		case projected < movedAfter:
			// Entries from before a migration do not say what they moved, and the read model does not show it yet. Whoever
			// owns the event now, or the waker finds for it, sees to that within a second or so.
			return nil, errHallBehind
		}
		version = last
		// A state between two versions is that of the earlier: nothing has moved since.
		a.Version, a.AsOf, a.Seats, a.MovedAt = min(projected, version), at, b, movedAt
	}
	switch err := rows.Err(); {
	case err != nil:
		return nil, err
	case version == 0:
		return nil, &messages.EventNotFoundError{EventID: eventID}
	case a.GetVersion() != version:
		return nil, broken("what entry %d moved is there, but it does not follow from %d", version, a.GetVersion())
	}
	return a, nil
}

// errHallBehind passes by itself.
var errHallBehind = errors.New("the read model does not follow yet up to where entries began to say what they moved")

// foldMoved brings a state to where an entry's Moved leads; a *messages.BrokenJournalError, and the state is of no use
// any more, where it does not fit.
func foldMoved(a *messages.Availability, moved []byte) error {
	m := new(messages.SeatsMoved)
	if err := proto.Unmarshal(moved, m); err != nil {
		return broken("what an entry after %d moved cannot be read: %v", a.GetVersion(), err)
	}
	if m.GetPrevious() > a.GetVersion() || m.GetVersion() <= a.GetVersion() {
		return broken("what entry %d moved follows from %d, not from %d", m.GetVersion(), m.GetPrevious(), a.GetVersion())
	}
	a.Version, a.MovedAt = m.GetVersion(), m.GetAt()
	for _, to := range movedLists(m) {
		for _, i := range to.seats {
			if int(i) >= len(a.GetSeats()) || a.GetSeats()[i] == to.letter {
				return broken("entry %d moved seat %d of %d to %c, where it was before", m.GetVersion(), i, len(a.GetSeats()), to.letter)
			}
			a.Seats[i] = to.letter
		}
	}
	return nil
}

// movedList are the seats that came to be in a state.
type movedList struct {
	letter byte
	seats  []uint32
}

func movedLists(m *messages.SeatsMoved) [4]movedList {
	return [4]movedList{{'A', m.GetAvailable()}, {'H', m.GetHeld()}, {'S', m.GetSold()}, {'B', m.GetBlocked()}}
}

// Of each event its next entries that moved seats, from an index that has only those. Where an event has none, but
// entries of which nobody knows what they moved, or its journal ends before, there is one row without; where there is
// nothing new, there is none.
const sinceStatement = `
select a.event_id, case when a.after > o.last_seq then o.last_seq else o.moved_after end, j.moved
from unnest($1::text[], $2::bigint[]) as a (event_id, after)
join event_owner o on o.event_id = a.event_id
left join lateral (
    select j.seq, j.moved from journal j
    where j.event_id = a.event_id and j.seq > a.after and j.moved is not null
    order by j.seq limit $3) j on true
where j.moved is not null or a.after < o.moved_after or a.after > o.last_seq
order by a.event_id, j.seq`

// Since brings, of each event, what moved seats after the version named, in its sequence, most entries at most. Events
// of which there is nothing new, or that do not exist, are missing. An event's first has a Previous after the version
// named where what came between is not known any more, and a Version before it where the journal ends before it: whoever
// has that version has it from another journal, such as that of a database that was restored since.
func (h *Halls) Since(ctx context.Context, after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error) {
	since := make(map[string][]*messages.SeatsMoved)
	ids, versions := make([]string, 0, len(after)), make([]int64, 0, len(after))
	for id, version := range after {
		ids, versions = append(ids, id), append(versions, int64(min(version, math.MaxInt64))) //nolint:gosec // just so
	}
	for len(ids) > 0 {
		n := min(len(ids), sinceEventsMax)
		if err := h.db.since(ctx, ids[:n], versions[:n], most, since); err != nil {
			return nil, h.db.failed(fmt.Sprintf("read what moved seats of %d events", len(after)), err)
		}
		ids, versions = ids[n:], versions[n:]
	}
	return since, nil
}

func (db *DB) since(ctx context.Context, ids []string, versions []int64, most int, into map[string][]*messages.SeatsMoved) error {
	rows, err := db.queries.Query(ctx, sinceStatement, ids, versions, most)
	if err != nil {
		return err
	}
	var eventID string
	var at uint64
	var moved []byte
	_, err = pgx.ForEachRow(rows, []any{&eventID, &at, &moved}, func() error {
		// What says nothing, but that something was missed, or never was.
		m := &messages.SeatsMoved{Version: at, Previous: at}
		if moved != nil {
			m = new(messages.SeatsMoved)
			if err := proto.Unmarshal(moved, m); err != nil {
				return broken("what an entry of event %q moved cannot be read: %v", eventID, err)
			}
		}
		into[eventID] = append(into[eventID], m)
		return nil
	})
	return err
}

package persistence

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

const (
	// A batch's transaction holds the place counters of its events; 500 rows are written in some milliseconds.
	joinBatchMax = 500
	// At some ten thousand joins a second, who would wait longer than a second or two is better refused at once.
	joinsWaitingMax = 20_000
)

const (
	// In the order of ids, so that two servers' batches cannot lock each other out.
	joinLockStatement = `
select event_id, last_place, now_ms()
from admission
where event_id = any ($1)
order by event_id
for update`

	// Read after the lock is held: nobody else can be using the same keys meanwhile.
	joinKeysStatement = `
select s.event_id, s.join_key, s.join_body, s.session_id, s.place, s.status, coalesce(s.active_until, 0), s.joined_at
from unnest($1::text[], $2::bytea[]) as k (event_id, join_key)
cross join lateral (
    select * from session_now f where f.event_id = k.event_id and f.join_key = k.join_key offset 0) s`

	joinStatement = `
insert into session (event_id, session_id, place, status, active_until, joined_at, join_key, join_body)
select * from unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[])`

	joinPlacesStatement = `
update admission a set last_place = p.last_place
from unnest($1::text[], $2::bigint[]) as p (event_id, last_place)
where a.event_id = p.event_id`
)

// joinCall is one Join on its way through a batch.
type joinCall struct {
	join    messages.Join
	session messages.Session
	again   bool
	err     error // of this call alone
}

// Join makes a session with the event's next place, or finds the one made under the same key (again is true then).
// In this version everybody is admitted at once: ACTIVE for j.ActiveTTL from now on. messages.ErrKeyReused where the key
// came with another body; *messages.EventNotFoundError; messages.ErrOverloaded where too many joins wait.
func (s *Sessions) Join(ctx context.Context, j messages.Join) (session messages.Session, again bool, err error) {
	c := &joinCall{join: j}
	if err = s.db.joins.do(ctx, c); err == nil {
		err = c.err
	}
	if err != nil {
		return messages.Session{}, false, fmt.Errorf("join event %q: %w", j.EventID, err)
	}
	return c.session, c.again, nil
}

// counter is an event's place counter while its row is locked.
type counter struct{ lastPlace, now int64 }

type joinKey struct {
	eventID string
	key     [16]byte
}

// earlier is a session made under a key.
type earlier struct {
	body    [16]byte
	session messages.Session
}

// flushJoins writes a batch in one transaction: it locks the place counters, looks for sessions made before under the
// same keys, numbers the others, and writes them.
func (db *DB) flushJoins(ctx context.Context, calls []*joinCall) error {
	err := pgx.BeginFunc(ctx, db.commits, func(tx pgx.Tx) error {
		counters, err := lockCounters(ctx, tx, calls)
		if err != nil {
			return err
		}
		known, err := findKeys(ctx, tx, calls)
		if err != nil {
			return err
		}
		created := assignPlaces(calls, counters, known)
		if len(created) == 0 {
			return nil
		}
		return writeSessions(ctx, tx, created, counters)
	})
	if err != nil {
		return db.failed("write sessions", err)
	}
	return nil
}

func lockCounters(ctx context.Context, tx pgx.Tx, calls []*joinCall) (map[string]*counter, error) {
	counters := map[string]*counter{}
	for _, c := range calls {
		counters[c.join.EventID] = nil
	}
	rows, err := tx.Query(ctx, joinLockStatement, slices.Collect(maps.Keys(counters)))
	if err != nil {
		return nil, err
	}
	var id string
	var n counter
	_, err = pgx.ForEachRow(rows, []any{&id, &n.lastPlace, &n.now}, func() error {
		counters[id] = &counter{n.lastPlace, n.now}
		return nil
	})
	return counters, err
}

func findKeys(ctx context.Context, tx pgx.Tx, calls []*joinCall) (map[joinKey]earlier, error) {
	known := map[joinKey]earlier{}
	var events []string
	var keys [][]byte
	for _, c := range calls {
		if key := orNull(c.join.Key); key != nil {
			events, keys = append(events, c.join.EventID), append(keys, key)
		}
	}
	if len(keys) == 0 {
		return known, nil
	}
	rows, err := tx.Query(ctx, joinKeysStatement, events, keys)
	if err != nil {
		return nil, err
	}
	var s messages.Session
	var key, body, id []byte
	_, err = pgx.ForEachRow(rows, []any{&s.EventID, &key, &body, &id, &s.Place, &s.Status, &s.ActiveUntil, &s.JoinedAt}, func() error {
		var e earlier
		k := joinKey{eventID: s.EventID}
		copy(k.key[:], key)
		copy(e.body[:], body)
		copy(s.SessionID[:], id)
		e.session = s
		known[k] = e
		return nil
	})
	return known, err
}

// assignPlaces fills in what becomes of each call and returns those whose sessions are new. It moves the counters on.
func assignPlaces(calls []*joinCall, counters map[string]*counter, known map[joinKey]earlier) (created []*joinCall) {
	for _, c := range calls {
		j := &c.join
		n := counters[j.EventID]
		if n == nil {
			c.err = &messages.EventNotFoundError{EventID: j.EventID}
			continue
		}
		k := joinKey{j.EventID, j.Key}
		if e, ok := known[k]; ok {
			if e.body == j.Body {
				c.session, c.again = e.session, true
			} else {
				c.err = messages.ErrKeyReused
			}
			continue
		}
		n.lastPlace++
		c.session = messages.Session{
			EventID: j.EventID, SessionID: j.SessionID, Place: uint64(n.lastPlace), //nolint:gosec // counts from 1
			Status: messages.SessionActive, ActiveUntil: n.now + j.ActiveTTL, JoinedAt: n.now,
		}
		if j.Key != [16]byte{} {
			known[k] = earlier{j.Body, c.session}
		}
		created = append(created, c)
	}
	return created
}

func writeSessions(ctx context.Context, tx pgx.Tx, created []*joinCall, counters map[string]*counter) error {
	n := len(created)
	events, ids, statuses := make([]string, n), make([][]byte, n), make([]string, n)
	places, until, joined := make([]uint64, n), make([]int64, n), make([]int64, n)
	keys, bodies := make([][]byte, n), make([][]byte, n)
	for i, c := range created {
		s := &c.session
		events[i], ids[i], places[i], statuses[i] = s.EventID, s.SessionID[:], s.Place, string(s.Status)
		until[i], joined[i] = s.ActiveUntil, s.JoinedAt
		if keys[i] = orNull(c.join.Key); keys[i] != nil {
			bodies[i] = c.join.Body[:]
		}
	}
	var counted []string
	var last []int64
	for id, n := range counters {
		if n != nil {
			counted, last = append(counted, id), append(last, n.lastPlace)
		}
	}
	b := new(pgx.Batch)
	b.Queue(joinStatement, events, ids, places, statuses, until, joined, keys, bodies)
	b.Queue(joinPlacesStatement, counted, last)
	return tx.SendBatch(ctx, b).Close()
}

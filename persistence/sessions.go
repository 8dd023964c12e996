package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

// Sessions of buyers.
type Sessions struct{ db *DB }

// Sessions of the database.
func (db *DB) Sessions() *Sessions { return &Sessions{db: db} }

const (
	// The columns that scanVisit takes: a session as of now, in the line as it is in the same moment. The last says that
	// its buyer has yet to show up.
	visitColumns = `
select s.session_id, s.place,
    case when s.status = 'ACTIVE' and s.ends_at <= n.now then 'EXPIRED' else s.status end,
    coalesce(s.active_until, 0), s.joined_at,
    case when s.status = 'WAITING' and coalesce(e.on_sale_at, 0) <= n.now then s.place - a.head else 0 end, a.rate,
    s.status = 'ACTIVE' and s.ends_at > n.now and s.ends_at < s.active_until`

	visitStatement = visitColumns + `
from session s, admission a, event e, (select now_ms() as now offset 0) as n
where s.event_id = $1 and s.session_id = $2 and a.event_id = $1 and e.event_id = $1`

	visitsStatement = visitColumns + `
from admission a, event e, (select now_ms() as now offset 0) as n, unnest($2::bytea[]) as v (session_id)
cross join lateral (select * from session f where f.event_id = $1 and f.session_id = v.session_id offset 0) as s
where a.event_id = $1 and e.event_id = $1`

	// Whoever changes several sessions locks them in the order of their ids, so that no two lock each other out.
	showStatement = `
with shown as materialized (
    select s.session_id from session s
    where s.event_id = $1 and s.session_id = any ($2::bytea[])
        and s.status = 'ACTIVE' and s.ends_at > now_ms() and s.ends_at < s.active_until
    order by s.session_id
    for update)
update session s set ends_at = s.active_until
where s.event_id = $1 and s.session_id = any (array(select session_id from shown))
    and s.status = 'ACTIVE' and s.ends_at > now_ms()`

	leaveLineStatement = `
update session set status = 'LEFT', ended_at = now_ms()
where event_id = $1 and session_id = $2 and status = 'WAITING'`

	// Who has ended already stays as he ended. The rows read beside the update are those of before it.
	leaveStatement = `
with ended as (
    update session set status = 'LEFT', ended_at = least(ends_at, now_ms())
    where event_id = $1 and session_id = $2
        and (status = 'WAITING' or status = 'ACTIVE' and ends_at > now_ms())
    returning true)
select exists (select from session where event_id = $1 and session_id = $2),
    exists (select from ended) and exists (select from admission where event_id = $1 and next_due is not null)`

	progressStatement = `
select a.event_id, a.head, a.rate, coalesce(e.on_sale_at, 0) <= now_ms()
from unnest($1::text[]) as p (event_id)
cross join lateral (select * from admission d where d.event_id = p.event_id offset 0) as a
cross join lateral (select f.on_sale_at from event f where f.event_id = p.event_id offset 0) as e`

	countsStatement = `select status, count(*) from session_now where event_id = $1 group by status`
)

func scanVisit(row pgx.Row, eventID string) (s messages.Session, unshown bool, err error) {
	s.EventID = eventID
	var id []byte
	err = row.Scan(&id, &s.Place, &s.Status, &s.ActiveUntil, &s.JoinedAt, &s.Position, &s.PerSecond, &unshown)
	copy(s.SessionID[:], id)
	if s.Position == 0 {
		s.PerSecond = 0
	}
	return s, unshown, err
}

// read finds the session as of now by the database's clock.
func (s *Sessions) read(ctx context.Context, eventID string, id [16]byte) (session messages.Session, unshown bool, err error) {
	session, unshown, err = scanVisit(s.db.queries.QueryRow(ctx, visitStatement, eventID, id[:]), eventID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return messages.Session{}, false, messages.ErrSessionNotFound
	case err != nil:
		return messages.Session{}, false, s.db.failed(fmt.Sprintf("read a session of event %q", eventID), err)
	}
	return session, unshown, nil
}

// Visit finds the session as of now by the database's clock, and notes of an ACTIVE one that its buyer has shown up;
// messages.ErrSessionNotFound where there is none. Who waits, and who has shown up before, costs one read.
func (s *Sessions) Visit(ctx context.Context, eventID string, id [16]byte) (messages.Session, error) {
	session, unshown, err := s.read(ctx, eventID, id)
	if err != nil || !unshown {
		return session, err
	}
	if err := s.show(ctx, eventID, [][]byte{id[:]}); err != nil {
		return messages.Session{}, err
	}
	session, _, err = s.read(ctx, eventID, id)
	return session, err
}

// Visits is Visit of many sessions of an event, in no sequence; those that do not exist are missing.
func (s *Sessions) Visits(ctx context.Context, eventID string, ids [][16]byte) ([]messages.Session, error) {
	keys := make([][]byte, len(ids))
	for i := range ids {
		keys[i] = ids[i][:]
	}
	sessions, unshown, err := s.readAll(ctx, eventID, keys)
	if err != nil || len(unshown) == 0 {
		return sessions, err
	}
	if err := s.show(ctx, eventID, unshown); err != nil {
		return nil, err
	}
	sessions, _, err = s.readAll(ctx, eventID, keys)
	return sessions, err
}

func (s *Sessions) readAll(ctx context.Context, eventID string, ids [][]byte) (sessions []messages.Session, unshown [][]byte, err error) {
	rows, err := s.db.queries.Query(ctx, visitsStatement, eventID, ids)
	if err == nil {
		sessions, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (messages.Session, error) {
			session, marks, err := scanVisit(row, eventID)
			if marks {
				unshown = append(unshown, session.SessionID[:])
			}
			return session, err
		})
	}
	if err != nil {
		return nil, nil, s.db.failed(fmt.Sprintf("read sessions of event %q", eventID), err)
	}
	return sessions, unshown, nil
}

// show gives the ACTIVE ones among the sessions their whole time, if they still have any.
func (s *Sessions) show(ctx context.Context, eventID string, ids [][]byte) error {
	if _, err := s.db.commits.Exec(ctx, showStatement, eventID, ids); err != nil {
		return s.db.failed(fmt.Sprintf("note that buyers of event %q show up", eventID), err)
	}
	return nil
}

// LeaveLine makes a WAITING session LEFT, leaves any other as it is, and returns it as it is then;
// messages.ErrSessionNotFound where there is none.
func (s *Sessions) LeaveLine(ctx context.Context, eventID string, id [16]byte) (messages.Session, error) {
	if _, err := s.db.commits.Exec(ctx, leaveLineStatement, eventID, id[:]); err != nil {
		return messages.Session{}, s.db.failed(fmt.Sprintf("leave the line of event %q", eventID), err)
	}
	session, _, err := s.read(ctx, eventID, id)
	return session, err
}

// Leave marks the session as LEFT if it has not ended otherwise; messages.ErrSessionNotFound where there is none.
func (s *Sessions) Leave(ctx context.Context, eventID string, id [16]byte) error {
	var exists, frees bool
	err := s.db.commits.QueryRow(ctx, leaveStatement, eventID, id[:]).Scan(&exists, &frees)
	switch {
	case err != nil:
		return s.db.failed(fmt.Sprintf("leave event %q", eventID), err)
	case !exists:
		return messages.ErrSessionNotFound
	case frees:
		s.db.announce(eventID)
	}
	return nil
}

// Progress of the waiting rooms of events; those that do not exist are missing.
func (s *Sessions) Progress(ctx context.Context, eventIDs []string) (map[string]*messages.Progress, error) {
	const op = "read the waiting rooms' progress"
	rows, err := s.db.queries.Query(ctx, progressStatement, eventIDs)
	if err != nil {
		return nil, s.db.failed(op, err)
	}
	all := make(map[string]*messages.Progress, len(eventIDs))
	var id string
	var head uint64
	var rate float64
	var onSale bool
	_, err = pgx.ForEachRow(rows, []any{&id, &head, &rate, &onSale}, func() error {
		all[id] = &messages.Progress{Head: head, PerSecond: rate, OnSale: onSale}
		return nil
	})
	if err != nil {
		return nil, s.db.failed(op, err)
	}
	return all, nil
}

// Counts of the event's sessions by status, as of now.
func (s *Sessions) Counts(ctx context.Context, eventID string) (map[messages.SessionStatus]uint64, error) {
	op := fmt.Sprintf("count the sessions of event %q", eventID)
	rows, err := s.db.queries.Query(ctx, countsStatement, eventID)
	if err != nil {
		return nil, s.db.failed(op, err)
	}
	counts := make(map[messages.SessionStatus]uint64)
	var status messages.SessionStatus
	var n uint64
	_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error {
		counts[status] = n
		return nil
	})
	if err != nil {
		return nil, s.db.failed(op, err)
	}
	return counts, nil
}

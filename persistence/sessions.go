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

// All but leaving read session_now, where a session whose time has run out is EXPIRED.
const (
	sessionStatement = `
select place, status, coalesce(active_until, 0), joined_at
from session_now
where event_id = $1 and session_id = $2`

	// Who has ended already stays as he ended. The row read beside the update is that of before it.
	leaveStatement = `
with ended as (
    update session set status = 'LEFT'
    where event_id = $1 and session_id = $2
        and (status = 'WAITING' or status = 'ACTIVE' and active_until > now_ms()))
select exists (select from session where event_id = $1 and session_id = $2)`

	countsStatement = `select status, count(*) from session_now where event_id = $1 group by status`
)

// Session as of now by the database's clock; messages.ErrSessionNotFound where there is none.
func (s *Sessions) Session(ctx context.Context, eventID string, id [16]byte) (messages.Session, error) {
	session := messages.Session{EventID: eventID, SessionID: id}
	err := s.db.queries.QueryRow(ctx, sessionStatement, eventID, id[:]).
		Scan(&session.Place, &session.Status, &session.ActiveUntil, &session.JoinedAt)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return messages.Session{}, messages.ErrSessionNotFound
	case err != nil:
		return messages.Session{}, s.db.failed(fmt.Sprintf("read a session of event %q", eventID), err)
	}
	return session, nil
}

// Leave marks the session as LEFT if it has not ended otherwise; messages.ErrSessionNotFound where there is none.
func (s *Sessions) Leave(ctx context.Context, eventID string, id [16]byte) error {
	var exists bool
	err := s.db.commits.QueryRow(ctx, leaveStatement, eventID, id[:]).Scan(&exists)
	switch {
	case err != nil:
		return s.db.failed(fmt.Sprintf("leave event %q", eventID), err)
	case !exists:
		return messages.ErrSessionNotFound
	}
	return nil
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

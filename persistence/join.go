package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

const (
	// A batch's statement holds the event's admission row; a thousand sessions are written in some milliseconds.
	joinBatchMax = 1000
	// At some ten thousand joins a second, who would wait longer than a second or two is better refused at once.
	joinsMax = 20_000
)

const (
	// One statement, so that nobody who freezes holds the admission row: see join_event in the migrations.
	joinStatement = `
select coalesce(at, 0), coalesce(first, 0), coalesce(line_head, -1), coalesce(line_rate, 0), coalesce(admitted, 0), coalesce(until, 0),
    found_n, found_places, refused
from join_event($1, $2, $3, $4, $5, $6)`

	// What a join has answered never changes.
	joinedStatement = `
select s.place, s.session_id, s.join_body, s.joined_at,
    coalesce(s.join_head, -1), coalesce(s.join_rate, 0), coalesce(s.join_active_until, 0)
from unnest($2::bigint[]) with ordinality as p (place, n)
cross join lateral (select * from session f where f.event_id = $1 and f.place = p.place offset 0) as s
order by p.n`
)

// joinCall is one Join on its way through a batch.
type joinCall struct {
	join    messages.Join
	session messages.Session
	again   bool
	err     error // of this call alone

	// made is the join that the session under the key was made by: this one or an earlier one.
	made messages.Join
	// follows is the batch's first call with the same key; nil for that itself.
	follows *joinCall
}

// joinLine is how a batch found its event; calls are those that follow no other, by their number from 1, rising.
type joinLine struct {
	at, first      int64 // at 0: there is no such event
	head           int64 // -1: it is not on sale yet
	rate           float64
	admitted       int64
	until          int64
	found, refused []int32
	foundPlaces    []int64
}

// Join makes a session with the event's next place, or finds the one made under the same key (again is true then). It
// is ACTIVE where the event has no waiting room, or room in it and nobody waits.
// messages.ErrKeyReused where the key came with another body; messages.ErrTooManySessions where the client has ClientMax;
// *messages.EventNotFoundError; messages.ErrOverloaded where too many joins wait.
func (s *Sessions) Join(ctx context.Context, j messages.Join) (session messages.Session, again bool, err error) {
	c := &joinCall{join: j}
	if err = s.db.joins.do(ctx, j.EventID, c); err == nil {
		err = c.err
	}
	if err != nil {
		return messages.Session{}, false, fmt.Errorf("join event %q: %w", j.EventID, err)
	}
	return c.session, c.again, nil
}

// flushJoins writes a batch of joins of the event in one statement, and tells if some of them wait.
func (db *DB) flushJoins(ctx context.Context, eventID string, all []*joinCall) error {
	calls := firstOfKeys(all)
	l, err := db.writeJoins(ctx, eventID, calls)
	if err != nil {
		return db.failed("write sessions", err)
	}
	if len(l.found) > 0 {
		db.repeatJoins(ctx, eventID, l, calls)
	}
	waiting := settleJoins(eventID, l, calls)
	for _, c := range all {
		if c.follows != nil {
			c.repeat(c.follows.made, c.follows.session, c.follows.err)
		}
	}
	if waiting {
		db.announce(eventID)
	}
	return nil
}

// firstOfKeys are the calls but those whose key an earlier one has: they follow that.
func firstOfKeys(all []*joinCall) []*joinCall {
	calls := make([]*joinCall, 0, len(all))
	keys := map[[16]byte]*joinCall{}
	for _, c := range all {
		c.follows = nil
		if c.join.Key != [16]byte{} {
			if c.follows = keys[c.join.Key]; c.follows != nil {
				continue
			}
			keys[c.join.Key] = c
		}
		calls = append(calls, c)
	}
	return calls
}

// joinArgs are the calls as the statement takes them: 16 bytes after 16 bytes, which cost it less than arrays.
func joinArgs(eventID string, calls []*joinCall) []any {
	var clientMax []int32
	var ids, keys, bodies, clients []byte
	keyed, counted := false, false
	for _, c := range calls {
		j := &c.join
		ids, keys, bodies, clients = append(ids, j.SessionID[:]...), append(keys, j.Key[:]...), append(bodies, j.Body[:]...), append(clients, j.Client[:]...)
		clientMax = append(clientMax, int32(j.ClientMax)) //nolint:gosec // some hundreds
		keyed = keyed || j.Key != [16]byte{}
		counted = counted || j.Client != [16]byte{}
	}
	if !keyed {
		keys, bodies = nil, nil
	}
	if !counted {
		clients, clientMax = nil, nil
	}
	return []any{eventID, ids, keys, bodies, clients, clientMax}
}

func (db *DB) writeJoins(ctx context.Context, eventID string, calls []*joinCall) (l joinLine, err error) {
	err = db.commits.QueryRow(ctx, joinStatement, joinArgs(eventID, calls)...).Scan(
		&l.at, &l.first, &l.head, &l.rate, &l.admitted, &l.until, &l.found, &l.foundPlaces, &l.refused)
	return l, err
}

// settleJoins fills in what has become of each call that was not found: places in their order, the first of them
// admitted. It says whether some of them wait.
func settleJoins(eventID string, l joinLine, calls []*joinCall) (waiting bool) {
	place, found, refused := l.first, l.found, l.refused
	for i, c := range calls {
		n := int32(i) + 1 //nolint:gosec // a batch's
		switch {
		case l.at == 0:
			c.err = &messages.EventNotFoundError{EventID: eventID}
			continue
		case len(found) > 0 && found[0] == n:
			found = found[1:]
			continue
		case len(refused) > 0 && refused[0] == n:
			c.err, refused = messages.ErrTooManySessions, refused[1:]
			continue
		}
		until := l.until
		if place >= l.first+l.admitted {
			until, waiting = 0, true
		}
		c.made, c.session = c.join, joinedSession(&c.join, place, l.at, l.head, l.rate, until)
		place++
	}
	return waiting
}

// joinedSession is what a join answers, the first time and every other. It waits where until is 0.
func joinedSession(j *messages.Join, place, at, head int64, rate float64, until int64) messages.Session {
	s := messages.Session{
		EventID: j.EventID, SessionID: j.SessionID, Place: uint64(place), //nolint:gosec // counts from 1
		Status: messages.SessionActive, ActiveUntil: until, JoinedAt: at,
	}
	if until == 0 {
		s.Status = messages.SessionWaiting
		if head >= 0 {
			s.Position, s.PerSecond = uint64(place-head), rate //nolint:gosec // who waits is behind the head
		}
	}
	return s
}

// repeatJoins answers the calls whose keys have made sessions before. What fails here fails for them alone: the
// others have theirs.
func (db *DB) repeatJoins(ctx context.Context, eventID string, l joinLine, calls []*joinCall) {
	for _, n := range l.found {
		calls[n-1].err = errors.New("the session made under the key is gone")
	}
	rows, err := db.queries.Query(ctx, joinedStatement, eventID, l.foundPlaces)
	if err == nil {
		var id, body []byte
		var place, at, head, until int64
		var rate float64
		next := 0
		_, err = pgx.ForEachRow(rows, []any{&place, &id, &body, &at, &head, &rate, &until}, func() error {
			c := calls[l.found[next]-1]
			next++
			made := messages.Join{EventID: eventID}
			copy(made.SessionID[:], id)
			copy(made.Body[:], body)
			c.repeat(made, joinedSession(&made, place, at, head, rate, until), nil)
			return nil
		})
	}
	if err != nil {
		err = db.failed("read sessions made before", err)
		for _, n := range l.found {
			calls[n-1].err = err
		}
	}
}

// repeat answers the call as the join that made the session under its key was answered, if it asks for the same.
func (c *joinCall) repeat(made messages.Join, s messages.Session, err error) {
	c.made, c.session, c.again, c.err = made, s, true, nil
	switch {
	case err != nil && !errors.Is(err, messages.ErrKeyReused):
		c.err = err
	case made.Body != c.join.Body:
		c.err = messages.ErrKeyReused
	}
}

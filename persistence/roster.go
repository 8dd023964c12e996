package persistence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

// rosterStepMax is for callers without a limit of their own: a connection that has said nothing for so long is given up.
const rosterStepMax = 3 * time.Second

// rosterDialMax leaves connectTimeout to each of several hosts that a url may name.
const rosterDialMax = 10 * time.Second

// The rules are in the functions: see the migrations.
const (
	joinMembershipStatement  = `select join_membership($1, $2, $3, $4, $5, $6)`
	renewMemberStatement     = `select renew_member($1, $2, $3)`
	membersStatement         = `select membership_now()`
	leavingMemberStatement   = `select leaving_member($1)`
	leaveMembershipStatement = `select leave_membership($1)`
	evictMembersStatement    = `select evict_members($1, $2, $3, $4, $5)`

	ownerStatement = `select coalesce((select node_id from event_owner where event_id = $1), '')`
)

// Roster is who is a member of the cluster.
//
//  1. Every change raises the view by one, and every answer is as of one view.
//  2. Whoever has been taken out renews nothing and takes nobody out any more.
//  3. A renewal waits for no commit, no query and no change of who is there: it has a connection of its own, and is one
//     round trip. So has whoever changes it.
//  4. Nobody who freezes, or is cut off at whatever byte, holds up others: a call is one message (the simple protocol), which
//     Postgres carries out when it has all of it, and then to its end.
type Roster struct {
	db                *DB
	renewals, changes *line
}

// Roster of the database.
func (db *DB) Roster() *Roster { return db.roster }

func newRoster(db *DB) *Roster {
	// A renewal that a crash of Postgres undoes costs nothing: leases are shorter than its return, and renewed after it.
	renewals := map[string]string{"application_name": db.name + "-lease", "synchronous_commit": "off"}
	changes := map[string]string{"application_name": db.name + "-roster"}
	return &Roster{db: db, renewals: newLine(db, renewals), changes: newLine(db, changes)}
}

// close waits for what is being done.
func (r *Roster) close() {
	r.renewals.close()
	r.changes.close()
}

// Join makes m a member whose lease is good for the time given. Whoever had its address goes. It may be called again where
// its answer was lost; *messages.NotMemberError where the id has been a member and is none any more.
func (r *Roster) Join(ctx context.Context, m messages.Member, lease time.Duration) (messages.Membership, error) {
	return r.ask(ctx, r.changes, "join the cluster as "+m.ID, m.ID,
		joinMembershipStatement, m.ID, m.Name, m.Address, m.Version, texts(m.Keys), lease.Milliseconds())
}

// Renew the member's lease from now on, and note whom it cannot reach. *messages.NotMemberError where it is no member.
func (r *Roster) Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error) {
	return r.ask(ctx, r.renewals, "renew the lease of "+id, id,
		renewMemberStatement, id, lease.Milliseconds(), texts(unreachable))
}

// Members of now.
func (r *Roster) Members(ctx context.Context) (messages.Membership, error) {
	return r.ask(ctx, r.changes, "look who is in the cluster", "", membersStatement)
}

// Leaving notes that the member owns nothing new from now on. *messages.NotMemberError where it is no member.
func (r *Roster) Leaving(ctx context.Context, id string) (messages.Membership, error) {
	return r.ask(ctx, r.changes, "note that "+id+" is leaving", id, leavingMemberStatement, id)
}

// Leave takes the member out, if it is one.
func (r *Roster) Leave(ctx context.Context, id string) error {
	_, err := r.ask(ctx, r.changes, "take "+id+" out", id, leaveMembershipStatement, id)
	return err
}

// Evict takes the others out, all or none: messages.ErrViewChanged where view is not the current one,
// *messages.NotMemberError where by has been taken out itself. Who is no member any more is none of the others.
func (r *Roster) Evict(ctx context.Context, by messages.Member, view uint64, ids []string, why string) (messages.Membership, error) {
	return r.ask(ctx, r.changes, fmt.Sprintf("take %q out", ids), by.ID,
		evictMembersStatement, by.ID, by.Name, int64(view), texts(ids), why) //nolint:gosec // one that is not there yet
}

// Owner is the id of the node that claimed the event last, "" where nobody has.
func (r *Roster) Owner(ctx context.Context, eventID string) (string, error) {
	var owner string
	if err := r.db.queries.QueryRow(ctx, ownerStatement, eventID).Scan(&owner); err != nil {
		return "", r.db.failed(fmt.Sprintf("look who owns event %q", eventID), err)
	}
	return owner, nil
}

// texts is an array that is empty rather than null.
func texts(t []string) []string { return append([]string{}, t...) }

// answer is what the functions say.
type answer struct {
	View    uint64      `json:"view"`
	Members []memberRow `json:"members"`
	// Changed: the caller's view is an old one.
	Changed bool `json:"changed"`
	// Gone: the caller is no member; empty where nobody knows since when.
	Gone *struct {
		By  string `json:"by"`
		Why string `json:"why"`
	} `json:"gone"`
}

// memberRow is a messages.Member.
type memberRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Address     string   `json:"address"`
	Version     string   `json:"version"`
	Keys        []string `json:"keys"`
	Joined      uint64   `json:"joined"`
	Leaving     bool     `json:"leaving"`
	Renewals    uint64   `json:"renewals"`
	Expired     bool     `json:"expired"`
	Unreachable []string `json:"unreachable"`
}

// ask in the name of the member id.
func (r *Roster) ask(ctx context.Context, l *line, op, id, statement string, args ...any) (messages.Membership, error) {
	said, err := l.ask(ctx, statement, args...)
	if err != nil {
		return messages.Membership{}, r.db.failed(op, err)
	}
	var a answer
	if err := json.Unmarshal(said, &a); err != nil {
		return messages.Membership{}, fmt.Errorf("%s: %w", op, err)
	}
	switch {
	case a.Gone != nil:
		return messages.Membership{}, &messages.NotMemberError{ID: id, By: a.Gone.By, Why: a.Gone.Why}
	case a.Changed:
		return messages.Membership{}, messages.ErrViewChanged
	}
	m := messages.Membership{View: a.View, Members: make([]messages.Member, 0, len(a.Members))}
	for _, row := range a.Members {
		m.Members = append(m.Members, messages.Member(row))
	}
	return m, nil
}

// line is a connection outside the pools, made when it is first used, and anew after every error.
type line struct {
	db   *DB
	set  map[string]string
	turn chan struct{} // holds one: whose turn it is

	conn   *pgx.Conn
	closed bool
}

var errClosed = errors.New("the database is closed")

func newLine(db *DB, set map[string]string) *line {
	// What the simple protocol needs, whatever the server's defaults.
	maps.Copy(set, map[string]string{"client_encoding": "UTF8", "standard_conforming_strings": "on"})
	return &line{db: db, set: set, turn: make(chan struct{}, 1)}
}

// ask for one value. Callers take turns.
func (l *line) ask(ctx context.Context, statement string, args ...any) (value []byte, err error) {
	ctx, done := context.WithTimeout(ctx, rosterStepMax)
	defer done()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !l.closed && l.conn == nil {
		if err := l.dial(ctx); err != nil {
			return nil, err
		}
	}
	defer func() { <-l.turn }()
	if l.closed {
		return nil, errClosed
	}
	args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	if err := l.conn.QueryRow(ctx, statement, args...).Scan(&value); err != nil {
		_ = l.conn.Close(ctx)
		l.conn = nil
		return nil, err
	}
	return value, nil
}

// dial on the caller's turn, which is over where that fails. A caller who waits no longer leaves the connection to the next, or
// none would have the time for one: a far server, or the second host of a url whose first is gone, may take longer than a call.
func (l *line) dial(ctx context.Context) error {
	dialing, done := context.WithTimeout(context.WithoutCancel(ctx), rosterDialMax)
	dialed := make(chan struct{})
	var err error
	go func() {
		defer close(dialed)
		defer done()
		var conn *pgx.Conn
		if conn, err = l.db.connect(dialing, l.set); err == nil {
			l.conn = conn
		}
	}()
	select {
	case <-dialed:
		if err != nil {
			<-l.turn
		}
		return err
	case <-ctx.Done():
		go func() {
			<-dialed
			<-l.turn
		}()
		return ctx.Err()
	}
}

func (l *line) close() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.closed = true
	if l.conn != nil {
		ctx, done := context.WithTimeout(context.Background(), rosterStepMax)
		defer done()
		_ = l.conn.Close(ctx)
		l.conn = nil
	}
}

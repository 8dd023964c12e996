package persistence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

const (
	// A commit takes milliseconds. Who holds the owner's row for longer is stuck, and a successor that has waited
	// this long does not wait on.
	claimPatience = 300 * time.Millisecond
	// Behind one that blocks may stand another.
	evictAgainAfter = 50 * time.Millisecond
	// Somebody who is not ours may lock the table; then the claim fails.
	claimTimeout = 5 * time.Second
	evictTimeout = time.Second
)

// now_ms() is read when the row is locked, so it is the time of the claim and not of its beginning to wait.
const (
	claimStatement = `
update event_owner set epoch = epoch + 1, node_id = $2
where event_id = $1
returning epoch, last_seq, now_ms()`

	// The rules are in the functions: see the migrations.
	claimAsMemberStatement = `
select standing, coalesce(epoch, 0), coalesce(last_seq, 0), coalesce(at, 0)
from claim_event($1, $2)`

	claimAdmissionAsMemberStatement = `
select standing, coalesce(epoch, 0), coalesce(rate, 0)
from claim_admission($1, $2)`

	evictStatement = `
select count(pg_terminate_backend(a.pid))
from unnest(pg_blocking_pids($1)) as b (pid)
join pg_stat_activity a using (pid)
where a.application_name like $2 || '%'`
)

// MemberJournal is the journal as a member of the cluster writes it: its claims succeed only while the member's lease is
// good, by the database's clock.
func (db *DB) MemberJournal(memberID string) *Journal {
	return &Journal{db: db, node: memberID, member: true}
}

// MemberAdmissions are admissions in the name of a member of the cluster, whose claims are as those of MemberJournal.
func (db *DB) MemberAdmissions(memberID string) *Admissions {
	return &Admissions{db: db, node: memberID, member: true}
}

// Claim makes the node the owner of the event: from its return on nothing of an older epoch is committed. An old owner
// that holds the row for longer than claimPatience, frozen in the middle of its commit, has its connection terminated
// by the server, which undoes that commit. *messages.EventNotFoundError where there is no such event, and
// *messages.NotMemberError for a member that has been taken out or whose lease is over: nothing is changed then.
func (j *Journal) Claim(ctx context.Context, eventID string) (messages.Claim, error) {
	var c messages.Claim
	claim, statement := j.db.claim, claimStatement
	if j.member {
		claim, statement = j.db.claimAsMember, claimAsMemberStatement
	}
	if err := claim(ctx, statement, eventID, j.node, &c.Epoch, &c.LastSeq, &c.Now); err != nil {
		return messages.Claim{}, err
	}
	return c, nil
}

// claimAsMember runs a statement that says first whether the member may claim at all.
func (db *DB) claimAsMember(ctx context.Context, statement, eventID, memberID string, into ...any) error {
	var standing bool
	if err := db.claim(ctx, statement, eventID, memberID, append([]any{&standing}, into...)...); err != nil {
		return err
	}
	if !standing {
		return &messages.NotMemberError{ID: memberID}
	}
	return nil
}

// claim runs the statement that raises the event's epoch, and ends our own connections that block it for too long.
func (db *DB) claim(ctx context.Context, statement, eventID, node string, into ...any) error {
	op := fmt.Sprintf("claim event %q", eventID)
	ctx, stop := context.WithTimeout(ctx, claimTimeout)
	defer stop()
	conn, err := db.claims.Acquire(ctx)
	if err != nil {
		return db.failed(op, err)
	}
	defer conn.Release()

	var evicting sync.WaitGroup
	pid := conn.Conn().PgConn().PID()
	evicting.Go(func() { db.evictBlockers(ctx, pid) })

	err = conn.QueryRow(ctx, statement, eventID, node).Scan(into...)
	// The connection serves other claims next: nobody may be evicted in its name any more.
	stop()
	evicting.Wait()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return &messages.EventNotFoundError{EventID: eventID}
	case err != nil:
		return db.failed(op, err)
	}
	return nil
}

// evictBlockers terminates our own connections that block the backend pid, time and again from claimPatience on, until
// ctx ends. What fails here shows in the claim, which goes on waiting. It takes milliseconds, so that claims take turns.
func (db *DB) evictBlockers(ctx context.Context, pid uint32) {
	wait := time.NewTimer(claimPatience)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		evictCtx, done := context.WithTimeout(context.WithoutCancel(ctx), evictTimeout)
		var evicted int
		_ = db.evictions.QueryRow(evictCtx, evictStatement, pid, applicationPrefix).Scan(&evicted)
		done()
		wait.Reset(evictAgainAfter)
	}
}

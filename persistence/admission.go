package persistence

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

// Admissions to events, by one node.
type Admissions struct {
	db     *DB
	node   string
	member bool // as of a Journal
}

// Admissions of the database, in the name of the node.
func (db *DB) Admissions(nodeID string) *Admissions { return &Admissions{db: db, node: nodeID} }

const (
	claimAdmissionStatement = `
update admission set epoch = epoch + 1, node_id = $2
where event_id = $1
returning epoch, rate`

	// The rules are in the function: see the migrations.
	admitStatement = `
select standing, coalesce(at, 0), coalesce(admitted, 0), coalesce(head, 0), coalesce(on_sale, false), coalesce(waits, false), coalesce(due, 0)
from admit($1, $2, $3)`

	// As dueStatement: all rows of a small table, in no fixed order.
	admissionsDueStatement = `
select event_id
from admission
where next_due <= now_ms()
order by random()
limit $1`
)

// Claim makes the node the one who admits to the event: from its return on, an Admit of an older epoch is fenced. Who is
// frozen in the middle of one has its connection ended, as by Journal.Claim, whose errors it has, too.
func (a *Admissions) Claim(ctx context.Context, eventID string) (messages.AdmissionClaim, error) {
	var c messages.AdmissionClaim
	claim, statement := a.db.claim, claimAdmissionStatement
	if a.member {
		claim, statement = a.db.claimAsMember, claimAdmissionAsMemberStatement
	}
	if err := claim(ctx, statement, eventID, a.node, &c.Epoch, &c.PerSecond); err != nil {
		return messages.AdmissionClaim{}, fmt.Errorf("admission: %w", err)
	}
	return c, nil
}

// Admit lets in whoever is next, as far as there is room; messages.ErrFenced, and nothing done, where another has claimed
// the event. Any other error leaves open whether somebody was let in.
func (a *Admissions) Admit(ctx context.Context, m messages.Admit) (messages.Admitted, error) {
	var standing bool
	var r messages.Admitted
	err := a.db.commits.QueryRow(ctx, admitStatement, m.EventID, m.Epoch, m.PerSecond).
		Scan(&standing, &r.At, &r.Count, &r.Head, &r.OnSale, &r.Waiting, &r.Due)
	switch {
	case err != nil:
		return messages.Admitted{}, a.db.failed(fmt.Sprintf("admit to event %q", m.EventID), err)
	case !standing:
		return messages.Admitted{}, messages.ErrFenced
	}
	return r, nil
}

// AdmissionsDue are the ids of events where somebody must be woken to admit: somebody waits, and whoever was to look after
// him by now has not; or nobody has been awake for it, and its sale begins within seconds, somebody has come or its
// settings have changed. Who is awake all the same is not harmed by being woken. Where more than dueEventsMax are due, it
// is any of them.
func (db *DB) AdmissionsDue(ctx context.Context) ([]string, error) {
	const op = "look for due admissions"
	rows, err := db.queries.Query(ctx, admissionsDueStatement, dueEventsMax)
	if err != nil {
		return nil, db.failed(op, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, db.failed(op, err)
	}
	return ids, nil
}

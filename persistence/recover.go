package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
)

// entriesPageMax bounds what of a journal is read at once: an entry may hold the facts of some thousand commands.
const entriesPageMax = 128

const (
	recoverStatement = `
select coalesce(s.seq, 0), s.state,
    (select j.at from journal j where j.event_id = e.event_id order by j.seq desc limit 1)
from event e
left join snapshot s using (event_id)
where e.event_id = $1`

	// Without the answers, which nobody needs to replay and which are the larger part of a journal by far, and without
	// what was moved, which the facts say too.
	entriesStatement = `
select seq, epoch, at, facts
from journal
where event_id = $1 and seq > $2 and seq <= $3
order by seq
limit $4`
)

// Recover reads the event's hall and latest snapshot. *messages.EventNotFoundError where there is no such event.
func (j *Journal) Recover(ctx context.Context, eventID string) (messages.Recovery, error) {
	plan, err := j.db.plan(ctx, eventID)
	if err != nil {
		return messages.Recovery{}, err
	}
	r := messages.Recovery{Plan: plan.Plan, PlanHash: plan.Hash}
	err = j.db.queries.QueryRow(ctx, recoverStatement, eventID).Scan(&r.SnapshotSeq, &r.Snapshot, &r.LastAt)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return messages.Recovery{}, &messages.EventNotFoundError{EventID: eventID}
	case err != nil:
		return messages.Recovery{}, j.db.failed(fmt.Sprintf("recover event %q", eventID), err)
	}
	return r, nil
}

// Entries calls yield with the entries after seq after, up to and including upTo, in order. A gap is an error, and so
// is a journal that ends before upTo; an error of yield's ends the reading and is returned. Their Answers and Moved are left out.
func (j *Journal) Entries(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error {
	err := j.db.eachEntry(ctx, eventID, after, upTo, yield)
	if err != nil {
		return j.db.failed(fmt.Sprintf("read the journal of event %q", eventID), err)
	}
	return nil
}

func (db *DB) eachEntry(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error {
	var last messages.Entry
	last.Seq = after
	for last.Seq < upTo {
		// A page is read whole before anybody sees it: yield may take its time, or use the database itself.
		page, err := db.entriesPage(ctx, eventID, last.Seq, upTo)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return broken("entry %d is missing", last.Seq+1)
		}
		for _, e := range page {
			switch {
			case e.Seq != last.Seq+1:
				return broken("entry %d is missing: %d follows %d", last.Seq+1, e.Seq, last.Seq)
			case e.Epoch < last.Epoch || e.At < last.At:
				return broken("entry %d (epoch %d, time %d) follows epoch %d, time %d", e.Seq, e.Epoch, e.At, last.Epoch, last.At)
			}
			if err := yield(e); err != nil {
				return err
			}
			last = e
		}
	}
	return nil
}

func broken(format string, args ...any) error {
	return &messages.BrokenJournalError{Fault: fmt.Sprintf(format, args...)}
}

func (db *DB) entriesPage(ctx context.Context, eventID string, after, upTo uint64) ([]messages.Entry, error) {
	rows, err := db.queries.Query(ctx, entriesStatement, eventID, after, upTo, entriesPageMax)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e messages.Entry, err error) {
		err = row.Scan(&e.Seq, &e.Epoch, &e.At, &e.Facts)
		return e, err
	})
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"boxoffice/messages"
)

const (
	ledgerBatchMax = 256
	// One batch at a time, whatever it is of.
	ledgerKey = ""
	// At some thousand operations a second, who would wait longer than a few seconds has given up.
	ledgerMax = 20_000
	// Somebody else's operation on the same authorization between our reading and our writing: read and decide anew.
	// More often than this it is no race but a key in use elsewhere.
	ledgerTriesMax = 5
)

const (
	ledgerHistoryStatement = `
select event_id, authorize_key, n, key, kind, declined, token, reference, currency, amount, at
from mock_payment
where authorize_key = any ($1)
order by authorize_key, n`

	ledgerKeyStatement = `
select event_id, authorize_key, n, key, kind, declined, token, reference, currency, amount, at
from mock_payment
where key = $1`

	// Used by Audit too.
	ledgerEventStatement = `
select event_id, authorize_key, n, key, kind, declined, token, reference, currency, amount, at
from mock_payment
where event_id = $1
order by authorize_key, n`

	ledgerAppendStatement = `
insert into mock_payment (event_id, authorize_key, n, key, kind, declined, token, reference, currency, amount, at)
select * from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::bigint[], $11::bigint[])`
)

// Ledger is the mock payment provider's own, durable and append-only.
type Ledger struct{ db *DB }

// Ledger of the database.
func (db *DB) Ledger() *Ledger { return &Ledger{db: db} }

type ledgerCall struct {
	authorization string
	decide        func(history []messages.LedgerRow) []messages.LedgerRow
}

// Update appends to the authorization's rows what decide makes of those that are there, atomically and one update
// after the other; Authorization, N and At are filled in. decide may be called more than once, on another goroutine,
// and what it said last is what counts; it must not keep or change history. When Update returns nil, all that decide
// saw and said is on disk. messages.ErrOverloaded where too many wait.
func (l *Ledger) Update(ctx context.Context, authorization string, decide func(history []messages.LedgerRow) []messages.LedgerRow) error {
	if err := l.db.ledger.do(ctx, ledgerKey, &ledgerCall{authorization, decide}); err != nil {
		return fmt.Errorf("update the payment ledger: %w", err)
	}
	return nil
}

// Find the operation sent under key.
func (l *Ledger) Find(ctx context.Context, key string) (row messages.LedgerRow, found bool, err error) {
	rows, err := l.db.queries.Query(ctx, ledgerKeyStatement, key)
	if err == nil {
		row, err = pgx.CollectExactlyOneRow(rows, scanLedgerRow)
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return messages.LedgerRow{}, false, nil
	case err != nil:
		return messages.LedgerRow{}, false, l.db.failed("look up a payment", err)
	}
	return row, true, nil
}

// Rows of an event, by authorization and number.
func (l *Ledger) Rows(ctx context.Context, eventID string) ([]messages.LedgerRow, error) {
	rows, err := l.db.queries.Query(ctx, ledgerEventStatement, eventID)
	if err != nil {
		return nil, l.db.failed(fmt.Sprintf("read the payment ledger of event %q", eventID), err)
	}
	all, err := pgx.CollectRows(rows, scanLedgerRow)
	if err != nil {
		return nil, l.db.failed(fmt.Sprintf("read the payment ledger of event %q", eventID), err)
	}
	return all, nil
}

// flushLedger reads, decides and appends for a batch: no lock is held, the keys of the table tell when somebody else
// was faster.
func (db *DB) flushLedger(ctx context.Context, _ string, calls []*ledgerCall) (err error) {
	for range ledgerTriesMax {
		err = db.appendLedger(ctx, calls)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != uniqueViolation && refused.Code != deadlockDetected {
			break
		}
	}
	if err != nil {
		return db.failed("append to the payment ledger", err)
	}
	return nil
}

func (db *DB) appendLedger(ctx context.Context, calls []*ledgerCall) error {
	histories, now, err := db.ledgerHistories(ctx, calls)
	if err != nil {
		return err
	}
	// In the order of the table's key, so that two servers' batches do not wait for each other.
	slices.SortStableFunc(calls, func(a, b *ledgerCall) int { return strings.Compare(a.authorization, b.authorization) })
	var c ledgerColumns
	for _, call := range calls {
		history := histories[call.authorization]
		for _, row := range call.decide(history) {
			row.Authorization, row.N, row.At = call.authorization, int32(len(history))+1, now //nolint:gosec // a few
			history = append(history, row)
			c.add(&row)
		}
		histories[call.authorization] = history
	}
	if len(c.n) == 0 {
		return nil
	}
	_, err = db.commits.Exec(ctx, ledgerAppendStatement, c.events, c.authorizations, c.n, c.keys, c.kinds, c.declined,
		c.tokens, c.references, c.currencies, c.amounts, c.at)
	return err
}

func (db *DB) ledgerHistories(ctx context.Context, calls []*ledgerCall) (histories map[string][]messages.LedgerRow, now int64, err error) {
	authorizations := make([]string, len(calls))
	for i, c := range calls {
		authorizations[i] = c.authorization
	}
	histories = make(map[string][]messages.LedgerRow, len(calls))
	b := new(pgx.Batch)
	b.Queue(`select now_ms()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	b.Queue(ledgerHistoryStatement, authorizations).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanLedgerRow)
		for _, r := range all {
			histories[r.Authorization] = append(histories[r.Authorization], r)
		}
		return err
	})
	return histories, now, db.commits.SendBatch(ctx, b).Close()
}

func scanLedgerRow(row pgx.CollectableRow) (r messages.LedgerRow, err error) {
	err = row.Scan(&r.Event, &r.Authorization, &r.N, &r.Key, &r.Kind, &r.Declined, &r.Token, &r.Reference, &r.Currency,
		&r.Amount, &r.At)
	return r, err
}

// ledgerColumns are rows as unnest takes them.
type ledgerColumns struct {
	events, authorizations, keys, kinds, declined, tokens, references, currencies []string

	n           []int32
	amounts, at []int64
}

func (c *ledgerColumns) add(r *messages.LedgerRow) {
	c.events = append(c.events, r.Event)
	c.authorizations = append(c.authorizations, r.Authorization)
	c.n = append(c.n, r.N)
	c.keys = append(c.keys, r.Key)
	c.kinds = append(c.kinds, r.Kind)
	c.declined = append(c.declined, r.Declined)
	c.tokens = append(c.tokens, r.Token)
	c.references = append(c.references, r.Reference)
	c.currencies = append(c.currencies, r.Currency)
	c.amounts = append(c.amounts, r.Amount)
	c.at = append(c.at, r.At)
}

// Package paymenttest has what tests of payments need.
package paymenttest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"boxoffice/messages"
)

// ErrKeyTaken is how Ledger refuses to append a key a second time.
var ErrKeyTaken = errors.New("the ledger has a row of this key")

// Ledger is a payment.Ledger in memory. It lives as long as the test, and outlives every Mock over it, as a database
// would. Safe for concurrent use.
type Ledger struct {
	mu   sync.Mutex
	rows []messages.LedgerRow
	// Indexes into rows.
	byKey           map[string]int
	byAuthorization map[string][]int
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{byKey: map[string]int{}, byAuthorization: map[string][]int{}}
}

// Update implements payment.Ledger. At counts the appends from 1: there is no clock here.
func (l *Ledger) Update(ctx context.Context, authorization string, decide func([]messages.LedgerRow) []messages.LedgerRow) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()

	var history []messages.LedgerRow
	for _, i := range l.byAuthorization[authorization] {
		history = append(history, l.rows[i])
	}
	appended := decide(history)
	for _, row := range appended {
		if _, taken := l.byKey[row.Key]; taken {
			return ErrKeyTaken
		}
	}
	for _, row := range appended {
		i := len(l.rows)
		row.At = int64(i) + 1
		l.rows = append(l.rows, row)
		l.byKey[row.Key] = i
		l.byAuthorization[authorization] = append(l.byAuthorization[authorization], i)
	}
	return nil
}

// Find implements payment.Ledger.
func (l *Ledger) Find(ctx context.Context, key string) (messages.LedgerRow, bool, error) {
	if err := ctx.Err(); err != nil {
		return messages.LedgerRow{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := l.byKey[key]
	if !found {
		return messages.LedgerRow{}, false, nil
	}
	return l.rows[i], true, nil
}

// Rows returns all rows in the order in which they were appended.
func (l *Ledger) Rows() []messages.LedgerRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.rows)
}

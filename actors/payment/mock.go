package payment

import (
	"context"
	"fmt"
	"time"

	"boxoffice/messages"
)

// Ledger keeps the mock provider's operations, durably. It is the provider's own: no table of ours refers to it.
type Ledger interface {
	// Update reads the rows of one authorization in the order of N, calls decide with them and appends what it returns,
	// as one step that no other Update of that authorization overlaps. decide is pure and may be called again. The
	// ledger fills in At. An append whose Key any row has already fails and changes nothing. An error leaves open
	// whether the rows were appended.
	Update(ctx context.Context, authorization string, decide func(history []messages.LedgerRow) []messages.LedgerRow) error
	// Find returns the row of a key, false where there is none.
	Find(ctx context.Context, key string) (messages.LedgerRow, bool, error)
}

// MockConfig of a Mock.
type MockConfig struct {
	// Delay before each call does anything, as a network would take. Default 0: none. What a caller whose context ends
	// meanwhile asked for has not happened.
	Delay time.Duration
	// Wait returns nil after d, or an error as soon as ctx ends. Required; never called with 0.
	Wait func(ctx context.Context, d time.Duration) error
}

// KeyReusedError says that an idempotency key was sent again with other content. That is a bug of the caller's and
// nothing that a buyer could be told.
type KeyReusedError struct {
	Kind Kind
	// Key names an order and is left out of the text, which may be logged.
	Key string
}

func (e *KeyReusedError) Error() string {
	return fmt.Sprintf("payment: the key of this %s was used with other content", e.Kind)
}

// Mock is a provider without a bank behind it: the token says what happens (see TokenVisa and the others). What it
// promises:
//
//  1. It remembers nothing but what its ledger does: two Mocks over one ledger are one provider, and so is one before
//     and after a crash.
//  2. A key takes effect once, however many send it at once.
//  3. A reply is lost, or slow, only the first time: the repetition of the key and LookUp get the real outcome at once.
//
// Errors: *DeclinedError, *KeyReusedError, ErrNotFound (LookUp alone); everything else wraps ErrUnknown.
type Mock struct {
	ledger Ledger
	config MockConfig
}

var _ Provider = (*Mock)(nil)

// NewMock returns a Mock over the ledger.
func NewMock(ledger Ledger, config MockConfig) *Mock {
	if config.Wait == nil {
		panic("payment: MockConfig.Wait is required")
	}
	return &Mock{ledger: ledger, config: config}
}

// Authorize grants or declines by the token.
func (m *Mock) Authorize(ctx context.Context, r AuthorizeRequest) (string, error) {
	row, err := m.run(ctx, messages.LedgerRow{
		Kind: string(KindAuthorize), Key: r.Key, Authorization: r.Key,
		Event: r.Event, Token: r.Token, Currency: r.Currency, Amount: r.Amount,
	}, "")
	return row.Reference, err
}

// Capture takes the money of an authorization.
func (m *Mock) Capture(ctx context.Context, r CaptureRequest) error {
	_, err := m.run(ctx, messages.LedgerRow{
		Kind: string(KindCapture), Key: r.Key, Authorization: r.Authorize, Currency: r.Currency, Amount: r.Amount,
	}, r.Reference)
	return err
}

// Void lets an authorization go, or sees to it that it is never granted.
func (m *Mock) Void(ctx context.Context, r VoidRequest) error {
	_, err := m.run(ctx, messages.LedgerRow{Kind: string(KindVoid), Key: r.Key, Authorization: r.Authorize}, r.Reference)
	return err
}

// Refund gives captured money back.
func (m *Mock) Refund(ctx context.Context, r RefundRequest) error {
	_, err := m.run(ctx, messages.LedgerRow{
		Kind: string(KindRefund), Key: r.Key, Authorization: r.Authorize, Currency: r.Currency, Amount: r.Amount,
	}, r.Reference)
	return err
}

// LookUp reads the ledger.
func (m *Mock) LookUp(ctx context.Context, key string) (Result, error) {
	if err := m.wait(ctx, m.config.Delay); err != nil {
		return Result{}, fmt.Errorf("payment look-up: %w: %w", ErrUnknown, err)
	}
	row, found, err := m.ledger.Find(ctx, key)
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("payment look-up: %w: %w", ErrUnknown, err)
	case !found:
		return Result{}, ErrNotFound
	}
	result := Result{Declined: row.Declined}
	if Kind(row.Kind) == KindAuthorize {
		result.Reference = row.Reference
	}
	return result, nil
}

// run does one operation and answers as the ledger has it.
func (m *Mock) run(ctx context.Context, want messages.LedgerRow, reference string) (messages.LedgerRow, error) {
	if !wellFormed(want) {
		return messages.LedgerRow{}, &DeclinedError{Code: CodeInvalidRequest}
	}
	if err := m.wait(ctx, m.config.Delay); err != nil {
		return messages.LedgerRow{}, fmt.Errorf("payment %s: %w: %w", want.Kind, ErrUnknown, err)
	}

	var row messages.LedgerRow
	var first bool
	var reused error
	err := m.ledger.Update(ctx, want.Authorization, func(history []messages.LedgerRow) []messages.LedgerRow {
		row, first, reused = decide(history, want, reference)
		if !first {
			return nil
		}
		return []messages.LedgerRow{row}
	})
	if err != nil {
		return messages.LedgerRow{}, m.explain(ctx, want, err)
	}
	if reused != nil {
		return messages.LedgerRow{}, reused
	}

	// Point of no return: the operation stands in the ledger. From here on only the reply can go wrong.
	if pause, lost := replyAfter(row); first && pause > 0 {
		if err := m.wait(ctx, pause); err != nil {
			return messages.LedgerRow{}, fmt.Errorf("payment %s: %w: %w", want.Kind, ErrUnknown, err)
		}
		if lost {
			return messages.LedgerRow{}, fmt.Errorf("payment %s: %w", want.Kind, ErrUnknown)
		}
	}
	if row.Declined != "" {
		return messages.LedgerRow{}, &DeclinedError{Code: row.Declined}
	}
	return row, nil
}

// explain tells the one failure of an Update that is certain from the others: the key stands in the ledger already,
// under another authorization, where decide cannot see it.
func (m *Mock) explain(ctx context.Context, want messages.LedgerRow, failure error) error {
	row, found, err := m.ledger.Find(ctx, want.Key)
	if err == nil && found && row.Authorization != want.Authorization {
		return &KeyReusedError{Kind: Kind(want.Kind), Key: want.Key}
	}
	return fmt.Errorf("payment %s: %w: %w", want.Kind, ErrUnknown, failure)
}

func (m *Mock) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return m.config.Wait(ctx, d)
}

// Package payment talks to payment providers. An authorization reserves the buyer's money, a capture takes it, a void
// lets it go, a refund gives it back. Each call carries an idempotency key: the same key is the same operation, however
// often it is sent.
package payment

import (
	"context"
	"errors"
	"fmt"
)

// Provider of payments. Every method is safe to repeat with the same key and returns then what it returned first.
// Errors: *DeclinedError is final; everything else, ErrUnknown among it, leaves open what the provider did, so that the
// caller must repeat the same key or look it up, and do nothing else meanwhile.
type Provider interface {
	// Authorize reserves the amount and returns the provider's reference of the authorization.
	Authorize(ctx context.Context, r AuthorizeRequest) (reference string, err error)
	// Capture takes an authorized amount.
	Capture(ctx context.Context, r CaptureRequest) error
	// Void lets an authorization go. Voiding a key that was never seen succeeds and refuses a later authorize of it.
	Void(ctx context.Context, r VoidRequest) error
	// Refund gives a captured amount back.
	Refund(ctx context.Context, r RefundRequest) error
	// LookUp tells what became of the operation sent under key; ErrNotFound where the provider has not seen it (yet):
	// send the same key again.
	LookUp(ctx context.Context, key string) (Result, error)
}

// AuthorizeRequest asks for an authorization.
type AuthorizeRequest struct {
	Key      string
	Event    string // the merchant's reference, for statements and reconciliation
	Token    string // the buyer's means of payment, as the provider named it
	Currency string // ISO 4217
	Amount   int64  // minor units
}

// CaptureRequest asks for the money of an authorization.
type CaptureRequest struct {
	Key       string
	Authorize string // the key of the authorize
	Reference string
	Currency  string
	Amount    int64
}

// VoidRequest lets go of an authorization.
type VoidRequest struct {
	Key       string
	Authorize string // the key of the authorize
	Reference string // empty where it never became known
}

// RefundRequest gives back what was captured.
type RefundRequest struct {
	Key       string
	Authorize string
	Reference string
	Currency  string
	Amount    int64
}

// Result is what a look-up found.
type Result struct {
	// Reference of an authorization that was granted.
	Reference string
	// Declined is the code of a refusal, empty where the operation succeeded.
	Declined string
}

// DeclinedError says that the provider refused for good.
type DeclinedError struct{ Code string }

func (e *DeclinedError) Error() string {
	return fmt.Sprintf("declined by the payment provider: %s", e.Code)
}

// ErrUnknown says that the provider's answer was not heard.
var ErrUnknown = errors.New("the payment provider's answer was not heard")

// ErrNotFound says that the provider does not know the key.
var ErrNotFound = errors.New("the payment provider does not know this key")

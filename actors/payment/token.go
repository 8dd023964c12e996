package payment

import (
	"time"

	"boxoffice/messages"
)

// The tokens that the mock provider knows; every other one is declined with CodeInvalidToken.
const (
	TokenVisa              = "tok_visa"               // succeeds
	TokenDeclined          = "tok_declined"           // declines with CodeCardDeclined
	TokenInsufficientFunds = "tok_insufficient_funds" // declines with CodeInsufficientFunds
	TokenSlow              = "tok_slow"               // succeeds; the reply comes after slowReplyAfter
	TokenAuthTimeout       = "tok_auth_timeout"       // authorizes; the reply is lost
	TokenCaptureTimeout    = "tok_capture_timeout"    // captures; the reply is lost
	TokenCaptureDeclined   = "tok_capture_declined"   // authorizes; the capture is declined for good
)

// The decline codes of the mock provider.
const (
	CodeCardDeclined      = "card_declined"
	CodeInsufficientFunds = "insufficient_funds"
	CodeInvalidToken      = "invalid_token"
	CodeInvalidRequest    = "invalid_request"       // no key, or a negative amount; the ledger has no row of it
	CodeVoided            = "voided"                // the authorization was let go, or will never be granted
	CodeCaptured          = "captured"              // the money was taken already
	CodeNotCaptured       = "not_captured"          // there is no money to give back
	CodeNoAuthorization   = "unknown_authorization" // never granted, or the reference is not its own
	CodeCurrencyMismatch  = "currency_mismatch"     // other than authorized
	CodeAmountTooLarge    = "amount_too_large"      // over what is authorized, or captured and not yet refunded
)

const (
	// slowReplyAfter is how long TokenSlow takes to answer, as the HTTP contract says.
	slowReplyAfter = 3 * time.Second
	// lostReplyAfter is how long the caller waits for a reply that does not come: long enough to be seen as a time-out,
	// short enough for a test.
	lostReplyAfter = time.Second
)

// replyAfter says how long the reply to an operation that took place just now takes, and whether it is lost then.
// Repetitions are answered at once.
func replyAfter(row messages.LedgerRow) (pause time.Duration, lost bool) {
	kind := Kind(row.Kind)
	switch {
	case kind == KindAuthorize && row.Token == TokenSlow:
		return slowReplyAfter, false
	case row.Declined != "":
		return 0, false
	case kind == KindAuthorize && row.Token == TokenAuthTimeout, kind == KindCapture && row.Token == TokenCaptureTimeout:
		return lostReplyAfter, true
	default:
		return 0, false
	}
}

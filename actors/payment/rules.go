package payment

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"boxoffice/messages"
)

// The mock provider's rules. They are pure functions of the history of one authorization (its ledger rows, in order):
//
//  1. The first operation under a key counts. The same key with the same content is that operation, with other content
//     a *KeyReusedError.
//  2. An authorization is granted once, by its token, unless a void came first.
//  3. A capture needs a granted authorization that is neither voided nor captured, and at most its amount. It is made
//     once; what it leaves is let go.
//  4. A void succeeds unless the money was captured. On an authorization never seen it leaves a tombstone.
//  5. Refunds need a capture and sum up to at most its amount.
//  6. A refused operation changes nothing but that its key is used up.

// standing is what an authorization's history amounts to.
type standing struct {
	// granted is the authorize that succeeded; its zero value says that none did.
	granted  messages.LedgerRow
	voided   bool
	captured int64 // minor units; -1: not captured
	refunded int64 // minor units
}

func (s standing) isGranted() bool  { return s.granted.Key != "" }
func (s standing) isCaptured() bool { return s.captured >= 0 }

// stand folds a history. Operations that were refused changed nothing.
func stand(history []messages.LedgerRow) standing {
	s := standing{captured: -1}
	for _, row := range history {
		if row.Declined != "" {
			continue
		}
		switch Kind(row.Kind) {
		case KindAuthorize:
			s.granted = row
		case KindCapture:
			s.captured = row.Amount
		case KindVoid:
			s.voided = true
		case KindRefund:
			s.refunded += row.Amount
		default:
			panic(fmt.Sprintf("payment: ledger row of unknown kind %q", row.Kind))
		}
	}
	return s
}

// wellFormed says whether an operation may be decided on at all.
func wellFormed(want messages.LedgerRow) bool {
	return want.Key != "" && want.Authorization != "" && want.Amount >= 0
}

// decide says what becomes of the operation want after history: the row that stands for it, and whether it is new and
// has yet to be written. reference is what the caller believes to be the authorization's, empty where it knows none.
func decide(history []messages.LedgerRow, want messages.LedgerRow, reference string) (row messages.LedgerRow, first bool, err error) {
	for _, earlier := range history {
		if earlier.Key != want.Key {
			continue
		}
		if !sameContent(earlier, want) {
			return messages.LedgerRow{}, false, &KeyReusedError{Kind: Kind(want.Kind), Key: want.Key}
		}
		return earlier, false, nil
	}

	s := stand(history)
	row = want
	row.N = int32(len(history)) + 1
	switch kind := Kind(want.Kind); kind {
	case KindAuthorize:
		row.Declined = s.refuseAuthorize(want)
	case KindCapture:
		row.Declined = s.refuseCapture(want, reference)
	case KindVoid:
		row.Declined = s.refuseVoid(reference)
	case KindRefund:
		row.Declined = s.refuseRefund(want, reference)
	default:
		panic(fmt.Sprintf("payment: operation of unknown kind %q", kind))
	}
	if row.Declined == "" {
		row.Reference = referenceOf(row.Key)
	}
	row.Event, row.Token = s.attribution(want)
	return row, true, nil
}

func (s standing) refuseAuthorize(want messages.LedgerRow) string {
	if s.voided {
		return CodeVoided
	}
	switch want.Token {
	case TokenVisa, TokenSlow, TokenAuthTimeout, TokenCaptureTimeout, TokenCaptureDeclined:
		return ""
	case TokenDeclined:
		return CodeCardDeclined
	case TokenInsufficientFunds:
		return CodeInsufficientFunds
	default:
		return CodeInvalidToken
	}
}

func (s standing) refuseCapture(want messages.LedgerRow, reference string) string {
	switch {
	case s.voided:
		return CodeVoided
	case !s.isGranted() || reference != s.granted.Reference:
		return CodeNoAuthorization
	case s.isCaptured():
		return CodeCaptured
	case want.Currency != s.granted.Currency:
		return CodeCurrencyMismatch
	case want.Amount > s.granted.Amount:
		return CodeAmountTooLarge
	case s.granted.Token == TokenCaptureDeclined:
		return CodeCardDeclined
	default:
		return ""
	}
}

// refuseVoid lets pass what holds no money (never seen, declined, voided before): what the caller wants is so.
func (s standing) refuseVoid(reference string) string {
	switch {
	case s.isCaptured():
		return CodeCaptured
	case reference != "" && s.isGranted() && reference != s.granted.Reference:
		return CodeNoAuthorization
	default:
		return ""
	}
}

func (s standing) refuseRefund(want messages.LedgerRow, reference string) string {
	switch {
	case !s.isGranted() || reference != s.granted.Reference:
		return CodeNoAuthorization
	case !s.isCaptured():
		return CodeNotCaptured
	case want.Currency != s.granted.Currency:
		return CodeCurrencyMismatch
	case want.Amount > s.captured-s.refunded:
		return CodeAmountTooLarge
	default:
		return ""
	}
}

// attribution is the event and the token that a row is booked under: the authorization's, or what its key tells.
func (s standing) attribution(want messages.LedgerRow) (event, token string) {
	switch {
	case Kind(want.Kind) == KindAuthorize:
		return want.Event, want.Token
	case s.isGranted():
		return s.granted.Event, s.granted.Token
	}
	key, _ := ParseKey(want.Authorization)
	return key.Event, ""
}

// sameContent compares what the caller asked for. Event and token are the caller's in an authorize alone.
func sameContent(a, b messages.LedgerRow) bool {
	if a.Kind != b.Kind || a.Authorization != b.Authorization || a.Currency != b.Currency || a.Amount != b.Amount {
		return false
	}
	return Kind(a.Kind) != KindAuthorize || a.Event == b.Event && a.Token == b.Token
}

// referenceOf derives the provider's reference of an operation from its key, so that a repetition gives the same.
func referenceOf(key string) string {
	sum := sha256.Sum256([]byte("boxoffice mock payment reference\x00" + key))
	return "mock_" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

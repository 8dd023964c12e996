package payment

import (
	"errors"
	"fmt"
	"testing"

	"boxoffice/messages"
)

// Goal: the rules of the mock provider hold for every history, not only for those that somebody thought of.
// Method: a table of the histories that have a name, times every operation; then every sequence of up to five operations
// out of an alphabet that has each kind with each thing that can be wrong with it, its invariants checked after each step.

const authorization = "auth:E1:0102030405060708090a0b0c0d0e0f10:1"

// op is an operation as a caller sends it.
type op struct {
	name      string
	row       messages.LedgerRow
	reference string
}

func authorizeOp(name, token string, amount int64) op {
	return op{name: name, row: messages.LedgerRow{
		Kind: string(KindAuthorize), Key: authorization, Authorization: authorization,
		Event: "E1", Token: token, Currency: "EUR", Amount: amount,
	}}
}

func moneyOp(name string, kind Kind, key, currency string, amount int64) op {
	return op{name: name, reference: referenceOf(authorization), row: messages.LedgerRow{
		Kind: string(kind), Key: key, Authorization: authorization, Currency: currency, Amount: amount,
	}}
}

func voidOp(name, key, reference string) op {
	return op{name: name, reference: reference, row: messages.LedgerRow{
		Kind: string(KindVoid), Key: key, Authorization: authorization,
	}}
}

func withReference(o op, reference string) op {
	o.reference = reference
	return o
}

var (
	authorized      = authorizeOp("authorized", TokenVisa, 100)
	declined        = authorizeOp("declined", TokenDeclined, 100)
	captureHopeless = authorizeOp("capture hopeless", TokenCaptureDeclined, 100)
	captured        = moneyOp("captured", KindCapture, "cap", "EUR", 100)
	capturedPart    = moneyOp("captured in part", KindCapture, "cap", "EUR", 60)
	voided          = voidOp("voided", "void", "")
	refunded        = moneyOp("refunded", KindRefund, "refund", "EUR", 40)
)

// play sends the operations one after another and returns the ledger's rows.
func play(t *testing.T, ops ...op) []messages.LedgerRow {
	t.Helper()
	var history []messages.LedgerRow
	for _, o := range ops {
		row, first, err := decide(history, o.row, o.reference)
		if err != nil {
			t.Fatalf("%s: %v", o.name, err)
		}
		if first {
			history = append(history, row)
		}
	}
	return history
}

func TestEveryOperationAfterEveryHistory(t *testing.T) {
	histories := [][]op{
		{},
		{declined},
		{authorized},
		{voided},
		{authorized, voided},
		{authorized, captured},
		{authorized, capturedPart},
		{authorized, captured, refunded},
		{captureHopeless},
		{captureHopeless, captured},
		{captureHopeless, captured, voided},
		{captured}, // before any authorize: refused, and no harm done
	}
	operations := []op{
		authorizeOp("authorize", TokenVisa, 100), // the same key, other content after some of the histories
		moneyOp("capture all", KindCapture, "cap2", "EUR", 100),
		moneyOp("capture nothing", KindCapture, "cap2", "EUR", 0),
		moneyOp("capture too much", KindCapture, "cap2", "EUR", 101),
		moneyOp("capture dollars", KindCapture, "cap2", "USD", 100),
		withReference(moneyOp("capture another's", KindCapture, "cap2", "EUR", 100), "mock_other"),
		voidOp("void", "void2", ""),
		voidOp("void by reference", "void2", referenceOf(authorization)),
		voidOp("void another's", "void2", "mock_other"),
		moneyOp("refund all", KindRefund, "refund2", "EUR", 100),
		moneyOp("refund the rest", KindRefund, "refund2", "EUR", 60),
		moneyOp("refund dollars", KindRefund, "refund2", "USD", 1),
	}
	const ok, reused = "", "reused"
	// One line a history, one column an operation.
	want := [][]string{
		{ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, ok, ok, ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization},
		{reused, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, ok, ok, ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization},
		{ok, ok, ok, CodeAmountTooLarge, CodeCurrencyMismatch, CodeNoAuthorization, ok, ok, CodeNoAuthorization, CodeNotCaptured, CodeNotCaptured, CodeNotCaptured},
		{CodeVoided, CodeVoided, CodeVoided, CodeVoided, CodeVoided, CodeVoided, ok, ok, ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization},
		{ok, CodeVoided, CodeVoided, CodeVoided, CodeVoided, CodeVoided, ok, ok, CodeNoAuthorization, CodeNotCaptured, CodeNotCaptured, CodeNotCaptured},
		{ok, CodeCaptured, CodeCaptured, CodeCaptured, CodeCaptured, CodeNoAuthorization, CodeCaptured, CodeCaptured, CodeCaptured, ok, ok, CodeCurrencyMismatch},
		{ok, CodeCaptured, CodeCaptured, CodeCaptured, CodeCaptured, CodeNoAuthorization, CodeCaptured, CodeCaptured, CodeCaptured, CodeAmountTooLarge, ok, CodeCurrencyMismatch},
		{ok, CodeCaptured, CodeCaptured, CodeCaptured, CodeCaptured, CodeNoAuthorization, CodeCaptured, CodeCaptured, CodeCaptured, CodeAmountTooLarge, ok, CodeCurrencyMismatch},
		{reused, CodeCardDeclined, CodeCardDeclined, CodeAmountTooLarge, CodeCurrencyMismatch, CodeNoAuthorization, ok, ok, CodeNoAuthorization, CodeNotCaptured, CodeNotCaptured, CodeNotCaptured},
		{reused, CodeCardDeclined, CodeCardDeclined, CodeAmountTooLarge, CodeCurrencyMismatch, CodeNoAuthorization, ok, ok, CodeNoAuthorization, CodeNotCaptured, CodeNotCaptured, CodeNotCaptured},
		{reused, CodeVoided, CodeVoided, CodeVoided, CodeVoided, CodeVoided, ok, ok, CodeNoAuthorization, CodeNotCaptured, CodeNotCaptured, CodeNotCaptured},
		{ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization, ok, ok, ok, CodeNoAuthorization, CodeNoAuthorization, CodeNoAuthorization},
	}
	for i, before := range histories {
		history := play(t, before...)
		for j, o := range operations {
			var names []string
			for _, b := range before {
				names = append(names, b.name)
			}
			row, _, err := decide(history, o.row, o.reference)
			got := row.Declined
			var keyReused *KeyReusedError
			if errors.As(err, &keyReused) {
				got = reused
			}
			if got != want[i][j] {
				t.Errorf("after %q, %s: %q, want %q", names, o.name, got, want[i][j])
			}
		}
	}
}

func TestTokensDecideTheAuthorization(t *testing.T) {
	for token, want := range map[string]string{
		TokenVisa: "", TokenSlow: "", TokenAuthTimeout: "", TokenCaptureTimeout: "", TokenCaptureDeclined: "",
		TokenDeclined: CodeCardDeclined, TokenInsufficientFunds: CodeInsufficientFunds,
		"tok_visa ": CodeInvalidToken, "": CodeInvalidToken, "4242": CodeInvalidToken,
	} {
		row, first, err := decide(nil, authorizeOp("authorize", token, 100).row, "")
		if err != nil || !first || row.Declined != want {
			t.Errorf("%q: %q, %v, %v; want %q", token, row.Declined, first, err, want)
		}
		if (row.Reference == "") != (want != "") {
			t.Errorf("%q: reference %q", token, row.Reference)
		}
	}
}

func TestInvariantsHoldInEverySequence(t *testing.T) {
	alphabet := []op{
		authorized, captureHopeless, declined,
		captured, capturedPart, moneyOp("", KindCapture, "cap2", "EUR", 100), moneyOp("", KindCapture, "cap3", "EUR", 101),
		voided, voidOp("", "void2", referenceOf(authorization)),
		refunded, moneyOp("", KindRefund, "refund2", "EUR", 60), moneyOp("", KindRefund, "refund3", "EUR", 1),
	}
	const depth = 5
	sequences := 0
	var extend func(history []messages.LedgerRow, left int)
	extend = func(history []messages.LedgerRow, left int) {
		sequences++
		if fault := violation(history); fault != "" {
			t.Fatalf("%s after %+v", fault, history)
		}
		if left == 0 {
			return
		}
		for _, o := range alphabet {
			row, first, err := decide(history, o.row, o.reference)
			if err != nil || !first {
				continue // nothing changed
			}
			if again, first, err := decide(append(history, row), o.row, o.reference); err != nil || first || again != row {
				t.Fatalf("a repetition of %+v gave %+v, %v, %v", row, again, first, err)
			}
			extend(append(history[:len(history):len(history)], row), left-1)
		}
	}
	extend(nil, depth)
	t.Logf("%d histories", sequences)
}

// violation judges a history without the rules' own fold: by counting money and looking at the order of things.
func violation(history []messages.LedgerRow) string {
	keys := map[string]bool{}
	var authorizedAmount, capturedAmount, refundedAmount int64
	count := map[string]int{}
	for i, row := range history {
		if int(row.N) != i+1 {
			return fmt.Sprintf("row %d has N %d", i, row.N)
		}
		if keys[row.Key] {
			return "a key stands twice"
		}
		keys[row.Key] = true
		if row.Event != "E1" {
			return fmt.Sprintf("row %d is booked under event %q", i, row.Event)
		}
		if row.Declined != "" {
			continue
		}
		count[row.Kind]++
		switch Kind(row.Kind) {
		case KindAuthorize:
			authorizedAmount = row.Amount
			if count["void"] > 0 {
				return "authorized after a void"
			}
		case KindCapture:
			capturedAmount += row.Amount
			if count["authorize"] == 0 || count["void"] > 0 {
				return "captured what does not stand"
			}
		case KindVoid:
			if count["capture"] > 0 {
				return "voided after a capture"
			}
		case KindRefund:
			refundedAmount += row.Amount
		}
	}
	switch {
	case count["authorize"] > 1, count["capture"] > 1:
		return "twice"
	case capturedAmount > authorizedAmount, refundedAmount > capturedAmount:
		return "money out of nothing"
	}
	return ""
}

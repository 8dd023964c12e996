package actors

import (
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// held is what the provider's ledger says of one authorization.
type held struct {
	authorized, declined, captured, captureDeclined, voided, refunded bool
	amount, capturedAmount                                            int64
}

// compareLedger holds what we know of each authorization against what the provider knows of it. While an operation is
// under way, the provider may know more than we do.
func (r *audit) compareLedger() {
	ledger := make(map[string]held)
	for _, row := range r.a.Ledger {
		h := ledger[row.Authorization]
		h.add(row)
		ledger[row.Authorization] = h
	}
	captures := make(map[[16]byte]int)
	for _, p := range r.all.payments.rows {
		key := payment.AuthorizeKey(r.a.EventID, p.OrderID, p.Attempt)
		h := ledger[key]
		delete(ledger, key)
		r.comparePayment(p, h)
		if h.captured && !h.refunded {
			captures[p.OrderID]++
		}
	}
	for id, n := range captures {
		if n > 1 {
			r.find("order %s was captured %d times", short(id), n)
		}
	}
	for key, h := range ledger {
		if k, _ := payment.ParseKey(key); h.authorized || h.captured {
			r.find("the provider holds %d for order %s, attempt %d, of which the journal knows nothing", h.amount, short(k.Order), k.Attempt)
		}
	}
}

func (h *held) add(row messages.LedgerRow) {
	refused := row.Declined != ""
	switch payment.Kind(row.Kind) {
	case payment.KindAuthorize:
		h.authorized, h.declined, h.amount = !refused, refused, row.Amount
	case payment.KindCapture:
		h.captured, h.captureDeclined, h.capturedAmount = h.captured || !refused, refused, row.Amount
	case payment.KindVoid:
		h.voided = h.voided || !refused
	case payment.KindRefund:
		h.refunded = h.refunded || !refused
	}
}

// comparePayment of one authorization.
func (r *audit) comparePayment(p messages.PaymentRow, h held) {
	name := paymentRowKey(p).String()
	must := func(holds bool, what string) {
		if !holds {
			r.find("payment of order %s: %s in the journal, but %s", name, p.Status, what)
		}
	}
	if h.authorized || h.declined {
		must(h.amount == p.Amount, "the provider was asked to authorize another amount")
	}
	if h.captured || h.captureDeclined {
		must(h.capturedAmount == p.Amount, "the provider was asked to capture another amount")
	}
	switch p.Status {
	case messages.PaymentAuthorizing:
		r.Open++
		must(!h.captured && !h.voided, "the provider has captured or voided it")
	case messages.PaymentAuthorized:
		must(h.authorized && !h.captured && !h.voided, "the provider does not hold it")
	case messages.PaymentDeclined:
		must(!h.authorized, "the provider has authorized it")
	case messages.PaymentCapturing:
		r.Open++
		must(h.authorized && !h.voided && !h.refunded, "the provider does not hold it")
	case messages.PaymentCaptured:
		must(h.captured && !h.refunded, "the provider has not captured it, or given it back")
	case messages.PaymentVoiding:
		r.Open++
		must(!h.captured || h.refunded, "the provider has captured it: no ticket stands for that money")
	case messages.PaymentVoided:
		must((h.voided || !h.authorized) && !h.captured, "the provider has not let it go")
	}
}

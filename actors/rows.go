package actors

import (
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// The rows of the read model, as they follow from the state. The projector writes them, Verify expects them.

// holding says that the order's seats are its own: an ended order only names those that it had.
func holding(o seatmap.Order) bool {
	switch o.Status {
	case seatmap.StatusReserved, seatmap.StatusAuthorizing, seatmap.StatusAuthorized, seatmap.StatusCapturing, seatmap.StatusCompleted:
		return true
	case seatmap.StatusPending, seatmap.StatusExpired, seatmap.StatusCancelled, seatmap.StatusPaymentFailed:
	}
	return false
}

func orderRow(o seatmap.Order) messages.OrderRow {
	return messages.OrderRow{
		OrderID: o.ID, SessionID: o.Session, Status: messages.OrderStatus(o.Status), Seats: o.Seats, Amount: o.Amount,
		HoldExpiresAt: int64(o.HoldExpiresAt()), CreatedAt: int64(o.CreatedAt), EndedAt: int64(o.EndedAt),
	}
}

// saleOf seats, counted by category.
func saleOf(counts []seatmap.Counts, prices []int64) *messages.Sale {
	sale := new(messages.Sale)
	for i, c := range counts {
		if c.Available > 0 && (sale.Available == 0 || prices[i] < sale.PriceFrom) {
			sale.PriceFrom = prices[i]
		}
		sale.Available += uint32(c.Available)
		sale.Held += uint32(c.Held)
	}
	return sale
}

func paymentRow(o seatmap.Order) messages.PaymentRow {
	return messages.PaymentRow{
		OrderID: o.ID, Attempt: o.Attempt, Status: paymentStatus(o.Payment), Amount: o.Amount, Code: o.PaymentCode,
	}
}

func paymentStatus(s seatmap.PaymentStatus) messages.PaymentStatus {
	switch s {
	case seatmap.PaymentAuthorizing:
		return messages.PaymentAuthorizing
	case seatmap.PaymentAuthorized:
		return messages.PaymentAuthorized
	case seatmap.PaymentRefused:
		return messages.PaymentDeclined
	case seatmap.PaymentCapturing:
		return messages.PaymentCapturing
	case seatmap.PaymentCaptured:
		return messages.PaymentCaptured
	case seatmap.PaymentVoiding:
		return messages.PaymentVoiding
	case seatmap.PaymentVoided:
		return messages.PaymentVoided
	case seatmap.PaymentNone:
	}
	return ""
}

func sessionRow(id seatmap.SessionID, s seatmap.Session, settings *seatmap.Settings) messages.SessionRow {
	return messages.SessionRow{
		SessionID: id, Completed: uint32(s.Completed), Done: s.Completed >= settings.MaxOrdersPerSession, Left: s.Ended,
	}
}

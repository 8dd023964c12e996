package http

import (
	"strings"

	"boxoffice/messages"
)

// Media types of our answers.
const (
	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
)

// Render makes the HTTP answer of a reply that changed something, and of a 402; nil for every other. It is pure, so
// that the answer can be stored in the commit that it reports and repeated byte for byte.
func Render(r *messages.Reply) *messages.Answer {
	o := r.GetOrder()
	if o == nil {
		return nil
	}
	switch r.GetOutcome() { //nolint:exhaustive // all others render to nothing, on purpose
	case messages.Outcome_OUTCOME_ORDER_CREATED:
		a := orderAnswer(201, o)
		a.Location = "/api/orders/" + orderIDText(o.GetEventId(), o.GetOrderId())
		return a
	case messages.Outcome_OUTCOME_SEATS_RESERVED, messages.Outcome_OUTCOME_ORDER_COMPLETED,
		messages.Outcome_OUTCOME_ORDER_CANCELLED:
		return orderAnswer(200, o)
	case messages.Outcome_OUTCOME_ORDER_AUTHORIZED:
		return orderAnswer(202, o)
	case messages.Outcome_OUTCOME_PAYMENT_DECLINED:
		return refusalAnswer(r, ":confirm")
	case messages.Outcome_OUTCOME_CAPTURE_FAILED:
		return refusalAnswer(r, ":finalize")
	}
	return nil
}

func orderAnswer(status uint32, o *messages.Order) *messages.Answer {
	// A seat takes about 130 bytes, a ticket 260.
	b := make([]byte, 0, 384+160*len(o.GetSeats())+288*len(o.GetTickets()))
	return &messages.Answer{Status: status, ContentType: typeJSON, Body: appendOrder(b, o)}
}

// refusalAnswer renders a 402. The call is known from the outcome, so the path is too.
func refusalAnswer(r *messages.Reply, call string) *messages.Answer {
	p := refusal(r)
	instance := "/api/orders/" + orderIDText(r.GetOrder().GetEventId(), r.GetOrder().GetOrderId()) + call
	return &messages.Answer{
		Status: uint32(p.status()), ContentType: typeProblem, Body: p.append(make([]byte, 0, 512), instance),
	}
}

func appendOrder(b []byte, o *messages.Order) []byte {
	b = append(b, `{"orderId":"`...)
	b = appendID(b, o.GetEventId(), markOrder, o.GetOrderId())
	b = append(b, `","eventId":"`...)
	b = append(b, o.GetEventId()...)
	b = append(b, `","sessionId":"`...)
	b = appendID(b, o.GetEventId(), markSession, o.GetSessionId())
	b = append(b, `","status":"`...)
	b = append(b, orderStatusText(o.GetStatus())...)
	b = append(b, `","seats":[`...)
	for i, s := range o.GetSeats() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOrderSeat(b, o.GetCurrency(), s)
	}
	b = append(b, `],"amount":`...)
	b = appendMoney(b, o.GetCurrency(), o.GetAmount())
	b = append(b, `,"holdExpiresAt":`...)
	b = appendTime(b, o.GetHoldExpiresAt())
	b = append(b, `,"createdAt":`...)
	b = appendTime(b, o.GetCreatedAt())
	b = append(b, `,"tickets":[`...)
	for i, t := range o.GetTickets() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTicket(b, o.GetEventId(), t)
	}
	return append(b, ']', '}')
}

func appendOrderSeat(b []byte, currency string, s *messages.Seat) []byte {
	b = append(b, `{"seatId":`...)
	b = appendString(b, s.GetSeatId())
	b = append(b, `,"section":`...)
	b = appendString(b, s.GetSection())
	b = append(b, `,"row":`...)
	b = appendString(b, s.GetRow())
	b = append(b, `,"number":`...)
	b = appendString(b, s.GetNumber())
	b = append(b, `,"category":`...)
	b = appendString(b, s.GetCategory())
	b = append(b, `,"price":`...)
	b = appendMoney(b, currency, s.GetPrice())
	return append(b, '}')
}

func appendTicket(b []byte, eventID string, t *messages.Ticket) []byte {
	b = append(b, `{"ticketId":"`...)
	b = appendID(b, eventID, markTicket, t.GetTicketId())
	b = append(b, `","seatId":`...)
	b = appendString(b, t.GetSeatId())
	b = append(b, `,"code":`...)
	b = appendString(b, t.GetCode())
	return append(b, '}')
}

func orderStatusText(s messages.OrderStatus) string {
	return strings.TrimPrefix(s.String(), "ORDER_STATUS_")
}

func eventStatusText(s messages.EventStatus) string {
	return strings.TrimPrefix(s.String(), "EVENT_STATUS_")
}

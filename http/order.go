package http

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

// recordedOrder reads an order of the session from the read model; another session's does not exist for it.
func (s *Server) recordedOrder(ctx context.Context, claims Claims, id [16]byte) (*messages.Order, *problem) {
	order, err := s.Records.Order(ctx, claims.EventID, id)
	switch {
	case errors.Is(err, messages.ErrOrderNotFound):
		return nil, notFound()
	case err != nil:
		return nil, unavailable(err)
	case string(order.GetSessionId()) != string(claims.SessionID[:]):
		return nil, notFound()
	}
	return order, nil
}

// orderToRead is the order that the path names. One of another event is not the buyer's.
func orderToRead(c *fiber.Ctx, claims Claims) (id [16]byte, p *problem) {
	eventID, id, ok := parseID(c.Params("id"), markOrder)
	switch {
	case !ok:
		return id, invalid(fault("orderId", "is not an order's id"))
	case eventID != claims.EventID:
		return id, notFound()
	}
	return id, nil
}

func (s *Server) getOrder(c *fiber.Ctx) *problem {
	claims, p := s.buyer(c)
	if p != nil {
		return p
	}
	orderID, p := orderToRead(c, claims)
	if p != nil {
		return p
	}
	ctx, cancel := context.WithTimeout(s.asking(c), askTimeMax)
	defer cancel()
	order, p := s.order(ctx, claims, orderID)
	if p != nil {
		return p
	}
	writeJSON(c, fiber.StatusOK, orderAnswer(fiber.StatusOK, order).GetBody())
	return nil
}

// order asks the event's owner, then the read model, and adds the tickets where the order has some.
func (s *Server) order(ctx context.Context, claims Claims, id [16]byte) (order *messages.Order, p *problem) {
	r := s.Engine.Ask(ctx, &messages.Request{
		EventId: claims.EventID, SessionId: claims.SessionID[:],
		Call: &messages.Request_GetOrder{GetOrder: &messages.GetOrder{OrderId: id[:]}},
	})
	switch {
	case r.GetOutcome() == messages.Outcome_OUTCOME_READ && r.GetOrder() != nil:
		order = r.GetOrder()
	case r.GetOutcome() == messages.Outcome_OUTCOME_ORDER_NOT_FOUND:
		if order, p = s.recordedOrder(ctx, claims, id); p != nil {
			return nil, p
		}
	default:
		return nil, refusal(r)
	}
	if order.GetStatus() != messages.OrderStatus_ORDER_STATUS_COMPLETED || len(order.GetTickets()) > 0 {
		return order, nil
	}
	tickets, err := s.Records.Tickets(ctx, claims.EventID, id)
	if err != nil {
		return nil, unavailable(err)
	}
	return withTickets(order, tickets), nil
}

// withTickets copies the order: the reply it came in must not change.
func withTickets(o *messages.Order, tickets []*messages.Ticket) *messages.Order {
	return &messages.Order{
		OrderId: o.GetOrderId(), EventId: o.GetEventId(), SessionId: o.GetSessionId(), Status: o.GetStatus(),
		Seats: o.GetSeats(), Currency: o.GetCurrency(), Amount: o.GetAmount(),
		HoldExpiresAt: o.GetHoldExpiresAt(), CreatedAt: o.GetCreatedAt(), Tickets: tickets,
	}
}

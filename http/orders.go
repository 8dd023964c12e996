package http

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

// askTimeMax is above the 8 s that the event's owner waits for a payment provider.
const askTimeMax = 12 * time.Second

// orderCall is an order call whose token, id and key are in order.
type orderCall struct {
	claims  Claims
	orderID [16]byte
	req     *messages.Request
}

func (s *Server) createOrder(c *fiber.Ctx) *problem {
	claims, p := s.buyer(c)
	if p != nil {
		return p
	}
	eventID, p := createOrderInput(c, claims)
	if p != nil {
		// The engine tells an expired token only from a request that it gets to see.
		if p.status() == fiber.StatusBadRequest && claims.ExpiresAt <= s.Now().UnixMilli() {
			return refusal(&messages.Reply{Outcome: messages.Outcome_OUTCOME_TOKEN_EXPIRED})
		}
		return p
	}
	if p := limited(s.base, s.orders, claims.SessionID, "The session asks for too many orders."); p != nil {
		return p
	}
	id, err := mint(s.Rand)
	if err != nil {
		return internal(err)
	}
	key, _ := orderKey(c)
	req := &messages.Request{
		EventId: eventID, SessionId: claims.SessionID[:], Idempotency: orderIdempotency(c, claims.SessionID, key),
		Call: &messages.Request_CreateOrder{CreateOrder: &messages.CreateOrder{
			OrderId: id[:], TokenExpiresAt: claims.ExpiresAt,
		}},
	}
	return s.answerOrder(c, &orderCall{claims: claims, orderID: id, req: req})
}

// createOrderInput checks key and body; a token for another event is as good as none.
func createOrderInput(c *fiber.Ctx, claims Claims) (eventID string, p *problem) {
	if _, p = orderKey(c); p != nil {
		return "", p
	}
	eventID, faults := parseEventBody(c.Request().Body())
	if faults != nil {
		return "", invalid(faults...)
	}
	if eventID != claims.EventID {
		return "", newProblem(codeTokenInvalid, "The access token is for another event.")
	}
	return eventID, nil
}

func (s *Server) reserve(c *fiber.Ctx) *problem {
	return s.changeOrder(c, func(body []byte, o *orderCall) []*messages.Fault {
		want, faults := parseReserve(body)
		o.req.Call = &messages.Request_Reserve{Reserve: &messages.Reserve{OrderId: o.orderID[:], Want: want}}
		return faults
	})
}

func (s *Server) confirm(c *fiber.Ctx) *problem {
	return s.changeOrder(c, func(body []byte, o *orderCall) []*messages.Fault {
		want, token, faults := parseConfirm(body)
		o.req.Call = &messages.Request_Confirm{Confirm: &messages.Confirm{
			OrderId: o.orderID[:], Want: want, PaymentToken: token,
		}}
		return faults
	})
}

func (s *Server) finalize(c *fiber.Ctx) *problem {
	return s.changeOrder(c, func(body []byte, o *orderCall) []*messages.Fault {
		o.req.Call = &messages.Request_Finalize{Finalize: &messages.Finalize{OrderId: o.orderID[:]}}
		return parseNothing(body)
	})
}

func (s *Server) cancel(c *fiber.Ctx) *problem {
	return s.changeOrder(c, func(body []byte, o *orderCall) []*messages.Fault {
		o.req.Call = &messages.Request_Cancel{Cancel: &messages.Cancel{OrderId: o.orderID[:]}}
		return parseNothing(body)
	})
}

// changeOrder makes the checks that the calls on an order have in common, in the contract's order.
func (s *Server) changeOrder(c *fiber.Ctx, parse func([]byte, *orderCall) []*messages.Fault) *problem {
	claims, p := s.buyer(c)
	if p != nil {
		return p
	}
	key := c.Get(headerKey)
	if key == "" {
		_, p = orderKey(c)
		return p
	}
	o := &orderCall{claims: claims}
	eventID, orderID, ok := parseID(orderIDParam(c), markOrder)
	o.orderID = orderID
	o.req = &messages.Request{EventId: claims.EventID, SessionId: claims.SessionID[:]}
	faults := parse(c.Request().Body(), o)
	if !visible(key) {
		faults = append(faults, keyFault())
	}
	if !ok {
		faults = append(faults, fault("orderId", "is not an order's id"))
	}
	if faults != nil {
		return invalid(faults...)
	}
	if eventID != claims.EventID {
		return notFound()
	}
	o.req.Idempotency = orderIdempotency(c, claims.SessionID, key)
	return s.answerOrder(c, o)
}

// orderIDParam is the path's last segment without the call.
func orderIDParam(c *fiber.Ctx) string {
	id, _, _ := strings.Cut(c.Params("id"), ":")
	return id
}

// answerOrder asks the event's owner and writes what it says.
func (s *Server) answerOrder(c *fiber.Ctx, o *orderCall) *problem {
	ctx, cancel := context.WithTimeout(s.asking(c), askTimeMax)
	defer cancel()
	r := s.Engine.Ask(ctx, o.req)
	switch answer := r.GetAnswer(); {
	case answer != nil:
		writeAnswer(c.Context(), answer)
		return nil
	case r.GetOutcome() == messages.Outcome_OUTCOME_REPLAYED:
		return s.replay(ctx, c, o.req.GetEventId(), r.GetStored())
	case r.GetOutcome() == messages.Outcome_OUTCOME_ORDER_NOT_FOUND:
		return s.refuseEnded(ctx, o)
	}
	if answer := Render(r); answer != nil {
		writeAnswer(c.Context(), answer)
		return nil
	}
	return refusal(r)
}

func (s *Server) replay(ctx context.Context, c *fiber.Ctx, eventID string, at *messages.StoredAnswer) *problem {
	answer, err := s.Records.Answer(ctx, eventID, at)
	if err != nil {
		return unavailable(err)
	}
	c.Set(headerReplayed, "true")
	writeAnswer(c.Context(), answer)
	return nil
}

// refuseEnded says what became of an order that its owner knows no more: it has ended, or never was.
func (s *Server) refuseEnded(ctx context.Context, o *orderCall) *problem {
	order, p := s.recordedOrder(ctx, o.claims, o.orderID)
	if p != nil {
		return p
	}
	if order.GetStatus() == messages.OrderStatus_ORDER_STATUS_EXPIRED {
		return refusal(&messages.Reply{Outcome: messages.Outcome_OUTCOME_HOLD_EXPIRED})
	}
	return orderState(order.GetStatus())
}

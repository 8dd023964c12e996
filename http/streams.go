package http

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"

	"boxoffice/http/sse"
	"boxoffice/http/watch"
	"boxoffice/messages"
)

// streamsDefault is what a node bears beside its other work, at about 1.5 KB each.
const streamsDefault = 50_000

// streamsPerIPDefault is above what an office needs; see sessionsPerIPDefault.
const streamsPerIPDefault = 400

// fullRetryAfterSeconds goes with the stream that is one too many: those who hold the others will not be gone at once.
const fullRetryAfterSeconds = 5

// streamsDrainMax is how long a shutdown waits for readers that stall: they are told again when they come back.
const streamsDrainMax = 3 * time.Second

// Heard takes what a node says about an event, whether it is watched here or not. It does not block. Where it is about
// seats, whoever asks for these after its return is shown it.
func (s *Server) Heard(l *messages.Live) {
	if seats := l.GetSeats(); seats != nil {
		s.halls.Heard(l.GetEventId(), seats)
		return
	}
	s.watch.Heard(l)
}

// streamAvailability goes on showing an event's seats, to anybody.
func (s *Server) streamAvailability(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	address, p := s.roomForStream(c)
	if p != nil || c.Method() == fiber.MethodHead {
		return p
	}
	w, err := s.halls.Watch(ctx, eventID, string(c.Request().Header.Peek("Last-Event-ID")))
	if err != nil {
		return hallProblem(err)
	}
	return s.openStream(c, sse.Options{Kind: kindAvailability, Address: address, Closed: w.Closed}, func(st *sse.Stream) { w.Open(st) })
}

// streamSession goes on telling how a session stands. What media types the client accepts is not looked at, as nowhere.
func (s *Server) streamSession(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	eventID, id, p := sessionIDParam(c)
	if p != nil {
		return p
	}
	address, p := s.roomForStream(c)
	if p != nil || c.Method() == fiber.MethodHead {
		return p
	}
	session, p := s.visit(ctx, eventID, id)
	if p != nil {
		return p
	}
	w := s.watch.Watch(session)
	return s.openStream(c, sse.Options{Kind: kindSession, Key: id, Address: address, Closed: w.Closed}, func(st *sse.Stream) { w.Open(st) })
}

// streamOrder goes on showing an order. Its token may stand in the address, as browsers' EventSource sends no header.
func (s *Server) streamOrder(c *fiber.Ctx) *problem {
	claims, p := s.streamBuyer(c)
	if p != nil {
		return p
	}
	orderID, p := orderToRead(c, claims)
	if p != nil {
		return p
	}
	address, p := s.roomForStream(c)
	if p != nil || c.Method() == fiber.MethodHead {
		return p
	}
	ctx, cancel := context.WithTimeout(s.base, askTimeMax)
	defer cancel()
	order, p := s.order(ctx, claims, orderID)
	if p != nil {
		return p
	}
	body := orderAnswer(fiber.StatusOK, order).GetBody()
	w := s.watch.WatchOrder(watch.OrderID{EventID: claims.EventID, SessionID: claims.SessionID, OrderID: orderID}, body, ended(order))
	return s.openStream(c, sse.Options{Kind: kindOrder, Key: claims.SessionID, Address: address, Closed: w.Closed}, func(st *sse.Stream) { w.Open(st) })
}

// streamBuyer is buyer with the token in the header or, where there is none, in the query.
func (s *Server) streamBuyer(c *fiber.Ctx) (Claims, *problem) {
	token := c.Context().QueryArgs().Peek("accessToken")
	if bearer(&c.Request().Header) != "" || len(token) == 0 {
		return s.buyer(c)
	}
	return s.verified(string(token))
}

// watchedOrder is how a watched order is read.
func (s *Server) watchedOrder(ctx context.Context, id watch.OrderID) (body []byte, final bool, err error) {
	order, p := s.order(ctx, Claims{EventID: id.EventID, SessionID: id.SessionID}, id.OrderID)
	switch {
	case p == nil:
	case p.status() < fiber.StatusInternalServerError:
		return nil, false, watch.ErrRefused
	default:
		return nil, false, fmt.Errorf("read a watched order: %s", p.code)
	}
	return orderAnswer(fiber.StatusOK, order).GetBody(), ended(order), nil
}

// ended is true of an order that no call changes any more. Its stream ends: whoever comes back sees it again, and nobody
// need ask for it meanwhile.
func ended(o *messages.Order) bool {
	switch o.GetStatus() {
	case messages.OrderStatus_ORDER_STATUS_COMPLETED, messages.OrderStatus_ORDER_STATUS_EXPIRED,
		messages.OrderStatus_ORDER_STATUS_CANCELLED, messages.OrderStatus_ORDER_STATUS_PAYMENT_FAILED:
		return true
	case messages.OrderStatus_ORDER_STATUS_UNSPECIFIED, messages.OrderStatus_ORDER_STATUS_PENDING,
		messages.OrderStatus_ORDER_STATUS_RESERVED, messages.OrderStatus_ORDER_STATUS_AUTHORIZING,
		messages.OrderStatus_ORDER_STATUS_AUTHORIZED, messages.OrderStatus_ORDER_STATUS_CAPTURING:
	}
	return false
}

// openStream answers with a stream, or says why there is none.
func (s *Server) openStream(c *fiber.Ctx, o sse.Options, opened func(*sse.Stream)) *problem {
	streams := s.streams()
	if streams == nil {
		return goingDown()
	}
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	return s.noRoom(streams.Open(c.Context(), o, opened))
}

// roomForStream refuses before anything is read: who gets no stream has not shown up. One that comes between is refused
// later. HEAD is answered here, and reads nothing. address is what the client's streams are counted by.
func (s *Server) roomForStream(c *fiber.Ctx) (address [16]byte, p *problem) {
	if client, exempt := s.client(c.Context()); !exempt && s.StreamsPerIPMax > 0 {
		address = addressKey(client)
	}
	streams := s.streams()
	if streams == nil {
		return address, goingDown()
	}
	if p := s.noRoom(streams.Room(address)); p != nil || c.Method() != fiber.MethodHead {
		return address, p
	}
	return address, s.openStream(c, sse.Options{}, nil)
}

// noRoom is nil for no error.
func (s *Server) noRoom(err error) *problem {
	switch {
	case err == nil:
		return nil
	case s.draining.Load():
		return goingDown()
	case errors.Is(err, sse.ErrTooMany):
		return newProblem(codeRateLimited, "This address has as many streams as it may have at once.").retry(fullRetryAfterSeconds)
	}
	return newProblem(codeOverloaded, "There are as many streams as we can bear.").retry(fullRetryAfterSeconds)
}

func goingDown() *problem {
	return newProblem(codeUnavailable, "This server is going down. Open the stream again: another takes over.").retry(retryAfterSeconds)
}

// streams is the transport, which begins with the first stream; nil once the server drains.
func (s *Server) streams() *sse.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return nil
	}
	if s.transport == nil {
		s.transport = sse.New(sse.Config{StreamsMax: s.StreamsMax, StreamsPerAddressMax: s.StreamsPerIPMax, Metrics: s.streamMetrics, Panicked: func(v any) {
			s.Metrics.panicked()
			s.Logger.Error("http: a stream panicked", slog.String("panic", harmless(v)), slog.String("stack", string(debug.Stack())))
		}})
	}
	return s.transport
}

// drainStreams tells all streams when to come back, and ends them.
func (s *Server) drainStreams(ctx context.Context) {
	s.mu.Lock()
	streams := s.transport
	s.mu.Unlock()
	if streams != nil {
		ctx, cancel := context.WithTimeout(ctx, streamsDrainMax)
		defer cancel()
		streams.Drain(ctx)
	}
	s.watch.Close()
	s.halls.Close()
}

// appendEndedData is the data of the event that a session's end is.
func appendEndedData(b []byte, session messages.Session) []byte {
	b = append(b, `{"sessionId":"`...)
	b = appendID(b, session.EventID, markSession, session.SessionID[:])
	b = append(b, `","status":"`...)
	b = append(b, session.Status...)
	return append(b, '"', '}')
}

// appendActiveData is the data of the event that a session's admission is.
func (s *Server) appendActiveData(b []byte, session messages.Session) []byte {
	b = append(b, `{"sessionId":"`...)
	b = appendID(b, session.EventID, markSession, session.SessionID[:])
	b = append(b, `","accessToken":`...)
	return append(s.appendAccess(b, session), '}')
}

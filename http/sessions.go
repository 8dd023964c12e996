package http

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

// activeTTLDefault holds for an event whose settings do not say.
const activeTTLDefault = 600 * time.Second

func (s *Server) join(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	body, key := c.Request().Body(), c.Get(headerKey)
	eventID, faults := parseEventBody(body)
	if len(c.Request().Header.Peek(headerKey)) > 0 && (!visible(key) || len(key) < joinKeyBytesMin) {
		faults = append(faults, fault(headerKey, "must be 22 to 255 visible ASCII characters, and random"))
	}
	if faults != nil {
		return invalid(faults...)
	}
	event, err := s.events.get(ctx, eventID)
	if err != nil {
		return readProblem(err)
	}
	if st := event.GetStatus(); st == messages.EventStatus_EVENT_STATUS_CLOSED || st == messages.EventStatus_EVENT_STATUS_CANCELLED {
		return notOnSale(event, s.Now())
	}
	if client, exempt := s.client(c.Context()); !exempt {
		if p := limited(ctx, s.joins, addressKey(client), "Too many joins from this address."); p != nil {
			return p
		}
	}
	id, err := mint(s.Rand)
	if err != nil {
		return internal(err)
	}
	join := messages.Join{EventID: eventID, SessionID: id, ActiveTTL: activeTTL(event).Milliseconds()}
	if key != "" {
		join.Key, join.Body = digest([]byte(eventID), []byte(key)), bodyDigest(body)
	}
	session, again, err := s.Sessions.Join(ctx, join)
	switch {
	case errors.Is(err, messages.ErrKeyReused):
		return refusal(&messages.Reply{Outcome: messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED})
	case err != nil:
		return readProblem(err)
	}
	if again {
		c.Set(headerReplayed, "true")
	}
	c.Set(fiber.HeaderLocation, "/api/waiting-room/sessions/"+sessionIDText(session.EventID, session.SessionID))
	writeJSON(c, fiber.StatusCreated, s.appendSession(nil, asJoined(session)))
	return nil
}

func activeTTL(e *messages.Event) time.Duration {
	if n := e.GetWaitingRoom().GetActiveTtlSeconds(); n > 0 {
		return time.Duration(n) * time.Second
	}
	return activeTTLDefault
}

// asJoined is the session as its join showed it, whatever became of it since: a repetition gets the first answer.
func asJoined(s messages.Session) messages.Session {
	s.Status = messages.SessionWaiting
	if s.ActiveUntil != 0 {
		s.Status = messages.SessionActive
	}
	return s
}

func (s *Server) getSession(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	session, p := s.session(ctx, c)
	if p != nil {
		return p
	}
	if session.Status == messages.SessionActive && session.ActiveUntil <= s.Now().UnixMilli() {
		session.Status = messages.SessionExpired
	}
	writeJSON(c, fiber.StatusOK, s.appendSession(nil, session))
	return nil
}

// leave ends the session at the event's owner first: once the buyer hears of it, no order of theirs can begin.
func (s *Server) leave(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, askTimeMax)
	defer cancel()
	session, p := s.session(ctx, c)
	if p != nil {
		return p
	}
	if session.Status != messages.SessionLeft {
		r := s.Engine.Ask(ctx, &messages.Request{
			EventId: session.EventID, SessionId: session.SessionID[:],
			Call: &messages.Request_EndSession{EndSession: &messages.EndSession{TokenExpiresAt: session.ActiveUntil}},
		})
		if r.GetOutcome() != messages.Outcome_OUTCOME_SESSION_ENDED && r.GetOutcome() != messages.Outcome_OUTCOME_SESSION_LEFT {
			return refusal(r)
		}
		if err := s.Sessions.Leave(ctx, session.EventID, session.SessionID); err != nil {
			return readProblem(err)
		}
	}
	c.Status(fiber.StatusNoContent)
	return nil
}

// session finds the session that the path names.
func (s *Server) session(ctx context.Context, c *fiber.Ctx) (messages.Session, *problem) {
	eventID, id, ok := parseID(c.Params("id"), markSession)
	if !ok {
		return messages.Session{}, invalid(fault("sessionId", "is not a session's id"))
	}
	session, err := s.Sessions.Session(ctx, strings.Clone(eventID), id)
	if errors.Is(err, messages.ErrSessionNotFound) {
		return session, notFound()
	}
	if err != nil {
		return session, readProblem(err)
	}
	return session, nil
}

// appendSession shows the access token of an active session, and no position: everybody is admitted as they come.
func (s *Server) appendSession(b []byte, session messages.Session) []byte {
	b = append(b, `{"sessionId":"`...)
	b = appendID(b, session.EventID, markSession, session.SessionID[:])
	b = append(b, `","eventId":"`...)
	b = append(b, session.EventID...)
	b = append(b, `","status":"`...)
	b = append(b, session.Status...)
	b = append(b, `","position":null,"etaSeconds":null,"accessToken":`...)
	if session.Status != messages.SessionActive {
		return append(b, `null,"activeUntil":null}`...)
	}
	b = appendString(b, s.TokenKeys.Sign(Claims{
		EventID: session.EventID, SessionID: session.SessionID, ExpiresAt: session.ActiveUntil,
	}))
	b = append(b, `,"activeUntil":`...)
	b = appendTime(b, session.ActiveUntil)
	return append(b, '}')
}

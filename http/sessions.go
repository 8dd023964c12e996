package http

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"boxoffice/http/watch"
	"boxoffice/messages"
)

// sessionsPerIPDefault is what a household or an office may need at one event. Carriers of mobile networks share one IPv4
// address among thousands: where buyers come from these, the setting must fit.
const sessionsPerIPDefault = 100

// crowdRetryAfterSeconds goes with an address that has enough sessions: the time in which those end whose buyer never
// shows up.
const crowdRetryAfterSeconds = 60

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
	client, exempt := s.client(c.Context())
	if !exempt {
		if p := limited(ctx, s.joins, addressKey(client), "Too many joins from this address."); p != nil {
			return p
		}
	}
	id, err := mint(s.Rand)
	if err != nil {
		return internal(err)
	}
	join := messages.Join{EventID: eventID, SessionID: id}
	if !exempt && s.SessionsPerIPMax > 0 {
		join.Client, join.ClientMax = s.clientDigest(eventID, addressKey(client)), s.SessionsPerIPMax
	}
	if key != "" {
		join.Key, join.Body = digest([]byte(eventID), []byte(key)), bodyDigest(body)
	}
	session, again, err := s.Sessions.Join(ctx, join)
	switch {
	case errors.Is(err, messages.ErrKeyReused):
		return refusal(&messages.Reply{Outcome: messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED})
	case errors.Is(err, messages.ErrTooManySessions):
		return newProblem(codeRateLimited, "This address has as many sessions of the event as it may have at once.").retry(crowdRetryAfterSeconds)
	case err != nil:
		return readProblem(err)
	}
	if again {
		c.Set(headerReplayed, "true")
	} else {
		s.Metrics.joined(session.Status)
	}
	c.Set(fiber.HeaderLocation, "/api/waiting-room/sessions/"+sessionIDText(session.EventID, session.SessionID))
	writeJSON(c, fiber.StatusCreated, s.appendSession(nil, session))
	return nil
}

func (s *Server) getSession(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readTimeMax)
	defer cancel()
	eventID, id, p := sessionIDParam(c)
	if p != nil {
		return p
	}
	session, p := s.visit(ctx, eventID, id)
	if p != nil {
		return p
	}
	writeJSON(c, fiber.StatusOK, s.appendSession(nil, session))
	return nil
}

// leave lets who waits out of the line; nobody else knows him yet. Who was let in ends at the event's owner first: once
// the buyer hears of it, no order of theirs can begin.
func (s *Server) leave(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.asking(c), askTimeMax)
	defer cancel()
	eventID, id, p := sessionIDParam(c)
	if p != nil {
		return p
	}
	session, err := s.Sessions.LeaveLine(ctx, eventID, id)
	if err != nil {
		return sessionProblem(err)
	}
	if session.Status != messages.SessionLeft && session.ActiveUntil != 0 {
		r := s.Engine.Ask(ctx, &messages.Request{
			EventId: session.EventID, SessionId: session.SessionID[:],
			Call: &messages.Request_EndSession{EndSession: &messages.EndSession{TokenExpiresAt: session.ActiveUntil}},
		})
		if r.GetOutcome() != messages.Outcome_OUTCOME_SESSION_ENDED && r.GetOutcome() != messages.Outcome_OUTCOME_SESSION_LEFT {
			return refusal(r)
		}
		if err := s.Sessions.Leave(ctx, session.EventID, session.SessionID); err != nil {
			return sessionProblem(err)
		}
	}
	// Streams on other nodes find out by themselves.
	s.watch.Look(eventID, id)
	c.Status(fiber.StatusNoContent)
	return nil
}

// sessionIDParam copies what the path names: it outlives the request.
func sessionIDParam(c *fiber.Ctx) (eventID string, id [16]byte, p *problem) {
	eventID, id, ok := parseID(c.Params("id"), markSession)
	if !ok {
		return "", id, invalid(fault("sessionId", "is not a session's id"))
	}
	return strings.Clone(eventID), id, nil
}

// visit reads the session as of now, which shows its buyer up.
func (s *Server) visit(ctx context.Context, eventID string, id [16]byte) (messages.Session, *problem) {
	session, err := s.Sessions.Visit(ctx, eventID, id)
	if err != nil {
		return session, sessionProblem(err)
	}
	return s.watch.AsOfNow(session), nil
}

func sessionProblem(err error) *problem {
	if errors.Is(err, messages.ErrSessionNotFound) {
		return notFound()
	}
	return readProblem(err)
}

// appendSession shows the access token of an active session, and the position of one that waits at an event on sale.
func (s *Server) appendSession(b []byte, session messages.Session) []byte {
	b = append(b, `{"sessionId":"`...)
	b = appendID(b, session.EventID, markSession, session.SessionID[:])
	b = append(b, `","eventId":"`...)
	b = append(b, session.EventID...)
	b = append(b, `","status":"`...)
	b = append(b, session.Status...)
	b = append(b, `",`...)
	position := uint64(0)
	if session.Status == messages.SessionWaiting {
		position = session.Position
	}
	b = watch.AppendPosition(b, position, session.PerSecond)
	b = append(b, `,"accessToken":`...)
	if session.Status != messages.SessionActive {
		return append(b, `null,"activeUntil":null}`...)
	}
	return append(s.appendAccess(b, session), '}')
}

// appendAccess shows the token of an active session, which goes on as long as it.
func (s *Server) appendAccess(b []byte, session messages.Session) []byte {
	b = appendString(b, s.TokenKeys.Sign(Claims{
		EventID: session.EventID, SessionID: session.SessionID, ExpiresAt: session.ActiveUntil,
	}))
	b = append(b, `,"activeUntil":`...)
	return appendTime(b, session.ActiveUntil)
}

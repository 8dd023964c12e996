package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// createTimeMax leaves time to import a hall of 200,000 seats.
const createTimeMax = 30 * time.Second

func (s *Server) createEvent(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, createTimeMax)
	defer cancel()
	n, faults := parseNewEvent(c.Request().Body())
	if faults != nil {
		return invalid(faults...)
	}
	event, err := s.Organiser.Create(ctx, n)
	var exists *messages.EventExistsError
	if errors.As(err, &exists) {
		return newProblem(codeEventExists, "An event of this id exists already.")
	}
	if err != nil {
		return readProblem(err)
	}
	s.events.drop()
	c.Set(fiber.HeaderLocation, "/api/events/"+event.GetEventId())
	writeJSON(c, fiber.StatusCreated, appendEvent(nil, event, s.Now()))
	return nil
}

func (s *Server) patchEvent(c *fiber.Ctx) *problem {
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	patch, faults := parsePatch(c.Request().Body())
	if faults != nil {
		return invalid(faults...)
	}
	r, p := s.command(c, &messages.Request{
		EventId: eventID, Call: &messages.Request_Configure{Configure: &messages.Configure{Patch: patch}},
	}, messages.Outcome_OUTCOME_CONFIGURED)
	if p != nil {
		return p
	}
	changed := s.untilShown(r.GetEvent())
	s.events.drop()
	writeJSON(c, fiber.StatusOK, appendEvent(nil, changed, s.Now()))
	return nil
}

const (
	// shownWaitMax bounds what a change waits for the read model: it follows within a fraction of a second.
	shownWaitMax   = time.Second
	shownPollEvery = 10 * time.Millisecond
)

// untilShown waits until browsing shows a change, as whoever made it expects who looks right after. Where that takes too
// long the answer goes out all the same: the change is committed. It brings the event as it was changed, and how it sells,
// which is not the settings' affair, as far as browsing knows that.
func (s *Server) untilShown(want *messages.Event) *messages.Event {
	ctx, cancel := context.WithTimeout(s.base, shownWaitMax)
	defer cancel()
	want = proto.CloneOf(want) // a reply belongs to all who get it
	for {
		got, err := s.Catalogue.Event(ctx, want.GetEventId())
		if now := s.Now(); err == nil {
			want.Sale = got.GetSale()
			if bytes.Equal(appendEvent(nil, got, now), appendEvent(nil, want, now)) {
				return want
			}
		}
		poll := time.NewTimer(shownPollEvery)
		select {
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return want
		}
	}
}

func (s *Server) block(c *fiber.Ctx) *problem {
	return s.changeSeats(c, messages.Outcome_OUTCOME_SEATS_BLOCKED, func(r *messages.Request, seats []string) {
		r.Call = &messages.Request_Block{Block: &messages.Block{Seats: seats}}
	})
}

func (s *Server) unblock(c *fiber.Ctx) *problem {
	return s.changeSeats(c, messages.Outcome_OUTCOME_SEATS_UNBLOCKED, func(r *messages.Request, seats []string) {
		r.Call = &messages.Request_Unblock{Unblock: &messages.Unblock{Seats: seats}}
	})
}

func (s *Server) changeSeats(c *fiber.Ctx, done messages.Outcome, call func(*messages.Request, []string)) *problem {
	id, _, _ := strings.Cut(c.Params("id"), ":")
	eventID, p := checkEventID(id)
	if p != nil {
		return p
	}
	if len(c.Request().Body()) > blockedBytesMax {
		return newProblem(codeBodyTooLarge, fmt.Sprintf("A list of seats may have %d bytes.", blockedBytesMax))
	}
	seats, faults := parseBlock(c.Request().Body())
	if faults != nil {
		return invalid(faults...)
	}
	req := &messages.Request{EventId: eventID}
	call(req, seats)
	if _, p := s.command(c, req, done); p != nil {
		return p
	}
	b := appendString([]byte(`{"eventId":`), eventID)
	b = appendStrings(append(b, `,"seats":`...), seats)
	writeJSON(c, fiber.StatusOK, append(b, '}'))
	return nil
}

// command asks the event's owner for what the organiser wants done.
func (s *Server) command(c *fiber.Ctx, req *messages.Request, done messages.Outcome) (*messages.Reply, *problem) {
	ctx, cancel := context.WithTimeout(s.asking(c), askTimeMax)
	defer cancel()
	r := s.Engine.Ask(ctx, req)
	if r.GetOutcome() != done {
		return nil, refusal(r)
	}
	return r, nil
}

func (s *Server) report(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, askTimeMax)
	defer cancel()
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	r, p := s.command(c, &messages.Request{
		EventId: eventID, Call: &messages.Request_GetReport{GetReport: &messages.GetReport{}},
	}, messages.Outcome_OUTCOME_READ)
	if p != nil {
		return p
	}
	sessions, err := s.Sessions.Counts(ctx, eventID)
	if err != nil {
		return readProblem(err)
	}
	writeJSON(c, fiber.StatusOK, appendReport(nil, eventID, r.GetReport(), sessions))
	return nil
}

func appendReport(b []byte, eventID string, r *messages.Report, sessions map[messages.SessionStatus]uint64) []byte {
	sum := &messages.Report_CategoryLine{}
	for _, line := range r.GetCategories() {
		sum.Available += line.GetAvailable()
		sum.Held += line.GetHeld()
		sum.Sold += line.GetSold()
		sum.Blocked += line.GetBlocked()
		sum.Revenue += line.GetRevenue()
	}
	b = appendString(append(b, `{"eventId":`...), eventID)
	b = appendUint(append(b, `,"version":`...), r.GetVersion())
	b = appendTime(append(b, `,"asOf":`...), r.GetAsOf())
	b = appendReportLine(append(b, ','), r.GetCurrency(), sum)
	b = append(b, `,"categories":[`...)
	for i, line := range r.GetCategories() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name":`...), line.GetName())
		b = append(appendReportLine(append(b, ','), r.GetCurrency(), line), '}')
	}
	b = appendTally(append(b, `],"orders":`...), r.GetOrders())
	b = appendTally(append(b, `,"sessions":`...), sessions)
	return append(b, '}')
}

func appendReportLine(b []byte, currency string, line *messages.Report_CategoryLine) []byte {
	b = appendUint(append(b, `"available":`...), uint64(line.GetAvailable()))
	b = appendUint(append(b, `,"held":`...), uint64(line.GetHeld()))
	b = appendUint(append(b, `,"sold":`...), uint64(line.GetSold()))
	b = appendUint(append(b, `,"blocked":`...), uint64(line.GetBlocked()))
	return appendMoney(append(b, `,"revenue":`...), currency, line.GetRevenue())
}

// appendTally appends counts by status, sorted so that the same counts give the same bytes.
func appendTally[K ~string](b []byte, counts map[K]uint64) []byte {
	b = append(b, '{')
	for i, status := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, status), ':')
		b = appendUint(b, counts[status])
	}
	return append(b, '}')
}

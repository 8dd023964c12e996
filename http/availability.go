package http

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"boxoffice/http/hall"
)

// getAvailability answers from this node's replica. What was committed through this node before the request came is in
// it, and the version on one connection never goes back.
func (s *Server) getAvailability(c *fiber.Ctx) *problem {
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	h := s.halls.Loaded(eventID)
	if h == nil {
		ctx, cancel := context.WithTimeout(s.base, readTimeMax)
		defer cancel()
		var err error
		if h, err = s.halls.Find(ctx, eventID); err != nil {
			return hallProblem(err)
		}
	}
	const cacheControl = "no-cache"
	version := h.Version()
	if len(c.Request().Header.Peek(fiber.HeaderIfNoneMatch)) > 0 && fresh(c, hall.ETag(version), cacheControl) {
		return nil
	}
	shown := h.Show()
	if !fresh(c, shown.ETag, cacheControl) {
		shown.Body.(*encoded).write(c)
	}
	return nil
}

func hallProblem(err error) *problem {
	switch {
	case errors.Is(err, hall.ErrSeats):
		return internal(err)
	case errors.Is(err, hall.ErrClosed):
		return newProblem(codeUnavailable, "This server is going down. Ask again: another takes over.").retry(retryAfterSeconds)
	}
	return readProblem(err)
}

// sections are the parts of an event's hall.
func (s *Server) sections(ctx context.Context, eventID string) ([]hall.Section, error) {
	plan, _, err := s.Catalogue.Plan(ctx, eventID)
	if err != nil {
		return nil, err
	}
	sections := make([]hall.Section, 0, len(plan.GetSections()))
	for _, section := range plan.GetSections() {
		seats := 0
		for _, row := range section.GetRows() {
			seats += len(row.GetSeats())
		}
		sections = append(sections, hall.Section{Name: section.GetName(), Seats: seats})
	}
	return sections, nil
}

const (
	// availabilityBytes and sectionBytes are what an availability has besides its letters, and most sections' names.
	availabilityBytes = 256
	sectionBytes      = 160
)

// appendAvailability splits the letters by section.
func appendAvailability(b []byte, v hall.View) []byte {
	if b == nil {
		b = make([]byte, 0, availabilityBytes+sectionBytes*len(v.Sections)+len(v.Seats))
	}
	letters := v.Seats
	b = append(b, `{"eventId":`...)
	b = appendString(b, v.EventID)
	b = append(b, `,"version":`...)
	b = appendUint(b, v.Version)
	b = append(b, `,"asOf":`...)
	b = appendTime(b, v.AsOf)
	b = append(b, `,"counts":{`...)
	b = appendCounts(b, letters)
	b = append(b, `},"sections":[`...)
	for i, section := range v.Sections {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, section.Name)
		b = append(b, ',')
		b = appendCounts(b, letters[:section.Seats])
		b = append(b, `,"seats":"`...)
		b = append(b, letters[:section.Seats]...)
		b = append(b, '"', '}')
		letters = letters[section.Seats:]
	}
	return append(b, ']', '}')
}

// appendCounts appends the members that count seats by state.
func appendCounts(b, letters []byte) []byte {
	var n [256]int64
	for _, l := range letters {
		n[l]++
	}
	b = append(b, `"available":`...)
	b = appendInt(b, n['A'])
	b = append(b, `,"held":`...)
	b = appendInt(b, n['H'])
	b = append(b, `,"sold":`...)
	b = appendInt(b, n['S'])
	b = append(b, `,"blocked":`...)
	return appendInt(b, n['B'])
}

package http

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

const (
	// readTimeMax bounds what browsing waits for.
	readTimeMax = 5 * time.Second
	// revalidateCacheControl: what is shown may have changed a moment later.
	revalidateCacheControl = "no-cache"
)

func (s *Server) getEvent(c *fiber.Ctx) *problem {
	eventID, p := eventIDParam(c)
	if p != nil {
		return p
	}
	return show(c)(s.events.event(s.base, eventID))
}

func (s *Server) listEvents(c *fiber.Ctx) *problem {
	q, faults := parseEventQuery(c.Context().QueryArgs())
	if faults != nil {
		return invalid(faults...)
	}
	return show(c)(s.events.page(s.base, q))
}

func show(c *fiber.Ctx) func(*browsed, error) *problem {
	return func(b *browsed, err error) *problem {
		if err != nil {
			return readProblem(err)
		}
		if !fresh(c, b.etag, revalidateCacheControl) {
			b.body.write(c)
		}
		return nil
	}
}

func appendEvents(b []byte, events []*messages.Event, next string, now time.Time) []byte {
	b = append(b, `{"events":[`...)
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendEvent(b, e, now)
	}
	b = append(b, `],"nextCursor":`...)
	if next == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, next)
	}
	return append(b, '}')
}

// eventIDParam reads and copies the event id in the path.
func eventIDParam(c *fiber.Ctx) (string, *problem) { return checkEventID(c.Params("id")) }

func checkEventID(id string) (string, *problem) {
	if !validEventID(id) {
		return "", invalid(fault("eventId", "is not an event's id"))
	}
	return strings.Clone(id), nil
}

// readProblem tells what the stores' errors mean to a client.
func readProblem(err error) *problem {
	var unknown *messages.EventNotFoundError
	var input *messages.InvalidInputError
	switch {
	case errors.As(err, &unknown):
		return notFound()
	case errors.As(err, &input):
		return invalid(input.Faults...)
	case errors.Is(err, messages.ErrOverloaded):
		return refusal(&messages.Reply{Outcome: messages.Outcome_OUTCOME_OVERLOADED})
	default:
		return unavailable(err)
	}
}

// statusNow is SCHEDULED exactly where the event is on sale but not yet: whoever wrote the event saw another time.
func statusNow(e *messages.Event, now time.Time) messages.EventStatus {
	switch st := e.GetStatus(); {
	case st != messages.EventStatus_EVENT_STATUS_ON_SALE && st != messages.EventStatus_EVENT_STATUS_SCHEDULED:
		return st
	case e.GetOnSaleAt() > now.UnixMilli():
		return messages.EventStatus_EVENT_STATUS_SCHEDULED
	default:
		return messages.EventStatus_EVENT_STATUS_ON_SALE
	}
}

func appendEvent(b []byte, e *messages.Event, now time.Time) []byte {
	b = append(b, `{"eventId":`...)
	b = appendString(b, e.GetEventId())
	b = append(b, `,"name":`...)
	b = appendString(b, e.GetName())
	b = append(b, `,"venue":`...)
	b = appendString(b, e.GetVenue())
	b = append(b, `,"city":`...)
	b = appendString(b, e.GetCity())
	b = append(b, `,"performers":`...)
	b = appendStrings(b, e.GetPerformers())
	b = append(b, `,"startsAt":`...)
	b = appendTime(b, e.GetStartsAt())
	b = append(b, `,"onSaleAt":`...)
	b = appendTime(b, e.GetOnSaleAt())
	b = append(b, `,"status":"`...)
	b = append(b, eventStatusText(statusNow(e, now))...)
	b = append(b, `","seatsTotal":`...)
	b = appendUint(b, uint64(e.GetSeatsTotal()))
	b = appendSale(b, e)
	b = append(b, `,"maxSeatsPerOrder":`...)
	b = appendUint(b, uint64(e.GetMaxSeatsPerOrder()))
	b = append(b, `,"maxOrdersPerSession":`...)
	b = appendUint(b, uint64(e.GetMaxOrdersPerSession()))
	b = append(b, `,"holdTtlSeconds":`...)
	b = appendUint(b, uint64(e.GetHoldTtlSeconds()))
	b = append(b, `,"waitingRoom":`...)
	b = appendWaitingRoom(b, e.GetWaitingRoom())
	b = append(b, `,"categories":[`...)
	for i, cat := range e.GetCategories() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, cat.GetName())
		b = append(b, `,"color":`...)
		b = appendString(b, cat.GetColor())
		b = append(b, `,"price":`...)
		b = appendMoney(b, e.GetCurrency(), cat.GetPrice())
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

// appendSale appends what browsing tells of how the event sells. Where nothing is known of that it says so.
func appendSale(b []byte, e *messages.Event) []byte {
	sale := e.GetSale()
	b = append(b, `,"seatsAvailable":`...)
	if sale == nil {
		return append(b, `null,"soldOut":false,"priceFrom":null`...)
	}
	b = appendUint(b, uint64(sale.GetAvailable()))
	b = append(b, `,"soldOut":`...)
	b = strconv.AppendBool(b, sale.GetAvailable() == 0 && sale.GetHeld() == 0)
	b = append(b, `,"priceFrom":`...)
	if sale.GetAvailable() == 0 {
		return append(b, "null"...)
	}
	return appendMoney(b, e.GetCurrency(), sale.GetPriceFrom())
}

func appendWaitingRoom(b []byte, w *messages.WaitingRoom) []byte {
	b = append(b, `{"enabled":`...)
	if w.GetEnabled() {
		b = append(b, "true"...)
	} else {
		b = append(b, "false"...)
	}
	b = append(b, `,"activeLimit":`...)
	b = appendUint(b, uint64(w.GetActiveLimit()))
	b = append(b, `,"activeTtlSeconds":`...)
	b = appendUint(b, uint64(w.GetActiveTtlSeconds()))
	b = append(b, `,"admitPerSecond":`...)
	b = appendUint(b, uint64(w.GetAdmitPerSecond()))
	return append(b, '}')
}

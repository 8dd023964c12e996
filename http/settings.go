package http

import (
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"

	"boxoffice/messages"
)

// Bounds of settings, and what holds where one is not given.
const (
	performersMax              = 100
	holdTTLSecondsDefault      = 300
	holdTTLSecondsMax          = 24 * 3600
	maxSeatsPerOrderDefault    = 8
	maxSeatsPerOrderMax        = 100
	maxOrdersPerSessionDefault = 4
	maxOrdersPerSessionMax     = 100 // as in seatmap
	activeLimitDefault         = 500
	activeLimitMax             = 1_000_000
	activeTTLSecondsDefault    = 600
	activeTTLSecondsMax        = 24 * 3600
	admitPerSecondDefault      = 100
	admitPerSecondMax          = 100_000
	// priceMax keeps the sum of an order, and of a house, far from overflow.
	priceMax = 1_000_000_000_000
)

// settingsBody are the settings that can be given at creation and changed later. Absent ones are nil.
type settingsBody struct {
	Name                *string          `json:"name"`
	Venue               *string          `json:"venue"`
	City                *string          `json:"city"`
	Performers          *[]string        `json:"performers"`
	StartsAt            *string          `json:"startsAt"`
	OnSaleAt            *string          `json:"onSaleAt"`
	HoldTTLSeconds      *uint32          `json:"holdTtlSeconds"`
	MaxSeatsPerOrder    *uint32          `json:"maxSeatsPerOrder"`
	MaxOrdersPerSession *uint32          `json:"maxOrdersPerSession"`
	WaitingRoom         *waitingRoomBody `json:"waitingRoom"`
}

type waitingRoomBody struct {
	Enabled          *bool   `json:"enabled"`
	ActiveLimit      *uint32 `json:"activeLimit"`
	ActiveTTLSeconds *uint32 `json:"activeTtlSeconds"`
	AdmitPerSecond   *uint32 `json:"admitPerSecond"`
}

// newEventBody is settingsBody and what stands since the creation.
type newEventBody struct {
	settingsBody
	EventID     string           `json:"eventId"`
	Currency    string           `json:"currency"`
	Prices      map[string]int64 `json:"prices"`
	SeatingPlan jsontext.Value   `json:"seatingPlan"`
}

// patchBody names the immutable members, so that they can be refused with a reason.
type patchBody struct {
	settingsBody
	Status      *string        `json:"status"`
	EventID     jsontext.Value `json:"eventId"`
	Currency    jsontext.Value `json:"currency"`
	Prices      jsontext.Value `json:"prices"`
	SeatingPlan jsontext.Value `json:"seatingPlan"`
}

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

// check appends what is wrong with the settings that are there.
func (b *settingsBody) check(faults []*messages.Fault) []*messages.Fault {
	for _, t := range []struct {
		field string
		value *string
	}{{"name", b.Name}, {"venue", b.Venue}} {
		if t.value != nil {
			if f := textFault(t.field, *t.value); f != nil {
				faults = append(faults, f)
			}
		}
	}
	if b.City != nil && len(*b.City) > nameBytesMax {
		faults = append(faults, textFault("city", *b.City))
	}
	if b.Performers != nil {
		faults = append(faults, performerFaults(*b.Performers)...)
	}
	for _, t := range []struct {
		field string
		value *string
	}{{"startsAt", b.StartsAt}, {"onSaleAt", b.OnSaleAt}} {
		if t.value != nil {
			if _, ok := parseTime(*t.value); !ok {
				faults = append(faults, fault(t.field, timeMessage))
			}
		}
	}
	faults = appendRange(faults, "holdTtlSeconds", b.HoldTTLSeconds, holdTTLSecondsMax)
	faults = appendRange(faults, "maxSeatsPerOrder", b.MaxSeatsPerOrder, maxSeatsPerOrderMax)
	faults = appendRange(faults, "maxOrdersPerSession", b.MaxOrdersPerSession, maxOrdersPerSessionMax)
	if w := b.WaitingRoom; w != nil {
		faults = appendRange(faults, "waitingRoom.activeLimit", w.ActiveLimit, activeLimitMax)
		faults = appendRange(faults, "waitingRoom.activeTtlSeconds", w.ActiveTTLSeconds, activeTTLSecondsMax)
		faults = appendRange(faults, "waitingRoom.admitPerSecond", w.AdmitPerSecond, admitPerSecondMax)
	}
	return faults
}

func performerFaults(performers []string) (faults []*messages.Fault) {
	if len(performers) > performersMax {
		return []*messages.Fault{fault("performers", fmt.Sprintf("must not name more than %d", performersMax))}
	}
	for i, p := range performers {
		if f := textFault(fmt.Sprintf("performers[%d]", i), p); f != nil {
			faults = append(faults, f)
		}
	}
	return faults
}

func appendRange(faults []*messages.Fault, field string, n *uint32, most uint32) []*messages.Fault {
	if n == nil || *n >= 1 && *n <= most {
		return faults
	}
	return append(faults, fault(field, fmt.Sprintf("must be from 1 to %d", most)))
}

// parsePatch brings the patch to hand to the event's owner.
func parsePatch(body []byte) (*messages.SettingsPatch, []*messages.Fault) {
	var b patchBody
	if faults := decode(body, &b, depthMax, ""); faults != nil {
		return nil, faults
	}
	var faults []*messages.Fault
	for _, m := range []struct {
		field string
		value jsontext.Value
	}{{"eventId", b.EventID}, {"currency", b.Currency}, {"prices", b.Prices}, {"seatingPlan", b.SeatingPlan}} {
		if m.value != nil {
			faults = append(faults, fault(m.field, "cannot be changed once the event exists"))
		}
	}
	faults = b.check(faults)
	p := b.patch()
	if b.Status != nil {
		status, ok := statusByName[*b.Status]
		if !ok || status == messages.EventStatus_EVENT_STATUS_SCHEDULED {
			faults = append(faults, fault("status", "must be ON_SALE, PAUSED, CLOSED or CANCELLED"))
		}
		p.Status = &status
	}
	if b.settingsBody == (settingsBody{}) && b.Status == nil && faults == nil {
		faults = append(faults, fault("", "names no setting"))
	}
	return p, faults
}

// patch takes over the settings that are there; they have been checked.
func (b *settingsBody) patch() *messages.SettingsPatch {
	p := &messages.SettingsPatch{
		Name: b.Name, Venue: b.Venue, City: b.City,
		StartsAt: patchTime(b.StartsAt), OnSaleAt: patchTime(b.OnSaleAt),
		HoldTtlSeconds: b.HoldTTLSeconds, MaxSeatsPerOrder: b.MaxSeatsPerOrder, MaxOrdersPerSession: b.MaxOrdersPerSession,
	}
	if b.Performers != nil {
		p.Performers, p.ReplacePerformers = *b.Performers, true
	}
	if w := b.WaitingRoom; w != nil {
		p.WaitingRoomEnabled, p.ActiveLimit = w.Enabled, w.ActiveLimit
		p.ActiveTtlSeconds, p.AdmitPerSecond = w.ActiveTTLSeconds, w.AdmitPerSecond
	}
	return p
}

func patchTime(s *string) *int64 {
	if s == nil {
		return nil
	}
	ms, _ := parseTime(*s)
	return &ms
}

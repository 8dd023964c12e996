package http

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"boxoffice/messages"
)

// parseNewEvent reads an event to be created. The seating plan stays as it is: the organiser's importer judges it.
func parseNewEvent(body []byte) (n messages.NewEvent, faults []*messages.Fault) {
	var b newEventBody
	if faults = decode(body, &b, planDepthMax, "seatingPlan"); faults != nil {
		return n, faults
	}
	if !validEventID(b.EventID) {
		faults = append(faults, fault("eventId", "must be 1 to 64 of A-Z a-z 0-9 _ -"))
	}
	for _, m := range []struct {
		field string
		value *string
	}{{"name", b.Name}, {"venue", b.Venue}, {"startsAt", b.StartsAt}} {
		if m.value == nil {
			faults = append(faults, fault(m.field, "is required"))
		}
	}
	if !currencyForm.MatchString(b.Currency) {
		faults = append(faults, fault("currency", "must be a currency's three letters"))
	}
	if b.SeatingPlan.Kind() != jsontext.KindBeginObject {
		faults = append(faults, fault("seatingPlan", "must be a seating plan's object"))
	}
	faults = append(faults, priceFaults(b.Prices)...)
	if faults = b.check(faults); faults != nil {
		return n, faults
	}
	return messages.NewEvent{Event: b.event(), Prices: b.Prices, PlanJSON: b.SeatingPlan}, nil
}

func priceFaults(prices map[string]int64) (faults []*messages.Fault) {
	if len(prices) == 0 {
		return []*messages.Fault{fault("prices", "must name the price of each category")}
	}
	for _, name := range slices.Sorted(maps.Keys(prices)) {
		if p := prices[name]; p < 0 || p > priceMax {
			faults = append(faults, fault("prices."+name, fmt.Sprintf("must be from 0 to %d, in minor units", int64(priceMax))))
		}
		if len(faults) == faultsMax {
			break
		}
	}
	return faults
}

// event fills in the defaults; seats and categories come from the plan.
func (b *newEventBody) event() *messages.Event {
	w := cmp.Or(b.WaitingRoom, &waitingRoomBody{})
	startsAt, _ := parseTime(value(b.StartsAt, ""))
	onSaleAt, _ := parseTime(value(b.OnSaleAt, ""))
	return &messages.Event{
		EventId: b.EventID, Name: value(b.Name, ""), Venue: value(b.Venue, ""), City: value(b.City, ""),
		Performers: value(b.Performers, nil), StartsAt: startsAt, OnSaleAt: onSaleAt,
		Status: messages.EventStatus_EVENT_STATUS_ON_SALE, Currency: b.Currency,
		HoldTtlSeconds:      value(b.HoldTTLSeconds, holdTTLSecondsDefault),
		MaxSeatsPerOrder:    value(b.MaxSeatsPerOrder, maxSeatsPerOrderDefault),
		MaxOrdersPerSession: value(b.MaxOrdersPerSession, maxOrdersPerSessionDefault),
		WaitingRoom: &messages.WaitingRoom{
			Enabled:          value(w.Enabled, true),
			ActiveLimit:      value(w.ActiveLimit, activeLimitDefault),
			ActiveTtlSeconds: value(w.ActiveTTLSeconds, activeTTLSecondsDefault),
			AdmitPerSecond:   value(w.AdmitPerSecond, admitPerSecondDefault),
		},
	}
}

func value[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

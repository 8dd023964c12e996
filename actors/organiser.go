package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatingplan"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Organiser creates events from what organisers send.
type Organiser struct{ catalogue Catalogue }

// NewOrganiser makes an organiser.
func NewOrganiser(c Catalogue) *Organiser { return &Organiser{catalogue: c} }

// Create checks the event whole and stores it with the first entry of its journal. It is *messages.InvalidInputError
// with the path of each fault, or *messages.EventExistsError, where it refuses. What it brings sells as it begins to.
func (o *Organiser) Create(ctx context.Context, n messages.NewEvent) (*messages.Event, error) {
	plan, err := seatingplan.Parse(n.PlanJSON)
	if err != nil {
		return nil, under("seatingPlan.", err)
	}
	prices, err := seatingplan.CheckPrices(plan, n.Prices)
	if err != nil {
		return nil, err
	}
	settings := settingsOf(n.Event, plan, prices)
	if field, fault := settings.Validate(); fault != "" {
		return nil, &messages.InvalidInputError{Faults: []*messages.Fault{{Field: field, Message: fault}}}
	}
	encoded, hash, err := seatingplan.Encode(plan)
	if err != nil {
		return nil, fmt.Errorf("encoding the seating plan: %w", err)
	}
	hall, err := seatmap.NewPlan(seatingplan.Spec(plan, hash))
	if err != nil {
		return nil, fmt.Errorf("building the seat map of a plan that was checked: %w", err)
	}
	record := messages.EventRecord{
		Event: eventView(n.Event.GetEventId(), hall, &settings, forever),
		Plan:  encoded, PlanHash: hash,
		SeatIDs: make([]string, hall.Seats()),
		First: messages.Entry{
			Seq: 1, Facts: seatmap.AppendEntry(nil, []seatmap.Fact{seatmap.EventCreated{PlanHash: hash, Settings: settings}}),
		},
	}
	record.Event.Sale = saleOf(seatmap.New(hall).CategoryCounts(), prices)
	for i := range record.SeatIDs {
		record.SeatIDs[i] = hall.SeatID(int32(i))
	}
	if err := o.catalogue.CreateEvent(ctx, record); err != nil {
		return nil, err
	}
	created, ok := proto.Clone(record.Event).(*messages.Event)
	if !ok {
		panic("actors: a clone of another type")
	}
	return created, nil
}

// settingsOf a new event. What is played and where is the plan's name where nothing is said.
func settingsOf(e *messages.Event, plan *messages.SeatingPlan, prices []int64) seatmap.Settings {
	status := seatmap.OnSale
	if s := e.GetStatus(); s != messages.EventStatus_EVENT_STATUS_UNSPECIFIED {
		status = seatmap.Status(s)
	}
	w := e.GetWaitingRoom()
	return seatmap.Settings{
		Name: cmp.Or(e.GetName(), plan.GetName()), Venue: cmp.Or(e.GetVenue(), plan.GetName()), City: e.GetCity(), Performers: e.GetPerformers(),
		StartsAt: seatmap.Time(e.GetStartsAt()), OnSaleAt: seatmap.Time(e.GetOnSaleAt()), Status: status,
		Currency: e.GetCurrency(), Prices: prices, HoldTTL: int64(e.GetHoldTtlSeconds()) * 1000,
		MaxSeatsPerOrder: int(e.GetMaxSeatsPerOrder()), MaxOrdersPerSession: int(e.GetMaxOrdersPerSession()),
		WaitingRoom: seatmap.WaitingRoom{
			Enabled: w.GetEnabled(), ActiveLimit: int(w.GetActiveLimit()),
			ActiveTTL: int64(w.GetActiveTtlSeconds()) * 1000, AdmitPerSecond: int(w.GetAdmitPerSecond()),
		},
	}
}

// under puts the faults of a part below the field that it stands in.
func under(prefix string, err error) error {
	var invalid *messages.InvalidInputError
	if !errors.As(err, &invalid) {
		return err
	}
	out := &messages.InvalidInputError{}
	for _, f := range invalid.Faults {
		out.Faults = append(out.Faults, &messages.Fault{Field: prefix + f.GetField(), Message: f.GetMessage()})
	}
	return out
}

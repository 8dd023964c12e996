package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// Catalogue creates events.
type Catalogue struct{ db *DB }

// Catalogue of the database.
func (db *DB) Catalogue() *Catalogue { return &Catalogue{db} }

// CreateEvent stores the event and entry 1 of its journal.
func (c *Catalogue) CreateEvent(ctx context.Context, r messages.EventRecord) error {
	id := r.Event.GetEventId()
	plan := new(messages.SeatingPlan)
	if err := proto.Unmarshal(r.Plan, plan); err != nil {
		return fmt.Errorf("create event %q: %w", id, err)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("create event %q: %w", id, ctx.Err())
	case r.First.Seq != 1:
		return fmt.Errorf("create event %q: its first entry is number %d", id, r.First.Seq)
	case r.PlanHash != sha256.Sum256(r.Plan):
		return fmt.Errorf("create event %q: the plan's hash is not its own", id)
	}
	e := &event{
		settings: proto.CloneOf(r.Event), plan: plan, planHash: r.PlanHash, epoch: r.First.Epoch, projected: 1,
		entries: []messages.Entry{clone(r.First)}, tickets: map[int32]messages.TicketRow{},
		orders: map[[16]byte]messages.OrderRow{}, payments: map[payment]messages.PaymentRow{},
		sessions: map[[16]byte]messages.SessionRow{},
	}
	e.sale, e.settings.Sale = e.settings.GetSale(), nil
	for i := range r.SeatIDs {
		e.seats = append(e.seats, messages.SeatRow{Index: int32(i), State: 'A'}) //nolint:gosec // at most 200,000
	}
	e.entries[0].At = c.db.now() // the database's, as Postgres' catalogue does it
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	if c.db.events[id] != nil {
		return fmt.Errorf("create event %q: %w", id, &messages.EventExistsError{EventID: id})
	}
	c.db.events[id] = e
	return nil
}

// ReadModel follows the journal.
type ReadModel struct{ db *DB }

// ReadModel of the database.
func (db *DB) ReadModel() *ReadModel { return &ReadModel{db} }

// Projected is the sequence number up to which the read model follows.
func (m *ReadModel) Projected(_ context.Context, eventID string) (uint64, error) {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	e, err := m.db.find(eventID)
	if err != nil {
		return 0, err
	}
	return e.projected, nil
}

// Project moves the read model from p.From to p.To; messages.ErrProjected where it does not stand at p.From.
func (m *ReadModel) Project(ctx context.Context, p messages.Projection) error {
	m.db.mu.Lock()
	defer m.db.mu.Unlock()
	op := fmt.Sprintf("project event %q from %d to %d", p.EventID, p.From, p.To)
	e := m.db.events[p.EventID]
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, ctx.Err())
	case p.From >= p.To:
		return fmt.Errorf("%s: not forward", op)
	case e == nil || e.projected != p.From:
		return fmt.Errorf("%s: %w", op, messages.ErrProjected)
	case p.To > e.lastSeq():
		return fmt.Errorf("%s: the journal ends at %d", op, e.lastSeq())
	}
	for _, s := range p.Seats {
		if s.Index < 0 || int(s.Index) >= len(e.seats) {
			return fmt.Errorf("%s: seat %d does not exist", op, s.Index)
		}
	}
	// Nothing fails from here on.
	e.projected = p.To
	for _, s := range p.Seats {
		e.seats[s.Index] = s
	}
	for _, o := range p.Orders {
		o.Seats = slices.Clone(o.Seats)
		e.orders[o.OrderID] = o
	}
	for _, r := range p.Payments {
		e.payments[payment{r.OrderID, r.Attempt}] = r
	}
	for _, s := range p.Sessions {
		e.sessions[s.SessionID] = s
	}
	if p.Event != nil {
		e.settings = proto.CloneOf(p.Event)
	}
	if p.Sale != nil {
		e.sale = proto.CloneOf(p.Sale)
	}
	if p.Snapshot != nil && p.To > e.snapSeq {
		e.snapshot, e.snapSeq = slices.Clone(p.Snapshot), p.To
	}
	return nil
}

// View is a copy of what is stored of an event, for tests.
type View struct {
	Event        *messages.Event
	Sale         *messages.Sale
	Epoch        uint64
	LastSeq      uint64
	ProjectedSeq uint64
	SnapshotSeq  uint64
	NextDue      int64
	// Tickets and Seats by seat index, the others by id.
	Tickets  []messages.TicketRow
	Seats    []messages.SeatRow
	Orders   []messages.OrderRow
	Payments []messages.PaymentRow
	Sessions []messages.SessionRow
}

// View of the event; *messages.EventNotFoundError where there is none.
func (db *DB) View(eventID string) (View, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	e, err := db.find(eventID)
	if err != nil {
		return View{}, err
	}
	v := View{
		Event: proto.CloneOf(e.settings), Sale: proto.CloneOf(e.sale), Epoch: e.epoch, LastSeq: e.lastSeq(), ProjectedSeq: e.projected,
		SnapshotSeq: e.snapSeq, NextDue: e.nextDue, Seats: slices.Clone(e.seats),
		Tickets: slices.Collect(maps.Values(e.tickets)), Orders: slices.Collect(maps.Values(e.orders)),
		Payments: slices.Collect(maps.Values(e.payments)), Sessions: slices.Collect(maps.Values(e.sessions)),
	}
	slices.SortFunc(v.Tickets, func(a, b messages.TicketRow) int { return cmp.Compare(a.SeatIndex, b.SeatIndex) })
	slices.SortFunc(v.Orders, func(a, b messages.OrderRow) int { return bytes.Compare(a.OrderID[:], b.OrderID[:]) })
	slices.SortFunc(v.Sessions, func(a, b messages.SessionRow) int { return bytes.Compare(a.SessionID[:], b.SessionID[:]) })
	slices.SortFunc(v.Payments, func(a, b messages.PaymentRow) int {
		return cmp.Or(bytes.Compare(a.OrderID[:], b.OrderID[:]), cmp.Compare(a.Attempt, b.Attempt))
	})
	return v, nil
}

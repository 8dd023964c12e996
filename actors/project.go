package actors

import (
	"context"
	"errors"
	"fmt"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

const (
	// projectEntriesMax bounds one transaction of the read model.
	projectEntriesMax = 2_000
	// snapshotEntries is how many entries lie between two snapshots, and so how many an activation replays at most,
	// beside those that are not projected yet.
	snapshotEntries = 2_000
)

// Projector folds committed entries into the read model. It has a state of its own, made of nothing but committed rows:
// an owner's is speculative. One run at a time; a run may be repeated from anywhere.
type Projector struct {
	eventID string
	plan    *seatmap.Plan
	env     *Env

	state       *seatmap.Map // nil: to be read
	seq         uint64       // of state, and of the read model as far as we know
	snapshotSeq uint64       // of the last snapshot that can be read, 0: none
	// snapshotEvery is snapshotEntries, but in tests.
	snapshotEvery uint64
}

// NewProjector makes the projector of one event. The plan is the owner's: a hall is in memory once.
func NewProjector(eventID string, plan *seatmap.Plan, env *Env) *Projector {
	return &Projector{eventID: eventID, plan: plan, env: env, snapshotEvery: snapshotEntries}
}

// Run moves the read model up to entry to, and says how far it got. Whether or not it is the owner's, and however often
// it runs, it changes only what nobody has changed before: the read model's own position is its fence. It takes as long
// as it takes, but not projectTimeout without progress.
func (p *Projector) Run(ctx context.Context, to uint64) (uint64, error) {
	ctx, dog := watch(ctx, p.env.Clock, projectTimeout)
	defer dog.callOff()
	journal := watched{p.env.Journal, dog}
	if p.state == nil {
		if err := p.load(ctx, journal); err != nil {
			return 0, err
		}
	}
	for p.seq < to {
		dog.progress()
		err := p.fold(ctx, journal, min(to, p.seq+projectEntriesMax))
		if errors.Is(err, messages.ErrProjected) {
			return p.env.ReadModel.Projected(ctx, p.eventID) // somebody else has gone on from here
		}
		if err != nil {
			return 0, err
		}
	}
	return p.seq, nil
}

// load reads the state that the read model shows.
func (p *Projector) load(ctx context.Context, journal Journal) error {
	recovery, err := journal.Recover(ctx, p.eventID)
	if err != nil {
		return fmt.Errorf("recovering event %s for its projection: %w", p.eventID, err)
	}
	projected, err := p.env.ReadModel.Projected(ctx, p.eventID)
	if err != nil {
		return fmt.Errorf("reading how far event %s is projected: %w", p.eventID, err)
	}
	state, snapshotSeq := restore(p.eventID, p.plan, recovery, p.env.Log)
	if _, err := replay(ctx, p.eventID, journal, state, snapshotSeq, projected, nil); err != nil {
		return err
	}
	p.state, p.seq, p.snapshotSeq = state, projected, snapshotSeq
	return nil
}

// fold one step.
func (p *Projector) fold(ctx context.Context, journal Journal, to uint64) error {
	state := p.state
	p.state = nil // a fold that fails, or panics, may have run ahead of the read model: read again
	f := newFold(p.eventID, state)
	if _, err := replay(ctx, p.eventID, journal, state, p.seq, to, f.observe); err != nil {
		return err
	}
	step := f.projection(p.seq, to)
	if to-p.snapshotSeq >= p.snapshotEvery {
		step.Snapshot = state.AppendSnapshot(nil)
	}
	if err := p.env.ReadModel.Project(ctx, step); err != nil {
		return fmt.Errorf("projecting event %s to entry %d: %w", p.eventID, to, err)
	}
	p.state, p.seq = state, to
	if step.Snapshot != nil {
		p.snapshotSeq = to
	}
	return nil
}

// fold collects the last state of everything that a stretch of facts changes.
type fold struct {
	eventID  string
	state    *seatmap.Map
	seats    changes[int32, messages.SeatRow] // whose order has them as of the last fact; State is filled in at the end
	orders   changes[seatmap.OrderID, messages.OrderRow]
	payments changes[paymentKey, messages.PaymentRow]
	sessions changes[seatmap.SessionID, messages.SessionRow]
	settings bool
}

type paymentKey struct {
	order   seatmap.OrderID
	attempt uint32
}

// changes keeps the last row of each key, in the sequence in which the keys first changed.
type changes[K comparable, R any] struct {
	at   map[K]int
	rows []R
}

func (c *changes[K, R]) set(k K, r R) {
	if i, ok := c.at[k]; ok {
		c.rows[i] = r
		return
	}
	if c.at == nil {
		c.at = make(map[K]int)
	}
	c.at[k] = len(c.rows)
	c.rows = append(c.rows, r)
}

func newFold(eventID string, state *seatmap.Map) *fold { return &fold{eventID: eventID, state: state} }

// observe is called before and after each fact: before, for the seats that an order is about to give back.
func (f *fold) observe(fact seatmap.Fact, applied bool) {
	switch fact := fact.(type) {
	case seatmap.EventCreated, seatmap.SettingsChanged:
		f.settings = true
	case seatmap.SeatsWereBlocked:
		f.touch(fact.Seats)
	case seatmap.SeatsWereUnblocked:
		f.touch(fact.Seats)
	case seatmap.OrderWasCreated:
		f.order(fact.Order)
	case seatmap.SeatsWereHeld:
		f.order(fact.Order)
	case seatmap.AuthorizeStarted:
		f.paid(fact.Order, applied)
	case seatmap.AuthorizeWasGranted:
		f.paid(fact.Order, applied)
	case seatmap.AuthorizeWasDeclined:
		f.paid(fact.Order, applied)
	case seatmap.CaptureStarted:
		f.paid(fact.Order, applied)
	case seatmap.OrderWasCompleted:
		f.paid(fact.Order, applied)
		if o, ok := f.state.Order(fact.Order); ok && applied {
			f.session(o.Session)
		}
	case seatmap.CaptureWasRefused:
		f.paid(fact.Order, applied)
	case seatmap.OrderHasExpired:
		f.released(fact.Order, applied)
	case seatmap.OrderWasCancelled:
		f.released(fact.Order, applied)
	case seatmap.AuthorizationWasVoided:
		f.paid(fact.Order, applied)
	case seatmap.SessionWasEnded:
		f.session(fact.Session)
	case seatmap.Answered, seatmap.Forgotten:
	}
}

// order notes the order and its seats as they are now.
func (f *fold) order(id seatmap.OrderID) {
	o, ok := f.state.Order(id)
	if !ok {
		return // about to be created
	}
	if holding(o) {
		for _, i := range o.Seats {
			f.seats.set(i, messages.SeatRow{Index: i, OrderID: id})
		}
	}
	f.orders.set(id, orderRow(o))
}

// paid notes the order, and its payment after a fact about that: at no other time, since a declined attempt keeps the
// amount that was to be authorized when its order goes on with other seats.
func (f *fold) paid(id seatmap.OrderID, applied bool) {
	f.order(id)
	if o, ok := f.state.Order(id); ok && applied {
		f.payments.set(paymentKey{id, o.Attempt}, paymentRow(o))
	}
}

// released notes an order that has ended without a sale. What was authorized for it, and only that, is to be voided now.
func (f *fold) released(id seatmap.OrderID, applied bool) {
	o, ok := f.state.Order(id)
	f.order(id)
	if ok && applied && o.Payment == seatmap.PaymentVoiding {
		f.paid(id, applied)
	}
}

func (f *fold) session(id seatmap.SessionID) {
	if s, ok := f.state.Session(id); ok {
		f.sessions.set(id, sessionRow(id, s, f.state.Settings()))
	}
}

func (f *fold) touch(seats []int32) {
	for _, i := range seats {
		f.seats.set(i, messages.SeatRow{Index: i})
	}
}

func (f *fold) projection(from, to uint64) messages.Projection {
	letters := f.state.Letters(nil)
	for i := range f.seats.rows {
		row := &f.seats.rows[i]
		row.State = letters[row.Index]
		if s := seatmap.Seat(row.State); s == seatmap.SeatAvailable || s == seatmap.SeatBlocked {
			row.OrderID = seatmap.OrderID{}
		}
	}
	p := messages.Projection{
		EventID: f.eventID, From: from, To: to,
		Seats: f.seats.rows, Orders: f.orders.rows, Payments: f.payments.rows, Sessions: f.sessions.rows,
	}
	if f.settings || len(f.seats.rows) > 0 {
		p.Sale = saleOf(f.state.CategoryCounts(), f.state.Settings().Prices)
	}
	if f.settings {
		// What time makes of a status is the reader's affair: it is stored as it was set.
		p.Event = eventView(f.eventID, f.state.Plan(), f.state.Settings(), forever)
	}
	return p
}

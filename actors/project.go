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
	eventID   string
	journal   Journal
	readModel ReadModel

	state       *seatmap.Map // nil: to be read
	seq         uint64       // of state, and of the read model as far as we know
	snapshotSeq uint64
	// snapshotEvery is snapshotEntries, but in tests.
	snapshotEvery uint64
}

// NewProjector makes the projector of one event.
func NewProjector(eventID string, journal Journal, readModel ReadModel) *Projector {
	return &Projector{eventID: eventID, journal: journal, readModel: readModel, snapshotEvery: snapshotEntries}
}

// Run moves the read model up to entry to, and says how far it got. Whether or not it is the owner's, and however often
// it runs, it changes only what nobody has changed before: the read model's own position is its fence.
func (p *Projector) Run(ctx context.Context, to uint64) (uint64, error) {
	if p.state == nil {
		if err := p.load(ctx); err != nil {
			return 0, err
		}
	}
	for p.seq < to {
		if err := p.fold(ctx, min(to, p.seq+projectEntriesMax)); err != nil {
			p.state = nil // it may have run ahead of the read model: read again
			if errors.Is(err, messages.ErrProjected) {
				return p.readModel.Projected(ctx, p.eventID) // somebody else has gone on from here
			}
			return 0, err
		}
	}
	return p.seq, nil
}

// load reads the state that the read model shows.
func (p *Projector) load(ctx context.Context) error {
	recovery, err := p.journal.Recover(ctx, p.eventID)
	if err != nil {
		return fmt.Errorf("recovering event %s for its projection: %w", p.eventID, err)
	}
	projected, err := p.readModel.Projected(ctx, p.eventID)
	if err != nil {
		return fmt.Errorf("reading how far event %s is projected: %w", p.eventID, err)
	}
	state, err := restore(p.eventID, recovery)
	if err != nil {
		return err
	}
	if _, err := replay(ctx, p.eventID, p.journal, state, recovery.SnapshotSeq, projected, nil); err != nil {
		return err
	}
	p.state, p.seq, p.snapshotSeq = state, projected, recovery.SnapshotSeq
	return nil
}

// fold one step.
func (p *Projector) fold(ctx context.Context, to uint64) error {
	f := newFold(p.eventID, p.state)
	if _, err := replay(ctx, p.eventID, p.journal, p.state, p.seq, to, f.observe); err != nil {
		return err
	}
	step := f.projection(p.seq, to)
	if to-p.snapshotSeq >= p.snapshotEvery {
		step.Snapshot = p.state.AppendSnapshot(nil)
	}
	if err := p.readModel.Project(ctx, step); err != nil {
		return fmt.Errorf("projecting event %s to entry %d: %w", p.eventID, to, err)
	}
	p.seq = to
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
		f.order(fact.Order)
	case seatmap.AuthorizeWasGranted:
		f.order(fact.Order)
	case seatmap.AuthorizeWasDeclined:
		f.order(fact.Order)
	case seatmap.CaptureStarted:
		f.order(fact.Order)
	case seatmap.OrderWasCompleted:
		f.order(fact.Order)
		if o, ok := f.state.Order(fact.Order); ok && applied {
			f.session(o.Session)
		}
	case seatmap.CaptureWasRefused:
		f.order(fact.Order)
	case seatmap.OrderHasExpired:
		f.order(fact.Order)
	case seatmap.OrderWasCancelled:
		f.order(fact.Order)
	case seatmap.AuthorizationWasVoided:
		f.order(fact.Order)
	case seatmap.SessionWasEnded:
		f.session(fact.Session)
	case seatmap.Answered, seatmap.Forgotten:
	}
}

// order notes the order, its payment and its seats as they are now.
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
	if o.Payment != seatmap.PaymentNone {
		f.payments.set(paymentKey{id, o.Attempt}, paymentRow(o))
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
	if f.settings {
		// What time makes of a status is the reader's affair: it is stored as it was set.
		p.Event = eventView(f.eventID, f.state.Plan(), f.state.Settings(), forever)
	}
	return p
}

package actors

import (
	"errors"
	"sync/atomic"
	"time"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// meter is what one event's actor counts, and shows to scrapes by its atomics. The nil *meter counts nothing.
type meter struct {
	all     *Metrics
	eventID string
	label   bool // it has series of its own
	mailbox func() int

	phase, epoch                atomic.Uint64
	forming, waiters            atomic.Int64
	live                        [seatmap.StatusCapturing + 1]atomic.Uint64 // orders that have not ended, by status
	open, unknown               [len(kinds)]atomic.Int64
	oldest                      [len(kinds)]atomic.Int64 // Clock.Elapsed of the oldest open operation; 0: none
	unprojected, unprojectedFor atomic.Int64             // entries; since when, 0: the read model is at the end

	begun, sentAt time.Duration
	flight        tally
	calls         openOperations
	projectTo     time.Duration // when the projection under way was asked for
}

// tally is what a batch's facts say, to be counted once they are committed.
type tally struct {
	commands, purchases, tickets, created, holds, expired int
	moved                                                 *messages.SeatsMoved
}

func tallyOf(o *Owner) tally {
	b := o.flight
	t := tally{commands: b.commands, tickets: len(b.tickets), moved: b.moved}
	for _, f := range b.facts {
		switch f := f.(type) {
		case seatmap.OrderWasCreated:
			t.created++
		case seatmap.SeatsWereHeld:
			t.holds++
		case seatmap.OrderWasCompleted:
			t.purchases++
		case seatmap.OrderHasExpired:
			if order, ok := o.state.Order(f.Order); ok && len(order.Seats) > 0 {
				t.expired++
			}
		case seatmap.EventCreated, seatmap.SettingsChanged, seatmap.SeatsWereBlocked, seatmap.SeatsWereUnblocked,
			seatmap.AuthorizeStarted, seatmap.AuthorizeWasGranted, seatmap.AuthorizeWasDeclined, seatmap.CaptureStarted,
			seatmap.CaptureWasRefused, seatmap.OrderWasCancelled, seatmap.AuthorizationWasVoided, seatmap.SessionWasEnded,
			seatmap.Answered, seatmap.Forgotten: // nothing that is counted
		}
	}
	return t
}

// meter of an actor that begins; mailbox counts the messages that wait for it.
func (m *Metrics) meter(eventID string, mailbox func() int) *meter {
	if m == nil {
		return nil
	}
	t := &meter{all: m, eventID: eventID, mailbox: mailbox}
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.label = m.labelled < eventsLabelledMax; t.label {
		m.labelled++
	}
	m.meters[t] = struct{}{}
	return t
}

// leave ends the meter.
func (t *meter) leave() {
	if t == nil {
		return
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if _, ok := t.all.meters[t]; !ok {
		return
	}
	delete(t.all.meters, t)
	if t.label {
		t.all.labelled--
	}
}

// activating notes that an activation begins.
func (t *meter) activating() {
	if t != nil {
		t.enter(activating)
		t.begun = t.all.clock.Elapsed()
	}
}

// activated notes how it ended.
func (t *meter) activated(err error) {
	if t == nil {
		return
	}
	var missing *messages.EventNotFoundError
	outcome := "active"
	switch {
	case errors.As(err, &missing):
		outcome = "not_found"
	case isBroken(err):
		outcome = "broken"
	case err != nil:
		outcome = "unavailable"
	}
	if err == nil {
		t.enter(running)
	}
	t.all.failed(err)
	t.all.activations.WithLabelValues(outcome).Observe((t.all.clock.Elapsed() - t.begun).Seconds())
}

// enter a phase. Of what an owner had open, nothing is, but where it is running.
func (t *meter) enter(p phase) {
	if t == nil {
		return
	}
	if p == quarantined {
		t.all.quarantines.Inc()
	}
	t.phase.Store(uint64(p))
	t.flight, t.calls = tally{}, openOperations{}
	t.forming.Store(0)
	t.waiters.Store(0)
	for i := range t.live {
		t.live[i].Store(0)
	}
	t.unprojected.Store(0)
	t.unprojectedFor.Store(0)
	t.showCalls()
	if p == ended {
		t.leave()
	}
}

// late notes how long after the moment that it wanted to be woken at an owner is.
func (t *meter) late(by seatmap.Time) {
	if t != nil {
		t.all.deadlineLag.Observe((time.Duration(max(by, 0)) * time.Millisecond).Seconds())
	}
}

// stepped notes what a step of the owner says.
func (t *meter) stepped(o *Owner, in Input, out *Effects) {
	if t == nil {
		return
	}
	m, now := t.all, t.all.clock.Elapsed()
	switch in := in.(type) {
	case Committed:
		m.failed(in.Err)
		if in.Err == nil {
			t.committed(now)
		}
	case Paid:
		m.failed(in.Result.Err)
		t.calls.ended(in.Result.Op, o.waitsFor(in.Result.Op))
	case Projected:
		t.projected(o, in)
	case Asked, Due:
	}
	m.sent(out.Replies)
	for i := range out.Calls {
		t.calls.asked(out.Calls[i].Op, now)
	}
	if len(out.Bugs) > 0 {
		m.bugs.Add(float64(len(out.Bugs)))
	}
	if out.Commit != nil {
		t.flight, t.sentAt = tallyOf(o), now
		for status, n := range o.state.OrderCounts() {
			if status < len(t.live) {
				t.live[status].Store(n)
			}
		}
	}
	if _, paid := in.(Paid); paid || len(out.Calls) > 0 {
		t.showCalls()
	}
	t.epoch.Store(o.epoch)
	t.forming.Store(int64(o.forming.commands))
	t.waiters.Store(int64(len(o.waiters)))
	t.unprojected.Store(int64(o.committed - min(o.projected, o.committed)))
	if o.projected >= o.committed {
		t.unprojectedFor.Store(0)
	} else {
		t.unprojectedFor.CompareAndSwap(0, int64(max(now, 1)))
	}
	if out.ProjectTo != 0 {
		t.projectTo = now
	}
}

// committed counts what the batch in flight says.
func (t *meter) committed(now time.Duration) {
	m, b := t.all, t.flight
	m.batchCommands.Observe(float64(b.commands))
	m.batchTime.Observe((now - t.sentAt).Seconds())
	m.purchases.Add(float64(b.purchases))
	m.seatsSold.Add(float64(b.tickets))
	m.created.Add(float64(b.created))
	m.holds.Add(float64(b.holds))
	m.holdsExpired.Add(float64(b.expired))
	if b.moved != nil {
		for i, n := range []int{len(b.moved.GetAvailable()), len(b.moved.GetHeld()), len(b.moved.GetSold()), len(b.moved.GetBlocked())} {
			m.seatsMoved[i].Add(float64(n))
		}
	}
	t.flight = tally{}
}

// projected notes a projection's end: what is still to be projected was committed after it began.
func (t *meter) projected(o *Owner, in Projected) {
	if in.Err != nil {
		t.all.failed(in.Err)
		t.all.projectionsFailed.Inc()
		return
	}
	t.unprojectedFor.Store(0)
	if o.projected < o.committed {
		t.unprojectedFor.Store(int64(max(t.projectTo, 1)))
	}
}

package seatmap

import (
	"errors"
	"fmt"
)

// Check tells whether everything that must be true of a Map is. It looks at everything: for tests, for what has just
// been decoded, and under the build tag "invariants" after every fact.
func (m *Map) Check() error {
	return errors.Join(m.checkHead(), m.checkSeats(), m.checkOrders(), m.checkSessions(), m.checkAnswers(), m.checkQueues())
}

func (m *Map) checkHead() error {
	switch {
	case !m.created:
		if m.seq != 0 || m.version != 0 || m.orders.len() > 0 || m.sessions.len() > 0 || m.answers.len() > 0 {
			return errors.New("seatmap: something has happened before the event was created")
		}
	case m.version == 0 || m.version > m.seq:
		return fmt.Errorf("seatmap: version %d in entry %d", m.version, m.seq)
	case m.forgotten < 0 || m.forgotten > m.clock || m.clock > timeMax:
		return fmt.Errorf("seatmap: clock %d, forgotten %d", m.clock, m.forgotten)
	case len(m.settings.Prices) != len(m.plan.categories):
		return fmt.Errorf("seatmap: %d prices for %d categories", len(m.settings.Prices), len(m.plan.categories))
	case m.turn >= 1<<63:
		return fmt.Errorf("seatmap: turn %d", m.turn)
	}
	return nil
}

// checkSeats: each held seat has just one order, no order has a seat in another state than its own status says, and
// counts and runs are those of the seats.
func (m *Map) checkSeats() error {
	var counts Counts
	for _, seat := range m.seats {
		*counts.of(Seat(seat))++
	}
	if counts != m.counts {
		return fmt.Errorf("seatmap: counts are %+v, seats say %+v", m.counts, counts)
	}
	taken := make([]bool, len(m.seats))
	held := 0
	for slot := range m.orders.end {
		o := m.orders.at(slot)
		want := SeatHeld
		if o.status == StatusCompleted {
			want = SeatSold
		}
		if !o.status.Live() && o.status != StatusCompleted {
			continue
		}
		for _, i := range o.seats {
			if taken[i] || m.seats[i] != byte(want) {
				return fmt.Errorf("seatmap: order %s of status %d has seat %d, which is not its own", short(o.id), o.status, i)
			}
			taken[i] = true
			if want == SeatHeld {
				held++
			}
		}
	}
	if held != counts.Held {
		return fmt.Errorf("seatmap: %d seats held, %d by orders", counts.Held, held)
	}
	for s, runs := range m.runs {
		if m.recount(int32(s)); m.runs[s] != runs {
			return fmt.Errorf("seatmap: runs of segment %d are %x, seats say %x", s, runs, m.runs[s])
		}
	}
	return nil
}

// plausible: the order's fields fit its status.
func (o *order) plausible() bool {
	if o.status.timed() != (o.deadline > 0) || o.status.Live() != (o.ended == 0) || o.ended < 0 || o.ended > timeMax {
		return false
	}
	if (o.money == nil) != (o.payment == PaymentNone) {
		return false
	}
	if o.money != nil && o.money.attempt == 0 || o.amount < 0 {
		return false
	}
	has := func(payments ...PaymentStatus) bool {
		for _, p := range payments {
			if o.payment == p {
				return true
			}
		}
		return false
	}
	switch o.status {
	case StatusPending:
		return has(PaymentNone) && len(o.seats) == 0
	case StatusReserved:
		return has(PaymentNone, PaymentRefused) && len(o.seats) > 0
	case StatusAuthorizing:
		return has(PaymentAuthorizing) && len(o.seats) > 0
	case StatusAuthorized:
		return has(PaymentAuthorized) && len(o.seats) > 0
	case StatusCapturing:
		return has(PaymentCapturing) && len(o.seats) > 0
	case StatusCompleted:
		return has(PaymentCaptured) && len(o.seats) > 0
	case StatusExpired, StatusCancelled:
		return has(PaymentNone) || has(PaymentRefused, PaymentAuthorizing, PaymentVoiding, PaymentVoided) && len(o.seats) > 0
	case StatusPaymentFailed:
		return has(PaymentVoiding, PaymentVoided) && len(o.seats) > 0
	}
	return false
}

func (m *Map) checkOrders() error {
	var statuses [orderStatuses]uint64
	pending := 0
	for slot := range m.orders.end {
		o := m.orders.at(slot)
		if o.status == 0 {
			continue
		}
		statuses[o.status]++
		if !o.plausible() || o.turn == 0 || o.turn > m.turn || o.created > m.clock || o.ended > max(m.clock, 1) {
			return fmt.Errorf("seatmap: order %s does not fit its status %d: payment %d, turn %d, created %d, deadline %d, ended %d, %d seats",
				short(o.id), o.status, o.payment, o.turn, o.created, o.deadline, o.ended, len(o.seats))
		}
		if found, ok := m.findOrder(o.id); !ok || found != slot {
			return fmt.Errorf("seatmap: order %s is not in the index", short(o.id))
		}
		if o.money != nil && o.money.pending != (Key{}) {
			pending++
			if found, ok := m.findPending(o.money.pending.Scope); !ok || found != o {
				return fmt.Errorf("seatmap: the pending key of order %s is not in the index", short(o.id))
			}
		}
	}
	if m.orderIndex.used != m.orders.len() || m.pendingIndex.used != pending {
		return errors.New("seatmap: the index has orders or pending keys that are not there")
	}
	for s := range statuses {
		live := OrderStatus(s).Live() || s == 0
		if m.statuses[s] < statuses[s] || live && m.statuses[s] != statuses[s] {
			return fmt.Errorf("seatmap: %d orders of status %d counted, %d there", m.statuses[s], s, statuses[s])
		}
	}
	return nil
}

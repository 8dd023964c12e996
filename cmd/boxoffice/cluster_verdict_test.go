package main_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// end lets the buyers finish what they have begun, and judges all that was acknowledged. All nodes must serve.
func (l *trade) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	t.Logf("load: %s; %d orders completed, %d held", l.tally, len(l.completed), len(l.held))
	if len(l.faults) > 0 {
		t.Errorf("%d faults under load, the first: %v", len(l.faults), errors.Join(l.faults[:min(3, len(l.faults))]...))
	}
	l.c.allUp(patience)
	must(t, awaitSettled(t, l.c.database))
	l.replay(t)
	l.noneTwice(t)
	l.stillHeld(t)
	verify(t, l.c.database)
}

// replay asks for every sale again from every node, and for every other answer from one of them.
func (l *trade) replay(t *testing.T) {
	t.Helper()
	nodes := l.c.nodes
	each(t, patronsCount, func(i int) error {
		for n := i; n < len(l.said); n += patronsCount {
			said := l.said[n]
			for k, node := range nodes {
				if !said.sale && n%len(nodes) != k {
					continue
				}
				if err := said.same(insist(func() answer { return said.again(node.server) })); err != nil {
					return fmt.Errorf("lost, asked again from %s: %w", node.name, err)
				}
			}
		}
		return nil
	})
}

// noneTwice compares what was sold with the tickets that there are.
func (l *trade) noneTwice(t *testing.T) {
	t.Helper()
	sold := map[string]string{}
	for _, p := range l.completed {
		for _, seat := range p.Tickets {
			at := p.event + " " + seat.SeatID
			if before := sold[at]; before != "" && before != p.OrderID {
				t.Errorf("the seat %s was sold twice", at)
			}
			sold[at] = p.OrderID
		}
	}
	stored := query[string](t, l.c.database, `
select event_id || ' ' || seat_id from ticket where voided_at is null order by 1`)
	if len(slices.Compact(slices.Clone(stored))) != len(stored) {
		t.Error("a seat has two tickets")
	}
	for at := range sold {
		if _, found := slices.BinarySearch(stored, at); !found {
			t.Errorf("the seat %s was sold, and has no ticket", at)
		}
	}
	if len(l.faults) == 0 && len(stored) != len(sold) {
		t.Errorf("%d seats have a ticket, %d were sold", len(stored), len(sold))
	}
}

// stillHeld looks at the holds that were acknowledged, as long as they must last, from all nodes in turn.
func (l *trade) stillHeld(t *testing.T) {
	t.Helper()
	for i, p := range l.held {
		b := p.on(l.c.nodes[i%len(l.c.nodes)].server)
		a := insist(func() answer { return b.order(p.OrderID) })
		if time.Until(p.HoldExpiresAt) < answerMax {
			continue
		}
		if err := a.is(200); err != nil {
			t.Errorf("a hold is lost: %v", err)
			continue
		}
		if o := a.order(); o.Status != "RESERVED" || len(o.Seats) != len(p.Seats) || o.Seats[0] != p.Seats[0] {
			t.Errorf("a hold is lost before its end at %v: %s", p.HoldExpiresAt, a.body)
		}
	}
}

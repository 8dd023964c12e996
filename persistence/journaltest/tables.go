package journaltest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"boxoffice/messages"
)

func oneTicketASeat(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	sale := Batch(eventID, c.Epoch, 2)
	sale.Tickets = []messages.TicketRow{Ticket(ID("order", 1), 3), Ticket(ID("order", 1), 2), Ticket(ID("order", 2), 7)}
	commit(t, j, sale)

	for name, tickets := range map[string][]messages.TicketRow{
		"sold before":      {Ticket(ID("order", 3), 8), Ticket(ID("order", 3), 7)},
		"twice in a batch": {Ticket(ID("order", 3), 8), Ticket(ID("order", 4), 8)},
	} {
		b := Batch(eventID, c.Epoch, 3)
		b.Tickets = tickets
		if err := j.Commit(ctx, b); err == nil || errors.Is(err, messages.ErrFenced) || !f.IsDoubleSale(err) {
			t.Errorf("a seat %s: %v, want the refusal of a double sale", name, err)
		}
	}
	s := f.State(t, eventID)
	want := []messages.TicketRow{Ticket(ID("order", 1), 2), Ticket(ID("order", 1), 3), Ticket(ID("order", 2), 7)}
	want[0].N, want[1].N, want[2].N = 2, 1, 1 // in the batch's sequence
	if s.LastSeq != 2 || !reflect.DeepEqual(s.Tickets, want) {
		t.Errorf("after refused sales: last entry %d, tickets %v", s.LastSeq, s.Tickets)
	}
	next := Batch(eventID, c.Epoch, 3)
	next.Tickets = []messages.TicketRow{Ticket(ID("order", 3), 8)}
	commit(t, j, next)
}

func recoverySnapshot(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	r, err := j.Recover(ctx, eventID)
	if err != nil {
		t.Fatal(err)
	}
	record := NewEvent(eventID, 20)
	if r.Snapshot != nil || r.SnapshotSeq != 0 || r.LastAt != entries(t, j, 0, 1)[0].At || r.LastAt == 0 || r.PlanHash != record.PlanHash {
		t.Errorf("of a fresh event: %+v", r)
	}
	if n := len(r.Plan.GetSections()[0].GetRows()); n != 2 {
		t.Errorf("a plan of %d rows, want 2", n)
	}
	for seq := uint64(2); seq <= 5; seq++ {
		commit(t, j, Batch(eventID, c.Epoch, seq))
	}
	project(t, f, messages.Projection{From: 1, To: 4, Snapshot: []byte("state 4")})
	r, err = j.Recover(ctx, eventID)
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Snapshot) != "state 4" || r.SnapshotSeq != 4 || r.LastAt != Base+5 {
		t.Errorf("snapshot %q of %d, last at %d", r.Snapshot, r.SnapshotSeq, r.LastAt)
	}
	if tail := entries(t, j, r.SnapshotSeq, 5); len(tail) != 1 || tail[0].Seq != 5 {
		t.Errorf("the tail is %+v", tail)
	}
}

func project(t *testing.T, f Fixture, p messages.Projection) {
	t.Helper()
	p.EventID = eventID
	if err := f.ReadModel.Project(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// step is what entry seq changed: one order takes one seat or gives it back, and pays.
func step(seq uint64) messages.Projection {
	n := int(seq) //nolint:gosec // small
	order := ID("order", n%3)
	seat := messages.SeatRow{Index: int32(n % 5), State: 'H', OrderID: order} //nolint:gosec // small
	if n%2 == 0 {
		seat = messages.SeatRow{Index: seat.Index, State: 'A'}
	}
	return messages.Projection{
		EventID: eventID, From: seq - 1, To: seq, Seats: []messages.SeatRow{seat},
		Orders: []messages.OrderRow{{
			OrderID: order, SessionID: ID("session", n%3), Status: messages.OrderStatus(1 + n%9), Seats: []int32{seat.Index, 9}, //nolint:gosec // small
			Amount: int64(n), HoldExpiresAt: Base + int64(n), CreatedAt: Base, EndedAt: int64(n % 2),
		}},
		Payments: []messages.PaymentRow{{OrderID: order, Attempt: uint32(1 + n%2), Status: messages.PaymentCaptured, Amount: int64(n), Code: fmt.Sprint(n)}}, //nolint:gosec // small
		Snapshot: fmt.Appendf(nil, "state %d", n),
	}
}

// journalOf makes an event whose journal ends at last.
func journalOf(t *testing.T, f Fixture, last uint64) {
	create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	for seq := uint64(2); seq <= last; seq++ {
		commit(t, j, Batch(eventID, c.Epoch, seq))
	}
}

func readModelState(t *testing.T, f Fixture) {
	journalOf(t, f, 7)
	s := f.State(t, eventID)
	if len(s.Seats) != 20 || s.ProjectedSeq != 1 {
		t.Fatalf("a fresh event has %d seats and is projected up to %d", len(s.Seats), s.ProjectedSeq)
	}
	for i, seat := range s.Seats {
		if want := (messages.SeatRow{Index: int32(i), State: 'A'}); seat != want { //nolint:gosec // small
			t.Errorf("a fresh seat: %+v", seat)
		}
	}
	seats, orders := map[int32]messages.SeatRow{}, map[[16]byte]messages.OrderRow{}
	payments := map[string]messages.PaymentRow{}
	for seq := uint64(2); seq <= 7; seq++ {
		p := step(seq)
		project(t, f, p)
		seats[p.Seats[0].Index], orders[p.Orders[0].OrderID] = p.Seats[0], p.Orders[0]
		payments[fmt.Sprint(p.Payments[0].OrderID, p.Payments[0].Attempt)] = p.Payments[0]
	}
	s = f.State(t, eventID)
	for i, seat := range s.Seats {
		if want, changed := seats[int32(i)]; changed && seat != want { //nolint:gosec // small
			t.Errorf("seat %+v, want %+v", seat, want)
		}
	}
	if len(s.Orders) != len(orders) || len(s.Payments) != len(payments) {
		t.Errorf("%d orders, %d payments", len(s.Orders), len(s.Payments))
	}
	for _, o := range s.Orders {
		if want := orders[o.OrderID]; !reflect.DeepEqual(o, want) {
			t.Errorf("order %+v, want %+v", o, want)
		}
	}
	for _, p := range s.Payments {
		if want := payments[fmt.Sprint(p.OrderID, p.Attempt)]; p != want {
			t.Errorf("payment %+v, want %+v", p, want)
		}
	}
}

// projectorRepeats: every step is tried again from every earlier number, after each step forward.
func projectorRepeats(t *testing.T, f Fixture) {
	const last = 8
	journalOf(t, f, last)
	for to := uint64(2); to <= last; to++ {
		project(t, f, step(to))
		before := f.State(t, eventID)
		for from := uint64(0); from < to; from++ {
			for _, p := range []messages.Projection{step(from + 1), {EventID: eventID, From: from, To: last, Seats: step(3).Seats}} {
				if err := f.ReadModel.Project(t.Context(), p); !errors.Is(err, messages.ErrProjected) {
					t.Fatalf("projected from %d again at %d: %v", p.From, to, err)
				}
			}
		}
		ahead := step(last)
		ahead.From, ahead.To = last+1, last+2
		if err := f.ReadModel.Project(t.Context(), ahead); !errors.Is(err, messages.ErrProjected) {
			t.Fatalf("projected from ahead: %v", err)
		}
		if after := f.State(t, eventID); !reflect.DeepEqual(after, before) {
			t.Fatalf("a repetition at %d changed the read model", to)
		}
	}
}

// projectorsRace: two projectors fold the same journal at the same time; of each step one is done.
func projectorsRace(t *testing.T, f Fixture) {
	const last = 12
	journalOf(t, f, last)
	moved := make([]int, 2)
	failures := make([]error, 2)
	var wg sync.WaitGroup
	for i := range moved {
		wg.Go(func() {
			for {
				at, err := f.ReadModel.Projected(t.Context(), eventID)
				if err != nil || at == last {
					failures[i] = err
					return
				}
				err = f.ReadModel.Project(t.Context(), step(at+1))
				switch {
				case err == nil:
					moved[i]++
				case !errors.Is(err, messages.ErrProjected):
					failures[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	if moved[0]+moved[1] != last-1 {
		t.Errorf("%d steps were made for %d entries", moved[0]+moved[1], last-1)
	}
	s := f.State(t, eventID)
	if o := step(last).Orders[0]; s.SnapshotSeq != last || s.Orders[indexOf(s.Orders, o.OrderID)].Amount != o.Amount {
		t.Errorf("snapshot of %d, orders %+v", s.SnapshotSeq, s.Orders)
	}
}

func indexOf(orders []messages.OrderRow, id [16]byte) int {
	for i := range orders {
		if orders[i].OrderID == id {
			return i
		}
	}
	panic("no such order")
}

func projectUncommitted(t *testing.T, f Fixture) {
	journalOf(t, f, 3)
	p := step(2)
	p.To = 4
	if err := f.ReadModel.Project(t.Context(), p); err == nil || errors.Is(err, messages.ErrProjected) {
		t.Errorf("projected past the journal's end: %v", err)
	}
	if err := f.ReadModel.Project(t.Context(), messages.Projection{EventID: eventID, From: 1, To: 1}); err == nil {
		t.Error("projected nowhere")
	}
	if s := f.State(t, eventID); s.ProjectedSeq != 1 || s.SnapshotSeq != 0 || s.Seats[2].State != 'A' {
		t.Errorf("something was written: %+v", s)
	}
}

// snapshotRace: the projector of a deposed owner is slow with its snapshot of 3 when its successor's, of 5, is written.
func snapshotRace(t *testing.T, f Fixture) {
	journalOf(t, f, 5)
	old := messages.Projection{EventID: eventID, From: 1, To: 3, Snapshot: []byte("state 3")}
	claim(t, f.Journal("b"))
	project(t, f, messages.Projection{From: 1, To: 5, Snapshot: []byte("state 5")})
	if err := f.ReadModel.Project(t.Context(), old); !errors.Is(err, messages.ErrProjected) {
		t.Errorf("the late snapshot: %v", err)
	}
	r, err := f.Journal("b").Recover(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	if r.SnapshotSeq != 5 || string(r.Snapshot) != "state 5" {
		t.Errorf("snapshot %q of %d", r.Snapshot, r.SnapshotSeq)
	}
}

package journaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"boxoffice/messages"
)

const eventID = "E1"

// create makes the event of a test, with 20 seats.
func create(t *testing.T, f Fixture) context.Context {
	t.Helper()
	ctx := t.Context()
	if err := f.Catalogue.CreateEvent(ctx, NewEvent(eventID, 20)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func claim(t *testing.T, j Journal) messages.Claim {
	t.Helper()
	c, err := j.Claim(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func commit(t *testing.T, j Journal, b messages.Batch) {
	t.Helper()
	if err := j.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// fenced fails the test unless the commit is refused for its epoch or number.
func fenced(t *testing.T, j Journal, b messages.Batch) {
	t.Helper()
	if err := j.Commit(t.Context(), b); !errors.Is(err, messages.ErrFenced) {
		t.Fatalf("commit of epoch %d: %v, want ErrFenced", b.Epoch, err)
	}
}

func entries(t *testing.T, j Journal, after, upTo uint64) (all []messages.Entry) {
	t.Helper()
	err := j.Entries(t.Context(), eventID, after, upTo, func(e messages.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// replayed is the batch's entry as whoever replays it reads it: without the answers and what was moved.
func replayed(b messages.Batch) messages.Entry {
	e := *b.Entry
	e.Answers, e.Moved = nil, nil
	return e
}

func claimRaisesTheEpoch(t *testing.T, f Fixture) {
	create(t, f)
	a, b := f.Journal("a"), f.Journal("b")
	first, second, third := claim(t, a), claim(t, b), claim(t, b)
	if first.Epoch == 0 || second.Epoch != first.Epoch+1 || third.Epoch != second.Epoch+1 {
		t.Errorf("epochs %d, %d, %d", first.Epoch, second.Epoch, third.Epoch)
	}
	if third.LastSeq != 1 || first.Now <= 0 || third.Now < first.Now {
		t.Errorf("claims %+v, then %+v", first, third)
	}
}

func unknownEvent(t *testing.T, f Fixture) {
	ctx, j := t.Context(), f.Journal("a")
	_, claimErr := j.Claim(ctx, "E9")
	_, recoverErr := j.Recover(ctx, "E9")
	_, projectedErr := f.ReadModel.Projected(ctx, "E9")
	for _, err := range []error{claimErr, recoverErr, projectedErr} {
		var unknown *messages.EventNotFoundError
		if !errors.As(err, &unknown) || unknown.EventID != "E9" {
			t.Errorf("%v, want EventNotFoundError of E9", err)
		}
	}
	fenced(t, j, Batch("E9", 1, 2))
}

func createdOnce(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	commit(t, j, Batch(eventID, claim(t, j).Epoch, 2))
	err := f.Catalogue.CreateEvent(ctx, NewEvent(eventID, 30))
	var exists *messages.EventExistsError
	if !errors.As(err, &exists) || exists.EventID != eventID {
		t.Errorf("%v, want EventExistsError of %s", err, eventID)
	}
	if s := f.State(t, eventID); s.LastSeq != 2 || len(s.Seats) != 20 {
		t.Errorf("after a second creation: last entry %d, %d seats", s.LastSeq, len(s.Seats))
	}
}

func staleEpoch(t *testing.T, f Fixture) {
	create(t, f)
	a, b := f.Journal("a"), f.Journal("b")
	old := claim(t, a)
	commit(t, a, Batch(eventID, old.Epoch, 2))
	fresh := claim(t, b)

	late := Batch(eventID, old.Epoch, 3)
	late.Tickets = []messages.TicketRow{Ticket(ID("order", 1), 1)}
	fenced(t, a, late)
	fenced(t, a, Batch(eventID, old.Epoch, 3))
	fenced(t, a, Batch(eventID, fresh.Epoch+1, 3))
	if s := f.State(t, eventID); s.LastSeq != 2 || len(s.Tickets) != 0 {
		t.Fatalf("the deposed owner wrote: last entry %d, %d tickets", s.LastSeq, len(s.Tickets))
	}
	commit(t, b, Batch(eventID, fresh.Epoch, 3))
	if got := entries(t, b, 2, 3)[0]; got.Epoch != fresh.Epoch {
		t.Errorf("entry 3 is of epoch %d, want %d", got.Epoch, fresh.Epoch)
	}
}

func wrongSeq(t *testing.T, f Fixture) {
	create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	commit(t, j, Batch(eventID, c.Epoch, 2))
	for _, seq := range []uint64{2, 4, 5} {
		b := Batch(eventID, c.Epoch, seq)
		fenced(t, j, b)
		b.Tickets = []messages.TicketRow{Ticket(ID("order", 1), 1)}
		fenced(t, j, b)
	}
	if s := f.State(t, eventID); s.LastSeq != 2 || len(s.Tickets) != 0 {
		t.Errorf("last entry %d, %d tickets", s.LastSeq, len(s.Tickets))
	}
	commit(t, j, Batch(eventID, c.Epoch, 3))
}

func deposedRefusals(t *testing.T, f Fixture) {
	create(t, f)
	a, b := f.Journal("a"), f.Journal("b")
	old := claim(t, a)
	commit(t, a, messages.Batch{EventID: eventID, Epoch: old.Epoch})
	fresh := claim(t, b)
	fenced(t, a, messages.Batch{EventID: eventID, Epoch: old.Epoch})
	commit(t, b, messages.Batch{EventID: eventID, Epoch: fresh.Epoch})
	if s := f.State(t, eventID); s.LastSeq != 1 {
		t.Errorf("a check of the fence took entry %d", s.LastSeq)
	}
}

func deadlineAlone(t *testing.T, f Fixture) {
	create(t, f)
	a, b := f.Journal("a"), f.Journal("b")
	old := claim(t, a)
	commit(t, a, Batch(eventID, old.Epoch, 2))
	due := func(want int64) {
		t.Helper()
		if s := f.State(t, eventID); s.NextDue != want || s.LastSeq != 2 {
			t.Errorf("after entry %d it is due at %d, want %d after entry 2", s.LastSeq, s.NextDue, want)
		}
	}
	due(Base + 1)
	commit(t, a, messages.Batch{EventID: eventID, Epoch: old.Epoch})
	due(Base + 1)
	commit(t, a, messages.Batch{EventID: eventID, Epoch: old.Epoch, NextDue: Base + 7})
	due(Base + 7)
	claim(t, b)
	fenced(t, a, messages.Batch{EventID: eventID, Epoch: old.Epoch, NextDue: Base + 9})
	due(Base + 7)
}

// unsoundBatch: an entry of another epoch than its batch's, or tickets that no entry sold, are a bug of the caller's.
func unsoundBatch(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	other := Batch(eventID, c.Epoch, 2)
	other.Entry.Epoch++
	empty := Batch(eventID, c.Epoch, 2)
	empty.Entry.Facts = nil
	loose := messages.Batch{EventID: eventID, Epoch: c.Epoch, Tickets: []messages.TicketRow{Ticket(ID("order", 1), 1)}}
	for i, b := range []messages.Batch{other, empty, loose} {
		if err := j.Commit(ctx, b); err == nil || errors.Is(err, messages.ErrFenced) {
			t.Errorf("batch %d: %v", i, err)
		}
	}
	if s := f.State(t, eventID); s.LastSeq != 1 || len(s.Tickets) != 0 {
		t.Errorf("last entry %d, %d tickets", s.LastSeq, len(s.Tickets))
	}
}

func lostReply(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	commit(t, j, Batch(eventID, c.Epoch, 2))

	lost := Batch(eventID, c.Epoch, 3)
	err := f.LoseReply(func() error { return j.Commit(ctx, lost) })
	if err == nil || errors.Is(err, messages.ErrFenced) {
		t.Fatalf("the lost commit: %v, want an error that leaves it open", err)
	}
	again := claim(t, j)
	if again.LastSeq != 3 {
		t.Fatalf("claimed with last entry %d, want 3", again.LastSeq)
	}
	if got, want := entries(t, j, 2, 3)[0], replayed(lost); !reflect.DeepEqual(got, want) {
		t.Errorf("entry 3 is %+v, want %+v", got, want)
	}
	commit(t, j, Batch(eventID, again.Epoch, 4))
}

func entriesInOrder(t *testing.T, f Fixture) {
	ctx := create(t, f)
	j := f.Journal("a")
	c := claim(t, j)
	const last = 300 // several pages of any reader
	for seq := uint64(2); seq <= last; seq++ {
		commit(t, j, Batch(eventID, c.Epoch, seq))
	}
	all := entries(t, j, 0, last)
	if len(all) != last || all[0].Seq != 1 || string(all[0].Facts) != "created" {
		t.Fatalf("%d entries, the first %+v", len(all), all[0])
	}
	for i, e := range all[1:] {
		if want := replayed(Batch(eventID, c.Epoch, uint64(i)+2)); !reflect.DeepEqual(e, want) { //nolint:gosec // small
			t.Fatalf("entry %+v, want %+v", e, want)
		}
	}
	if part := entries(t, j, 100, 200); len(part) != 100 || part[0].Seq != 101 || part[99].Seq != 200 {
		t.Errorf("entries after 100 up to 200: %d", len(part))
	}
	if none := entries(t, j, 200, 200); len(none) != 0 {
		t.Errorf("entries after 200 up to 200: %d", len(none))
	}
	stop := errors.New("stop")
	if err := j.Entries(ctx, eventID, 0, last, func(messages.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("yield's error became %v", err)
	}
	if err := j.Entries(ctx, eventID, 0, last+1, func(messages.Entry) error { return nil }); err == nil {
		t.Error("a journal that ends early was no error")
	}
}

// movedBesideFacts: with an entry, or not at all; and whoever replays the journal does not read it.
func movedBesideFacts(t *testing.T, f Fixture) {
	create(t, f)
	j := f.Journal("a")
	old := claim(t, j)
	batch := func(seq uint64, moved []byte, tickets ...messages.TicketRow) messages.Batch {
		b := Batch(eventID, old.Epoch, seq)
		b.Entry.Moved, b.Tickets = moved, tickets
		return b
	}
	commit(t, j, batch(2, nil))
	commit(t, j, batch(3, []byte("moved 3")))
	fenced(t, j, batch(3, []byte("moved 3 again")))
	commit(t, j, batch(4, []byte("moved 4"), Ticket(ID("order", 1), 1)))
	commit(t, j, batch(5, []byte{}, Ticket(ID("order", 2), 2)))
	commit(t, j, batch(6, []byte{}))
	claim(t, j)
	fenced(t, j, batch(7, []byte("moved 7")))
	want := map[uint64]string{3: "moved 3", 4: "moved 4"}
	if got := f.State(t, eventID).Moved; !reflect.DeepEqual(got, want) {
		t.Errorf("stored is %v, want %v", got, want)
	}
	for i, e := range entries(t, j, 0, 6)[1:] {
		if want := replayed(batch(uint64(i)+2, nil)); !reflect.DeepEqual(e, want) { //nolint:gosec // small
			t.Errorf("replayed is %+v, want %+v", e, want)
		}
	}
}

// racingOwners: several nodes claim and commit side by side. Each commit that was acknowledged is in the journal, as it
// was sent; the journal has no gap; epochs never fall.
func racingOwners(t *testing.T, f Fixture) {
	create(t, f)
	const nodes, rounds, batches = 4, 10, 3
	acknowledged := make([][]messages.Entry, nodes)
	failures := make([]error, nodes)
	var wg sync.WaitGroup
	for n := range nodes {
		wg.Go(func() {
			acknowledged[n], failures[n] = raceOne(t.Context(), f.Journal(fmt.Sprint(n)), n, rounds, batches)
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	s := f.State(t, eventID)
	all := entries(t, f.Journal("reader"), 0, s.LastSeq)
	total := 1
	for _, mine := range acknowledged {
		total += len(mine)
		for _, e := range mine {
			if !reflect.DeepEqual(all[e.Seq-1], e) {
				t.Errorf("acknowledged %+v, the journal has %+v", e, all[e.Seq-1])
			}
		}
	}
	if total != len(all) {
		t.Errorf("%d entries acknowledged, %d written", total, len(all))
	}
	for i := 1; i < len(all); i++ {
		if all[i].Epoch < all[i-1].Epoch {
			t.Errorf("entry %d falls back to epoch %d", all[i].Seq, all[i].Epoch)
		}
	}
}

func raceOne(ctx context.Context, j Journal, node, rounds, batches int) (done []messages.Entry, err error) {
	for range rounds {
		c, err := j.Claim(ctx, eventID)
		if err != nil {
			return done, err
		}
		for i := range batches {
			b := Batch(eventID, c.Epoch, c.LastSeq+1+uint64(i)) //nolint:gosec // small
			b.Entry.Facts = fmt.Appendf(b.Entry.Facts, " by %d", node)
			err := j.Commit(ctx, b)
			if errors.Is(err, messages.ErrFenced) {
				break
			}
			if err != nil {
				return done, err
			}
			done = append(done, replayed(b))
		}
	}
	return done, nil
}

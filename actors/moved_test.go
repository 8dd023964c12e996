package actors_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: who follows an event by what it says has moved sees every seat as it is committed, and before whoever moved it is
// answered. Method: the simulator does it at random; here are the cases by name.

func (r *rig) moved(want *messages.SeatsMoved) {
	r.Helper()
	if !proto.Equal(r.told, want) {
		r.Errorf("moved %v, want %v", r.told, want)
	}
	r.told = nil
}

func TestMovedIsWhatABatchComesTo(t *testing.T) {
	r := newRig(t)
	r.moved(&messages.SeatsMoved{Version: 1, Previous: 1, At: int64(t0)})
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.ask("", createOrder("s2", "o2", t0+tokenTTL))
	r.ask("", reserve("s", "o", "1-3"))
	r.now++
	r.ask("", reserve("s2", "o2", "2-1"))
	r.moved(nil)
	r.commit() // entry 2: an order without seats
	r.moved(nil)
	r.now++
	r.commit()
	r.moved(&messages.SeatsMoved{Version: 3, Previous: 1, At: int64(t0) + 1, Held: []uint32{2, 10}})
	r.ask("", getOrder("s", "o"))
	r.settle()
	r.moved(nil)

	r.ask("", cancel("s", "o"))
	r.ask("", createOrder("s", "o3", t0+tokenTTL))
	r.ask("", reserve("s", "o3", "1-1"))
	r.ask("", cancel("s", "o3"))
	r.ask("", cancel("s2", "o2"))
	r.commit()
	r.moved(&messages.SeatsMoved{Version: 4, Previous: 3, At: int64(t0) + 2, Available: []uint32{2}})
	r.commit()
	r.moved(&messages.SeatsMoved{Version: 5, Previous: 4, At: int64(t0) + 2, Available: []uint32{10}})
	r.activate()
	r.moved(&messages.SeatsMoved{Version: 5, Previous: 5, At: int64(t0) + 2})

	// A version without a net effect is one all the same: the state has it.
	r.ask("", createOrder("s", "o4", t0+tokenTTL))
	r.ask("", reserve("s", "o4", "1-1"))
	r.ask("", cancel("s", "o4"))
	r.commit()
	r.commit()
	r.moved(&messages.SeatsMoved{Version: 7, Previous: 5, At: int64(t0) + 2})
	verify(t, r.projected())
}

func TestFailedCommitMovesNothing(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.ask("", reserve("s", "o", "1-3"))
	r.commit()
	if out := r.step(actors.Committed{Err: messages.ErrFenced}); out.Moved != nil {
		t.Errorf("moved %v", out.Moved)
	}
}

// Method: who is told takes its time, in which no reply may come.
func TestMovedIsToldBeforeReplies(t *testing.T) {
	// A reply that has left is there in microseconds.
	const patience = 20 * time.Millisecond
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		told := make(slowly)
		sh := s.newShell("a", func(e *actors.Env) { e.Live = told })
		next := func(reply <-chan *messages.Reply, previous uint64, held ...uint32) uint64 {
			t.Helper()
			m := <-told
			if m.GetPrevious() != previous || !slices.Equal(m.GetHeld(), held) {
				t.Errorf("told of %v, want %v after %d", m, held, previous)
			}
			select {
			case <-reply:
				t.Fatal("the reply came first")
			case <-time.After(patience):
			}
			<-told // goes on
			return m.GetVersion()
		}
		want := func(reply <-chan *messages.Reply, want messages.Outcome) {
			t.Helper()
			if got := <-reply; got.GetOutcome() != want {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		reply := sh.begin(createOrder("s", "o", sh.now()+tokenTTL))
		if v := next(reply, 1); v != 1 {
			t.Errorf("it begins at version %d", v)
		}
		want(reply, created)
		reply = sh.begin(reserve("s", "o", "1-1"))
		v := next(reply, 1, 0)
		want(reply, reserved)
		reply = sh.begin(reserve("s", "o", "1-1", "1-2"))
		next(reply, v, 1)
		want(reply, reserved)
	})
}

// slowly hands over what has moved twice, and waits each time.
type slowly chan *messages.SeatsMoved

func (l slowly) Publish(m *messages.Live) {
	if seats := m.GetSeats(); seats != nil {
		l <- seats
		l <- seats
	}
}

// bowl is the state of a created event of so many seats in one row.
func bowl(t testing.TB, seats int) *seatmap.Map {
	t.Helper()
	row := seatmap.RowSpec{Name: "1"}
	for i := range seats {
		row.Seats = append(row.Seats, seatmap.SeatSpec{ID: fmt.Sprint(i), Number: fmt.Sprint(i), X: float64(i)})
	}
	plan, err := seatmap.NewPlan(seatmap.PlanSpec{
		Hash: [32]byte{1}, Categories: []seatmap.CategorySpec{{Name: "I"}},
		Sections: []seatmap.SectionSpec{{Name: "Bowl", Rows: []seatmap.RowSpec{row}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	state := seatmap.New(plan)
	state.Apply(1, seatmap.EventCreated{PlanHash: [32]byte{1}, Settings: seatmap.Settings{Prices: []int64{4950}}})
	return state
}

// Seats at either end, in the middle and next to each other, of halls whose size fits no word and no chunk.
func TestMovedNamesEverySeat(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, seats := range []int{1, 7, 127, 128, 129, 1_252} {
		state := bowl(t, seats)
		hall := actors.NewHall(state)
		letters, version := state.Letters(nil), uint64(1)
		for seq := uint64(2); seq < 300; seq++ {
			var block, free seatmap.SeatsWereBlocked
			for range rng.IntN(4) {
				i := int32(rng.IntN(seats))
				if list := &block.Seats; state.Letters(nil)[i] == 'A' && !slices.Contains(*list, i) {
					*list = append(*list, i)
				} else if list := &free.Seats; state.Letters(nil)[i] == 'B' && !slices.Contains(*list, i) {
					*list = append(*list, i)
				}
			}
			slices.Sort(block.Seats)
			slices.Sort(free.Seats)
			if len(block.Seats) > 0 {
				state.Apply(seq, block)
			}
			if len(free.Seats) > 0 {
				state.Apply(seq, seatmap.SeatsWereUnblocked(free))
			}
			m := hall.Moved(state, seq, t0)
			if len(block.Seats)+len(free.Seats) == 0 {
				if m != nil {
					t.Fatalf("moved %v", m)
				}
				continue
			}
			letters = folded(letters, m)
			if m.GetPrevious() != version || !bytes.Equal(letters, state.Letters(nil)) || len(m.GetBlocked()) != len(block.Seats) {
				t.Fatalf("%d seats: blocked %v, unblocked %v, moved %v", seats, block, free, m)
			}
			version = m.GetVersion()
		}
	}
}

func TestWhatIsTooMuchIsLeftToTheJournal(t *testing.T) {
	m := &messages.SeatsMoved{Version: 7, Previous: 3, At: int64(t0)}
	for i := range uint32(10_000) {
		m.Blocked = append(m.Blocked, i)
	}
	if got := actors.SeatsMoved(eventID, m).GetSeats(); !proto.Equal(got, m) {
		t.Errorf("%d bytes are cut to %v", proto.Size(m), got)
	}
	for i := range uint32(10_000) {
		m.Blocked = append(m.Blocked, 10_000+i)
	}
	live := actors.SeatsMoved(eventID, m)
	want := &messages.SeatsMoved{Version: 7, Previous: 3, At: int64(t0), Omitted: true}
	if !proto.Equal(live.GetSeats(), want) || live.GetEventId() != eventID || proto.Size(m) <= actors.MovedBytesMax {
		t.Errorf("of %d bytes: %v", proto.Size(m), live)
	}
}

// BenchmarkMoved is what a batch that moves seats costs more: 100 seats, all over the hall, and the journal's encoding.
func BenchmarkMoved(b *testing.B) {
	for _, seats := range []int{1_252, 50_000} {
		for _, moved := range []int{4, 100} {
			b.Run(fmt.Sprintf("%d of %d seats", moved, seats), func(b *testing.B) {
				state := bowl(b, seats)
				hall := actors.NewHall(state)
				var some []int32
				for i := range moved {
					some = append(some, int32(i*(seats/moved)))
				}
				state.Apply(2, seatmap.SeatsWereBlocked{Seats: some})
				states := [2]*seatmap.Map{state, bowl(b, seats)}
				states[1].Apply(2, seatmap.SeatsWereBlocked{Seats: some})
				states[1].Apply(2, seatmap.SeatsWereUnblocked{Seats: some})
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					m := hall.Moved(states[n%2], 2, t0)
					if encoded, err := proto.Marshal(m); err != nil || len(encoded) < moved {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

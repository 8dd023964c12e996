package seatmap

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Goal: deadlines gives what is due in order, however pushed and killed, and does not keep the dead.
// Method: beside it a sorted slice of what is alive.
func TestDeadlines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d deadlines
		var alive []due
		live := func(x due) bool { return slices.Contains(alive, x) }
		turn := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch even(t, 4, "step") {
			case 0, 1:
				at := Time(1_000 + 100*even(t, 16, "base"))
				for range 1 + even(t, 30, "pushes") {
					turn++
					at += Time(even(t, 8, "later")) - 1
					x := due{at: at, turn: turn, slot: uint32(turn)}
					d.push(x)
					alive = append(alive, x)
				}
			case 2:
				for range min(len(alive), even(t, 10, "deaths")) {
					i := even(t, len(alive), "dead")
					alive = slices.Delete(alive, i, i+1)
				}
			case 3:
				for range min(len(alive), even(t, 10, "pops")) {
					d.trim(len(alive), live)
					nearest := slices.MinFunc(alive, compareDue)
					if x := d.pop(); x != nearest {
						t.Fatalf("popped %+v, not %+v", x, nearest)
					}
					alive = slices.DeleteFunc(alive, func(x due) bool { return x == nearest })
				}
			}
			if even(t, 4, "sweep") == 0 {
				d.sweep(live)
			}
			d.trim(len(alive), live)
			checkDeadlines(t, &d, alive, live)
		}
	})
}

func checkDeadlines(t *rapid.T, d *deadlines, alive []due, live func(due) bool) {
	slots := slotSet{has: make([]bool, 100_000)}
	for _, x := range alive {
		slots.add(x.slot)
	}
	if err := d.check("deadlines", slots, live, true); err != nil {
		t.Fatal(err)
	}
	sorted := slices.SortedFunc(slices.Values(alive), compareDue)
	now := Time(1_000 + 100*even(t, 20, "now"))
	want := slices.DeleteFunc(slices.Clone(sorted), func(x due) bool { return x.at > now })
	limit := 1 + even(t, 20, "limit")
	want = want[:min(limit, len(want))]
	if got := d.until(now, limit, live, nil); !slices.Equal(got, want) {
		t.Fatalf("until %d:\n got %+v\nwant %+v", now, got, want)
	}
	if x, ok := d.peek(); ok != (len(sorted) > 0) || ok && x != sorted[0] {
		t.Fatalf("peek gives %+v", x)
	}
}

// Goal: one who holds and gives up again and again leaves no pile of dead deadlines.
func TestDeadlinesForgetTheDead(t *testing.T) {
	var d deadlines
	alive := map[uint64]bool{}
	live := func(x due) bool { return alive[x.turn] }
	alive[0] = true
	d.push(due{at: 1, turn: 0})
	for turn := uint64(1); turn < 100_000; turn++ {
		alive[turn] = true
		d.push(due{at: Time(turn), turn: turn})
		delete(alive, turn)
		d.trim(len(alive), live)
	}
	total := len(d.heap)
	for i := range d.rings {
		total += d.rings[i].len()
	}
	if total > 2*deadlinesSpared {
		t.Errorf("%d kept for one alive", total)
	}
}

// Goal: what the design rests on: a ring costs nanoseconds where a heap costs a hundred or more.
// Method: 100,000 holds stand; each step adds one and ends the oldest.
func BenchmarkDeadlines(b *testing.B) {
	const standing = 100_000
	b.Run("ring", func(b *testing.B) {
		var d deadlines
		for i := range standing {
			d.push(due{at: Time(i), turn: uint64(i)})
		}
		stop := cpu(b)
		for i := standing; b.Loop(); i++ {
			d.push(due{at: Time(i), turn: uint64(i)})
			d.pop()
		}
		stop()
	})
	b.Run("heap", func(b *testing.B) {
		var d deadlines
		for i := range standing {
			d.heap = append(d.heap, due{at: Time(i), turn: uint64(i)})
		}
		stop := cpu(b)
		for i := standing; b.Loop(); i++ {
			d.heap = append(d.heap, due{at: Time(i), turn: uint64(i)})
			d.up(len(d.heap) - 1)
			d.popHeap()
		}
		stop()
	})
}

// Goal: the tokens of PENDING orders, which fall due in no order, do not push holds, which do, out of their rings.
func TestHoldsStayInTheirRings(t *testing.T) {
	plan := hall(t, "section Stalls\nA "+strings.Repeat("1", 200))
	m := created(plan, defaults())
	rng := rand.New(rand.NewPCG(1, 2))
	var ids minted
	for i := range int32(200) {
		now := t0 + Time(i)
		for range 5 {
			do(t, m, now, CreateOrder{Session: ids.next(), Order: ids.next(), TokenExpires: now + 300_000 + Time(rng.Int64N(300_000))})
		}
		order, session := OrderID(ids.next()), SessionID(ids.next())
		do(t, m, now, CreateOrder{Session: session, Order: order, TokenExpires: now + 600_000})
		do(t, m, now, Reserve{Session: session, Order: order, Want: Want{Seats: []string{plan.SeatID(i)}}})
	}
	if n := len(m.holds.heap); n > 0 {
		t.Errorf("%d holds are in the heap", n)
	}
	if n := len(m.tokens.heap); n == 0 {
		t.Error("no token is in the heap: the test tries nothing")
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

// Goal: why there are two queues. Method: 100,000 tokens that fall due in no order stand beside 100,000 holds; each step
// adds a hold, looks what is due, and ends the oldest hold.
func BenchmarkHoldsBesideTokens(b *testing.B) {
	const standing = 100_000
	run := func(b *testing.B, tokens, holds *deadlines) {
		rng := rand.New(rand.NewPCG(1, 2))
		turn := uint64(0)
		push := func(to *deadlines, at Time) {
			turn++
			to.push(due{at: at, turn: turn})
		}
		live := func(due) bool { return true }
		for i := range Time(standing) { // no token falls due before the last hold of the benchmark
			push(tokens, 1<<40+Time(rng.Int64N(standing)))
			push(holds, i)
		}
		stop := cpu(b)
		for now := Time(0); b.Loop(); now++ {
			push(holds, now+standing)
			if len(tokens.until(now-1, 1, live, nil))+len(holds.until(now-1, 1, live, nil)) > 0 {
				b.Fatal("something is overdue")
			}
			if x := holds.pop(); x.at != now {
				b.Fatalf("%d fell due at %d", x.at, now)
			}
		}
		stop()
	}
	b.Run("one queue", func(b *testing.B) {
		var both deadlines
		run(b, &both, &both)
	})
	b.Run("two queues", func(b *testing.B) {
		var tokens, holds deadlines
		run(b, &tokens, &holds)
	})
}

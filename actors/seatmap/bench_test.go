package seatmap

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

// The figures that the README quotes: go test -bench . -benchmem ./actors/seatmap

// arena is a hall of 50,000 seats: 25 sections of 50 rows of 40, an aisle in the middle of each row.
func arena(tb testing.TB) *Plan {
	tb.Helper()
	spec := PlanSpec{Hash: [32]byte{5}, Categories: []CategorySpec{{"I", ""}, {"II", ""}, {"III", ""}}}
	for s := range 25 {
		section := SectionSpec{Name: fmt.Sprint("Block ", s)}
		for r := range 50 {
			row := RowSpec{Name: fmt.Sprint(r + 1)}
			for n := range 40 {
				id := fmt.Sprintf("3f2b9c6e-%04d-4c1e-8a77-%06d%06d", s, r, n) // as long as a real guid
				row.Seats = append(row.Seats, SeatSpec{ID: id, Number: fmt.Sprint(n + 1), Category: s % 3, X: float64(n + n/20*2)})
			}
			section.Rows = append(section.Rows, row)
		}
		spec.Sections = append(spec.Sections, section)
	}
	plan, err := NewPlan(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return plan
}

// cpu reports the processor time of what follows, by operation. On a machine that others use too it tells more than the
// time that has passed; it counts the garbage collector's.
func cpu(b *testing.B) (stop func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

// minted makes ids as random as real ones, and alike in each run.
type minted uint64

func (n *minted) next() (id [16]byte) {
	*n++
	binary.LittleEndian.PutUint64(id[:8], uint64(*n)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(id[8:], uint64(*n)*0xc2b2ae3d27d4eb4f^0x5555)
	return id
}

func (n *minted) key() Key { return Key{Scope: n.next(), Body: n.next()} }

// shell decides and applies as the actor does, in entries of 25 commands.
type shell struct {
	tb    testing.TB
	m     *Map
	ids   minted
	now   Time
	facts []Fact
	n     uint64
}

func newShell(tb testing.TB, plan *Plan) *shell {
	return &shell{tb: tb, m: created(plan, defaults()), now: t0}
}

func (s *shell) do(c Command, want Outcome) {
	var res Result
	s.facts, res = s.m.Decide(s.now, c, s.facts[:0])
	if res.Outcome != want {
		s.tb.Fatalf("%T: %s, not %s", c, outcomeNames[res.Outcome], outcomeNames[want])
	}
	s.n++
	for _, f := range s.facts {
		s.m.Apply(2+s.n/25, f)
	}
}

func (s *shell) create() (OrderID, SessionID) {
	order, session := OrderID(s.ids.next()), SessionID(s.ids.next())
	s.do(CreateOrder{Key: s.ids.key(), Session: session, Order: order, TokenExpires: s.now + 600_000}, OrderCreated)
	return order, session
}

// halfSell sells or holds every other seat in the arena, so that no two free ones are next to each other, or, with
// pairs, every other two of four.
func (s *shell) halfSell(block int) {
	plan := s.m.Plan()
	var names []string
	for i := range int32(plan.Seats()) {
		if int(i)/block%2 == 0 {
			names = append(names, plan.SeatID(i))
		}
	}
	s.do(Block{Seats: names}, SeatsBlocked)
}

func BenchmarkDecide(b *testing.B) {
	plan := arena(b)
	b.Run("create+reserve2+cancel", func(b *testing.B) {
		s := newShell(b, plan)
		stop := cpu(b)
		for b.Loop() {
			order, session := s.create()
			i := int32(s.n*7) % 49_990
			s.do(Reserve{Key: s.ids.key(), Session: session, Order: order, Want: Want{Seats: []string{plan.SeatID(i), plan.SeatID(i + 1)}}}, SeatsReserved)
			s.do(Cancel{Key: s.ids.key(), Session: session, Order: order}, OrderCancelled)
			s.now += 1
			s.tick()
		}
		stop()
	})
	b.Run("reserve2", func(b *testing.B) {
		s := newShell(b, plan)
		order, session := s.create()
		wants := make([]Want, 16)
		for i := range wants {
			wants[i].Seats = []string{plan.SeatID(int32(i * 3000)), plan.SeatID(int32(i*3000 + 1))}
		}
		stop := cpu(b)
		for n := 0; b.Loop(); n++ {
			s.do(Reserve{Session: session, Order: order, Want: wants[n%16]}, SeatsReserved)
		}
		stop()
	})
	b.Run("refuse2", func(b *testing.B) {
		s := newShell(b, plan)
		s.halfSell(2)
		order, session := s.create()
		want := Want{Seats: []string{plan.SeatID(0), plan.SeatID(1)}}
		stop := cpu(b)
		for b.Loop() {
			s.do(Reserve{Key: s.ids.key(), Session: session, Order: order, Want: want}, SeatsUnavailable)
		}
		stop()
	})
}

func (s *shell) tick() {
	if due := s.m.NextDue(); due != 0 && due <= s.now {
		s.do(Tick{}, Ticked)
	}
}

// BenchmarkPurchase is a whole one: create, confirm two named seats, authorized, finalize, captured.
func BenchmarkPurchase(b *testing.B) {
	plan := arena(b)
	s := newShell(b, plan)
	tickets := make([]TicketID, 2)
	next := int32(0)
	stop := cpu(b)
	for b.Loop() {
		if next+2 > 50_000 {
			s, next = newShell(b, plan), 0
		}
		order, session := s.create()
		want := Want{Seats: []string{plan.SeatID(next), plan.SeatID(next + 1)}}
		next += 2
		s.do(Confirm{Key: s.ids.key(), Session: session, Order: order, Want: want, PaymentToken: "tok_visa"}, AuthorizePending)
		s.do(AuthorizeSucceeded{Order: order, Attempt: 1, Reference: "auth_3f2b9c6e"}, OrderAuthorized)
		s.do(Finalize{Key: s.ids.key(), Session: session, Order: order}, CapturePending)
		s.do(CaptureSucceeded{Order: order, Attempt: 1, Tickets: tickets}, OrderCompleted)
		s.now++
	}
	stop()
}

// BenchmarkBestAvailable asks for 4 in halls that are half sold, without holding them.
func BenchmarkBestAvailable(b *testing.B) {
	plan := arena(b)
	for _, c := range []struct {
		name  string
		block int
		want  Want
		is    Outcome
	}{
		{"first row", 50_001, Want{Quantity: 4}, SeatsReserved},
		{"last row", 0, Want{Quantity: 4}, SeatsReserved},
		{"nothing fits", 1, Want{Quantity: 4}, NotEnoughSeats},
		{"nothing fits in pairs", 2, Want{Quantity: 4}, NotEnoughSeats},
		{"only orphaning fits", 0, Want{Quantity: 4}, SeatsReserved},
		{"nothing fits in category", 2, Want{Quantity: 4, Category: "II"}, NotEnoughSeats},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newShell(b, plan)
			switch c.name {
			case "first row":
			case "last row":
				s.blockBut(func(i int) bool { return i >= 49_980 || i%2 == 0 })
			case "only orphaning fits":
				s.blockBut(func(i int) bool { return i%20 < 5 || i%20 > 5 && i%20 < 11 })
			default:
				s.halfSell(c.block)
			}
			order, session := s.create()
			reserve := Command(Reserve{Session: session, Order: order, Want: c.want})
			stop := cpu(b)
			for b.Loop() {
				var res Result
				if s.facts, res = s.m.Decide(s.now, reserve, s.facts[:0]); res.Outcome != c.is {
					b.Fatal(outcomeNames[res.Outcome])
				}
			}
			stop()
		})
	}
}

func (s *shell) blockBut(free func(int) bool) {
	var names []string
	for i := range s.m.Plan().Seats() {
		if !free(i) {
			names = append(names, s.m.Plan().SeatID(int32(i)))
		}
	}
	s.do(Block{Seats: names}, SeatsBlocked)
}

// BenchmarkExpire is a hold that runs out, in Ticks of up to 1024.
func BenchmarkExpire(b *testing.B) {
	plan := arena(b)
	s := newShell(b, plan)
	for n := 0; b.Loop(); n++ {
		if n%20_000 == 0 {
			b.StopTimer()
			s = newShell(b, plan)
			for i := range int32(20_000) {
				order, session := s.create()
				s.do(Reserve{Session: session, Order: order, Want: Want{Seats: []string{plan.SeatID(2 * i), plan.SeatID(2*i + 1)}}}, SeatsReserved)
			}
			s.now += 300_000
			b.StartTimer()
		}
		if n%1024 == 0 {
			s.do(Tick{}, Ticked)
		}
	}
}

// sold is an arena with 12,500 orders of 2, three quarters of them completed.
func sold(tb testing.TB) *shell {
	s := newShell(tb, arena(tb))
	for i := range int32(12_500) {
		order, session := s.create()
		want := Want{Seats: []string{s.m.Plan().SeatID(4 * i), s.m.Plan().SeatID(4*i + 1)}}
		s.do(Confirm{Key: s.ids.key(), Session: session, Order: order, Want: want, PaymentToken: "tok_visa"}, AuthorizePending)
		s.do(AuthorizeSucceeded{Order: order, Attempt: 1, Reference: "auth_3f2b9c6e"}, OrderAuthorized)
		if i%4 != 0 {
			s.do(Finalize{Key: s.ids.key(), Session: session, Order: order}, CapturePending)
			s.do(CaptureSucceeded{Order: order, Attempt: 1, Tickets: make([]TicketID, 2)}, OrderCompleted)
		}
		s.now++
	}
	return s
}

func BenchmarkSnapshot(b *testing.B) {
	m := sold(b).m
	snapshot := m.AppendSnapshot(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportMetric(float64(len(snapshot)), "snapshot-B")
		stop := cpu(b)
		for b.Loop() {
			snapshot = m.AppendSnapshot(snapshot[:0])
		}
		stop()
	})
	b.Run("decode", func(b *testing.B) {
		stop := cpu(b)
		for b.Loop() {
			if _, err := DecodeSnapshot(m.Plan(), snapshot); err != nil {
				b.Fatal(err)
			}
		}
		stop()
	})
}

// inUse is the heap after a collection.
func inUse() float64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// BenchmarkMemory reports bytes by runtime.MemStats: of the plan and of the state for each seat, of both for an event that
// is alive (one plan, but two states: its owner's and its projector's, so that its orders count twice too), and for each live order
// with its two seats, its session and its answers: a RESERVED one (create and reserve answered), an AUTHORIZED one
// (create and confirm answered), and one COMPLETED and kept for its 24 h (create, confirm and finalize answered).
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		before := inUse()
		plan := arena(b)
		planned := inUse()
		s := newShell(b, plan)
		empty := inUse()
		b.ReportMetric((planned-before)/50_000, "planB/seat")
		b.ReportMetric((empty-planned)/50_000, "stateB/seat")
		b.ReportMetric((planned-before+2*(empty-planned))/50_000, "liveEventB/seat")
		for _, status := range []OrderStatus{StatusReserved, StatusAuthorized, StatusCompleted} {
			s := newShell(b, plan)
			empty := inUse()
			for i := range int32(25_000) {
				s.bring(status, Want{Seats: []string{plan.SeatID(2 * i), plan.SeatID(2*i + 1)}})
			}
			s.facts = nil
			b.ReportMetric((inUse()-empty)/25_000, statusNames[status]+"-B/order")
			runtime.KeepAlive(s)
		}
		runtime.KeepAlive(s)
	}
}

func (s *shell) bring(to OrderStatus, want Want) {
	order, session := s.create()
	if to == StatusReserved {
		s.do(Reserve{Key: s.ids.key(), Session: session, Order: order, Want: want}, SeatsReserved)
		return
	}
	s.do(Confirm{Key: s.ids.key(), Session: session, Order: order, Want: want, PaymentToken: "tok_visa"}, AuthorizePending)
	s.do(AuthorizeSucceeded{Order: order, Attempt: 1, Reference: fmt.Sprintf("auth_%016x", s.n)}, OrderAuthorized)
	if to == StatusCompleted {
		s.do(Finalize{Key: s.ids.key(), Session: session, Order: order}, CapturePending)
		s.do(CaptureSucceeded{Order: order, Attempt: 1, Tickets: make([]TicketID, len(want.Seats))}, OrderCompleted)
	}
}

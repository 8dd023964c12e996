package actors

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"boxoffice/actors/seatingplan"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Verified is what Verify has to say of an event.
type Verified struct {
	// Findings say in words what differs; none: the journal, the read model, the tickets and the ledger agree.
	Findings []string
	Entries  uint64
	Sold     int
	// Open counts the payment operations under way, about which journal and ledger may differ.
	Open int
}

// Verify replays the journal of an event from its first entry and compares what it says with everything else that is
// stored: journal = read model = tickets = provider's ledger.
func Verify(a *messages.Audit) Verified {
	v := Verified{Entries: a.LastSeq}
	plan, err := seatmap.NewPlan(seatingplan.Spec(a.Plan, a.PlanHash))
	if err != nil {
		v.find("the hall cannot be built: %v", err)
		return v
	}
	r := audit{Verified: &v, a: a, state: seatmap.New(plan), tickets: make(map[int32]messages.TicketRow)}
	r.all = newFold(a.EventID, r.state)
	r.projected = newFold(a.EventID, r.state)
	if !r.replay() {
		return v
	}
	r.compareTickets()
	r.compareLedger()
	counts := r.state.Counts()
	v.Sold = counts.Sold
	return v
}

// audit is a Verify at work.
type audit struct {
	*Verified
	a     *messages.Audit
	state *seatmap.Map
	// projected collects what the read model must show, all what has happened since.
	projected, all *fold
	tickets        map[int32]messages.TicketRow // by seat, as the journal sold them
}

func (v *Verified) find(format string, args ...any) {
	v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
}

// replay the journal; false where it cannot be replayed, so that there is nothing to compare with.
func (r *audit) replay() (ok bool) {
	seq := uint64(0)
	defer func() {
		if p := recover(); p != nil {
			r.find("entry %d of the journal cannot be applied: %v", seq, p)
			ok = false
		}
	}()
	epoch := uint64(0)
	for i := range r.a.Entries {
		e := &r.a.Entries[i]
		if e.Seq != seq+1 {
			r.find("the journal has entry %d after entry %d", e.Seq, seq)
			return false
		}
		if e.Epoch < epoch {
			r.find("entry %d was written under epoch %d, after epoch %d", e.Seq, e.Epoch, epoch)
		}
		seq, epoch = e.Seq, e.Epoch
		facts, err := seatmap.DecodeEntry(e.Facts)
		if err != nil {
			r.find("entry %d of the journal cannot be read: %v", e.Seq, err)
			return false
		}
		for _, f := range facts {
			r.apply(e.Seq, f)
		}
		if e.Seq == r.a.ProjectedSeq {
			r.compareReadModel()
		}
		if e.Seq == r.a.SnapshotSeq && !bytes.Equal(r.state.AppendSnapshot(nil), r.a.Snapshot) {
			r.find("the snapshot after entry %d is not what the journal makes of it", e.Seq)
		}
	}
	if seq != r.a.LastSeq {
		r.find("the journal ends with entry %d, its owner's row says %d", seq, r.a.LastSeq)
	}
	if r.a.ProjectedSeq > seq {
		r.find("the read model claims to follow up to entry %d, the journal ends with %d", r.a.ProjectedSeq, seq)
	}
	if err := r.state.Check(); err != nil {
		r.find("the replayed state is broken: %v", err)
	}
	return true
}

func (r *audit) apply(seq uint64, f seatmap.Fact) {
	folds := []*fold{r.all}
	if seq <= r.a.ProjectedSeq {
		folds = append(folds, r.projected)
	}
	for _, fold := range folds {
		fold.observe(f, false)
	}
	r.state.Apply(seq, f)
	for _, fold := range folds {
		fold.observe(f, true)
	}
	sold, ok := f.(seatmap.OrderWasCompleted)
	if !ok {
		return
	}
	order, _ := r.state.Order(sold.Order)
	for i, seat := range order.Seats {
		if before, twice := r.tickets[seat]; twice {
			r.find("seat %s was sold twice: to order %s and to order %s", r.seat(seat), short(before.OrderID), short(sold.Order))
		}
		r.tickets[seat] = messages.TicketRow{
			TicketID: sold.Tickets[i], OrderID: sold.Order, SeatIndex: seat, SeatID: r.state.Plan().SeatID(seat),
		}
	}
}

// compareReadModel at the entry that it follows up to.
func (r *audit) compareReadModel() {
	p := r.projected.projection(0, r.a.ProjectedSeq)
	seats := make([]messages.SeatRow, r.state.Plan().Seats())
	for i := range seats {
		seats[i] = messages.SeatRow{Index: int32(i), State: byte(seatmap.SeatAvailable)}
	}
	for _, row := range p.Seats {
		seats[row.Index] = row
	}
	compare(r.Verified, "seat", seats, r.a.Seats,
		func(s messages.SeatRow) int32 { return s.Index }, r.seat,
		func(s messages.SeatRow) string { return fmt.Sprintf("%c for order %s", s.State, short(s.OrderID)) })
	compare(r.Verified, "order", p.Orders, r.a.Orders,
		func(o messages.OrderRow) [16]byte { return o.OrderID }, short,
		func(o messages.OrderRow) string {
			return fmt.Sprintf("%s seats %v amount %d hold until %d created %d ended %d session %s",
				o.Status, o.Seats, o.Amount, o.HoldExpiresAt, o.CreatedAt, o.EndedAt, short(o.SessionID))
		})
	compare(r.Verified, "payment", p.Payments, r.a.Payments, paymentRowKey, paymentKey.String,
		func(p messages.PaymentRow) string { return fmt.Sprintf("%s of %d %s", p.Status, p.Amount, p.Code) })
	r.compareEvent(p.Event)
	r.compareSessions(p.Sessions)
}

func (r *audit) compareTickets() {
	want := slices.SortedFunc(maps.Values(r.tickets), func(a, b messages.TicketRow) int { return cmp.Compare(a.SeatIndex, b.SeatIndex) })
	compare(r.Verified, "ticket of seat", want, r.a.Tickets,
		func(t messages.TicketRow) int32 { return t.SeatIndex }, r.seat,
		func(t messages.TicketRow) string {
			return fmt.Sprintf("ticket %s of order %s for %s", short(t.TicketID), short(t.OrderID), t.SeatID)
		})
}

func (r *audit) seat(i int32) string {
	if i < 0 || int(i) >= r.state.Plan().Seats() {
		return fmt.Sprintf("number %d", i)
	}
	return r.state.Plan().SeatID(i)
}

// compare two sets of rows by key and by what they say.
func compare[R any, K comparable](v *Verified, what string, want, got []R, key func(R) K, name func(K) string, say func(R) string) {
	stored := make(map[K]R, len(got))
	for _, row := range got {
		if _, twice := stored[key(row)]; twice {
			v.find("%s %s is stored twice", what, name(key(row)))
		}
		stored[key(row)] = row
	}
	for _, row := range want {
		k := key(row)
		have, ok := stored[k]
		switch {
		case !ok:
			v.find("%s %s is missing: the journal says %s", what, name(k), say(row))
		case say(have) != say(row):
			v.find("%s %s: the journal says %s, the table says %s", what, name(k), say(row), say(have))
		}
		delete(stored, k)
	}
	for _, row := range got {
		if _, left := stored[key(row)]; left {
			v.find("%s %s is stored, but the journal knows nothing of it: %s", what, name(key(row)), say(row))
		}
	}
}

func paymentRowKey(p messages.PaymentRow) paymentKey { return paymentKey{p.OrderID, p.Attempt} }

func (k paymentKey) String() string { return fmt.Sprintf("%s, attempt %d", short(k.order), k.attempt) }

// short names an id in a report: enough to find it by, not enough to use it.
func short[ID ~[16]byte](id ID) string {
	if id == (ID{}) {
		return "none"
	}
	return hex.EncodeToString(id[:4]) + "…"
}

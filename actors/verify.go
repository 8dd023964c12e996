package actors

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"boxoffice/actors/seatingplan"
	"boxoffice/actors/seatmap"
	"boxoffice/actors/ticket"
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
// stored: journal = read model = tickets = provider's ledger. Tickets' codes are checked against the keys, unless there
// are none.
func Verify(a *messages.Audit, keys ...ticket.PublicKey) Verified {
	v := Verified{Entries: a.LastSeq}
	plan, err := seatmap.NewPlan(seatingplan.Spec(a.Plan, a.PlanHash))
	if err != nil {
		v.find("the hall cannot be built: %v", err)
		return v
	}
	r := audit{
		Verified: &v, a: a, state: seatmap.New(plan),
		tickets: make(map[int32]messages.TicketRow), done: make(map[seatmap.SessionID]bool),
	}
	r.letters = r.state.Letters(nil)
	r.all = newFold(a.EventID, r.state)
	r.projected = newFold(a.EventID, r.state)
	if !r.replay() {
		return v
	}
	r.compareTickets()
	r.compareCodes(keys)
	r.compareLedger()
	r.compareLine()
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
	done           map[seatmap.SessionID]bool   // was at its limit of orders once, as of the projection
	letters        []byte                       // of all seats, after entry moved, the last that moved one
	moved          uint64
}

func (v *Verified) find(format string, args ...any) {
	v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
}

// replay the journal as far as its owner's row says, as an owner does; false where it cannot be replayed, so that there
// is nothing to compare with.
func (r *audit) replay() (ok bool) {
	var last messages.Entry
	defer func() {
		if p := recover(); p != nil {
			r.find("entry %d of the journal cannot be applied: %v", last.Seq, p)
			ok = false
		}
	}()
	for i, e := range r.a.Entries {
		if e.Seq > r.a.LastSeq {
			r.find("the journal has %d entries beyond entry %d, at which its owner's row ends", len(r.a.Entries)-i, r.a.LastSeq)
			break
		}
		if e.Seq != last.Seq+1 {
			r.find("entry %d is missing: %d follows %d", last.Seq+1, e.Seq, last.Seq)
			return false
		}
		if e.Epoch < last.Epoch || e.At < last.At {
			r.find("entry %d (epoch %d, time %d) follows epoch %d, time %d", e.Seq, e.Epoch, e.At, last.Epoch, last.At)
		}
		last = e
		facts, err := seatmap.DecodeEntry(e.Facts)
		if err != nil {
			r.find("entry %d of the journal cannot be read: %v", e.Seq, err)
			return false
		}
		for _, f := range facts {
			r.apply(e.Seq, f)
		}
		r.compareAnswers(e, facts)
		r.compareMoved(e)
		if e.Seq == r.a.ProjectedSeq {
			r.compareReadModel()
		}
		if e.Seq == r.a.SnapshotSeq && !bytes.Equal(r.state.AppendSnapshot(nil), r.a.Snapshot) {
			r.find("the snapshot after entry %d is not what the journal makes of it", e.Seq)
		}
	}
	r.compareEnd(last)
	return true
}

// compareEnd compares what refers to the journal's end.
func (r *audit) compareEnd(last messages.Entry) {
	if last.Seq != r.a.LastSeq {
		r.find("the journal ends with entry %d, its owner's row says %d", last.Seq, r.a.LastSeq)
	}
	if r.a.ProjectedSeq > r.a.LastSeq {
		r.find("the read model claims to follow up to entry %d, the journal ends with %d", r.a.ProjectedSeq, r.a.LastSeq)
	}
	if r.a.SnapshotSeq > r.a.LastSeq {
		r.find("the snapshot claims to be of entry %d, the journal ends with %d", r.a.SnapshotSeq, r.a.LastSeq)
	}
	due := r.state.NextDue()
	for range r.state.Operations() {
		due = earlier(due, seatmap.Time(last.At)+operationLeaseMillis)
	}
	// Sooner does no harm: an owner is woken and finds nothing to do.
	if due != 0 && (r.a.NextDue == 0 || r.a.NextDue > int64(due)) {
		r.find("the event is due at %d, its owner's row says %d: nobody would wake it in time", due, r.a.NextDue)
	}
	if err := r.state.Check(); err != nil {
		r.find("the replayed state is broken: %v", err)
	}
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
			TicketID: sold.Tickets[i], OrderID: sold.Order, N: int32(i) + 1, SeatIndex: seat, SeatID: r.state.Plan().SeatID(seat),
		}
	}
	if s, ok := r.state.Session(order.Session); ok && seq <= r.a.ProjectedSeq {
		r.done[order.Session] = r.done[order.Session] || sessionRow(order.Session, s, r.state.Settings()).Done
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
	r.compareSale(p.Sale)
	r.compareSessions(p.Sessions)
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

package seatmap

import (
	"cmp"
	"math"
	"slices"
)

// model is the judge: the rules of the contract once more, as plainly as they can be said, with maps and full scans
// and no thought of speed. It knows nothing of how Map works; it makes no facts, it just changes.
type model struct {
	spec     PlanSpec
	settings Settings
	now      Time // the latest that something has happened at

	seats     []modelSeat
	orders    map[OrderID]*modelOrder
	until     map[SessionID]Time // the latest token seen
	left      map[SessionID]bool
	done      map[SessionID]int // completed orders
	answers   []modelAnswer
	forgotten Time
	turns     int
	ended     [orderStatuses]uint64 // forgotten orders by status
	seq       uint64
	slot      uint32
	version   uint64
}

type modelSeat struct {
	id, section string
	row         int
	category    int
	aisle       bool // before it: it is not next to the seat before
	state       Seat
}

type modelOrder struct {
	Order
	turn             int
	pending          Key
	token, reference string
}

type modelAnswer struct {
	by      SessionID
	key     Key
	expires Time
	at      Stored
}

func newModel(spec PlanSpec, settings Settings) *model {
	md := &model{
		spec: spec, settings: settings, orders: map[OrderID]*modelOrder{}, until: map[SessionID]Time{},
		left: map[SessionID]bool{}, done: map[SessionID]int{}, seq: 1, version: 1,
	}
	rows := 0
	for _, section := range spec.Sections {
		for _, row := range section.Rows {
			gaps := []float64{}
			for i := 1; i < len(row.Seats); i++ {
				gaps = append(gaps, math.Abs(row.Seats[i].X-row.Seats[i-1].X))
			}
			usual := slices.Sorted(slices.Values(gaps))
			for i, seat := range row.Seats {
				aisle := i == 0 || gaps[i-1] > 1.5*usual[(len(usual)-1)/2]
				md.seats = append(md.seats, modelSeat{seat.ID, section.Name, rows, seat.Category, aisle, SeatAvailable})
			}
			rows++
		}
	}
	return md
}

// do is Decide and Apply in one; entry is the journal entry, if it changes anything.
func (md *model) do(now Time, entry uint64, c Command) Result {
	now = max(now, md.now)
	var res Result
	switch c := c.(type) {
	case CreateOrder:
		return md.create(now, entry, c)
	case Reserve:
		return md.reserve(now, entry, c.Session, c.Order, c.Key, c.Want, func(*modelOrder) Outcome {
			md.answer(now, entry, c.Session, c.Key)
			return SeatsReserved
		}, false)
	case Confirm:
		return md.reserve(now, entry, c.Session, c.Order, c.Key, c.Want, func(o *modelOrder) Outcome {
			md.touch(entry)
			o.Status, o.Payment, o.pending, o.token = StatusAuthorizing, PaymentAuthorizing, c.Key, c.PaymentToken
			o.Attempt, o.PaymentCode, o.reference = o.Attempt+1, "", ""
			return AuthorizePending
		}, true)
	case Finalize:
		return md.finalize(now, entry, c)
	case Cancel:
		return md.cancel(now, entry, c)
	case EndSession:
		md.leave(now, entry, c)
		res.Outcome = SessionEnded
	case Block:
		return md.block(entry, c.Seats, SeatAvailable, SeatBlocked, SeatsBlocked)
	case Unblock:
		return md.block(entry, c.Seats, SeatBlocked, SeatAvailable, SeatsUnblocked)
	case Configure:
		res.Field, res.Fault = c.Settings.Validate()
		res.Outcome = SettingsInvalid
		if res.Fault == "" {
			if !c.Settings.equal(&md.settings) {
				md.touch(entry)
			}
			md.settings, res.Outcome = c.Settings, Configured
		}
	case Tick:
		md.tick(now, entry)
		res.Outcome = Ticked
	case AuthorizeSucceeded:
		return md.payment(now, entry, c.Order, c.Attempt, PaymentAuthorizing, func(o *modelOrder, res *Result) {
			o.token, o.reference, o.Payment = "", c.Reference, PaymentVoiding
			if o.EndedAt == 0 {
				o.Status, o.Payment, res.Outcome = StatusAuthorized, PaymentAuthorized, OrderAuthorized
			}
		})
	case AuthorizeRefused:
		return md.payment(now, entry, c.Order, c.Attempt, PaymentAuthorizing, func(o *modelOrder, res *Result) {
			o.token, o.PaymentCode, o.Payment = "", c.Code, PaymentRefused
			if o.EndedAt == 0 {
				o.Status, res.Outcome, res.Code = StatusReserved, PaymentDeclined, c.Code
			}
		})
	case CaptureSucceeded:
		return md.payment(now, entry, c.Order, c.Attempt, PaymentCapturing, func(o *modelOrder, res *Result) {
			o.Payment, res.Outcome = PaymentCaptured, OrderCompleted
			md.set(entry, o.Seats, SeatSold)
			md.end(o, now, entry, StatusCompleted)
			md.done[o.Session]++
		})
	case CaptureRefused:
		return md.payment(now, entry, c.Order, c.Attempt, PaymentCapturing, func(o *modelOrder, res *Result) {
			o.Payment, o.PaymentCode, res.Outcome, res.Code = PaymentVoiding, c.Code, CaptureFailed, c.Code
			md.end(o, now, entry, StatusPaymentFailed)
		})
	case VoidSucceeded:
		return md.payment(now, entry, c.Order, c.Attempt, PaymentVoiding, func(o *modelOrder, _ *Result) {
			o.Payment = PaymentVoided
		})
	}
	return res
}

func (md *model) finalize(now Time, entry uint64, c Finalize) Result {
	o, res := md.own(now, c.Order, c.Session, c.Key)
	switch {
	case o == nil:
	case md.expired(o, now):
		res.Outcome = HoldExpired
	case o.Status != StatusAuthorized:
		res.Outcome = OrderState
	case md.settings.Status == Cancelled:
		res.Outcome = EventNotOnSale
	default:
		md.touch(entry)
		o.Status, o.Payment, o.Deadline, o.pending = StatusCapturing, PaymentCapturing, 0, c.Key
		res.Outcome = CapturePending
	}
	return res
}

func (md *model) cancel(now Time, entry uint64, c Cancel) Result {
	o, res := md.own(now, c.Order, c.Session, c.Key)
	switch {
	case o == nil:
	case md.expired(o, now):
		res.Outcome = HoldExpired
	case o.Deadline == 0:
		res.Outcome = OrderState
	default:
		md.end(o, now, entry, StatusCancelled)
		md.answer(now, entry, c.Session, c.Key)
		res.Outcome = OrderCancelled
	}
	return res
}

func (md *model) leave(now Time, entry uint64, c EndSession) {
	for _, o := range md.sorted(byTurn) {
		if o.Session == c.Session && (o.Status == StatusPending || o.Status == StatusReserved) {
			if md.expired(o, now) {
				md.end(o, now, entry, StatusExpired)
			} else {
				md.end(o, now, entry, StatusCancelled)
			}
		}
	}
	if !md.left[c.Session] || md.until[c.Session] < c.TokenExpires {
		md.touch(entry)
		md.left[c.Session] = true
		md.until[c.Session] = max(md.until[c.Session], c.TokenExpires, now)
	}
}

func (md *model) create(now Time, entry uint64, c CreateOrder) Result {
	if res, known := md.known(c.Key); known {
		return res
	}
	res := Result{Order: c.Order}
	live := 0
	for _, o := range md.orders {
		if o.Session == c.Session && o.EndedAt == 0 {
			live++
		}
	}
	switch {
	case md.left[c.Session]:
		res.Outcome = SessionLeft
	case c.TokenExpires <= now:
		res.Outcome = TokenExpired
	case c.Key != Key{} && md.answerCount(c.Session) >= 1000:
		res.Outcome, res.Limit = TooManyAnswers, 1000
	case live+md.done[c.Session] >= md.settings.MaxOrdersPerSession:
		res.Outcome, res.Limit = TooManyOrders, md.settings.MaxOrdersPerSession
	case md.orders[c.Order] != nil:
		res.Outcome = OrderExists
	case md.settings.Status != OnSale || now < md.settings.OnSaleAt:
		res.Outcome = EventNotOnSale
	default:
		md.touch(entry)
		md.now = now
		md.turns++
		md.orders[c.Order] = &modelOrder{turn: md.turns, Order: Order{
			ID: c.Order, Session: c.Session, Status: StatusPending, Deadline: c.TokenExpires, CreatedAt: now,
		}}
		md.until[c.Session] = max(md.until[c.Session], c.TokenExpires)
		md.answer(now, entry, c.Session, c.Key)
		res.Outcome = OrderCreated
	}
	return res
}

// own makes the checks that come first; o is nil where one refuses.
func (md *model) own(_ Time, id OrderID, by SessionID, key Key) (*modelOrder, Result) {
	o := md.orders[id]
	if o == nil || o.Session != by {
		return nil, Result{Outcome: OrderNotFound, Order: id}
	}
	if res, known := md.known(key); known {
		return nil, res
	}
	if (key != Key{}) && md.answerCount(by) >= 1000 {
		return nil, Result{Outcome: TooManyAnswers, Order: id, Limit: 1000}
	}
	return o, Result{Order: id}
}

func (md *model) known(key Key) (Result, bool) {
	if key == (Key{}) {
		return Result{}, false
	}
	for _, a := range md.answers {
		if a.key == key {
			return Result{Outcome: Replayed, Stored: a.at}, true
		}
		if a.key.Scope == key.Scope {
			return Result{Outcome: IdempotencyKeyReused}, true
		}
	}
	for _, o := range md.orders {
		if o.pending == key {
			return Result{Outcome: RequestInFlight, Order: o.ID}, true
		}
		if o.pending.Scope == key.Scope {
			return Result{Outcome: IdempotencyKeyReused, Order: o.ID}, true
		}
	}
	return Result{}, false
}

func (md *model) answerCount(by SessionID) (n int) {
	for _, a := range md.answers {
		if a.by == by {
			n++
		}
	}
	for _, o := range md.orders {
		if o.Session == by && o.pending != (Key{}) {
			n++
		}
	}
	return n
}

func (md *model) expired(o *modelOrder, now Time) bool {
	return o.Status == StatusExpired || o.Deadline != 0 && o.Deadline <= now
}

func (md *model) sorted(by func(a, b *modelOrder) int) (list []*modelOrder) {
	for _, o := range md.orders {
		list = append(list, o)
	}
	slices.SortFunc(list, by)
	return list
}

func byTurn(a, b *modelOrder) int { return cmp.Compare(a.turn, b.turn) }
func byDeadline(a, b *modelOrder) int {
	return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), byTurn(a, b))
}

// touch: the entry has a fact.
func (md *model) touch(entry uint64) {
	if entry > md.seq {
		md.seq, md.slot = entry, 0
	}
}

func (md *model) answer(now Time, entry uint64, by SessionID, key Key) {
	if key == (Key{}) {
		return
	}
	md.touch(entry)
	md.answers = append(md.answers, modelAnswer{by, key, now + 24*3_600_000, Stored{Seq: entry, Slot: md.slot}})
	md.until[by] = max(md.until[by], 0)
	md.slot++
	md.now = max(md.now, now)
}

func (md *model) end(o *modelOrder, now Time, entry uint64, status OrderStatus) {
	md.touch(entry)
	if status != StatusCompleted {
		md.set(entry, o.Seats, SeatAvailable)
	}
	o.Status, o.Deadline, o.EndedAt, o.pending = status, 0, now, Key{}
	if o.Payment == PaymentAuthorized {
		o.Payment = PaymentVoiding
	}
	md.now = now
}

func (md *model) set(entry uint64, seats []int32, state Seat) {
	for _, i := range seats {
		md.seats[i].state = state
		md.version = entry
	}
}

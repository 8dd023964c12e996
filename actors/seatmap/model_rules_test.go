package seatmap

import "slices"

// reserve is what reserve and confirm have in common; then does what comes after the hold.
func (md *model) reserve(
	now Time, entry uint64, by SessionID, id OrderID, key Key, want Want, then func(*modelOrder) Outcome, confirm bool,
) Result {
	o, res := md.own(now, id, by, key)
	if o == nil {
		return res
	}
	limit := md.settings.MaxSeatsPerOrder
	held := confirm && want.Empty() && o.Status != StatusPending
	var named []int32
	if !held {
		if named = md.check(want, limit, &res); res.Outcome != 0 {
			return res
		}
	}
	switch {
	case md.expired(o, now):
		res.Outcome = HoldExpired
	case o.Status != StatusPending && o.Status != StatusReserved:
		res.Outcome = OrderState
	case md.settings.Status != OnSale || now < md.settings.OnSaleAt:
		res.Outcome = EventNotOnSale
	}
	if res.Outcome != 0 {
		return res
	}
	if !held {
		if len(want.Seats) > 0 {
			for _, i := range named {
				if md.seats[i].state != SeatAvailable && !slices.Contains(o.Seats, i) {
					res.Outcome, res.Seats = SeatsUnavailable, append(res.Seats, md.seats[i].id)
				}
			}
		} else if named = md.best(want, o.Seats); named == nil {
			res.Outcome = NotEnoughSeats
		}
		if res.Outcome != 0 {
			return res
		}
		md.hold(now, entry, o, named)
	}
	res.Outcome = then(o)
	return res
}

func (md *model) hold(now Time, entry uint64, o *modelOrder, seats []int32) {
	if slices.Equal(slices.Sorted(slices.Values(seats)), slices.Sorted(slices.Values(o.Seats))) {
		return
	}
	md.touch(entry)
	if o.Status == StatusPending {
		md.turns++
		o.turn, o.Status, o.Deadline = md.turns, StatusReserved, now+Time(md.settings.HoldTTL)
	}
	md.set(entry, o.Seats, SeatAvailable)
	md.set(entry, seats, SeatHeld)
	o.Seats, o.Amount = seats, 0
	for _, i := range seats {
		o.Amount += md.settings.Prices[md.seats[i].category]
	}
}

// check makes the 422s.
func (md *model) check(want Want, limit int, res *Result) (named []int32) {
	if len(want.Seats) == 0 {
		switch {
		case want.Quantity <= 0:
			res.Outcome = SeatsRequired
		case want.Quantity > limit:
			res.Outcome, res.Limit = TooManySeats, limit
		case want.Category != "" && !slices.ContainsFunc(md.spec.Categories, func(c CategorySpec) bool { return c.Name == want.Category }):
			res.Outcome = UnknownCategory
		case want.Section != "" && !slices.ContainsFunc(md.spec.Sections, func(s SectionSpec) bool { return s.Name == want.Section }):
			res.Outcome = UnknownSection
		}
		return nil
	}
	if len(want.Seats) > limit {
		res.Outcome, res.Limit = TooManySeats, limit
		return nil
	}
	return md.find(want.Seats, res)
}

func (md *model) find(names []string, res *Result) (named []int32) {
	times := map[string]int{}
	for _, name := range names {
		i := slices.IndexFunc(md.seats, func(s modelSeat) bool { return s.id == name })
		if i < 0 {
			res.Outcome, res.Seats = UnknownSeat, append(res.Seats, name)
		}
		named = append(named, int32(i))
		times[name]++
	}
	if res.Outcome != 0 {
		return nil
	}
	for _, seat := range md.seats {
		if times[seat.id] > 1 {
			res.Outcome, res.Seats = DuplicateSeat, append(res.Seats, seat.id)
		}
	}
	return named
}

// best tries every stretch of seats.
func (md *model) best(want Want, own []int32) (found []int32) {
	free := func(i int) bool {
		return i >= 0 && i < len(md.seats) && (md.seats[i].state == SeatAvailable || slices.Contains(own, int32(i)))
	}
	together := func(i int) bool { // seat i is next to the one before
		return i > 0 && i < len(md.seats) && !md.seats[i].aisle
	}
	for _, orphansAllowed := range []bool{false, true} {
		for first := range md.seats {
			end := first + want.Quantity
			good := end <= len(md.seats)
			for i := first; good && i < end; i++ {
				seat := md.seats[i]
				good = free(i) && (i == first || together(i)) &&
					(want.Section == "" || seat.section == want.Section) &&
					(want.Category == "" || md.spec.Categories[seat.category].Name == want.Category)
			}
			if !good {
				continue
			}
			before := together(first) && free(first-1) // there is a free seat next to the stretch …
			after := together(end) && free(end)
			twoBefore := together(first-1) && free(first-2) // … and one more behind it
			twoAfter := together(end+1) && free(end+1)
			orphan := before && !twoBefore || after && !twoAfter
			if orphan && !orphansAllowed {
				continue
			}
			for i := first; i < end; i++ {
				found = append(found, int32(i))
			}
			return found
		}
	}
	return nil
}

func (md *model) block(entry uint64, names []string, from, to Seat, done Outcome) (res Result) {
	if len(names) == 0 {
		return Result{Outcome: SeatsRequired}
	}
	named := md.find(names, &res)
	if res.Outcome != 0 {
		return res
	}
	for _, i := range named {
		if md.seats[i].state != from {
			res.Outcome, res.Seats = SeatsUnavailable, append(res.Seats, md.seats[i].id)
		}
	}
	if res.Outcome == 0 {
		md.touch(entry)
		md.set(entry, named, to)
		res.Outcome = done
	}
	return res
}

// payment takes note of a provider's answer to what the order waits for; then says what follows from it.
func (md *model) payment(
	now Time, entry uint64, id OrderID, attempt uint32, waits PaymentStatus, then func(*modelOrder, *Result),
) Result {
	res := Result{Outcome: PaymentNoted, Order: id}
	o := md.orders[id]
	if o == nil || o.Payment != waits || o.Attempt != attempt {
		return res
	}
	md.touch(entry)
	if waits == PaymentAuthorizing && md.expired(o, now) && o.EndedAt == 0 {
		md.end(o, now, entry, StatusExpired)
	}
	pending := o.pending
	o.pending = Key{}
	then(o, &res)
	md.answer(now, entry, o.Session, pending)
	return res
}

// open: the provider owes an answer.
func (o *modelOrder) open() bool {
	return o.Payment == PaymentAuthorizing || o.Payment == PaymentCapturing || o.Payment == PaymentVoiding
}

// kept: an order or an answer refers to the session.
func (md *model) kept(by SessionID) bool {
	for _, o := range md.orders {
		if o.Session == by {
			return true
		}
	}
	return slices.ContainsFunc(md.answers, func(a modelAnswer) bool { return a.by == by })
}

// nextForget is when there is something to forget, as often as is allowed.
func (md *model) nextForget() (next Time) {
	for _, a := range md.answers {
		next = earlier(next, a.expires)
	}
	for _, o := range md.orders {
		if o.EndedAt != 0 && !o.open() {
			next = earlier(next, o.EndedAt+24*3_600_000)
		}
	}
	for by, until := range md.until {
		if !md.kept(by) {
			next = earlier(next, until)
		}
	}
	if next != 0 {
		next = max(next, md.forgotten+60_000)
	}
	return next
}

func earlier(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (md *model) nextDue() Time {
	next := md.nextForget()
	for _, o := range md.orders {
		next = earlier(next, o.Deadline)
	}
	return next
}

func (md *model) tick(now Time, entry uint64) {
	if next := md.nextForget(); next != 0 && next <= now {
		md.touch(entry)
		md.now, md.forgotten = now, now
		md.answers = slices.DeleteFunc(md.answers, func(a modelAnswer) bool { return a.expires <= now })
		for id, o := range md.orders {
			if o.EndedAt != 0 && o.EndedAt+24*3_600_000 <= now && !o.open() {
				delete(md.orders, id)
				md.ended[o.Status]++
			}
		}
		for by, until := range md.until {
			if until <= now && !md.kept(by) {
				delete(md.until, by)
				delete(md.left, by)
				delete(md.done, by)
			}
		}
	}
	for _, o := range md.sorted(byDeadline) {
		if o.Deadline != 0 && o.Deadline <= now {
			md.end(o, now, entry, StatusExpired)
		}
	}
}

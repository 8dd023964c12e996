package seatmap

import "slices"

// hold appends the fact that the order holds the seats, unless it holds just these.
func (m *Map) hold(facts []Fact, now Time, o *order, seats []int32) []Fact {
	deadline := now + Time(m.settings.HoldTTL)
	if o.status == StatusReserved {
		if sameSeats(o.seats, seats) {
			return facts
		}
		deadline = o.deadline // a swap does not move it
	}
	amount := int64(0)
	for _, i := range seats {
		amount += m.settings.Prices[m.plan.category[i]]
	}
	return append(facts, SeatsWereHeld{Order: o.id, Seats: seats, Deadline: deadline, Amount: amount})
}

// lookUp makes the checks of a Want that no state of the seats can heal. false: res says which failed.
func (m *Map) lookUp(w Want, res *Result) (pick, bool) {
	res.Outcome = 0
	limit := m.settings.MaxSeatsPerOrder
	switch {
	case len(w.Seats) == 0 && w.Quantity <= 0:
		res.Outcome = SeatsRequired
		return pick{}, false
	case len(w.Seats) > limit || len(w.Seats) == 0 && w.Quantity > limit:
		res.Outcome, res.Limit = TooManySeats, limit
		return pick{}, false
	case len(w.Seats) > 0:
		seats, ok := m.resolve(w.Seats, res)
		return pick{seats: seats}, ok
	}
	p := pick{quantity: w.Quantity, category: categoryAny, section: w.Section}
	if w.Category != "" {
		var ok bool
		if p.category, ok = m.plan.categoryByName(w.Category); !ok {
			res.Outcome = UnknownCategory
			return pick{}, false
		}
	}
	if w.Section != "" && !m.plan.hasSection(w.Section) {
		res.Outcome = UnknownSection
		return pick{}, false
	}
	return p, true
}

// resolve finds named seats. All that are unknown are at fault, else all that are named twice.
func (m *Map) resolve(names []string, res *Result) ([]int32, bool) {
	seats := make([]int32, 0, len(names))
	for _, name := range names {
		if i, ok := m.plan.Index(name); ok {
			seats = append(seats, i)
		} else {
			res.Outcome = UnknownSeat
			res.Seats = append(res.Seats, name)
		}
	}
	if res.Outcome != 0 {
		return nil, false
	}
	if twice := repeated(seats); len(twice) > 0 {
		res.Outcome = DuplicateSeat
		res.Seats = m.names(twice)
		return nil, false
	}
	return seats, true
}

// repeated lists, ascending, the seats that are in it more than once.
func repeated(seats []int32) (twice []int32) {
	const few = 16
	if len(seats) <= few { // the common case, without a copy
		clean := true
		for i := range seats {
			clean = clean && !slices.Contains(seats[:i], seats[i])
		}
		if clean {
			return nil
		}
	}
	sorted := slices.Sorted(slices.Values(seats))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] && (len(twice) == 0 || twice[len(twice)-1] != sorted[i]) {
			twice = append(twice, sorted[i])
		}
	}
	return twice
}

func (m *Map) names(seats []int32) []string {
	names := make([]string, len(seats))
	for i, seat := range seats {
		names[i] = m.plan.SeatID(seat)
	}
	return names
}

// choose finds the seats of a pick, where they can be had; own are the order's, and count as available.
func (m *Map) choose(p pick, own []int32, res *Result) ([]int32, bool) {
	if len(p.seats) == 0 {
		seats := m.best(p, own)
		if seats == nil {
			res.Outcome = NotEnoughSeats
		}
		return seats, seats != nil
	}
	for _, i := range p.seats {
		if !m.isFree(i, own) {
			res.Outcome = SeatsUnavailable
			res.Seats = append(res.Seats, m.plan.SeatID(i))
		}
	}
	return p.seats, len(res.Seats) == 0
}

// decideBlock turns seats from AVAILABLE to BLOCKED, or back.
func (m *Map) decideBlock(names []string, from Seat, facts []Fact) ([]Fact, Result) {
	var res Result
	if len(names) == 0 {
		return refuse(facts, res, SeatsRequired)
	}
	seats, ok := m.resolve(names, &res)
	if !ok {
		return facts, res
	}
	for _, i := range seats {
		if m.seats[i] != byte(from) {
			res.Seats = append(res.Seats, m.plan.SeatID(i))
		}
	}
	if len(res.Seats) > 0 {
		return refuse(facts, res, SeatsUnavailable)
	}

	slices.Sort(seats)
	if from == SeatAvailable {
		res.Outcome = SeatsBlocked
		return append(facts, SeatsWereBlocked{Seats: seats}), res
	}
	res.Outcome = SeatsUnblocked
	return append(facts, SeatsWereUnblocked{Seats: seats}), res
}

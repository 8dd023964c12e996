package seatmap

import "slices"

func (m *Map) decideCreate(now Time, c CreateOrder, facts []Fact) ([]Fact, Result) {
	if res, known := m.checkKey(c.Key); known {
		return facts, res
	}
	res := Result{Order: c.Order}
	slot, seen := m.findSession(c.Session)
	var s session
	if seen {
		s = *m.sessions.at(slot)
	}
	if s.ended {
		return refuse(facts, res, SessionLeft)
	}
	if c.TokenExpires <= now {
		return refuse(facts, res, TokenExpired)
	}
	if m.answersFull(c.Key, &s) {
		res.Limit = answersPerSessionMax
		return refuse(facts, res, TooManyAnswers)
	}
	if int(s.live+s.completed) >= m.settings.MaxOrdersPerSession {
		res.Limit = m.settings.MaxOrdersPerSession
		return refuse(facts, res, TooManyOrders)
	}
	if _, ok := m.findOrder(c.Order); ok {
		return refuse(facts, res, OrderExists)
	}
	if !m.onSale(now) {
		return refuse(facts, res, EventNotOnSale)
	}

	facts = append(facts, OrderWasCreated{Order: c.Order, Session: c.Session, At: now, Deadline: c.TokenExpires})
	res.Outcome = OrderCreated
	return answered(facts, now, c.Session, c.Key), res
}

func (m *Map) decideReserve(now Time, c Reserve, facts []Fact) ([]Fact, Result) {
	o, res := m.findOwn(c.Order, c.Session, c.Key)
	if o == nil {
		return facts, res
	}
	p, ok := m.lookUp(c.Want, &res)
	if !ok {
		return facts, res
	}
	if why := checkState(o, now, statuses(StatusPending, StatusReserved)); why != 0 {
		return refuse(facts, res, why)
	}
	if !m.onSale(now) {
		return refuse(facts, res, EventNotOnSale)
	}
	seats, ok := m.choose(p, o.seats, &res)
	if !ok {
		return facts, res
	}

	res.Outcome = SeatsReserved
	return answered(m.hold(facts, now, o, seats), now, c.Session, c.Key), res
}

func (m *Map) decideConfirm(now Time, c Confirm, facts []Fact) ([]Fact, Result) {
	o, res := m.findOwn(c.Order, c.Session, c.Key)
	if o == nil {
		return facts, res
	}
	var p pick
	held := c.Want.Empty() // the seats that are held already are meant
	if held && o.status == StatusPending {
		return refuse(facts, res, SeatsRequired)
	}
	if !held {
		var ok bool
		if p, ok = m.lookUp(c.Want, &res); !ok {
			return facts, res
		}
	}
	if why := checkState(o, now, statuses(StatusPending, StatusReserved)); why != 0 {
		return refuse(facts, res, why)
	}
	if !m.onSale(now) {
		return refuse(facts, res, EventNotOnSale)
	}
	if !held {
		seats, ok := m.choose(p, o.seats, &res)
		if !ok {
			return facts, res
		}
		facts = m.hold(facts, now, o, seats)
	}

	attempt := uint32(1)
	if o.money != nil {
		attempt = o.money.attempt + 1
	}
	res.Outcome = AuthorizePending
	return append(facts, AuthorizeStarted{Order: o.id, Attempt: attempt, Token: c.PaymentToken, Key: c.Key}), res
}

func (m *Map) decideFinalize(now Time, c Finalize, facts []Fact) ([]Fact, Result) {
	o, res := m.findOwn(c.Order, c.Session, c.Key)
	if o == nil {
		return facts, res
	}
	if why := checkState(o, now, statuses(StatusAuthorized)); why != 0 {
		return refuse(facts, res, why)
	}
	if m.settings.Status == Cancelled { // what is AUTHORIZED may be finalized in a paused or closed sale
		return refuse(facts, res, EventNotOnSale)
	}

	res.Outcome = CapturePending
	return append(facts, CaptureStarted{Order: o.id, Key: c.Key}), res
}

func (m *Map) decideCancel(now Time, c Cancel, facts []Fact) ([]Fact, Result) {
	o, res := m.findOwn(c.Order, c.Session, c.Key)
	if o == nil {
		return facts, res
	}
	allowed := statuses(StatusPending, StatusReserved, StatusAuthorizing, StatusAuthorized)
	if why := checkState(o, now, allowed); why != 0 {
		return refuse(facts, res, why)
	}

	res.Outcome = OrderCancelled
	facts = append(facts, OrderWasCancelled{Order: o.id, At: now})
	return answered(facts, now, c.Session, c.Key), res
}

// decideEndSession cancels what the session has not begun to pay for; what it has goes on to its own end.
func (m *Map) decideEndSession(now Time, c EndSession, facts []Fact) ([]Fact, Result) {
	res := Result{Outcome: SessionEnded}
	slot, seen := m.findSession(c.Session)
	if !seen {
		return append(facts, SessionWasEnded{Session: c.Session, Expires: max(now, c.TokenExpires)}), res
	}
	s := m.sessions.at(slot)
	unpaid := make([]uint32, 0, s.live)
	for next := s.firstLive; next != 0; next = m.orders.at(next - 1).nextLive {
		if statuses(StatusPending, StatusReserved).has(m.orders.at(next - 1).status) {
			unpaid = append(unpaid, next-1)
		}
	}
	slices.SortFunc(unpaid, m.compareTurns)
	for _, slot := range unpaid {
		if o := m.orders.at(slot); o.expired(now) {
			facts = append(facts, OrderHasExpired{Order: o.id, At: now})
		} else {
			facts = append(facts, OrderWasCancelled{Order: o.id, At: now})
		}
	}
	if !s.ended || s.until < c.TokenExpires {
		facts = append(facts, SessionWasEnded{Session: c.Session, Expires: max(now, c.TokenExpires)})
	}
	return facts, res
}

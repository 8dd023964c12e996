package seatmap

import "slices"

// decideConfigure replaces the settings. Prices and currency stand since the event's creation: orders were made on them.
func (m *Map) decideConfigure(c Configure, facts []Fact) ([]Fact, Result) {
	res := Result{Outcome: SettingsInvalid}
	res.Field, res.Fault = c.Settings.Validate()
	switch {
	case res.Fault != "":
	case c.Settings.Currency != m.settings.Currency:
		res.Field, res.Fault = "currency", "cannot be changed"
	case !slices.Equal(c.Settings.Prices, m.settings.Prices):
		res.Field, res.Fault = "prices", "cannot be changed"
	}
	if res.Fault != "" {
		return facts, res
	}
	if !c.Settings.equal(&m.settings) {
		facts = append(facts, SettingsChanged(c))
	}
	return facts, Result{Outcome: Configured}
}

func (m *Map) decideTick(now Time, facts []Fact) ([]Fact, Result) {
	limit := tickFactsMax
	if at := m.forgetDue(); at != 0 && at <= now {
		facts = append(facts, Forgotten{Before: now})
		limit--
	}
	overdue := m.tokens.until(now, limit, m.orderDue, nil)
	overdue = m.holds.until(now, limit, m.orderDue, overdue)
	slices.SortFunc(overdue, compareDue)
	for _, d := range overdue[:min(len(overdue), limit)] {
		facts = append(facts, OrderHasExpired{Order: m.orders.at(d.slot).id, At: now})
	}
	return facts, Result{Outcome: Ticked}
}

// NextDue is the nearest time at which Tick has something to do; 0: none.
func (m *Map) NextDue() Time {
	at := m.forgetDue()
	if d, ok := m.tokens.peek(); ok {
		at = earliest(at, d.at)
	}
	if d, ok := m.holds.peek(); ok {
		at = earliest(at, d.at)
	}
	return at
}

// forgetDue is when something may be forgotten, but no sooner than forgetPauseMillis after the last time; 0: nothing.
func (m *Map) forgetDue() (at Time) {
	if m.answers.len() > 0 {
		at = m.answers.at(m.answers.head).expires
	}
	if d, ok := m.endedOrders.peek(); ok {
		at = earliest(at, d.at)
	}
	if d, ok := m.idle.peek(); ok {
		at = earliest(at, d.at)
	}
	if at == 0 {
		return 0
	}
	return max(at, m.forgotten+forgetPauseMillis)
}

// earliest of two times, of which 0 is none.
func earliest(a, b Time) Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

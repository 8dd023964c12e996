package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"boxoffice/messages"
)

// tryJoin joins if nothing is in the way.
func (l *Leases) tryJoin() {
	if l.state != joining || l.entering || l.evicting || l.maybe {
		return
	}
	if err := l.keysClash(l.answering()); err != nil {
		l.lose(err)
		return
	}
	if l.joinObstacle() != nil || time.Since(l.steady.began) > l.breakAfter() {
		return
	}
	l.entering, l.tried = true, true
	began := time.Now()
	l.spawn(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.callTimeout())
		defer cancel()
		seen, err := l.cfg.Roster.Join(ctx, l.cfg.Self, l.cfg.Lease)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.entering = false
		if l.gone(err) {
			return
		}
		if l.failed(err) {
			l.maybe = true // a renewal finds out
			return
		}
		l.enter(began, seen)
	})
}

// enter membership.
func (l *Leases) enter(began time.Time, seen messages.Membership) {
	if l.state != joining {
		return
	}
	self := find(seen.Members, l.cfg.Self.ID)
	if self == nil { // taken out since
		l.maybe = true
		return
	}
	// Two that joined at once have not seen each other before: the younger one goes.
	older := slices.DeleteFunc(slices.Clone(seen.Members), func(m messages.Member) bool { return m.Joined >= self.Joined || m.Expired })
	if err := l.keysClash(older); err != nil {
		l.lose(err)
		return
	}
	l.state, l.maybe, l.steady = member, false, streak{}
	l.seen.View = min(l.seen.View, seen.View-1) // what we saw before was not told
	l.lives(began)
	l.apply(began, seen)
}

// ahead are the members that a newcomer has to do with: one that has our address was there before us, and goes as we join.
func (l *Leases) ahead() []messages.Member {
	return slices.DeleteFunc(slices.Clone(l.seen.Members), func(m messages.Member) bool {
		return m.ID == l.cfg.Self.ID || m.Address == l.cfg.Self.Address
	})
}

// answering are those of them that have answered.
func (l *Leases) answering() []messages.Member {
	return slices.DeleteFunc(l.ahead(), func(m messages.Member) bool {
		c := l.others[m.ID]
		return m.Expired || c == nil || !c.answers()
	})
}

// joinObstacle is what keeps us from joining.
func (l *Leases) joinObstacle() error {
	if l.steady.last.IsZero() || l.failure != nil {
		if l.failure != nil {
			return fmt.Errorf("not a member yet: the database does not answer: %w", l.failure)
		}
		return errors.New("not a member yet: the database has not answered")
	}
	var in []string
	for _, m := range l.ahead() {
		c := l.others[m.ID]
		switch {
		case m.Expired:
			in = append(in, fmt.Sprintf("%s (%s) does not renew its lease", m.ID, m.Address))
		case c != nil && !c.answers() && c.refused:
			in = append(in, fmt.Sprintf("%s (%s) renews its lease, but refuses connections from here", m.ID, m.Address))
		case c == nil || !c.answers() && c.err == nil:
			in = append(in, fmt.Sprintf("%s (%s) has not answered yet", m.ID, m.Address))
		case !c.answers():
			in = append(in, fmt.Sprintf("%s (%s) cannot be reached both ways: %v", m.ID, m.Address, c.err))
		}
	}
	if in == nil {
		return nil
	}
	return errors.New("not a member yet: " + strings.Join(in, ", "))
}

// keysClash says where tokens or tickets that we sign would not be taken by one of them, or the other way about: buyers would be
// turned away by one node and served by the next, or at the gate.
func (l *Leases) keysClash(members []messages.Member) error {
	const rotate = "to rotate, first add the new key as the last one on all nodes, then put it first on all"
	self := l.cfg.Self
	for _, m := range members {
		for _, what := range []string{"tokens", "tickets"} {
			if k := signing(what, m.Keys); k != "" && !slices.Contains(self.Keys, k) {
				return fmt.Errorf("%s (%s) signs %s with key %s, which this node does not know: %s", m.ID, m.Address, what, k, rotate)
			}
			if k := signing(what, self.Keys); k != "" && !slices.Contains(m.Keys, k) {
				return fmt.Errorf("this node signs %s with key %s, which %s (%s) does not know: %s", what, k, m.ID, m.Address, rotate)
			}
		}
	}
	return nil
}

// signing is the first of the keys for tokens or for tickets, "" where there is none.
func signing(what string, keys []string) string {
	for _, k := range keys {
		if strings.HasPrefix(k, messages.TicketKeyMark) == (what == "tickets") {
			return k
		}
	}
	return ""
}

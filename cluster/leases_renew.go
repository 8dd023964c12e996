package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"boxoffice/messages"
)

const (
	// callsMax is how many renewals may be under way: one that hangs does not keep the next from finding that the database is
	// there again.
	callsMax = 3
	// retryPauseMax is when a renewal that failed is tried again, where the next beat would be later.
	retryPauseMax = 300 * time.Millisecond
)

// run is the beat.
func (l *Leases) run() {
	ticker := time.NewTicker(l.beat)
	defer ticker.Stop()
	for {
		l.onBeat()
		select {
		case <-ticker.C:
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *Leases) onBeat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == ended {
		return
	}
	l.complain()
	l.watch()
	l.call()
}

// callTimeout bounds each call of the roster.
func (l *Leases) callTimeout() time.Duration { return l.cfg.Lease / 2 }

// call the roster: renew the lease, or look who is there, as long as we are none of them.
func (l *Leases) call() {
	if l.state == joining && !l.maybe {
		l.look = true
		l.glance()
		return
	}
	if l.calls >= callsMax {
		return
	}
	l.calls++
	began, cannot := time.Now(), l.unreachable()
	l.spawn(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.callTimeout())
		defer cancel()
		seen, err := l.cfg.Roster.Renew(ctx, l.cfg.Self.ID, l.cfg.Lease, cannot)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls--
		l.renewed(began, seen, err)
	})
}

// renewed works in what a renewal brought.
func (l *Leases) renewed(began time.Time, seen messages.Membership, err error) {
	var none *messages.NotMemberError
	if l.state == joining && errors.As(err, &none) && none.Why == "" {
		l.maybe = false // Join had no effect
		return
	}
	if l.gone(err) {
		return
	}
	if l.failed(err) {
		if l.state != ended && time.Since(began) > l.beat {
			l.call() // in its place
		}
		return
	}
	if l.state == joining {
		l.enter(began, seen)
		return
	}
	l.lives(began)
	l.apply(began, seen)
}

// glance looks at the roster if that is wanted, and no look is under way: looks come back in sequence.
func (l *Leases) glance() {
	if !l.look || l.looking || l.state == idle || l.state == ended {
		return
	}
	l.look, l.looking = false, true
	began := time.Now()
	l.spawn(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.callTimeout())
		defer cancel()
		seen, err := l.cfg.Roster.Members(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.looking = false
		if !l.failed(err) {
			if l.state == joining {
				l.steady.extend(began, l.breakAfter())
			}
			l.apply(began, seen)
			l.glance()
		}
	})
}

// failed notes whether a call of the roster failed, and tries again soon; true also where nobody wants to know any more.
func (l *Leases) failed(err error) bool {
	if l.state == ended {
		return true
	}
	l.failure = err
	if err != nil && l.beat > retryPauseMax && l.calls == 0 {
		if l.retry != nil {
			l.retry.Stop()
		}
		l.retry = time.AfterFunc(retryPauseMax, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.state != ended {
				l.call()
			}
		})
	}
	return err != nil
}

// gone: the roster says that we are no member any more.
func (l *Leases) gone(err error) bool {
	var none *messages.NotMemberError
	if l.state == ended || !errors.As(err, &none) {
		return false
	}
	l.lose(none)
	return true
}

// lives notes a renewal that began then.
func (l *Leases) lives(began time.Time) {
	l.steady.extend(began, l.breakAfter())
	last := l.steady.began
	l.begun.Store(&last)
	if l.doubted && l.Alive() {
		l.doubted = false
		l.cfg.Log.Info("the lease of this node is good again", "node", l.cfg.Self.ID)
	}
}

// breakAfter is how far apart two answers may be: where the database was away for less, everybody who renewed a beat before
// that renews in time after it.
func (l *Leases) breakAfter() time.Duration { return l.cfg.Lease / 2 }

// extend by a call that began then and has been answered now. The call may have waited for long, at a database that was
// frozen: what counts as a break is the time between answers.
func (s *streak) extend(began time.Time, breakAfter time.Duration) {
	now := time.Now()
	if now.Sub(s.last) > breakAfter {
		s.since = now
	}
	s.last = now
	if began.After(s.began) {
		s.began = began
	}
}

// apply a membership that a call brought which began then. Answers may overtake each other.
func (l *Leases) apply(began time.Time, seen messages.Membership) {
	switch self := find(seen.Members, l.cfg.Self.ID); {
	case l.state == ended:
		return
	case seen.View < l.seen.View:
		if began.After(l.received) {
			l.lose(fmt.Errorf("the database has gone back from membership %d to %d: it has been restored; start again", l.seen.View, seen.View))
		}
		return
	case l.state == member && self == nil:
		l.call() // which says who took us out, and why
		return
	case l.state == member && seen.View == l.seen.View:
		// What began after that came is no older, whatever it says: a standby that has taken over may lack renewals.
		if before := find(l.seen.Members, l.cfg.Self.ID); before != nil && self.Renewals < before.Renewals && !began.After(l.received) {
			return
		}
	}
	changed := seen.View > l.seen.View
	l.seen, l.received = seen, time.Now()
	l.meet()
	if changed && l.state == member {
		l.announce()
	}
	l.decide()
	l.tryJoin()
}

// find the member of that id, nil where there is none.
func find(members []messages.Member, id string) *messages.Member {
	i := slices.IndexFunc(members, func(m messages.Member) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return &members[i]
}

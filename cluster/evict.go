package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"boxoffice/messages"
)

// Why a member is taken out, for operators.
const (
	whyExpired = "its lease was over, and it had stopped renewing it"
	whyRefused = "its port refused connections: no process listened there"
	whyCut     = "it was cut off: pings between it and other members went unanswered"
)

// decide who has to go, and take them out. Every member decides alike, from the same rows:
//
//  1. One whose lease is over in the database, and that has not renewed it for half a lease while we renewed ours.
//  2. One whose port refuses connections, as far as that can be believed (dead): its process is gone.
//  3. Where members cannot reach each other, those that leavers names, once it has named the same for a while: what one end of
//     a link finds out the other does a second later.
//
// A newcomer takes nobody out by the third rule.
func (l *Leases) decide() {
	cut := leavers(l.seen.Members)
	if !slices.Equal(cut, l.cut) {
		l.cut, l.cutAt = cut, time.Now()
	}
	fresh := time.Since(l.steady.began) <= l.breakAfter()
	if l.evicting || !fresh || l.state == idle || l.state == ended {
		return
	}
	sure := l.steady.last.Sub(l.steady.since) >= l.cfg.Lease
	if sure || l.state == joining {
		if ids := l.which(l.dead); ids != nil {
			l.evict(ids, whyRefused)
			return
		}
	}
	if !sure {
		return
	}
	if ids := l.which(func(c *contact) bool { return c.Expired && time.Since(c.moved) >= l.cfg.Lease/2 }); ids != nil {
		l.evict(ids, whyExpired)
		return
	}
	// A member that is named itself goes by others' hands: its own view of the network is the odd one.
	if l.state == member && len(cut) > 0 && time.Since(l.cutAt) >= l.settle() {
		if ids := slices.DeleteFunc(slices.Clone(cut), func(id string) bool { return id == l.cfg.Self.ID }); len(ids) > 0 {
			l.evict(ids, whyCut)
		}
	}
}

// dead: its port refuses connections. Every port may seem to, where a firewall rejects what we open, or where addresses lead to
// our own machine. So it is believed of a minority alone, while the others take connections; else, and by a newcomer always,
// only of those that have stopped renewing their lease: who is alive does so twice meanwhile.
func (l *Leases) dead(c *contact) bool {
	if !c.refused || time.Since(c.dialed) > l.beat {
		return false
	}
	if l.steady.last.Sub(c.moved) > l.beat*3/2 {
		return true
	}
	reached := 1 + len(l.which(func(o *contact) bool { return !o.refused && time.Since(o.opened) <= l.beat })) // and us
	return l.state == member && 2*reached > 1+len(l.others)
}

// settle is how long links that are broken are watched: the links of a node that is cut off are found out one after the other,
// within two beats and the time of a slow ping.
func (l *Leases) settle() time.Duration { return 4 * l.beat }

func (l *Leases) which(goes func(*contact) bool) []string {
	var ids []string
	for id, c := range l.others {
		if goes(c) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// evict members on the membership that is known now.
func (l *Leases) evict(ids []string, why string) {
	l.evicting = true
	view, began := l.seen.View, time.Now()
	// The time that it may take counts from the decision: were this process stopped now, it would be no good any more.
	ctx, cancel := context.WithTimeout(l.ctx, l.callTimeout())
	l.spawn(func() {
		defer cancel()
		seen, err := l.cfg.Roster.Evict(ctx, l.cfg.Self, view, ids, why)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.evicting = false
		switch {
		case l.state == ended:
		case l.gone(err):
		case errors.Is(err, messages.ErrViewChanged):
			l.look = true
			l.glance()
		case err != nil:
			l.cfg.Log.Warn("members not taken out", "members", ids, "reason", why, "error", err)
		default:
			l.cfg.Log.Warn("members taken out", "members", ids, "reason", why, "view", seen.View)
			l.apply(began, seen)
		}
	})
}

// leavers names the members that have to go for the rest to be fully connected, by what they say of each other: the one with
// most broken links, of several the youngest, and so on until none is broken. A link is broken if either end says so. A member
// whose lease is over has no say, and goes by that.
func leavers(members []messages.Member) []string {
	broken := map[string]map[string]bool{}
	for _, m := range members {
		if !m.Expired {
			broken[m.ID] = map[string]bool{}
		}
	}
	for _, m := range members {
		for _, other := range m.Unreachable {
			if m.ID != other && broken[m.ID] != nil && broken[other] != nil {
				broken[m.ID][other], broken[other][m.ID] = true, true
			}
		}
	}
	var out []string
	for {
		var worst *messages.Member
		for i, m := range members {
			if len(broken[m.ID]) > 0 && (worst == nil || worse(m, *worst, broken)) {
				worst = &members[i]
			}
		}
		if worst == nil {
			return out
		}
		out = append(out, worst.ID)
		for other := range broken[worst.ID] {
			delete(broken[other], worst.ID)
		}
		delete(broken, worst.ID)
	}
}

// worse: a goes before b.
func worse(a, b messages.Member, broken map[string]map[string]bool) bool {
	if m, n := len(broken[a.ID]), len(broken[b.ID]); m != n {
		return m > n
	}
	if a.Joined != b.Joined {
		return a.Joined > b.Joined
	}
	return a.ID > b.ID
}

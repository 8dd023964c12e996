package cluster

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"boxoffice/messages"
)

const (
	// silentBeatsMax is after how many beats without an answer a member counts as unreachable: with the default lease 2.7 s. Beats,
	// not time: a process that was stopped has heard nothing, and that says nothing about others.
	silentBeatsMax = 8
	// pingsMax is how many pings to one member are under way at most: as many as begin before the first has timed out. A message
	// may be lost, and the next one is not to wait for that to be known.
	pingsMax = 4
)

// contact is what we know of another member, and of the way to it.
type contact struct {
	messages.Member
	moved   time.Time // when we last saw that it had renewed
	pings   int       // that are under way
	silent  int       // beats since it answered
	heard   bool      // it has answered ever
	err     error     // of the last ping
	dialing bool
	dialed  time.Time // when the last dial began
	refused bool      // that dial
	opened  time.Time // when the last dial began that was taken
}

// pingTimeout is when a ping counts as lost. A cluster under load may take a second for one.
func (l *Leases) pingTimeout() time.Duration { return l.cfg.Lease * 5 / 8 }

// answers: pings come back.
func (c *contact) answers() bool { return c.heard && c.silent <= pingsMax }

// meet whom the membership names, and forget the others.
func (l *Leases) meet() {
	for _, m := range l.seen.Members {
		if m.ID == l.cfg.Self.ID || m.Address == l.cfg.Self.Address {
			continue
		}
		c := l.others[m.ID]
		if c == nil {
			c = &contact{Member: m, moved: time.Now()}
			l.others[m.ID] = c
			l.ping(c)
		} else if m.Renewals > c.Renewals {
			c.moved = time.Now()
		}
		c.Member = m
	}
	for id := range l.others {
		if find(l.seen.Members, id) == nil {
			delete(l.others, id)
		}
	}
}

// watch the others for one more beat.
func (l *Leases) watch() {
	for _, c := range l.others {
		if c.silent > 0 {
			l.dial(c) // the last ping was not answered within a beat
		}
		c.silent++
		if c.silent == silentBeatsMax {
			l.cfg.Log.Warn("member cannot be reached", "node", c.ID, "address", c.Address, "error", c.err)
		}
		l.ping(c)
	}
}

// ping a member, unless too many pings are under way.
func (l *Leases) ping(c *contact) {
	if c.pings >= pingsMax || l.state == ended {
		return
	}
	c.pings++
	m := c.Member
	l.spawn(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.pingTimeout())
		defer cancel()
		err := l.cfg.Ping(ctx, m)
		lost := ctx.Err() != nil
		l.mu.Lock()
		defer l.mu.Unlock()
		c.pings--
		if l.state == ended || l.others[m.ID] != c {
			return
		}
		c.err = err
		switch {
		case err == nil:
			l.ponged(c)
		case !lost: // it was told at once that nobody is there
			l.dial(c)
		}
	})
}

// ponged: the member has answered.
func (l *Leases) ponged(c *contact) {
	noted := c.silent >= silentBeatsMax
	c.heard, c.silent, c.refused = true, 0, false
	if noted {
		l.call() // tells the others now
	}
	l.tryJoin()
}

// unreachable are the members that have not answered for long.
func (l *Leases) unreachable() []string {
	return l.which(func(c *contact) bool { return c.silent >= silentBeatsMax })
}

// Unreachable is a hint that the connection to an address has broken.
func (l *Leases) Unreachable(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.others {
		if c.Address == address {
			l.dial(c)
			l.ping(c)
		}
	}
}

// dial a member to see whether its port refuses, and all others, which tells what that means; no more often than a few times
// in a beat.
func (l *Leases) dial(c *contact) {
	if c.dialing || l.state == ended || time.Since(c.dialed) < l.beat/4 {
		return
	}
	c.dialing, c.dialed = true, time.Now()
	for _, other := range l.others {
		l.dial(other)
	}
	m := c.Member
	l.spawn(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.beat)
		defer cancel()
		err := l.cfg.Dial(ctx, m.Address)
		l.mu.Lock()
		defer l.mu.Unlock()
		c.dialing, c.refused = false, errors.Is(err, syscall.ECONNREFUSED)
		if err == nil {
			c.opened = c.dialed
		}
		if l.state != ended {
			l.decide()
		}
	})
}

// knock at an address, and say nothing.
func knock(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

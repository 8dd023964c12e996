package cluster

import (
	"context"
	"errors"
	"syscall"
	"time"

	"boxoffice/messages"
)

// How a process of the lab reaches the roster and the other machines.

// hold while the process is stopped.
func (p *process) hold() {
	for {
		p.mu.Lock()
		resume := p.resume
		p.mu.Unlock()
		if resume == nil {
			return
		}
		<-resume
	}
}

// takes time.
func (l *lab) takes(ctx context.Context) error {
	l.mu.Lock()
	slow := l.slow
	l.mu.Unlock()
	if slow == nil {
		return ctx.Err()
	}
	return wait(ctx, slow())
}

// wait for some time. Not for none: the race detector dies of a timer in a bubble that is due at once.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reach the database, and hear its answer, as far as faults let us.
func (p *process) ask(ctx context.Context, f func() (messages.Membership, error)) (messages.Membership, error) {
	p.hold()
	defer p.hold()
	if err := p.takes(ctx); err != nil {
		return messages.Membership{}, err
	}
	p.mu.Lock()
	thaw, broken, away := p.thaw, p.broken, p.noRoster
	p.mu.Unlock()
	switch {
	case broken != nil:
		return messages.Membership{}, broken
	case away:
		<-ctx.Done()
		return messages.Membership{}, ctx.Err()
	case thaw != nil:
		select {
		case <-thaw:
		case <-ctx.Done():
			return messages.Membership{}, ctx.Err()
		}
	}
	seen, err := f()
	if slow := p.takes(ctx); slow != nil {
		return messages.Membership{}, slow
	}
	return seen, err
}

func (p *process) Join(ctx context.Context, m messages.Member, lease time.Duration) (messages.Membership, error) {
	return p.ask(ctx, func() (messages.Membership, error) {
		seen, err := p.roster.Join(ctx, m, lease)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.loseJoin {
			p.loseJoin = false
			return messages.Membership{}, errAway
		}
		return seen, err
	})
}

func (p *process) Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error) {
	return p.ask(ctx, func() (messages.Membership, error) { return p.roster.Renew(ctx, id, lease, unreachable) })
}

func (p *process) Members(ctx context.Context) (messages.Membership, error) {
	return p.ask(ctx, func() (messages.Membership, error) { return p.roster.Members(ctx) })
}

func (p *process) Leaving(ctx context.Context, id string) (messages.Membership, error) {
	return p.ask(ctx, func() (messages.Membership, error) { return p.roster.Leaving(ctx, id) })
}

func (p *process) Leave(ctx context.Context, id string) error {
	_, err := p.ask(ctx, func() (messages.Membership, error) { return messages.Membership{}, p.roster.Leave(ctx, id) })
	return err
}

func (p *process) Evict(ctx context.Context, by messages.Member, view uint64, gone []string, why string) (messages.Membership, error) {
	return p.ask(ctx, func() (messages.Membership, error) {
		seen, err := p.roster.Evict(ctx, by, view, gone, why)
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, id := range gone {
				p.out = append(p.out, eviction{by: by.ID, id: id, why: why, at: time.Now()})
			}
		}
		return seen, err
	})
}

func (p *process) Owner(ctx context.Context, eventID string) (string, error) {
	return p.roster.Owner(ctx, eventID)
}

// arrives: what m sends reaches the machine of the other address, which is on.
func (m *machine) arrives(to *machine) bool {
	_, cut := m.cut[[2]*machine{m, to}]
	return !cut && !to.off
}

// ping as remoting does: the answer comes over the other's own connection.
func (p *process) ping(ctx context.Context, m messages.Member) error {
	p.mu.Lock()
	p.pinging[m.ID]++
	p.pings = max(p.pings, p.pinging[m.ID])
	delay := p.slowPing
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.pinging[m.ID]--
	}()
	p.hold()
	defer p.hold()
	if err := wait(ctx, delay); err != nil {
		return err
	}
	if err := p.takes(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	to := p.machineAt(m.Address)
	there, back, q := p.arrives(to), to.arrives(p.machine), to.process
	runs, refused, unanswered := q != nil && q.id == m.ID && q.resume == nil, p.silences(to), to.silences(p.machine)
	p.mu.Unlock()
	switch {
	case refused:
		return errors.New("connection refused")
	case there && back && q == nil:
		return errors.New("connection refused")
	case !there || !back || !runs || unanswered: // the answer comes over a connection that the other one opens
		<-ctx.Done()
		return ctx.Err()
	}
	return p.takes(ctx)
}

// dial an address.
func (p *process) dial(ctx context.Context, address string) error {
	p.hold()
	defer p.hold()
	p.mu.Lock()
	to := p.machineAt(address)
	there, back, q, walled := p.arrives(to), to.arrives(p.machine), to.process, p.walls(to)
	p.mu.Unlock()
	if !walled && (!there || !back) {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := p.takes(ctx); err != nil {
		return err
	}
	if walled || q == nil {
		return syscall.ECONNREFUSED
	}
	return nil
}

func (l *lab) machineAt(address string) *machine {
	for _, m := range l.machines {
		if m.address == address {
			return m
		}
	}
	l.Fatalf("no machine at %s", address)
	return nil
}

func (p *process) changed(members []messages.Member) {
	p.hold()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hearing {
		p.Error("Changed is called while it is called")
	}
	p.hearing = true
	p.heard = append(p.heard, members)
	p.hearing = false
}

package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	protocluster "github.com/asynkron/protoactor-go/cluster"

	"boxoffice/messages"
)

// complainEvery is how often a node says that it still cannot join.
const complainEvery = 5 * time.Second

// partAfter is how long after a change protoactor's member list hears of it: it ends the connections to who is gone, and
// must not do so while one is being made. One that is ended then is made anew by protoactor, for nobody, and is in the way
// when the node is to end. The address of who is gone is no event's any more meanwhile, so that nothing is sent there.
const partAfter = 2 * time.Second

// announce that there is a membership to be told of.
func (l *Leases) announce() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// tell of each membership, one after the other.
func (l *Leases) tell() {
	var before []messages.Member
	var told protocluster.Members
	parting := time.NewTimer(partAfter)
	parting.Stop()
	defer parting.Stop()
	for {
		select {
		case <-l.news:
		case <-parting.C:
			told = topology(before, told)
			l.cluster.MemberList.UpdateClusterTopology(told)
			continue
		case <-l.ctx.Done():
			return
		}
		l.mu.Lock()
		members, view := slices.Clone(l.seen.Members), l.seen.View
		l.mu.Unlock()
		l.note(before, members, view)
		if l.cluster != nil {
			parting.Reset(partAfter)
		}
		if l.cfg.Changed != nil {
			l.cfg.Changed(members)
		}
		if before == nil {
			close(l.joined)
		}
		before = members
	}
}

// note in the log who came and went.
func (l *Leases) note(before, now []messages.Member, view uint64) {
	for _, m := range now {
		old := find(before, m.ID)
		switch {
		case m.ID == l.cfg.Self.ID && old == nil:
			l.cfg.Log.Info("this node has joined the cluster", "node", m.ID, "address", m.Address, "view", view, "members", len(now))
		case old == nil:
			l.cfg.Log.Info("member", "node", m.ID, "address", m.Address, "version", m.Version, "view", view)
		case m.Leaving && !old.Leaving:
			l.cfg.Log.Info("member is leaving", "node", m.ID, "view", view)
		}
	}
	for _, m := range before {
		if find(now, m.ID) == nil {
			l.cfg.Log.Info("member is gone", "node", m.ID, "address", m.Address, "view", view)
		}
	}
}

// topology is the members as protoactor is to know them. Without kinds: placement is ours. Who has started again at the address
// of one that it knows stays that one to it: it ends connections by address, and would end the new one's, with the replies on them.
func topology(members []messages.Member, told protocluster.Members) protocluster.Members {
	out := make(protocluster.Members, 0, len(members))
	for _, m := range members {
		// Cut by hand: protoactor puts the address together again without the brackets that IPv6 needs.
		i := strings.LastIndexByte(m.Address, ':')
		port, err := strconv.ParseInt(m.Address[i+1:], 10, 32)
		if i < 0 || err != nil {
			continue // no remoting goes there
		}
		id, host := m.ID, m.Address[:i]
		if k := slices.IndexFunc(told, func(t *protocluster.Member) bool { return t.Host == host && t.Port == int32(port) }); k >= 0 {
			id = told[k].Id
		}
		out = append(out, &protocluster.Member{Id: id, Host: host, Port: int32(port)})
	}
	return out
}

// complain in the log about what keeps us from joining, or from knowing that our lease is good.
func (l *Leases) complain() {
	switch why := l.obstacle(); {
	case l.state == joining && why != nil && time.Since(l.said) >= complainEvery:
		l.said = time.Now()
		l.cfg.Log.Warn("this node cannot join the cluster yet", "node", l.cfg.Self.ID, "error", why)
	case l.state == member && !l.Alive() && !l.doubted:
		l.doubted = true
		l.cfg.Log.Warn("this node's lease is in doubt: it refuses requests for its events until it is renewed", "node", l.cfg.Self.ID, "error", why)
	}
}

// Ready is nil where the node is a member whose lease is good and that is not leaving, or what is in the way.
func (l *Leases) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.obstacle()
}

func (l *Leases) obstacle() error {
	switch l.state {
	case idle:
		return errors.New("not started")
	case joining:
		if err := l.joinObstacle(); err != nil {
			return err
		}
		return errors.New("not a member yet")
	case member:
		switch self := find(l.seen.Members, l.cfg.Self.ID); {
		case !l.Alive() && l.failure != nil:
			return fmt.Errorf("the lease is in doubt: not renewed for %v: %w", time.Since(l.steady.began).Round(time.Millisecond), l.failure)
		case !l.Alive():
			return fmt.Errorf("the lease is in doubt: not renewed for %v", time.Since(l.steady.began).Round(time.Millisecond))
		case self != nil && self.Leaving:
			return errors.New("leaving")
		}
		return nil
	case ended:
		if l.err != nil {
			return l.err
		}
		return errors.New("shut down")
	}
	return nil
}

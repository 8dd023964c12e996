package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/remote"

	"boxoffice/messages"
)

// Goal: protoactor's member list hears who is there a moment after the node does, so that the connections to a member that is
// gone end, and its id is never let in again. Method: a real member list over remoting that is not started.

func TestMemberListIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		system := actor.NewActorSystem()
		config := remote.Configure("127.0.0.1", 7000)
		c := protocluster.New(system, protocluster.Configure(clusterName, nil, nil, config))
		var ended []string
		system.EventStream.Subscribe(func(e any) {
			if e, ok := e.(*remote.EndpointTerminatedEvent); ok {
				ended = append(ended, e.Address)
			}
		})
		a := l.start("a")
		l.within(time.Second, "a is a member", agree(a))
		var told [][]string
		b := NewLeases(LeaseConfig{
			Roster: l.roster, Self: messages.Member{ID: "b.x", Name: "b", Address: "[::1]:7000", Keys: []string{"k1"}}, Ping: a.ping, Log: a.leases.cfg.Log,
			Dial: a.dial,
			Changed: func(members []messages.Member) {
				told = append(told, ids(members))
				if len(ended) > 0 {
					t.Error("connections end before the node knows why")
				}
			},
		})
		if err := b.StartMember(c); err == nil {
			t.Error("begins without remoting")
		}
		c.Remote = remote.NewRemote(system, config)
		if err := b.StartMember(c); err != nil {
			t.Fatal(err)
		}
		<-b.Joined()
		at := &machine{lab: l, address: "[::1]:7000"} // where a finds it
		at.process = &process{machine: at, id: "b.x"}
		l.mu.Lock()
		l.machines["b"] = at
		l.mu.Unlock()
		pass(2 * partAfter)
		a.kill()
		b.Unreachable("a:7000")
		l.within(partAfter/2, "a is out", func() bool { return find(b.Members(), a.id) == nil })
		again := l.start("a")
		pass(5 * time.Second)
		if len(ended) > 0 {
			t.Error("connections end to one who was started again at the same address")
		}
		again.kill()
		b.Unreachable("a:7000")
		pass(5 * time.Second)
		if err := b.Shutdown(true); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(told, [][]string{{a.id, "b.x"}, {"b.x"}, {"b.x", again.id}, {"b.x"}}, slices.Equal) {
			t.Errorf("told of %v", told)
		}
		if !slices.Equal(ended, []string{"a:7000"}) || !c.Remote.BlockList().IsBlocked(a.id) || c.Remote.BlockList().IsBlocked("b.x") {
			t.Errorf("connections ended: %v, blocked: %v", ended, c.Remote.BlockList().BlockedMembers())
		}
		if m := c.MemberList.Members().Members(); len(m) != 1 || m[0].Address() != "[::1]:7000" {
			t.Errorf("the member list: %v", m)
		}
		system.Shutdown()
		delete(l.machines, "b")
		l.end()
	})
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/eventstream"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// clusterName is what protoactor's providers tell clusters apart by.
const clusterName = "boxoffice"

// Connection is what makes a node one of several.
type Connection struct {
	// Self: ID, Name, Version and Keys; the address is Wire's.
	Self   messages.Member
	Wire   Wire
	Roster Roster
	// Lease is how long the node counts as alive after it was last heard of in the database; default 2 s.
	Lease time.Duration
	// Kubernetes: only members whose pod is ready own events.
	Kubernetes bool
}

// Connect begins to take part in the cluster, and returns. Until Joined is closed every request is refused as unavailable.
// It is called once, before anything else.
func (n *Node) Connect(c Connection) error {
	if err := c.Wire.Check(); err != nil {
		return err
	}
	c.Wire.undelivered, c.Wire.parted, c.Wire.refused = n.undelivered, n.parted, n.metrics.Refused
	config, err := c.Wire.config(n.env.Log)
	if err != nil {
		return err
	}
	n.self, n.system.ID, n.roster = c.Self.ID, c.Self.ID, c.Roster
	n.view = newView(n.self, nil, nil)
	n.nobody = n.newInbox().pid
	n.cluster = protocluster.New(n.system, protocluster.Configure(clusterName, nil, nil, config))
	// Never started: it has the member list's block list, which protoactor reads without the lock that it writes it under where
	// it serves. A blocked node is only told so, and does not listen; what keeps it out are lease and epoch.
	n.cluster.Remote = remote.NewRemote(n.system, config)
	n.remote = remote.NewRemote(n.system, config)
	if err := started(n.remote); err != nil {
		return fmt.Errorf("listen for other nodes: %w", err)
	}
	c.Self.Address = n.system.Address()
	if _, err := n.system.Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &door{node: n} }), doorID); err != nil {
		return fmt.Errorf("open the node's door: %w", err)
	}
	n.leases = NewLeases(LeaseConfig{
		Roster: n.metrics.Roster(c.Roster), Self: c.Self, Lease: c.Lease, Ping: n.ping, Changed: n.setMembers, Log: n.env.Log,
	})
	n.alive = n.leases.Alive
	n.metrics.Watch(n)
	n.metrics.CertificateEnds(c.Wire.CertificateExpiry)
	n.watchLinks()
	var provider protocluster.ClusterProvider = n.leases
	if c.Kubernetes {
		if provider, err = NewKubernetes(n.leases); err != nil {
			return err
		}
	}
	n.cluster.Config.ClusterProvider = provider
	return provider.StartMember(n.cluster)
}

// starting is held while remoting starts: it sets a variable of gRPC's then, as if there were one node in a process.
var starting sync.Mutex

// started says what remoting panics with where it cannot listen.
func started(r *remote.Remote) (err error) {
	starting.Lock()
	defer starting.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	r.Start()
	return nil
}

// send to another node. Once connections are being ended, protoactor panics where a new one would be needed: by then
// nobody waits for anything.
func (n *Node) send(to *actor.PID, m proto.Message, from *actor.PID) {
	defer func() {
		if p := recover(); p != nil && !n.hungUp.Load() {
			panic(p)
		}
	}()
	n.system.Root.RequestWithCustomSender(to, m, from)
}

// undelivered tells who has sent what never left this node that it was not looked at.
func (n *Node) undelivered(target, sender *actor.PID) {
	if sender != nil {
		n.system.Root.Send(sender, &actor.DeadLetterResponse{Target: target})
	}
}

// watchLinks notices connections that break: who waits for an answer over one waits no more.
func (n *Node) watchLinks() {
	n.system.EventStream.SubscribeWithPredicate(func(e any) {
		address := e.(*remote.EndpointTerminatedEvent).Address
		n.parted(address)
		n.leases.Unreachable(address)
	}, eventstream.Predicate(func(e any) bool { _, ok := e.(*remote.EndpointTerminatedEvent); return ok }))
}

// parted: the connection to a node has broken, or the one from it, over which its replies come.
func (n *Node) parted(address string) {
	for _, p := range n.now().peers {
		if p.Address == address {
			p.link.cut()
		}
	}
}

// Joined is closed once the node is a member.
func (n *Node) Joined() <-chan struct{} { return n.leases.Joined() }

// Lost is closed when the node has lost its place for good: the process must end, and may come back as another.
func (n *Node) Lost() <-chan struct{} { return n.leases.Lost() }

// LostWhy is nil until Lost is closed.
func (n *Node) LostWhy() error { return n.leases.Err() }

// Ready is nil where the node is a member whose lease is good, or says what is in the way.
func (n *Node) Ready() error { return n.leases.Ready() }

// Address is where other nodes reach this one.
func (n *Node) Address() string { return n.system.Address() }

var errNoPong = errors.New("no answer to a ping")

// ping a member, or one that is to be. Its answer comes over its own connection to us.
func (n *Node) ping(ctx context.Context, m messages.Member) error {
	b := n.newInbox()
	defer b.close()
	n.send(actor.NewPID(m.Address, doorID), &messages.Ping{From: n.self, To: m.ID}, b.pid)
	select {
	case got := <-b.got:
		if _, ok := got.(*messages.Pong); ok {
			return nil
		}
		return fmt.Errorf("%w: %T", errNoPong, got)
	case <-ctx.Done():
		return errNoPong
	}
}

// doorOf another node.
func (n *Node) doorOf(p *peer) *actor.PID { return actor.NewPID(p.Address, doorID) }

// refreshPause lies between two looks at the roster for what other nodes know. While one is in doubt it turns away whoever
// asks, again and again, and its database may be in no state to be asked each time.
const refreshPause = 10 * time.Millisecond

// refresh who the members are: another node knows something else.
func (n *Node) refresh() {
	if n.leases == nil {
		return
	}
	now, last := int64(n.env.Clock.Elapsed()), n.refreshed.Load()
	if now-last >= int64(refreshPause) && n.refreshed.CompareAndSwap(last, now) {
		n.leases.Refresh()
	}
}

// disconnect leaves the cluster, as far as its database can be told.
func (n *Node) disconnect() {
	if n.cluster == nil {
		return
	}
	// In doubt, the database does not answer, and there is no time to wait for it.
	if err := n.cluster.Config.ClusterProvider.Shutdown(n.alive()); err != nil {
		n.env.Log.Warn("cluster not left: the others find out by the lease", "error", err)
	}
	n.hungUp.Store(true)
	hangUp(n.system, n.remote)
}

// Abandon ends all contact with other nodes at once, for a node that has lost its place.
func (n *Node) Abandon() {
	_ = n.cluster.Config.ClusterProvider.Shutdown(false)
	n.hungUp.Store(true)
	hangUp(n.system, n.remote)
}

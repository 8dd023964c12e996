// Package cluster runs the event actors and admissions of a node, knows who the other nodes are, and carries requests to
// the node that owns their event.
//
// What it guarantees:
//
//  1. Ask always brings a reply, within about askTimeout. One that says unavailable may have been carried out: it is safe to
//     send again under the same idempotency key.
//  2. Mailboxes are unbounded, so the edge is not: a request past the limits of its event or of the node is refused as
//     overloaded before any actor sees it.
//  3. A request reaches an owner once, but where it can be repeated without harm and its node is gone, or does not own the
//     event any more: then it is asked for where the event is now.
//  4. A node starts an event's actor only where, as far as it knows, the event belongs to it and its lease is good. What
//     keeps two owners apart where two nodes know different things is the event's epoch.
//  5. An event that moves is let go by its owner before it is claimed, if that owner is there to be asked.
//
// protoactor's own look-up, retries, placement and gossip are not used: they send a request again after a time-out,
// burn their retries within microseconds, and take members out for good after a stall.
package cluster

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/remote"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/messages"
)

const (
	// inFlightEventMax bounds what one event is asked at once, inFlightNodeMax what all are: some 2 KB each.
	inFlightEventMax = 8_192
	inFlightNodeMax  = 65_536
	// admissionsMax bounds how many events a node admits to at once. An admission that can let in nobody for a while ends, so
	// that these are sales going on, and more would be more than a database bears. Those past it come as others end.
	admissionsMax = 4_096
	// deadLetterThrottleInterval is short: see NewNode.
	deadLetterThrottleInterval = 10 * time.Millisecond
	// aloneID is the member that a node without a cluster is.
	aloneID = "alone"
)

// Node runs event actors and admissions.
type Node struct {
	system *actor.ActorSystem
	env    actors.Env
	room   admission.Env
	alive  func() bool

	self    string // our member id
	roster  Roster // nil: there are no others
	leases  *Leases
	cluster *protocluster.Cluster // nil: not connected
	remote  *remote.Remote
	nobody  *actor.PID // takes answers that nobody waits for
	inboxes atomic.Uint64
	hungUp  atomic.Bool // connections are being ended
	// refreshed is when we last looked at the roster because of another node, by the clock.
	refreshed atomic.Int64

	metrics *Metrics     // nil: none
	tracer  trace.Tracer // nil: none

	inFlight atomic.Int64
	spawned  atomic.Uint64

	mu         sync.RWMutex
	view       *view
	moved      chan struct{} // closed when the view changes
	actors     map[name]*resident
	admissions int // of actors
	yielded    map[name]yielded
	draining   bool
	drained    chan struct{} // closed when draining begins and there is nobody else to ask
	shutdown   sync.Once     // protoactor's panics when called twice
}

// name of an actor: there is one of each role for an event.
type name struct {
	role    role
	eventID string
}

type role string

const (
	owner    role = "event"
	admitter role = "admission"
)

// resident is what the node knows of one actor.
type resident struct {
	pid      *actor.PID
	inFlight atomic.Int64
	// lettingGo: it finishes what it has begun, for another node or for the end.
	lettingGo bool
	// done is closed when it takes no more requests and commits nothing more.
	done chan struct{}
	over sync.Once
}

// yielded is an event that another member asked for.
type yielded struct {
	to    string
	until time.Time
}

// NewNode makes a node that is alone; Connect makes it one of several. Requests are refused as unavailable, and nobody is
// poked, while alive is false: the node's right to own events is in doubt then.
func NewNode(env actors.Env, room admission.Env, alive func() bool) *Node {
	n := &Node{
		env: env, room: room, alive: alive, self: aloneID,
		actors: make(map[name]*resident), yielded: make(map[name]yielded),
		moved: make(chan struct{}), drained: make(chan struct{}),
	}
	n.view = newView(aloneID, []messages.Member{{ID: aloneID}}, nil)
	n.env.TakeOver = n.takeOver
	n.env.Ended = func(eventID string, pid *actor.PID) { n.ended(name{owner, eventID}, pid) }
	n.room.Ended = func(eventID string, pid *actor.PID) { n.ended(name{admitter, eventID}, pid) }
	n.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
			return slog.New(quiet{env.Log.With("lib", "protoactor").Handler()})
		}),
		// Its throttle keeps a goroutine for as long as the interval after a dead letter, for a log line that we drop.
		actor.WithDeadLetterThrottleInterval(deadLetterThrottleInterval),
		actor.WithDeadLetterRequestLogging(false), // a dead letter is answered, and the request sent anew
	)
	n.nobody = n.newInbox().pid
	return n
}

// Observe lets what the node does be counted and traced; nil: it is not. It is called once, before anything else.
func (n *Node) Observe(m *Metrics, tracer trace.Tracer) {
	n.metrics, n.tracer = m, tracer
	m.InFlight(n.InFlight)
	m.Residents(func() (events, admissions int) {
		n.mu.RLock()
		defer n.mu.RUnlock()
		return len(n.actors) - n.admissions, n.admissions
	})
}

// InFlight is how many requests the node is working on.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// now is who the members are.
func (n *Node) now() *view {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.view
}

// changed is closed when who the members are has changed since the call.
func (n *Node) changed() <-chan struct{} {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.moved
}

// route says where an actor lives: where it is placed, or with who has just asked for it. nil: nobody knows yet.
func (n *Node) route(who name) *peer {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.whose(who)
}

// whose is route for who holds the lock.
func (n *Node) whose(who name) *peer {
	if y, ok := n.yielded[who]; ok && time.Now().Before(y.until) {
		return n.view.peer(y.to)
	}
	return n.view.place(who)
}

func (n *Node) owns(who name) bool {
	p := n.route(who)
	return p != nil && p.ID == n.self
}

// yield an event to a member until we hear of the change that made it his.
func (n *Node) yield(who name, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.yielded) >= inFlightEventMax { // each goes with the next view; an event is released once a change
		clear(n.yielded)
	}
	n.yielded[who] = yielded{to, time.Now().Add(yieldedFor)}
}

// setMembers takes note of who is there, and lets go what does not belong here any more.
func (n *Node) setMembers(members []messages.Member) {
	n.mu.Lock()
	before := n.view
	n.view = newView(n.self, members, before)
	for _, p := range before.peers {
		if n.view.peer(p.ID) == nil {
			close(p.gone)
		}
	}
	clear(n.yielded)
	close(n.moved)
	n.moved = make(chan struct{})
	var going []name
	for who := range n.actors {
		if p := n.view.place(who); p == nil || p.ID != n.self {
			going = append(going, who)
		}
	}
	n.mu.Unlock()
	for _, who := range going {
		n.letGo(who)
	}
}

// lettingGo: that actor of ours finishes for another node, which is to be asked. One that has ended by itself is followed
// by another here.
func (n *Node) lettingGo(who name, r *resident) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.actors[who] == r && r.lettingGo
}

// locate an actor, or start one; nil while the node drains, has too many, or where the event has just moved: who was to let
// go of it would not know of one that starts now.
func (n *Node) locate(who name) *resident {
	n.mu.RLock()
	r := n.actors[who]
	n.mu.RUnlock()
	if r != nil {
		return r
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.actors[who]; r != nil || n.draining {
		return r
	}
	if p := n.whose(who); p == nil || p.ID != n.self {
		return nil
	}
	var props *actor.Props
	switch who.role {
	case owner:
		props = actors.EventProps(who.eventID, &n.env)
	case admitter:
		if n.admissions >= admissionsMax {
			return nil
		}
		props = admission.Props(who.eventID, &n.room)
	}
	// A name of its own for each incarnation: an earlier one may not be quite gone.
	pid, err := n.system.Root.SpawnNamed(props, string(who.role)+"/"+who.eventID+"/"+strconv.FormatUint(n.spawned.Add(1), 10))
	if err != nil {
		n.env.Log.Error("actor not started", "role", string(who.role), "event", who.eventID, "error", err)
		return nil
	}
	r = &resident{pid: pid, done: make(chan struct{})}
	n.actors[who] = r
	if who.role == admitter {
		n.admissions++
	}
	return r
}

// ended forgets an actor that takes no more requests.
func (n *Node) ended(who name, pid *actor.PID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.actors[who]; r != nil && r.pid.Equal(pid) {
		delete(n.actors, who)
		r.over.Do(func() { close(r.done) })
		if who.role == admitter {
			n.admissions--
		}
	}
}

// HandOver lets other members have what this one owns, and returns once they may, or ctx ends. Requests go on being carried.
// Where there is no other member nothing happens.
func (n *Node) HandOver(ctx context.Context) {
	if n.leases == nil {
		return
	}
	if err := n.leases.Leaving(ctx); err != nil {
		n.env.Log.Warn("not marked as leaving: events are handed over as after a crash", "error", err)
		return
	}
	for {
		changed := n.changed()
		if p := n.now().peer(n.self); p == nil || p.Leaving {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
	for _, r := range n.strangers() {
		select {
		case <-r.done:
		case <-ctx.Done():
			return
		}
	}
}

// strangers are actors of ours that belong elsewhere.
func (n *Node) strangers() (all []*resident) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for who, r := range n.actors {
		if p := n.view.place(who); p == nil || p.ID != n.self {
			all = append(all, r)
		}
	}
	return all
}

// Drain lets every actor finish what it has begun, until ctx ends, and takes no more requests. Nobody is admitted any more
// once events drain; an admission that hangs takes no more than half of the time from them.
func (n *Node) Drain(ctx context.Context) {
	n.mu.Lock()
	if !n.draining {
		n.draining = true
		close(n.drained)
	}
	n.mu.Unlock()
	n.drain(admitter, time.Until(deadline(ctx))/2)
	n.drain(owner, time.Until(deadline(ctx)))
	n.lastWords(ctx)
	n.disconnect()
	n.shutdown.Do(n.system.Shutdown)
}

// drain the actors of one role.
func (n *Node) drain(which role, timeout time.Duration) {
	n.mu.Lock()
	futures := make([]*actor.Future, 0, len(n.actors))
	for who, r := range n.actors {
		if who.role == which { // a future with a negative timeout waits for ever
			r.lettingGo = true
			futures = append(futures, n.system.Root.RequestFuture(r.pid, actors.Drain{}, max(timeout, 0)))
		}
	}
	n.mu.Unlock()
	for _, f := range futures {
		if err := f.Wait(); err != nil {
			n.env.Log.Warn("actor not drained", "role", string(which), "error", err)
		}
	}
}

// deadline of ctx; without one, draining takes as long as a caller may wait.
func deadline(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d
	}
	return time.Now().Add(askTimeout)
}

func outcome(o messages.Outcome) *messages.Reply { return &messages.Reply{Outcome: o} }

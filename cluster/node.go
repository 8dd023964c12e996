// Package cluster runs the event actors of a node and carries requests to them, and the actors that admit to events.
//
// What it guarantees:
//
//  1. Ask always brings a reply, within about askTimeout.
//  2. Mailboxes are unbounded, so the edge is not: a request past the limits of its event or of the node is refused as
//     overloaded before any actor sees it.
//  3. At most one request reaches an actor for each Ask, except after a dead letter, which says that it did not.
//
// On one node a request finds its actor in a map of PIDs. protoactor's own look-up and retries are not used: they send
// a request again after a time-out, and burn their retries within microseconds.
package cluster

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/messages"
)

const (
	// askTimeout is when a reply counts as lost: longer than a caller waits for the payment provider (8 s).
	askTimeout = 10 * time.Second
	// inFlightEventMax bounds what one event is asked at once, inFlightNodeMax what all are: some 2 KB each.
	inFlightEventMax = 8_192
	inFlightNodeMax  = 65_536
	// deadLetterRetriesMax is how often a request is sent anew to an actor that was gone before it arrived.
	deadLetterRetriesMax = 3
	// admissionsMax bounds how many events a node admits to at once. An admission that can let in nobody for a while ends, so
	// that these are sales going on, and more would be more than a database bears. Those past it come as others end.
	admissionsMax = 4_096
	// deadLetterThrottleInterval is short: see NewNode.
	deadLetterThrottleInterval = 10 * time.Millisecond
)

// Node runs event actors and admissions.
type Node struct {
	system *actor.ActorSystem
	env    actors.Env
	room   admission.Env
	alive  func() bool

	inFlight atomic.Int64
	spawned  atomic.Uint64

	mu         sync.RWMutex
	actors     map[name]*resident
	admissions int // of actors
	draining   bool
	shutdown   sync.Once // protoactor's panics when called twice
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
}

// NewNode makes a node. Requests are refused as unavailable, and nobody is poked, while alive is false: the node's right
// to own events is in doubt then.
func NewNode(env actors.Env, room admission.Env, alive func() bool) *Node {
	n := &Node{env: env, room: room, alive: alive, actors: make(map[name]*resident)}
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
	return n
}

// Ask the owner of the request's event, activating it if need be.
func (n *Node) Ask(_ context.Context, r *messages.Request) *messages.Reply {
	if n.inFlight.Add(1) > inFlightNodeMax {
		n.inFlight.Add(-1)
		return outcome(messages.Outcome_OUTCOME_OVERLOADED)
	}
	defer n.inFlight.Add(-1)
	for range deadLetterRetriesMax {
		if !n.alive() {
			break
		}
		e := n.locate(name{owner, r.GetEventId()})
		if e == nil {
			break
		}
		reply, err := n.ask(e, r)
		if errors.Is(err, actor.ErrDeadLetter) {
			n.ended(name{owner, r.GetEventId()}, e.pid)
			continue
		}
		if err != nil {
			break // no answer in time: whether it was done is not known
		}
		return reply
	}
	return outcome(messages.Outcome_OUTCOME_UNAVAILABLE)
}

func (n *Node) ask(e *resident, r *messages.Request) (*messages.Reply, error) {
	if e.inFlight.Add(1) > inFlightEventMax {
		e.inFlight.Add(-1)
		return outcome(messages.Outcome_OUTCOME_OVERLOADED), nil
	}
	defer e.inFlight.Add(-1)
	result, err := n.system.Root.RequestFuture(e.pid, r, askTimeout).Result()
	if err != nil {
		return nil, err
	}
	reply, ok := result.(*messages.Reply)
	if !ok {
		return outcome(messages.Outcome_OUTCOME_INTERNAL), nil
	}
	return reply, nil
}

// InFlight is how many requests the node is working on.
func (n *Node) InFlight() int64 { return n.inFlight.Load() }

// Poke the event's admission to look whether somebody is to be let in, starting it if need be. Nobody answers: a poke may
// be lost.
func (n *Node) Poke(eventID string) {
	if !n.alive() {
		return
	}
	if a := n.locate(name{admitter, eventID}); a != nil {
		n.system.Root.Send(a.pid, admission.Poke{})
	}
}

// locate an actor, or start one; nil while the node drains, or has too many.
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
	r = &resident{pid: pid}
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
		if who.role == admitter {
			n.admissions--
		}
	}
}

// Drain lets every actor finish what it has begun, until ctx ends, and takes no more requests. Nobody is admitted any more
// once events drain; an admission that hangs takes no more than half of the time from them.
func (n *Node) Drain(ctx context.Context) {
	n.mu.Lock()
	n.draining = true
	n.mu.Unlock()
	n.drain(admitter, time.Until(deadline(ctx))/2)
	n.drain(owner, time.Until(deadline(ctx)))
	n.shutdown.Do(n.system.Shutdown)
}

// drain the actors of one role.
func (n *Node) drain(which role, timeout time.Duration) {
	n.mu.Lock()
	futures := make([]*actor.Future, 0, len(n.actors))
	for who, r := range n.actors {
		if who.role == which { // a future with a negative timeout waits for ever
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

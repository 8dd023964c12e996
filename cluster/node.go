// Package cluster runs the event actors of a node and carries requests to them.
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
	// deadLetterThrottleInterval is short: see NewNode.
	deadLetterThrottleInterval = 10 * time.Millisecond
)

// Node runs event actors.
type Node struct {
	system *actor.ActorSystem
	env    actors.Env
	alive  func() bool

	inFlight atomic.Int64
	spawned  atomic.Uint64

	mu       sync.RWMutex
	events   map[string]*event
	draining bool
	shutdown sync.Once // protoactor's panics when called twice
}

// event is what the node knows of one event's actor.
type event struct {
	pid      *actor.PID
	inFlight atomic.Int64
}

// NewNode makes a node. Requests are refused as unavailable while alive is false: the node's right to own events is in
// doubt then.
func NewNode(env actors.Env, alive func() bool) *Node {
	n := &Node{env: env, alive: alive, events: make(map[string]*event)}
	n.env.Ended = n.ended
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
		e := n.locate(r.GetEventId())
		if e == nil {
			break
		}
		reply, err := n.ask(e, r)
		if errors.Is(err, actor.ErrDeadLetter) {
			n.ended(r.GetEventId(), e.pid)
			continue
		}
		if err != nil {
			break // no answer in time: whether it was done is not known
		}
		return reply
	}
	return outcome(messages.Outcome_OUTCOME_UNAVAILABLE)
}

func (n *Node) ask(e *event, r *messages.Request) (*messages.Reply, error) {
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

// locate the event's actor, or start one; nil while the node drains.
func (n *Node) locate(eventID string) *event {
	n.mu.RLock()
	e := n.events[eventID]
	n.mu.RUnlock()
	if e != nil {
		return e
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.events[eventID]; e != nil || n.draining {
		return e
	}
	// A name of its own for each incarnation: an earlier one may not be quite gone.
	name := "event/" + eventID + "/" + strconv.FormatUint(n.spawned.Add(1), 10)
	pid, err := n.system.Root.SpawnNamed(actors.EventProps(eventID, &n.env), name)
	if err != nil {
		n.env.Log.Error("event actor not started", "event", eventID, "error", err)
		return nil
	}
	e = &event{pid: pid}
	n.events[eventID] = e
	return e
}

// ended forgets an actor that takes no more requests.
func (n *Node) ended(eventID string, pid *actor.PID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := n.events[eventID]; e != nil && e.pid.Equal(pid) {
		delete(n.events, eventID)
	}
}

// Drain lets every event finish what it has begun, until ctx ends, and takes no more requests.
func (n *Node) Drain(ctx context.Context) {
	n.mu.Lock()
	n.draining = true
	futures := make([]*actor.Future, 0, len(n.events))
	timeout := max(time.Until(deadline(ctx)), 0) // a future with a negative one waits for ever
	for _, e := range n.events {
		futures = append(futures, n.system.Root.RequestFuture(e.pid, actors.Drain{}, timeout))
	}
	n.mu.Unlock()
	for _, f := range futures {
		if err := f.Wait(); err != nil {
			n.env.Log.Warn("event not drained", "error", err)
		}
	}
	n.shutdown.Do(n.system.Shutdown)
}

// deadline of ctx; without one, draining takes as long as a caller may wait.
func deadline(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d
	}
	return time.Now().Add(askTimeout)
}

func outcome(o messages.Outcome) *messages.Reply { return &messages.Reply{Outcome: o} }

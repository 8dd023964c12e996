package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/messages"
)

const (
	// doorID is the one actor of a node that others may send to.
	doorID = "door"
	// handOverMax is how long an event that is handed over may take to finish what it has begun: its batch, and a payment
	// provider that answers as it should. Meanwhile nobody is served, so it is short.
	handOverMax = 1500 * time.Millisecond
	// takeOverMax is how long a new owner waits for the one before: that may be stuck, and epochs keep them apart anyway.
	takeOverMax = 2 * time.Second
	// yieldedFor is how long an event that was asked for is left to who asked, while we have yet to hear of the change
	// that made it his.
	yieldedFor = 2 * time.Second
	// lastWordsMax is how long a node that leaves waits for other nodes to have had its last answers.
	lastWordsMax = 500 * time.Millisecond
)

// door takes what other nodes send. It waits for nothing.
type door struct {
	node   *Node
	visits sync.WaitGroup // of those that wait for an answer
	shut   bool
}

// shut tells our own door to let nobody in any more. It is answered once all that came before are.
type shut struct{}

// Receive one message: of another node, and what that may be is checked before (wire_guard.go), or shut.
func (d *door) Receive(c actor.Context) {
	n, from := d.node, c.Sender()
	if from == nil {
		return
	}
	switch m := c.Message().(type) {
	case shut:
		d.shut = true
		go func() {
			d.visits.Wait()
			n.system.Root.Send(from, m)
		}()
	case *messages.Request:
		switch {
		case d.shut:
			n.send(from, &messages.Elsewhere{}, nil)
		case n.inFlight.Add(1) > inFlightNodeMax:
			n.inFlight.Add(-1)
			n.send(from, outcome(messages.Outcome_OUTCOME_OVERLOADED), nil)
		default:
			d.visits.Go(func() {
				defer n.inFlight.Add(-1)
				n.send(from, n.serve(m), nil)
			})
		}
	case *messages.Release:
		release := func() {
			if n.release(m) {
				n.send(from, &messages.Released{}, nil)
			}
		}
		if d.shut { // what is ours still hangs, and nobody waits for it
			go release()
		} else {
			d.visits.Go(release)
		}
	case *messages.Ping:
		if m.GetTo() == n.self {
			n.send(from, &messages.Pong{From: n.self}, nil)
		}
	}
}

// serve a request of another node, if its event belongs here, beyond doubt: else nobody looks at it, and who asks may find
// its owner later.
func (n *Node) serve(r *messages.Request) proto.Message {
	if !n.owns(name{owner, r.GetEventId()}) || !n.alive() {
		n.refresh()
		n.metrics.Elsewhere()
		return &messages.Elsewhere{}
	}
	deadline, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	reply, v := n.askHere(r, deadline.Done())
	if v != answered {
		return &messages.Elsewhere{}
	}
	return reply
}

// release an event to who is to own it, and return once nothing of ours will be committed to it any more; false where that is
// not in time, and who asked waits no more.
func (n *Node) release(m *messages.Release) bool {
	who := name{owner, m.GetEventId()}
	n.yield(who, m.GetTo())
	n.refresh()
	begun := time.Now()
	r := n.letGo(who)
	if r == nil {
		return true
	}
	most := time.NewTimer(takeOverMax)
	defer most.Stop()
	select {
	case <-r.done:
		n.metrics.Released(nil, time.Since(begun))
		return true
	case <-most.C:
		n.metrics.Released(context.DeadlineExceeded, time.Since(begun))
		return false
	}
}

// takeOver asks the node that owned the event until now, if it is still there, to let it go. Whatever comes of it, who
// claims the event afterwards is its owner.
func (n *Node) takeOver(ctx context.Context, eventID string) {
	if n.roster == nil {
		return
	}
	before, err := n.roster.Owner(ctx, eventID)
	if err != nil {
		return // the claim will fail as well, and say so
	}
	from := n.now().peer(before)
	if from == nil || from.ID == n.self {
		return
	}
	begun := time.Now()
	most := time.NewTimer(takeOverMax)
	defer most.Stop()
	broken := from.link.lost()
	b := n.newInbox()
	defer b.close()
	n.send(n.doorOf(from), &messages.Release{EventId: eventID, To: n.self}, b.pid)
	select {
	case m := <-b.got:
		if _, ok := m.(*messages.Released); ok { // else it could not be asked
			n.metrics.HandedOver(nil, time.Since(begun))
			n.env.Log.Info("event taken over", "event", eventID, "from", from.Name, "took", time.Since(begun).Round(time.Millisecond))
		}
	case <-most.C:
		n.metrics.HandedOver(context.DeadlineExceeded, time.Since(begun))
		n.env.Log.Warn("event not let go in time: it is claimed all the same", "event", eventID, "from", from.Name)
	case <-broken:
	case <-from.gone:
	case <-ctx.Done():
	}
}

// lastWords waits until the other members have had what this one had to answer: it takes no more requests, and whoever answers
// a ping has had all that was sent to it before.
func (n *Node) lastWords(ctx context.Context) {
	if n.leases == nil || !n.alive() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWordsMax)
	defer cancel()
	b := n.newInbox()
	defer b.close()
	n.system.Root.RequestWithCustomSender(actor.NewPID(n.system.Address(), doorID), shut{}, b.pid)
	select {
	case <-b.got:
	case <-ctx.Done():
		return
	}
	var all sync.WaitGroup
	for _, p := range n.now().peers {
		if p.ID != n.self {
			all.Go(func() { _ = n.ping(ctx, p.Member) })
		}
	}
	all.Wait()
}

// letGo tells an actor of ours to finish, once; nil where there is none.
func (n *Node) letGo(who name) *resident {
	n.mu.Lock()
	r := n.actors[who]
	first := r != nil && !r.lettingGo
	if first {
		r.lettingGo = true
	}
	n.mu.Unlock()
	if first {
		n.system.Root.RequestWithCustomSender(r.pid, actors.Drain{Within: handOverMax}, n.nobody)
	}
	return r
}

package cluster

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

const (
	// askTimeout is when a reply counts as lost: longer than a caller waits for the payment provider (8 s).
	askTimeout = 10 * time.Second
	// reroutePauseMin and Max lie between two tries to find an event that is on its way from one node to another, or whose
	// node is gone and not yet known to be. They double from one to the other.
	reroutePauseMin = 5 * time.Millisecond
	reroutePauseMax = 100 * time.Millisecond
	// rerouteTriesMax bounds the tries beside askTimeout: two nodes that send a request to each other for so long disagree on
	// who is there.
	rerouteTriesMax = 100
)

// verdict is how a try to ask ended.
type verdict uint8

const (
	answered verdict = iota
	// replaced: nobody looked at it, and another will at once.
	replaced
	// untouched: nobody looked at the request, so that it may be sent elsewhere whatever it is.
	untouched
	// lost: it may have been carried out or not.
	lost
)

func (v verdict) String() string { return [...]string{"moved", "replaced", "untouched", "lost"}[v] }

// Ask the owner of the request's event, wherever it lives, activating it if need be. See the package for what is promised.
func (n *Node) Ask(ctx context.Context, r *messages.Request) *messages.Reply {
	if n.inFlight.Add(1) > inFlightNodeMax {
		n.inFlight.Add(-1)
		n.metrics.Asked("", messages.Outcome_OUTCOME_OVERLOADED, 0)
		return outcome(messages.Outcome_OUTCOME_OVERLOADED)
	}
	defer n.inFlight.Add(-1)
	begun := time.Now()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout) // who goes away is answered for all that
	defer cancel()
	c := call{node: n, request: r, pause: reroutePauseMin, deadline: deadline.Done()}
	c.request, c.span = traceAsk(ctx, n.tracer, r)
	reply := c.carry(ctx)
	c.span.end(reply)
	n.metrics.Asked(c.where, reply.GetOutcome(), time.Since(begun))
	return reply
}

// call is one Ask on its way.
type call struct {
	node     *Node
	request  *messages.Request
	deadline <-chan struct{} // closed: more than one waits for it
	pause    time.Duration
	where    string // of the last try, for the metrics
	span     *askSpan
}

func (c *call) carry(ctx context.Context) *messages.Reply {
	for range rerouteTriesMax {
		to := c.node.route(name{owner, c.request.GetEventId()})
		reply, v := c.try(to)
		switch v {
		case answered:
			if reply.GetOutcome() != messages.Outcome_OUTCOME_UNAVAILABLE || !c.elsewhere(to) || !repeatable(c.request) {
				return reply // or it has moved meanwhile, and its owner was interrupted
			}
		case lost:
			// Whether it was done its caller finds out under the same key; and so can we.
			if !repeatable(c.request) {
				return outcome(messages.Outcome_OUTCOME_UNAVAILABLE)
			}
		case replaced, untouched:
		}
		c.node.metrics.Retried(v.String())
		if v != replaced && !c.wait(ctx, to) {
			break
		}
	}
	return outcome(messages.Outcome_OUTCOME_UNAVAILABLE)
}

// try one member; nil: the event is on its way to somebody of whom we have not heard yet, or nobody is there.
func (c *call) try(to *peer) (*messages.Reply, verdict) {
	if to == nil {
		if len(c.node.now().peers) == 0 {
			return outcome(messages.Outcome_OUTCOME_UNAVAILABLE), answered
		}
		return nil, untouched
	}
	c.where = WhereThere
	c.span.sentTo(to.ID, to.ID != c.node.self)
	if to.ID == c.node.self {
		c.where = WhereHere
		return c.node.askHere(c.request, c.deadline)
	}
	return c.node.askThere(to, c.request, c.deadline)
}

// elsewhere: the event does not belong to that member any more.
func (c *call) elsewhere(tried *peer) bool {
	to := c.node.route(name{owner, c.request.GetEventId()})
	return to != nil && (tried == nil || to.ID != tried.ID)
}

// wait a moment before the next try, less where the event turns out to belong elsewhere; false where time is up, or where
// we are in doubt ourselves: the database is away, and nobody will do better.
func (c *call) wait(ctx context.Context, tried *peer) bool {
	select {
	case <-c.deadline:
		return false
	default:
	}
	changed := c.node.changed()
	if c.elsewhere(tried) {
		return true
	}
	if !c.node.alive() {
		return false
	}
	t := time.NewTimer(c.pause)
	defer t.Stop()
	c.pause = min(2*c.pause, reroutePauseMax)
	select {
	case <-t.C:
	case <-changed:
	case <-c.deadline:
		return false
	case <-ctx.Done():
		return false
	case <-c.node.drained:
		return false
	}
	return true
}

// repeatable: sent twice, the request does no more than once. Orders are asked for under a key, and a repetition finds the
// first answer.
func repeatable(r *messages.Request) bool {
	if r.GetIdempotency() != nil {
		return true
	}
	switch r.GetCall().(type) {
	case *messages.Request_GetOrder, *messages.Request_GetReport, *messages.Request_GetEvent, *messages.Request_Wake,
		*messages.Request_EndSession, *messages.Request_Configure:
		return true
	}
	return false // the seats that Block has blocked are not available to its repetition
}

// askHere asks our own actor.
func (n *Node) askHere(r *messages.Request, deadline <-chan struct{}) (*messages.Reply, verdict) {
	if !n.alive() {
		return outcome(messages.Outcome_OUTCOME_UNAVAILABLE), answered
	}
	who := name{owner, r.GetEventId()}
	e := n.locate(who)
	if e == nil {
		return nil, untouched
	}
	if e.inFlight.Add(1) > inFlightEventMax {
		e.inFlight.Add(-1)
		return outcome(messages.Outcome_OUTCOME_OVERLOADED), answered
	}
	defer e.inFlight.Add(-1)
	b := n.newInbox()
	defer b.close()
	n.system.Root.RequestWithCustomSender(e.pid, r, b.pid)
	select {
	case m := <-b.got:
		reply, v := verdictOf(m)
		if v == untouched && !n.lettingGo(who, e) {
			n.ended(who, e.pid) // another takes its place
			v = replaced
		}
		return reply, v
	case <-deadline:
		return outcome(messages.Outcome_OUTCOME_UNAVAILABLE), answered
	}
}

// askThere asks another node. Its link breaking, or the node going, is noticed at once.
func (n *Node) askThere(to *peer, r *messages.Request, deadline <-chan struct{}) (*messages.Reply, verdict) {
	broken := to.link.lost()
	b := n.newInbox()
	defer b.close()
	n.send(n.doorOf(to), r, b.pid)
	select {
	case m := <-b.got:
		if _, ok := m.(*messages.Elsewhere); ok {
			n.refresh()
		}
		return verdictOf(m)
	case <-broken:
		return nil, lost
	case <-to.gone:
		return nil, lost
	case <-deadline:
		return outcome(messages.Outcome_OUTCOME_UNAVAILABLE), answered
	}
}

func verdictOf(m any) (*messages.Reply, verdict) {
	switch m := m.(type) {
	case *messages.Reply:
		return m, answered
	case *messages.Elsewhere, *actor.DeadLetterResponse:
		return nil, untouched
	}
	return outcome(messages.Outcome_OUTCOME_INTERNAL), answered
}

// Poke the event's admission to look whether somebody is to be let in, starting it if need be, where it belongs here. Nobody
// answers: a poke may be lost.
func (n *Node) Poke(eventID string) {
	who := name{admitter, eventID}
	if !n.alive() || !n.owns(who) {
		return
	}
	if a := n.locate(who); a != nil {
		n.system.Root.Send(a.pid, admission.Poke{})
	}
}

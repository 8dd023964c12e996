package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Spans of an event actor. What is guaranteed:
//
//  1. The Owner knows nothing of them: the shell goes by its inputs and effects.
//  2. No span names an order, a session, a token, a key or what a provider said; the event it may name.
//  3. Where nothing is traced, no method here allocates; a nil *tracing is one that is off.

const (
	// pendingSpansMax bounds the requests of one event whose spans are open, and the payment operations whose origin is
	// known: some 2 KB each. Requests beyond it are not traced.
	pendingSpansMax = 1_024
	// linksMax bounds the requests that one commit's span names: the SDK's own default, past which it drops.
	linksMax = 128
)

// What a reply has waited for.
const (
	waitedNothing  = "nothing" // it was refused unseen
	waitedCommit   = "commit"
	waitedProvider = "provider"
)

// tracing is what an event's shell keeps in mind of traced requests. Only the actor calls its methods.
type tracing struct {
	tracer  trace.Tracer
	eventID string
	// pending are the requests that have a span and no reply.
	pending int
	// forming and flight are the traced requests that the batches are about, committed those of the batch that was
	// committed by this step.
	forming, flight, committed []subject
	// commands in the forming batch, traced or not.
	commands int
	inFlight bool
	// operations are the requests that opened the payment operations that go on.
	operations map[seatmap.OrderID]*tracedCaller
}

// tracedCaller is a Caller whose request is traced.
type tracedCaller struct {
	pid    *actor.PID
	span   trace.Span
	epoch  uint64
	seq    uint64 // of the batch that the reply leaves with; 0: it writes nothing
	waited string
}

// subject is what a batch is about.
type subject struct {
	by    *tracedCaller
	order seatmap.OrderID
	// opens: the payment operation that this makes of the order, if it makes one.
	opens seatmap.OperationKind
}

// newTracing is nil without a tracer.
func newTracing(tracer trace.Tracer, eventID string) *tracing {
	if tracer == nil {
		return nil
	}
	return &tracing{tracer: tracer, eventID: eventID, operations: make(map[seatmap.OrderID]*tracedCaller)}
}

// received begins the span of a traced request, and says whom to take for its caller.
func (t *tracing) received(from *actor.PID, r *messages.Request) Caller {
	if t == nil || r.GetTraceparent() == "" || t.pending >= pendingSpansMax {
		return from
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": r.GetTraceparent()})
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return from
	}
	_, span := t.tracer.Start(ctx, "decide", trace.WithAttributes(
		attribute.String("boxoffice.event", t.eventID),
		attribute.String("boxoffice.call", strings.TrimPrefix(fmt.Sprintf("%T", r.GetCall()), "*messages.Request_")),
	))
	if !span.IsRecording() {
		return from
	}
	t.pending++
	return &tracedCaller{pid: from, span: span, waited: waitedNothing}
}

// replied ends the span of a caller that is answered now, and says whom to answer.
func (t *tracing) replied(to Caller, outcome messages.Outcome) Caller {
	c, ok := to.(*tracedCaller)
	if !ok {
		return to
	}
	t.pending--
	said := strings.TrimPrefix(outcome.String(), "OUTCOME_")
	if outcome == messages.Outcome_OUTCOME_UNSPECIFIED {
		said = "ELSEWHERE" // it was turned away unseen
	}
	c.span.SetAttributes(
		attribute.Int64("boxoffice.epoch", int64(c.epoch)), attribute.Int64("boxoffice.seq", int64(c.seq)),
		attribute.String("boxoffice.outcome", said), attribute.String("boxoffice.waited", c.waited),
	)
	if outcome == messages.Outcome_OUTCOME_UNAVAILABLE || outcome == messages.Outcome_OUTCOME_INTERNAL {
		c.span.SetStatus(codes.Error, "")
	}
	c.span.End()
	return c.pid
}

// renew forgets what the owner before was at; its callers have been answered.
func (t *tracing) renew() {
	if t == nil {
		return
	}
	t.forming, t.flight, t.committed, t.commands, t.inFlight = nil, nil, nil, 0, false
	clear(t.operations)
}

// stepped follows a step of the owner, before its effects are performed.
func (t *tracing) stepped(epoch uint64, in Input, out Effects) {
	if t == nil {
		return
	}
	waitOn(t.committed) // who has not been answered with the batch
	t.committed = nil
	switch in := in.(type) {
	case Asked:
		t.asked(epoch, in, len(out.Replies) > 0)
	case Committed:
		t.committed, t.flight, t.inFlight = t.flight, nil, false
	case Paid:
		t.paid(in.Result)
	case Due, Projected:
	}
	if out.Commit == nil && !t.inFlight { // they wait for the provider, not for a batch
		waitOn(t.forming)
		t.forming, t.commands = nil, 0
	}
}

// waitOn notes that whoever of these has no answer yet gets it with the provider's.
func waitOn(about []subject) {
	for _, s := range about {
		s.by.waited = waitedProvider
	}
}

// asked notes what the forming batch is about. The owner replies at once to what it has not looked at.
func (t *tracing) asked(epoch uint64, in Asked, refused bool) {
	if refused {
		return
	}
	t.commands++
	by, ok := in.From.(*tracedCaller)
	if !ok {
		return
	}
	by.epoch, by.waited = epoch, waitedCommit
	by.span.AddEvent("decided") // what lies before is mailbox and activation
	about := subject{by: by}
	switch c := in.Request.GetCall().(type) {
	case *messages.Request_Confirm:
		about.order, about.opens = orderID(c.Confirm.GetOrderId()), seatmap.Authorize
	case *messages.Request_Finalize:
		about.order, about.opens = orderID(c.Finalize.GetOrderId()), seatmap.Capture
	case *messages.Request_Cancel:
		about.order, about.opens = orderID(c.Cancel.GetOrderId()), seatmap.Void
	}
	t.forming = append(t.forming, about)
}

// paid: the batch that takes note of the provider's answer is about the request that opened the operation, too. What it
// opens in its turn is a void, of an authorization that nobody wants any more.
func (t *tracing) paid(r CallResult) {
	by, ok := t.operations[r.Op.Order]
	if !ok || r.Command == nil {
		return
	}
	delete(t.operations, r.Op.Order)
	t.forming = append(t.forming, subject{by, r.Op.Order, seatmap.Void})
}

// commit begins the span of a batch that is sent off now. It belongs to the first of the requests that the batch is about,
// and has links to all of them; without any there is none.
func (t *tracing) commit(b *messages.Batch) *errand {
	if t == nil {
		return nil
	}
	about, commands := t.forming, t.commands
	t.flight, t.forming, t.commands, t.inFlight = about, nil, 0, true
	if len(about) == 0 {
		return nil
	}
	var seq uint64
	var bytes int
	if b.Entry != nil {
		seq, bytes = b.Entry.Seq, len(b.Entry.Facts)
	}
	links := make([]trace.Link, 0, min(len(about), linksMax))
	for _, s := range about {
		s.by.seq = seq
		if len(links) < linksMax {
			links = append(links, trace.Link{SpanContext: s.by.span.SpanContext()})
		}
	}
	ctx := trace.ContextWithSpanContext(context.Background(), links[0].SpanContext)
	return newErrand(t.tracer.Start(ctx, "commit", trace.WithLinks(links...), trace.WithAttributes(
		attribute.String("boxoffice.event", t.eventID), attribute.Int64("boxoffice.epoch", int64(b.Epoch)),
		attribute.Int64("boxoffice.seq", int64(seq)), attribute.Int("boxoffice.commands", commands),
		attribute.Int("boxoffice.facts.bytes", bytes),
	)))
}

// call begins the span of a call to the provider. The first one of an operation belongs to the request that opened it, and
// has none where that is not traced. One that is repeated is a trace of its own, as is a void that time has opened.
func (t *tracing) call(c Call) *errand {
	if t == nil {
		return nil
	}
	by := t.origin(c)
	if by == nil && !c.Repeated && c.Op.Kind != seatmap.Void {
		return nil
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("boxoffice.event", t.eventID), attribute.Bool("boxoffice.repeated", c.Repeated),
	)}
	ctx := context.Background()
	switch {
	case by != nil && c.Repeated:
		options = append(options, trace.WithLinks(trace.Link{SpanContext: by.span.SpanContext()}))
	case by != nil:
		ctx = trace.ContextWithSpanContext(ctx, by.span.SpanContext())
	}
	return newErrand(t.tracer.Start(ctx, "payment "+c.Op.Kind.String(), options...))
}

// origin is the traced request that opened an operation, nil where it is not known.
func (t *tracing) origin(c Call) *tracedCaller {
	if c.Repeated {
		return t.operations[c.Op.Order]
	}
	for _, s := range t.committed {
		if s.order == c.Op.Order && s.opens == c.Op.Kind {
			if len(t.operations) < pendingSpansMax {
				t.operations[c.Op.Order] = s.by
			}
			return s.by
		}
	}
	return nil
}

// errand is the span of what is done elsewhere; nil: it has none. Only who does it calls the methods.
type errand struct {
	ctx  context.Context
	span trace.Span
}

func newErrand(ctx context.Context, span trace.Span) *errand { return &errand{ctx, span} }

// context that whatever is asked may carry on.
func (e *errand) context() context.Context {
	if e == nil {
		return context.Background()
	}
	return e.ctx
}

// committed ends the span of a commit.
func (e *errand) committed(c Committed) Committed {
	switch {
	case e == nil:
	case c.Err == nil:
		e.end("committed", false)
	case errors.Is(c.Err, messages.ErrFenced):
		e.end("fenced", true)
	default:
		e.end("unknown", true)
	}
	return c
}

// paid ends the span of a payment call. What the provider said is none of its affair.
func (e *errand) paid(r CallResult) CallResult {
	if e == nil {
		return r
	}
	_, unauthorized := r.Command.(seatmap.AuthorizeRefused)
	_, uncaptured := r.Command.(seatmap.CaptureRefused)
	switch {
	case r.Command == nil:
		e.end("unknown", true)
	case unauthorized || uncaptured:
		e.end("declined", false)
	default:
		e.end("done", false)
	}
	return r
}

func (e *errand) end(outcome string, failed bool) {
	e.span.SetAttributes(attribute.String("boxoffice.outcome", outcome))
	if failed {
		e.span.SetStatus(codes.Error, "")
	}
	e.span.End()
}

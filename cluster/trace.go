package cluster

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// askSpan follows a request to its event's owner; nil: it is not traced, and nothing is allocated for it.
type askSpan struct {
	span     trace.Span
	attempts int
}

// traceAsk begins the span of an Ask whose caller is traced, and brings the request to send in r's place. Actors get no
// context: the request says itself whose child its owner's span is, the same here and on another node.
func traceAsk(ctx context.Context, tracer trace.Tracer, r *messages.Request) (*messages.Request, *askSpan) {
	if tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return r, nil
	}
	ctx, span := tracer.Start(ctx, "ask", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("boxoffice.event", r.GetEventId()),
	))
	r = proto.CloneOf(r) // whoever asks may send his own again
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	r.Traceparent = carrier["traceparent"]
	return r, &askSpan{span: span}
}

// sentTo notes that the request is tried with a member. The last one stays.
func (s *askSpan) sentTo(member string, remote bool) {
	if s == nil {
		return
	}
	s.attempts++
	s.span.SetAttributes(attribute.String("boxoffice.member", member), attribute.Bool("boxoffice.remote", remote))
}

// end the span with what its caller is told.
func (s *askSpan) end(reply *messages.Reply) {
	if s == nil {
		return
	}
	said := reply.GetOutcome()
	s.span.SetAttributes(
		attribute.Int("boxoffice.attempts", s.attempts),
		attribute.String("boxoffice.outcome", strings.TrimPrefix(said.String(), "OUTCOME_")),
	)
	if said == messages.Outcome_OUTCOME_UNAVAILABLE || said == messages.Outcome_OUTCOME_INTERNAL {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

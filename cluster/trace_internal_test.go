package cluster

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/messages"
)

// Goal: the span of an Ask is its caller's child and its owner's parent, says where the request went, and costs nothing
// where there is none. Method: the functions that Ask calls, with the SDK's recorder.

func TestAskSpan(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	tracer := provider.Tracer("test")
	ctx, root := tracer.Start(t.Context(), "root")
	asked := &messages.Request{EventId: "E1", SessionId: []byte("0123456789abcdef")}

	sent, span := traceAsk(ctx, tracer, asked)
	span.sentTo("a.1", false)
	span.sentTo("b.2", true)
	span.end(&messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE})

	if asked.GetTraceparent() != "" {
		t.Error("the caller's own request was changed")
	}
	got := spans.Ended()[0]
	if want := "00-" + got.SpanContext().TraceID().String() + "-" + got.SpanContext().SpanID().String() + "-01"; sent.GetTraceparent() != want {
		t.Errorf("sent with the traceparent %q, want %q", sent.GetTraceparent(), want)
	}
	if string(sent.GetSessionId()) != string(asked.GetSessionId()) || sent.GetEventId() != "E1" {
		t.Errorf("sent %v", sent)
	}
	if got.Parent().SpanID() != root.SpanContext().SpanID() || got.Name() != "ask" || got.Status().Code != codes.Error {
		t.Errorf("the span is %q, a child of %s, %v", got.Name(), got.Parent().SpanID(), got.Status())
	}
	set := attribute.NewSet(got.Attributes()...)
	if want := attribute.NewSet(
		attribute.String("boxoffice.event", "E1"), attribute.String("boxoffice.member", "b.2"), attribute.Bool("boxoffice.remote", true),
		attribute.Int("boxoffice.attempts", 2), attribute.String("boxoffice.outcome", "UNAVAILABLE"),
	); !set.Equals(&want) {
		t.Errorf("its attributes are %v", got.Attributes())
	}
}

func TestUntracedAskCostsNothing(t *testing.T) {
	unsampled := sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample())).Tracer("test")
	ctx, _ := unsampled.Start(t.Context(), "root")
	r := &messages.Request{EventId: "E1"}
	reply := &messages.Reply{}
	for name, tracer := range map[string]trace.Tracer{"off": nil, "not sampled": unsampled} {
		if n := testing.AllocsPerRun(100, func() {
			sent, span := traceAsk(ctx, tracer, r)
			span.sentTo("a.1", false)
			span.end(reply)
			if sent != r || span != nil {
				t.Fatal("it is traced")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a request", name, n)
		}
	}
}

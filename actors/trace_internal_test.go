package actors

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: the hooks cost nothing where nothing is traced, and keep only so much in mind where all is. Method: the functions
// that the shell calls.

const sampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestTracingOffCostsNothing(t *testing.T) {
	pid := actor.NewPID("here", "somebody")
	unsampled := sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample())).Tracer("test")
	for name, c := range map[string]struct {
		traces *tracing
		parent string
	}{
		"off": {nil, sampledParent}, "not traced": {newTracing(unsampled, "E1"), ""},
	} {
		r := &messages.Request{Traceparent: c.parent}
		var from Caller = pid
		var in Input = Asked{From: from, Request: r}
		batch := &messages.Batch{EventID: "E1", Entry: &messages.Entry{Seq: 7}}
		out := Effects{Commit: batch}
		if n := testing.AllocsPerRun(100, func() {
			if c.traces.received(pid, r) != from {
				t.Fatal("it is traced")
			}
			c.traces.stepped(1, in, out)
			span := c.traces.commit(batch)
			span.committed(Committed{})
			_ = span.context()
			c.traces.call(Call{}).paid(CallResult{})
			if c.traces.replied(from, messages.Outcome_OUTCOME_READ) != from {
				t.Fatal("it is traced")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a request", name, n)
		}
	}
}

func TestPendingSpansAreBounded(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	traces := newTracing(sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test"), "E1")
	pid := actor.NewPID("here", "somebody")
	order := func(i int) seatmap.OrderID { return seatmap.OrderID{byte(i), byte(i >> 8)} }
	var callers []Caller
	var replies []Addressed
	for i := range pendingSpansMax + 100 {
		id := order(i)
		r := &messages.Request{
			Traceparent: sampledParent, Call: &messages.Request_Confirm{Confirm: &messages.Confirm{OrderId: id[:]}},
		}
		from := traces.received(pid, r)
		traces.inFlight = true
		traces.stepped(1, Asked{From: from, Request: r}, Effects{})
		callers = append(callers, from)
		replies = append(replies, Addressed{To: from})
	}
	traced := 0
	for _, c := range callers {
		if _, ok := c.(*tracedCaller); ok {
			traced++
		}
	}
	if traced != pendingSpansMax || len(traces.forming) != pendingSpansMax {
		t.Errorf("%d requests are traced, %d in the batch, want %d", traced, len(traces.forming), pendingSpansMax)
	}
	traces.commit(&messages.Batch{Entry: &messages.Entry{}}).committed(Committed{})
	traces.stepped(1, Committed{}, Effects{Replies: replies})
	for i := range callers {
		traces.call(Call{Op: seatmap.Operation{Order: order(i), Kind: seatmap.Authorize}}).paid(CallResult{})
	}
	if len(traces.operations) != pendingSpansMax {
		t.Errorf("%d operations are known", len(traces.operations))
	}
	for _, to := range callers {
		if traces.replied(to, messages.Outcome_OUTCOME_READ) != Caller(pid) {
			t.Fatal("somebody else is answered")
		}
	}
	if traces.pending != 0 || len(spans.Started()) != len(spans.Ended()) {
		t.Errorf("%d pending, %d spans began and %d ended", traces.pending, len(spans.Started()), len(spans.Ended()))
	}
	for _, s := range spans.Ended() {
		if s.Name() == "commit" && (len(s.Links()) != linksMax || s.DroppedLinks() != 0) {
			t.Errorf("the commit has %d links", len(s.Links()))
		}
	}
	traces.renew()
	if len(traces.operations)+len(traces.forming)+len(traces.flight)+len(traces.committed) != 0 {
		t.Error("the next owner knows the last one's requests")
	}
}

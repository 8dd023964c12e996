package actors_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"boxoffice/actors"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// Goal: the spans of an event connect each traced request with its commits and payment calls, and nothing else. Method: a
// node with real actors over the journal in memory, and the SDK's recorder.

// traces is what a test's requests begin from and where the event's spans end up.
type traces struct {
	*tracetest.SpanRecorder
	tracer trace.Tracer
}

func newTraces(options ...sdk.TracerProviderOption) *traces {
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(append(options, sdk.WithSpanProcessor(spans))...)
	return &traces{spans, provider.Tracer("test")}
}

// root begins a trace and puts it on a request.
func (tr *traces) root(t testing.TB, r *messages.Request) (*messages.Request, trace.SpanContext) {
	_, span := tr.tracer.Start(t.Context(), "root")
	c := span.SpanContext()
	r.Traceparent = fmt.Sprintf("00-%s-%s-%s", c.TraceID(), c.SpanID(), c.TraceFlags())
	return r, c
}

// of are the spans of a name and trace that have ended, in that sequence.
func (tr *traces) of(name string, id trace.TraceID) (spans []sdk.ReadOnlySpan) {
	for _, s := range tr.Ended() {
		if s.Name() == name && s.SpanContext().TraceID() == id {
			spans = append(spans, s)
		}
	}
	return spans
}

// one waits until a trace has one span of the name.
func (sh *shell) one(tr *traces, name string, id trace.TraceID) sdk.ReadOnlySpan {
	sh.Helper()
	sh.eventually("the trace has a span "+name, 0, func() bool { return len(tr.of(name, id)) > 0 })
	if got := tr.of(name, id); len(got) > 1 {
		sh.Fatalf("the trace has %d spans %s", len(got), name)
	}
	return tr.of(name, id)[0]
}

func attr(s sdk.ReadOnlySpan, key string) string {
	set := attribute.NewSet(s.Attributes()...)
	v, _ := set.Value(attribute.Key("boxoffice." + key))
	return v.String()
}

// is fails the test unless the attributes, named as key and value in turn, are these.
func is(t testing.TB, s sdk.ReadOnlySpan, want ...string) {
	t.Helper()
	for kv := range slices.Chunk(want, 2) {
		if got := attr(s, kv[0]); got != kv[1] {
			t.Errorf("%s: %s is %q, want %q", s.Name(), kv[0], got, kv[1])
		}
	}
}

func linked(s sdk.ReadOnlySpan, to trace.SpanContext) bool {
	return slices.ContainsFunc(s.Links(), func(l sdk.Link) bool { return l.SpanContext.SpanID() == to.SpanID() })
}

// newMemoryStore is a store on the journal in memory.
func newMemoryStore(t *testing.T) *store {
	s := &store{TB: t, clock: new(fakeClock), ledger: paymenttest.NewLedger()}
	db := memory.New(func() int64 { return int64(t0) + s.clock.Elapsed().Milliseconds() })
	s.journal = func(node string) actors.Journal { return db.Journal(node) }
	s.readModel, s.catalogue, s.due = db.ReadModel(), db.Catalogue(), db.Due
	return s
}

func newTracedShell(t *testing.T, tr *traces) *shell {
	s := newMemoryStore(t).withEvent()
	return s.newShell("a", func(env *actors.Env) { env.Tracer = tr.tracer })
}

func TestTraceOfAPurchase(t *testing.T) {
	tr := newTraces()
	sh := newTracedShell(t, tr)
	sh.must(createOrder("s", "o", sh.now()+tokenTTL), created) // untraced: no spans
	for _, c := range []struct {
		r             *messages.Request
		want          messages.Outcome
		call, payment string
	}{
		{confirm("s", "o", "", "tok_visa", "1-1"), authorized, "Confirm", "payment authorize"},
		{finalize("s", "o"), completed, "Finalize", "payment capture"},
	} {
		r, root := tr.root(t, c.r)
		sh.must(r, c.want)
		decide := sh.one(tr, "decide", root.TraceID())
		if decide.Parent().SpanID() != root.SpanID() || !decide.Parent().IsRemote() {
			t.Errorf("decide is the child of %v", decide.Parent())
		}
		is(t, decide, "event", eventID, "call", c.call, "epoch", "1", "waited", "provider",
			"outcome", strings.TrimPrefix(c.want.String(), "OUTCOME_"))
		pay := sh.one(tr, c.payment, root.TraceID())
		if pay.Parent().SpanID() != decide.SpanContext().SpanID() || pay.SpanKind() != trace.SpanKindClient {
			t.Errorf("%s is a %s, the child of %v", c.payment, pay.SpanKind(), pay.Parent())
		}
		is(t, pay, "event", eventID, "outcome", "done", "repeated", "false")

		commits := tr.of("commit", root.TraceID())
		if len(commits) != 2 {
			t.Fatalf("%d commits, want one that opens the operation and one that takes note of it", len(commits))
		}
		for i, commit := range commits {
			if commit.Parent().SpanID() != decide.SpanContext().SpanID() || !linked(commit, decide.SpanContext()) || len(commit.Links()) != 1 {
				t.Errorf("commit %d is the child of %v with links %v", i, commit.Parent(), commit.Links())
			}
			is(t, commit, "event", eventID, "epoch", "1", "outcome", "committed", "commands", fmt.Sprint(1-i))
			if attr(commit, "facts.bytes") == "0" {
				t.Error("the commit has no facts")
			}
		}
		if attr(commits[1], "seq") != attr(decide, "seq") {
			t.Errorf("decided in %s, answered with %s", attr(commits[1], "seq"), attr(decide, "seq"))
		}
	}
	if got := len(tr.Ended()); got != 8 {
		t.Errorf("%d spans ended, want 8", got)
	}
}

// What arrives during a commit is one batch: one span, the first one's child, linked to all that are traced.
func TestTraceOfABatch(t *testing.T) {
	tr := newTraces()
	sh := newTracedShell(t, tr)
	release, entered := make(chan struct{}), make(chan struct{}, 8)
	sh.journal.set(func(w *wire) {
		w.onCommit = func(_ messages.Batch, commit func() error) error {
			entered <- struct{}{}
			<-release
			return commit()
		}
	})
	first := sh.begin(createOrder("s", "o", sh.now()+tokenTTL))
	<-entered
	// The actor takes them in this sequence, as each is begun by who has seen the one before asked for.
	var replies []<-chan *messages.Reply
	var roots []trace.SpanContext
	for i := range 3 {
		r := createOrder(fmt.Sprint("s", i), fmt.Sprint("o", i), sh.now()+tokenTTL)
		if i > 0 {
			var root trace.SpanContext
			r, root = tr.root(t, r)
			roots = append(roots, root)
		}
		before := len(tr.Started())
		replies = append(replies, sh.begin(r))
		sh.eventually("the actor has it", 0, func() bool { return i == 0 || len(tr.Started()) > before })
	}
	sh.eventually("the node works on all", 0, func() bool { return sh.node.InFlight() == 4 })
	close(release)
	for _, reply := range append(replies, first) {
		if got := (<-reply).GetOutcome(); got != created {
			t.Errorf("answered %s", got)
		}
	}
	commit := sh.one(tr, "commit", roots[0].TraceID())
	for _, root := range roots {
		if decide := sh.one(tr, "decide", root.TraceID()); !linked(commit, decide.SpanContext()) {
			t.Errorf("the commit has no link to %s: %v", decide.Name(), commit.Links())
		}
	}
	if len(commit.Links()) != 2 || len(tr.of("commit", roots[1].TraceID())) != 0 {
		t.Errorf("links %v", commit.Links())
	}
}

// An operation whose answer was not heard is asked for again: in a trace of its own, with a link to who opened it.
func TestTraceOfARepeatedPayment(t *testing.T) {
	tr := newTraces()
	sh := newTracedShell(t, tr)
	sh.must(createOrder("s", "o", sh.now()+tokenTTL), created)
	r, root := tr.root(t, confirm("s", "o", "", "tok_auth_timeout", "1-1"))
	reply := sh.begin(r)
	sh.eventually("the confirm is answered", actors.RetryMillisMax, func() bool { return len(reply) == 1 })
	first := sh.one(tr, "payment authorize", root.TraceID())
	is(t, first, "outcome", "unknown", "repeated", "false")
	decide := sh.one(tr, "decide", root.TraceID())
	again := func() bool {
		for _, s := range tr.Ended() {
			if s.Name() == "payment authorize" && attr(s, "repeated") == "true" && !s.Parent().IsValid() && linked(s, decide.SpanContext()) {
				return s.SpanContext().TraceID() != root.TraceID()
			}
		}
		return false
	}
	sh.eventually("the repetition's span has ended", 0, again)
}

// A deposed owner answers its callers that it is unavailable, and the span says so.
func TestTraceOfAFencedCommit(t *testing.T) {
	tr := newTraces()
	s := newMemoryStore(t).withEvent()
	a, b := s.newShell("a", func(env *actors.Env) { env.Tracer = tr.tracer }), s.newShell("b", nil)
	a.own()
	b.own()
	r, root := tr.root(t, getReport())
	a.must(r, unavailable)
	is(t, a.one(tr, "commit", root.TraceID()), "outcome", "fenced", "seq", "0")
	is(t, a.one(tr, "decide", root.TraceID()), "outcome", "UNAVAILABLE", "waited", "commit")
}

// What is not sampled, or came with nonsense in place of a trace, has no span.
func TestUntraced(t *testing.T) {
	tr := newTraces()
	sh := newTracedShell(t, tr)
	for i, parent := range []string{
		"", "nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "00-00000000000000000000000000000000-b7ad6b7169203331-01",
	} {
		r := createOrder(fmt.Sprint("s", i), fmt.Sprint("o", i), sh.now()+tokenTTL)
		r.Traceparent = parent
		sh.must(r, created)
	}
	if got := tr.Started(); len(got) != 0 {
		t.Errorf("%d spans", len(got))
	}
}

package main_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: the traces of a purchase follow it from HTTP to the provider, tell no secret, and slow nothing, whatever becomes of
// the collector. Method: the real binary and a collector of the test's, that reads what it is sent or hangs.

// collector is what OTLP over HTTP is sent to.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	raw      []byte
	spans    []span
	resource map[string]string
}

// span as one process sent it.
type span struct {
	*tracepb.Span
	member string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		var export collectorpb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			t.Errorf("the collector was sent %s %s, %v", r.Method, r.URL, err)
			w.WriteHeader(nethttp.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw = append(c.raw, body...)
		for _, rs := range export.GetResourceSpans() {
			c.resource = values(rs.GetResource().GetAttributes())
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					c.spans = append(c.spans, span{s, c.resource["service.instance.id"]})
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func values(attributes []*commonpb.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_BoolValue:
			m[a.GetKey()] = fmt.Sprint(v.BoolValue)
		}
	}
	return m
}

// traces are those that begin with a span of this name, all spans of each.
func (c *collector) traces(name string) (all [][]span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, root := range c.spans {
		if root.GetName() != name || len(root.GetParentSpanId()) != 0 {
			continue
		}
		var trace []span
		for _, s := range c.spans {
			if string(s.GetTraceId()) == string(root.GetTraceId()) {
				trace = append(trace, s)
			}
		}
		all = append(all, trace)
	}
	return all
}

// spansNamed are those of the name, as they began.
func spansNamed(spans []span, name string) (found []span) {
	for _, s := range spans {
		if s.GetName() == name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b span) int { return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano()) })
	return found
}

// follow is nil where there are n traces of a call on an order, each of them whole. remote is of how many the event was on
// another node than the request.
func (c *collector) follow(n int, verb, payment, outcome string) (remote int, err error) {
	root := "POST /api/orders/{orderId}:" + verb
	all := c.traces(root)
	if len(all) != n {
		return 0, fmt.Errorf("%s: %d traces, want %d", verb, len(all), n)
	}
	for _, trace := range all {
		isRemote, err := whole(trace, root, payment, outcome)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", verb, err)
		}
		if isRemote {
			remote++
		}
	}
	return remote, nil
}

// whole is nil where a trace has HTTP, node, actor, two commits and the provider, each in its place.
func whole(all []span, root, payment, outcome string) (remote bool, err error) {
	count := map[string]int{}
	for _, s := range all {
		count[s.GetName()]++
	}
	if count[root] != 1 || count["ask"] != 1 || count["decide"] != 1 || count["commit"] != 2 || count[payment] != 1 || len(all) != 6 {
		return false, fmt.Errorf("the trace has %v", count)
	}
	server, ask, decide := spansNamed(all, root)[0], spansNamed(all, "ask")[0], spansNamed(all, "decide")[0]
	commits, pay := spansNamed(all, "commit"), spansNamed(all, payment)[0]
	for _, link := range []struct{ child, parent span }{
		{ask, server}, {decide, ask}, {commits[0], decide}, {commits[1], decide}, {pay, decide},
	} {
		if string(link.child.GetParentSpanId()) != string(link.parent.GetSpanId()) {
			return false, fmt.Errorf("%s is not the child of %s", link.child.GetName(), link.parent.GetName())
		}
		if link.child.GetStartTimeUnixNano() < link.parent.GetStartTimeUnixNano() {
			return false, fmt.Errorf("%s begins before %s", link.child.GetName(), link.parent.GetName())
		}
	}
	asked, decided := values(ask.GetAttributes()), values(decide.GetAttributes())
	remote = ask.member != decide.member
	for _, want := range []struct {
		span       span
		key, value string
	}{
		{server, "http.route", strings.TrimPrefix(root, "POST ")},
		{server, "http.request.method", "POST"},
		{ask, "boxoffice.attempts", "1"},
		{ask, "boxoffice.remote", fmt.Sprint(remote)},
		{ask, "boxoffice.member", decide.member},
		{ask, "boxoffice.outcome", outcome},
		{decide, "boxoffice.event", asked["boxoffice.event"]},
		{decide, "boxoffice.outcome", outcome},
		{decide, "boxoffice.waited", "provider"},
		{commits[0], "boxoffice.commands", "1"},
		{commits[0], "boxoffice.epoch", decided["boxoffice.epoch"]},
		{commits[0], "boxoffice.outcome", "committed"},
		{commits[1], "boxoffice.seq", decided["boxoffice.seq"]},
		{pay, "boxoffice.event", asked["boxoffice.event"]},
		{pay, "boxoffice.outcome", "done"},
		{pay, "boxoffice.repeated", "false"},
	} {
		if got := values(want.span.GetAttributes())[want.key]; got != want.value {
			return false, fmt.Errorf("%s: %s is %q, want %q", want.span.GetName(), want.key, got, want.value)
		}
	}
	if asked["boxoffice.event"] != "E1" || decided["boxoffice.epoch"] == "0" || decided["boxoffice.seq"] == "0" {
		return false, fmt.Errorf("asked %v, decided %v", asked, decided)
	}
	for _, commit := range commits {
		if len(commit.GetLinks()) != 1 || string(commit.GetLinks()[0].GetSpanId()) != string(decide.GetSpanId()) {
			return false, fmt.Errorf("a commit is linked to %v", commit.GetLinks())
		}
		if v := values(commit.GetAttributes()); v["boxoffice.facts.bytes"] == "" || v["boxoffice.facts.bytes"] == "0" {
			return false, fmt.Errorf("a commit has no facts: %v", v)
		}
	}
	return remote, nil
}

func TestTraceOfAPurchase(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := start(t, pgtest.New(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_SCHEDULE_DELAY=20")
	s.create("E1", hall(2, 10), nil)
	b, id, err := s.newOrder("E1")
	must(t, err)
	must(t, b.call(id, "confirm", "key-of-the-confirm", pay(best(2), "tok_visa")).is(202))
	finalized := b.call(id, "finalize", "key-of-the-finalize", "")
	must(t, finalized.is(200))
	must(t, b.leave().is(204))
	until(t, patience, func() error {
		_, err := c.follow(1, "confirm", "payment authorize", "ORDER_AUTHORIZED")
		return err
	})
	// What has not been sent by then, the end flushes.
	if took, code := s.terminate(); code != 0 {
		t.Errorf("the server ended with %d after %v", code, took)
	}
	_, err = c.follow(1, "finalize", "payment capture", "ORDER_COMPLETED")
	must(t, err)
	if len(c.traces("DELETE /api/waiting-room/sessions/{sessionId}")) != 1 {
		t.Error("the last request's trace was not flushed")
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.resource; r["service.name"] != "boxoffice" || r["service.instance.id"] == "" {
		t.Errorf("the resource is %v", r)
	}
	if _, ok := c.resource["service.version"]; !ok {
		t.Errorf("the resource has no version: %v", c.resource)
	}
	secrets := []string{
		b.token, adminToken, "tok_visa", "key-of-the", "127.0.0.1", "Go-http-client", ".o_", ".s_", ".t_", finalized.order().Tickets[0].Code,
	}
	for _, text := range []string{id, b.sessionID} {
		_, encoded, _ := strings.Cut(text, "_")
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || len(raw) != 16 {
			t.Fatalf("%s is no id", text)
		}
		secrets = append(secrets, encoded, string(raw), hex.EncodeToString(raw))
	}
	for _, secret := range secrets {
		if strings.Contains(string(c.raw), secret) {
			t.Errorf("the collector was sent %q", secret)
		}
	}
}

// A request for an event of another node is one trace over both.
func TestTraceAcrossNodes(t *testing.T) {
	t.Parallel()
	c, database := newCollector(t), pgtest.New(t)
	var nodes []*server
	for range 2 {
		nodes = append(nodes, start(t, database, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_SCHEDULE_DELAY=20"))
	}
	nodes[0].create("E1", hall(2, 10), nil)
	for _, s := range nodes { // else the event may move between the two purchases
		s.ready(t)
		until(t, patience, func() error {
			if n := s.metric(t, "boxoffice_cluster_members"); n != 2 {
				return fmt.Errorf("the node knows %v members", n)
			}
			return nil
		})
	}
	for _, s := range nodes {
		b, id, err := s.newOrder("E1")
		must(t, err)
		must(t, b.call(id, "confirm", "c", pay(best(2), "tok_visa")).is(202))
		must(t, b.call(id, "finalize", "f", "").is(200))
	}
	until(t, patience, func() error {
		authorized, err := c.follow(2, "confirm", "payment authorize", "ORDER_AUTHORIZED")
		if err != nil {
			return err
		}
		captured, err := c.follow(2, "finalize", "payment capture", "ORDER_COMPLETED")
		if err == nil && (authorized != 1 || captured != 1) {
			err = fmt.Errorf("%d of 2 confirms and %d of 2 finalizes were remote", authorized, captured)
		}
		return err
	})
}

// A collector that hangs, behind a queue that is soon full, slows no purchase and hardly the end.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	hanging := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(release) })
	s := start(t, pgtest.New(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+hanging.URL, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_BSP_MAX_QUEUE_SIZE=8")
	s.create("E1", hall(4, 10), nil)
	_, _, err := s.newOrder("E1")
	must(t, err)
	select {
	case <-asked: // from now on the exporter waits
	case <-time.After(patience):
		t.Fatal("nothing is exported")
	}
	var took []time.Duration
	for i := range 15 {
		begun := time.Now()
		b, o, err := s.authorized("E1", best(2), "tok_visa")
		must(t, err)
		must(t, b.call(o.OrderID, "finalize", fmt.Sprint(i), "").is(200))
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("purchases took %v at the median, %v at most", took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > time.Second { // the exporter waits 10 s for an answer
		t.Errorf("a purchase takes %v while the collector hangs", median)
	}
	if took, code := s.terminate(); code != 0 || took > 8*time.Second {
		t.Errorf("the server ended with %d after %v", code, took)
	}
}

package main

import (
	"bytes"
	"context"
	"log/slog"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Goal: traces are off unless a collector is named, what is set wrongly is refused, and a collector that does not answer
// costs the end of the server flushMax. Method: startTracing itself.

// clearTracing leaves nothing of what the environment says of traces.
func clearTracing(t *testing.T, env map[string]string) {
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
	} {
		t.Setenv(name, env[name])
	}
}

func TestWhenTracingIsOn(t *testing.T) {
	const to = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, c := range []struct {
		env  map[string]string
		on   bool
		want string // of the error
	}{
		{map[string]string{}, false, ""},
		{map[string]string{to: "http://127.0.0.1:4318"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, true, ""},
		{map[string]string{to: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, false, ""},
		{map[string]string{to: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		{map[string]string{to: "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
		{map[string]string{to: "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "http/protobuf alone"},
		{map[string]string{to: "collector:4318"}, false, "not an address"},
		{map[string]string{to: "http://"}, false, "not an address"},
	} {
		clearTracing(t, c.env)
		tracer, stop, err := startTracing(t.Context(), slog.New(slog.DiscardHandler), "m")
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v, want an error with %q", c.env, err, c.want)
			}
			continue
		}
		if err != nil || (tracer != nil) != c.on {
			t.Errorf("%v: tracer %v, error %v", c.env, tracer, err)
		}
		stop()
	}
}

func TestEndWithACollectorThatHangs(t *testing.T) {
	asked, release := make(chan struct{}, 16), make(chan struct{})
	collector := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer collector.Close()
	defer close(release)
	clearTracing(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL})
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
	var log bytes.Buffer
	tracer, stop, err := startTracing(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), "m")
	if err != nil {
		t.Fatal(err)
	}
	spans := func() {
		for range 100 { // more than the queue holds
			_, span := tracer.Start(context.Background(), "span")
			span.End()
		}
	}
	spans()
	<-asked
	begun := time.Now()
	spans()
	if took := time.Since(begun); took > flushMax {
		t.Errorf("100 spans took %v while the collector hangs", took)
	}
	begun = time.Now()
	stop()
	if took := time.Since(begun); took < flushMax || took > 8*flushMax {
		t.Errorf("the end took %v, want %v", took, flushMax)
	}
	if !strings.Contains(log.String(), "the last traces are lost") {
		t.Errorf("the log says %s", &log)
	}
}

// What the SDK complains of is logged once in a while: an outage of the collector is not to fill the log.
func TestTracingTroubleIsLoggedSparingly(t *testing.T) {
	var log bytes.Buffer
	trouble := &tracingTrouble{log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 10 {
		trouble.Handle(context.DeadlineExceeded)
	}
	if n := strings.Count(log.String(), "traces are lost"); n != 1 {
		t.Errorf("%d lines", n)
	}
	trouble.logged = time.Now().Add(-tracingTroubleEvery)
	trouble.Handle(context.DeadlineExceeded)
	if n := strings.Count(log.String(), "traces are lost"); n != 2 {
		t.Errorf("%d lines a minute later", n)
	}
}

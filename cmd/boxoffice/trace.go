package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// flushMax is what the last spans get at the end, less than closeMax: a collector that hangs must not cost the database
	// its farewell.
	flushMax = 500 * time.Millisecond
	// tracingTroubleEvery is between two lines that say that spans are lost.
	tracingTroubleEvery = time.Minute
)

// startTracing exports spans where OpenTelemetry's variables name a collector. Else the tracer is nil, which costs nothing.
//
//  1. What the exporter, the batches and the sampler are is said by the standard variables, and by no others.
//  2. Nothing waits for the collector: the queue is bounded (OTEL_BSP_MAX_QUEUE_SIZE) and what it has no room for is lost.
//  3. stop takes flushMax at most.
func startTracing(ctx context.Context, log *slog.Logger, memberID string) (tracer trace.Tracer, stop func(), err error) {
	endpoint := or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	if endpoint == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, func() {}, nil
	}
	if err := checkTracing(endpoint); err != nil {
		return nil, nil, err
	}
	otel.SetErrorHandler(&tracingTrouble{log: log})
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("making the exporter of traces: %w", err)
	}
	// What comes later counts: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
	self, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "boxoffice"), attribute.String("service.version", buildVersion()),
		attribute.String("service.instance.id", memberID),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(self), sdk.WithoutPanicRecording())
	log.Info("requests are traced", "sampler", or(os.Getenv("OTEL_TRACES_SAMPLER"), "parentbased_always_on"))
	return provider.Tracer("boxoffice"), func() {
		flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushMax)
		defer cancel()
		if err := provider.Shutdown(flushing); err != nil {
			log.Warn("the last traces are lost", "error", err)
		}
	}, nil
}

// checkTracing refuses what the exporter would read otherwise than it was meant.
func checkTracing(endpoint string) error {
	switch p := or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")); p {
	case "", "http/protobuf":
	default:
		return fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: traces are sent by http/protobuf alone (port 4318 of most collectors)", p)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is not an address such as http://collector:4318")
	}
	return nil
}

// tracingTrouble logs what the SDK complains of, the first of each tracingTroubleEvery.
type tracingTrouble struct {
	log    *slog.Logger
	mu     sync.Mutex
	logged time.Time
}

// Handle an error of the SDK's.
func (t *tracingTrouble) Handle(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); t.logged.IsZero() || now.Sub(t.logged) >= tracingTroubleEvery {
		t.logged = now
		t.log.Warn("traces are lost", "error", err)
	}
}

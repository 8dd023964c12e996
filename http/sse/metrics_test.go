package sse

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Goal: streams are counted by kind and by how they ended, and what is open is what is open.
// Method: as in sse_test.go; the numbers are read from the registry.

// counted is a registry and the sum of a family's series that have the label values.
func counted(t testing.TB, r *prometheus.Registry, family string, labels ...string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "boxoffice_sse_"+family {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			for i := range labels {
				if m.GetLabel()[i].GetValue() != labels[i] {
					continue series
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func TestStreamsAreCounted(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		registry := prometheus.NewRegistry()
		r := newRig(t, hide, Config{StreamsMax: 4, StreamsPerKeyMax: 1, Metrics: NewMetrics(registry, "a", "b")})
		want := func(family string, n float64, labels ...string) {
			t.Helper()
			r.eventually(family, func() bool { return counted(t, registry, family, labels...) == n })
		}
		r.set(0, nil)
		left, _ := r.connect()
		_, ended := r.connect()
		_, slow := r.connect()
		want("streams", 3, "a")
		want("streams", 0, "b")
		r.set(7, nil)
		r.connect()
		if got := r.dial(plainRequest).line(); got[9:12] != "503" {
			t.Fatalf("a fifth stream: %q", got)
		}
		want("streams_refused_total", 1, "full")
		sent := counted(t, registry, "sent_bytes_total", "a")
		ended.Send(event(1))
		want("sent_bytes_total", sent+float64(len(event(1))), "a")

		_ = left.Close()
		want("streams_ended_total", 1, "gone", "a")
		ended.End(nil)
		want("streams_ended_total", 1, "ended", "a")
		r.stall(slow)
		r.dropped(slow)
		want("streams_ended_total", 1, "slow", "a")
		want("streams", 1, "a")
		r.connect() // of the same key as the fourth
		want("streams_displaced_total", 1, "a")
		want("streams_opened_total", 5, "a")
		want("streams_ended_total", 2, "ended", "a")
		want("streams", 1, "a")
	})
}

// BenchmarkScrape reads the numbers of a server with 100,000 streams.
func BenchmarkScrape(b *testing.B) {
	const streams = 100_000
	registry := prometheus.NewRegistry()
	s := newServer(Config{StreamsMax: -1, Metrics: NewMetrics(registry, "a", "b", "c")})
	for i := range streams {
		st, err := s.reserve(Options{Kind: uint8(i % 3)})
		if err != nil {
			b.Fatal(err)
		}
		s.Metrics.opened(st)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

package main

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/http"
	"boxoffice/persistence"
)

// metrics are all that this process counts. There is no registry but this one.
type metrics struct {
	registry  *prometheus.Registry
	events    *actors.Metrics
	admission *admission.Metrics
	node      *cluster.Metrics
	http      *http.Metrics
}

// newMetrics makes the registry and everything in it. redis may be nil; the clock is the actors'.
func newMetrics(db *persistence.DB, redis *persistence.Redis, clock actors.Clock) *metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(),
	)
	persistence.NewMetrics(r, db, redis)
	return &metrics{
		registry:  r,
		events:    actors.NewMetrics(r, clock),
		admission: admission.NewMetrics(r, clock),
		node:      cluster.NewMetrics(r),
		http:      http.NewMetrics(r),
	}
}

// buildInfo says which version runs.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "goversion": "unknown"}
	if b, ok := debug.ReadBuildInfo(); ok {
		labels["version"], labels["goversion"] = b.Main.Version, b.GoVersion
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "boxoffice_build_info", Help: "Always 1; the labels say which version runs.", ConstLabels: labels,
	})
	info.Set(1)
	return info
}

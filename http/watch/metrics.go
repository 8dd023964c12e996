package watch

import "github.com/prometheus/client_golang/prometheus"

// Metrics count the reads that streams of sessions and orders need. The nil *Metrics counts nothing.
type Metrics struct{ reads *prometheus.CounterVec }

// NewMetrics registers the metrics of what is watched on a node.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{reads: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_watch_reads_total",
		Help: "Reads for streams of sessions and orders, by what was read and outcome: ok, failed (streams hear of it later).",
	}, []string{"of", "outcome"})}
	r.MustRegister(m.reads)
	return m
}

func (m *Metrics) read(of string, err error) {
	switch {
	case m == nil:
	case err != nil:
		m.reads.WithLabelValues(of, "failed").Inc()
	default:
		m.reads.WithLabelValues(of, "ok").Inc()
	}
}

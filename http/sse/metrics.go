package sse

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count streams and what leaves on them, by kind. The nil *Metrics counts nothing.
type Metrics struct {
	// by Options.Kind
	kinds            []kindMetrics
	full, perAddress prometheus.Counter
}

type kindMetrics struct {
	open      prometheus.Gauge
	opened    prometheus.Counter
	ended     [causeGone + 1]prometheus.Counter
	displaced prometheus.Counter
	bytes     prometheus.Counter
}

// NewMetrics registers the metrics of streams. kinds are the names of Options.Kind, from 0.
func NewMetrics(r prometheus.Registerer, kinds ...string) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "boxoffice_sse_" + name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "boxoffice_sse_streams", Help: "Event streams that are open, by kind."}, []string{"kind"})
	r.MustRegister(open)
	opened := counters("streams_opened_total", "Event streams that were opened, by kind.", "kind")
	ended := counters("streams_ended_total", "Event streams that ended, by kind and cause: ended (by us), gone (the client), slow (dropped, as it took nothing).", "kind", "cause")
	displaced := counters("streams_displaced_total", "Event streams that were ended for another of the same session, by kind.", "kind")
	bytes := counters("sent_bytes_total", "Bytes written to event streams, by kind.", "kind")
	refused := counters("streams_refused_total", "Event streams that found no room, by reason: full (all of the node), address (those of one address).", "reason")
	m := &Metrics{full: refused.WithLabelValues("full"), perAddress: refused.WithLabelValues("address")}
	for _, k := range kinds {
		m.kinds = append(m.kinds, kindMetrics{
			open: open.WithLabelValues(k), opened: opened.WithLabelValues(k), displaced: displaced.WithLabelValues(k), bytes: bytes.WithLabelValues(k),
			ended: [...]prometheus.Counter{
				causeEnded: ended.WithLabelValues(k, "ended"), causeSlow: ended.WithLabelValues(k, "slow"), causeGone: ended.WithLabelValues(k, "gone"),
			},
		})
	}
	return m
}

func (m *Metrics) opened(st *Stream) {
	if m != nil {
		m.kinds[st.kind].open.Inc()
		m.kinds[st.kind].opened.Inc()
	}
}

func (m *Metrics) ended(st *Stream) {
	if m != nil {
		m.kinds[st.kind].open.Dec()
		m.kinds[st.kind].ended[st.why].Inc()
	}
}

func (m *Metrics) displaced(st *Stream) {
	if m != nil {
		m.kinds[st.kind].displaced.Inc()
	}
}

func (m *Metrics) sent(st *Stream, n int) {
	if m != nil && n > 0 {
		m.kinds[st.kind].bytes.Add(float64(n))
	}
}

func (m *Metrics) refused(err error) {
	switch {
	case m == nil:
	case errors.Is(err, ErrTooMany):
		m.perAddress.Inc()
	default:
		m.full.Inc()
	}
}

package admission

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/actors"
	"boxoffice/messages"
)

// Metrics count what the admissions of a node do. The nil *Metrics counts nothing.
type Metrics struct {
	clock    actors.Clock
	admitted prometheus.Counter
	admits   *prometheus.HistogramVec
	claims   *prometheus.CounterVec
	panics   prometheus.Counter
	running  prometheus.Gauge
	entries  prometheus.Counter
	demand   prometheus.Counter
}

// NewMetrics registers the metrics of a node's admissions; the clock is theirs.
func NewMetrics(r prometheus.Registerer, clock actors.Clock) *Metrics {
	m := &Metrics{
		clock: clock,
		admitted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_admissions_total", Help: "Buyers let in from waiting rooms, those not among them who never had to wait.",
		}),
		admits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "boxoffice_admit_duration_seconds", Help: "How long the database took to let in whoever is next, by outcome: done, fenced, failed.",
			Buckets: prometheus.ExponentialBuckets(0.000_5, 2, 14),
		}, []string{"outcome"}),
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boxoffice_admission_claims_total", Help: "Claims of the admission to an event, by outcome: claimed, failed.",
		}, []string{"outcome"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_admission_panics_total", Help: "Panics in an admission's actor.",
		}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "boxoffice_admissions_running", Help: "Events to which this node admits.",
		}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_demand_entries_total", Help: "Entries of waiting rooms' streams that were read, those of another node that died among them.",
		}),
		demand: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_demand_failures_total", Help: "Reads and acknowledgements of waiting rooms' streams that failed: the sweep finds who waits.",
		}),
	}
	for _, o := range []string{"done", "fenced", "failed"} {
		m.admits.WithLabelValues(o)
	}
	for _, o := range []string{"claimed", "failed"} {
		m.claims.WithLabelValues(o)
	}
	r.MustRegister(m.admitted, m.admits, m.claims, m.panics, m.running, m.entries, m.demand)
	return m
}

// began notes that an admission has begun, or, by -1, that one has ended.
func (m *Metrics) began(by float64) {
	if m != nil {
		m.running.Add(by)
	}
}

func (m *Metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

func (m *Metrics) elapsed() time.Duration {
	if m == nil {
		return 0
	}
	return m.clock.Elapsed()
}

// admit notes how an Admit ended.
func (m *Metrics) admit(begun time.Duration, r messages.Admitted, err error) {
	if m == nil {
		return
	}
	outcome := "done"
	switch {
	case errors.Is(err, messages.ErrFenced):
		outcome = "fenced"
	case err != nil:
		outcome = "failed"
	}
	m.admits.WithLabelValues(outcome).Observe((m.clock.Elapsed() - begun).Seconds())
	if err == nil {
		m.admitted.Add(float64(r.Count))
	}
}

// took notes an input.
func (m *Metrics) took(in Input) {
	if m == nil {
		return
	}
	switch in := in.(type) {
	case Claimed:
		if in.Err != nil {
			m.claims.WithLabelValues("failed").Inc()
		} else {
			m.claims.WithLabelValues("claimed").Inc()
		}
	case Recovered:
		m.read(in.IDs, in.Err)
	case Pulled:
		m.read(in.IDs, in.Err)
	case Started, Admitted, Acked, Due, Poked:
	}
}

func (m *Metrics) read(ids []string, err error) {
	m.entries.Add(float64(len(ids)))
	if err != nil {
		m.demand.Inc()
	}
}

package cluster

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/messages"
)

// Metrics count what a node does as a member of the cluster. The nil *Metrics counts nothing. What is only read at a
// scrape (requests in flight, renewals' age) comes from functions that the node gives; before that it is 0 or missing.
type Metrics struct {
	asked                        *prometheus.HistogramVec
	retried, evicted             *prometheus.CounterVec
	elsewhere, overloaded, woken prometheus.Counter
	lost, refused                prometheus.Counter
	renewals, handOvers          *prometheus.HistogramVec
	inFlight, certificate        atomic.Pointer[func() float64]
	residents                    atomic.Pointer[func() (events, admissions int)]
	node                         atomic.Pointer[Node]
}

// Where an owner is.
const (
	WhereHere  = "here"
	WhereThere = "there"
)

var (
	inFlightDesc    = prometheus.NewDesc("boxoffice_requests_in_flight", "Requests to events that this node works on or waits for.", nil, nil)
	renewalAgeDesc  = prometheus.NewDesc("boxoffice_lease_renewal_age_seconds", "Since the last renewal of this node's lease that succeeded began.", nil, nil)
	certificateDesc = prometheus.NewDesc("boxoffice_cluster_certificate_expiry_timestamp_seconds", "When this node's certificate for other members ends, in seconds since the Unix epoch.", nil, nil)
	aliveDesc       = prometheus.NewDesc("boxoffice_cluster_lease_alive", "1 while this node is a member whose lease is good, so that it may own events.", nil, nil)
	membersDesc     = prometheus.NewDesc("boxoffice_cluster_members", "Members that this node knows, by state: owning, leaving, expired.", []string{"state"}, nil)
	viewDesc        = prometheus.NewDesc("boxoffice_cluster_view", "Number of the membership that this node knows: it rises with every change.", nil, nil)
	unreachableDesc = prometheus.NewDesc("boxoffice_cluster_unreachable_members", "Members that do not answer this node's pings.", nil, nil)
	residentsDesc   = prometheus.NewDesc("boxoffice_actors", "Actors of this node, by role: event, admission.", []string{"role"}, nil)
)

// NewMetrics registers the metrics of a node.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "boxoffice_" + name, Help: help})
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "boxoffice_" + name, Help: help}, []string{label})
	}
	histograms := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "boxoffice_" + name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		asked: histograms("ask_duration_seconds", "How long a request to an event's owner took, by where the owner is (here, there, none) and outcome (answered, refused, unavailable).",
			prometheus.ExponentialBuckets(0.000_25, 2, 16), "where", "outcome"),
		retried:    counters("ask_retries_total", "Requests that were routed anew, by why.", "reason"),
		evicted:    counters("members_evicted_total", "Members that this node took out, by why: expired, dead (its port refused), cut (off from the others), other.", "reason"),
		elsewhere:  counter("ask_elsewhere_total", "Requests of other members turned away because the event is not this node's."),
		overloaded: counter("ask_overloaded_total", "Requests refused because too many were in flight, of the event or of the node."),
		woken:      counter("events_woken_total", "Events found due that no owner had looked after, each time they are found: whose payment provider is silent every ten seconds."),
		lost:       counter("leases_lost_total", "Times this process lost its lease: it exits and comes back as another member."),
		refused:    counter("cluster_refused_total", "Connections, calls and messages to the nodes' port that were refused: no member sends such."),
		renewals: histograms("lease_renewal_duration_seconds", "How long a renewal of the lease took, by outcome: renewed, failed.",
			prometheus.ExponentialBuckets(0.000_5, 2, 14), "outcome"),
		handOvers: histograms("hand_over_duration_seconds", "How long a hand-over of an event took, by side (asked, released) and outcome (done, failed).",
			prometheus.ExponentialBuckets(0.001, 2, 13), "side", "outcome"),
	}
	for _, where := range []string{WhereHere, WhereThere, "none"} {
		for _, o := range []string{"answered", "refused", "unavailable"} {
			m.asked.WithLabelValues(where, o)
		}
	}
	for _, why := range evictions { // a series that is missing until the first time cannot show its increase
		m.evicted.WithLabelValues(why)
	}
	m.evicted.WithLabelValues("other")
	for _, o := range []string{"renewed", "failed"} {
		m.renewals.WithLabelValues(o)
	}
	r.MustRegister(m.asked, m.retried, m.evicted, m.elsewhere, m.overloaded, m.woken, m.lost, m.refused, m.renewals, m.handOvers, m)
	return m
}

// InFlight gives what a scrape asks for the number of requests in flight.
func (m *Metrics) InFlight(of func() int64) {
	if m != nil {
		f := func() float64 { return float64(of()) }
		m.inFlight.Store(&f)
	}
}

// Residents gives what a scrape asks for the number of actors.
func (m *Metrics) Residents(of func() (events, admissions int)) {
	if m != nil {
		m.residents.Store(&of)
	}
}

// CertificateEnds gives what a scrape asks for the end of the certificate that is in use; a zero time says that there is none.
func (m *Metrics) CertificateEnds(of func() time.Time) {
	if m != nil {
		f := func() float64 {
			if t := of(); !t.IsZero() {
				return float64(t.Unix())
			}
			return 0
		}
		m.certificate.Store(&f)
	}
}

// Asked notes how a request went: where is WhereHere, WhereThere or "" where no owner was found.
func (m *Metrics) Asked(where string, o messages.Outcome, elapsed time.Duration) {
	if m == nil {
		return
	}
	if where == "" {
		where = "none"
	}
	outcome := "answered"
	if o == messages.Outcome_OUTCOME_UNAVAILABLE || o == messages.Outcome_OUTCOME_INTERNAL {
		outcome = "unavailable"
	}
	if o == messages.Outcome_OUTCOME_OVERLOADED {
		outcome = "refused"
		m.overloaded.Inc()
	}
	m.asked.WithLabelValues(where, outcome).Observe(elapsed.Seconds())
}

// Retried notes that a request is routed anew; why is one of a few words, such as "dead letter".
func (m *Metrics) Retried(why string) {
	if m != nil {
		m.retried.WithLabelValues(label(why)).Inc()
	}
}

// Elsewhere notes that another member's request was turned away.
func (m *Metrics) Elsewhere() {
	if m != nil {
		m.elsewhere.Inc()
	}
}

// Refused notes that somebody sent what no member sends.
func (m *Metrics) Refused() {
	if m != nil {
		m.refused.Inc()
	}
}

// Due counts what the waker finds to be due, each time that it does.
func (m *Metrics) Due(find func(context.Context) ([]string, error)) func(context.Context) ([]string, error) {
	if m == nil {
		return find
	}
	return func(ctx context.Context) ([]string, error) {
		ids, err := find(ctx)
		m.woken.Add(float64(len(ids)))
		return ids, err
	}
}

// HandedOver notes that this node has asked the owner before for an event, and how long it took.
func (m *Metrics) HandedOver(err error, elapsed time.Duration) { m.handOver("asked", err, elapsed) }

// Released notes that this node has given up an event to another, and how long it took.
func (m *Metrics) Released(err error, elapsed time.Duration) { m.handOver("released", err, elapsed) }

func (m *Metrics) handOver(side string, err error, elapsed time.Duration) {
	if m != nil {
		m.handOvers.WithLabelValues(side, okOr(err, "done", "failed")).Observe(elapsed.Seconds())
	}
}

// Watch lets scrapes see how the node stands in the cluster. It is called after Connect.
func (m *Metrics) Watch(n *Node) {
	if m != nil {
		m.node.Store(n)
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		inFlightDesc, renewalAgeDesc, certificateDesc, residentsDesc, aliveDesc, membersDesc, viewDesc, unreachableDesc,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector. There is no certificate's end where there is no certificate: an alert on it
// would else ring for good.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if f := m.inFlight.Load(); f != nil {
		gauge(inFlightDesc, (*f)())
	}
	if n := m.node.Load(); n != nil && n.leases != nil {
		n.leases.collect(gauge)
	}
	if f := m.certificate.Load(); f != nil {
		if at := (*f)(); at != 0 {
			gauge(certificateDesc, at)
		}
	}
	if f := m.residents.Load(); f != nil {
		events, admissions := (*f)()
		gauge(residentsDesc, float64(events), "event")
		gauge(residentsDesc, float64(admissions), "admission")
	}
}

func okOr(err error, ok, failed string) string {
	if err != nil {
		return failed
	}
	return ok
}

// label is a value as labels are written.
func label(words string) string { return strings.ReplaceAll(strings.ToLower(words), " ", "_") }

package actors

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// eventsLabelledMax events at once have series of their own, those that came first: each costs one, and a node may own
// thousands. All others are in the sums alone.
const eventsLabelledMax = 100

// commitBuckets fit what a flush of a log takes, and what a database in trouble does: 250 µs to 8 s.
var commitBuckets = prometheus.ExponentialBuckets(0.000_25, 2, 16)

// Metrics count what the event actors of a node do. Only what has been committed is counted as sold or held.
//
//  1. The nil *Metrics counts nothing.
//  2. An actor counts with atomic adds, and takes a lock only where it begins, ends, or changes its phase.
//  3. A scrape reads atomics of each event's meter, and never an actor's state.
type Metrics struct {
	clock Clock

	purchases, seatsSold, created, holds, holdsExpired prometheus.Counter
	fenced, doubleSales, bugs, panics, quarantines     prometheus.Counter
	projectionsFailed                                  prometheus.Counter
	seatsMoved                                         [4]prometheus.Counter
	refusals                                           map[messages.Outcome]prometheus.Counter // read only
	activations                                        *prometheus.HistogramVec
	commits                                            *prometheus.HistogramVec
	batchCommands, batchTime, deadlineLag              prometheus.Histogram
	payments                                           *prometheus.HistogramVec

	mu       sync.Mutex
	meters   map[*meter]struct{}
	labelled int
}

// NewMetrics registers the metrics of a node's event actors; the clock is theirs.
func NewMetrics(r prometheus.Registerer, clock Clock) *Metrics {
	m := &Metrics{clock: clock, meters: map[*meter]struct{}{}, refusals: map[messages.Outcome]prometheus.Counter{}}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "boxoffice_" + name, Help: help})
		r.MustRegister(c)
		return c
	}
	m.purchases = counter("purchases_total", "Orders completed: captured, sold and ticketed, by committed facts.")
	m.seatsSold = counter("seats_sold_total", "Tickets issued, one a seat.")
	m.created = counter("orders_created_total", "Orders created.")
	m.holds = counter("holds_made_total", "Orders that came to hold seats, or other seats than before.")
	m.holdsExpired = counter("holds_expired_total", "Orders with seats that ran out of time.")
	m.fenced = counter("batches_fenced_total", "Batches refused because another owner has claimed the event.")
	m.doubleSales = counter("double_sales_refused_total", "Batches that the database refused because they sold a seat twice: a bug.")
	m.bugs = counter("bugs_total", "Commands refused because deciding them panicked.")
	m.panics = counter("actor_panics_total", "Panics in an event's actor or in work for it, those of bugs_total not among them.")
	m.quarantines = counter("quarantines_total", "Times an event was quarantined: its memory does not fit its journal.")
	m.projectionsFailed = counter("projections_failed_total", "Projections to the read model that failed.")
	moved := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_seats_moved_total", Help: "Seats that came to be in a state, by the state, as committed.",
	}, []string{"to"})
	for i, to := range []string{"available", "held", "sold", "blocked"} {
		m.seatsMoved[i] = moved.WithLabelValues(to)
	}
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_refusals_total", Help: "Requests that an event did not grant, by outcome.",
	}, []string{"outcome"})
	for o, name := range messages.Outcome_name {
		if refused(messages.Outcome(o)) {
			m.refusals[messages.Outcome(o)] = refusals.WithLabelValues(strings.ToLower(strings.TrimPrefix(name, "OUTCOME_")))
		}
	}
	m.histograms(r)
	r.MustRegister(moved, refusals, m)
	return m
}

func (m *Metrics) histograms(r prometheus.Registerer) {
	vec := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "boxoffice_" + name, Help: help, Buckets: buckets}, labels)
		r.MustRegister(v)
		return v
	}
	one := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "boxoffice_" + name, Help: help, Buckets: buckets})
		r.MustRegister(h)
		return h
	}
	m.activations = vec("activation_duration_seconds", "How long an event's activation took, by outcome: active, not_found, broken, unavailable.",
		prometheus.ExponentialBuckets(0.001, 2, 15), "outcome")
	m.commits = vec("commit_duration_seconds", "How long the journal took to commit a batch, by outcome: committed, fenced, double_sale, failed.", commitBuckets, "outcome")
	m.payments = vec("payment_call_duration_seconds", "How long a call to the payment provider took, by kind and result: heard, be it a no, or unknown.",
		prometheus.ExponentialBuckets(0.005, 2, 12), "kind", "result")
	m.batchCommands = one("batch_commands", "Commands in a batch.", prometheus.ExponentialBuckets(1, 2, 13))
	m.batchTime = one("batch_duration_seconds", "From a batch's sending off until its replies may leave, waiting for a connection included.", commitBuckets)
	m.deadlineLag = one("deadline_lag_seconds", "How late an event's owner did what was due, by the event's time.",
		[]float64{0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30})
	// A series that is missing until the first fault cannot show its increase.
	for _, o := range []string{"active", "not_found", "broken", "unavailable"} {
		m.activations.WithLabelValues(o)
	}
	for _, o := range []string{"committed", "fenced", "double_sale", "failed"} {
		m.commits.WithLabelValues(o)
	}
	for _, k := range kinds {
		m.payments.WithLabelValues(k.String(), "heard")
		m.payments.WithLabelValues(k.String(), "unknown")
	}
}

// kinds of payment operations, in the sequence of their numbers.
var kinds = [...]seatmap.OperationKind{seatmap.Authorize, seatmap.Capture, seatmap.Void}

// refused is true of an outcome that is not what was asked for, be it for us or for the buyer to mend.
func refused(o messages.Outcome) bool {
	return o >= messages.Outcome(seatmap.RequestInFlight) && o != messages.Outcome_OUTCOME_READ
}

func (m *Metrics) replied(o messages.Outcome) {
	if m == nil {
		return
	}
	if c := m.refusals[o]; c != nil {
		c.Inc()
	}
}

func (m *Metrics) sent(replies []Addressed) {
	for i := range replies {
		m.replied(replies[i].Reply.GetOutcome())
	}
}

// failed notes what an error says that came back from elsewhere.
func (m *Metrics) failed(err error) {
	var panicked *panicError
	if errors.As(err, &panicked) {
		m.panics.Inc()
	}
}

// elapsed is the clock's, 0 for nil.
func (m *Metrics) elapsed() time.Duration {
	if m == nil {
		return 0
	}
	return m.clock.Elapsed()
}

// committed notes how the journal took a batch.
func (m *Metrics) committed(begun time.Duration, err error) {
	if m == nil {
		return
	}
	var sold *messages.DoubleSaleError
	outcome := "committed"
	switch {
	case errors.Is(err, messages.ErrFenced):
		outcome = "fenced"
		m.fenced.Inc()
	case errors.As(err, &sold):
		outcome = "double_sale"
		m.doubleSales.Inc()
	case err != nil:
		outcome = "failed"
	}
	m.commits.WithLabelValues(outcome).Observe((m.clock.Elapsed() - begun).Seconds())
}

// paid notes how the provider took a call.
func (m *Metrics) paid(begun time.Duration, r CallResult) {
	if m == nil {
		return
	}
	result := "heard"
	if r.Command == nil {
		result = "unknown"
	}
	m.payments.WithLabelValues(r.Op.Kind.String(), result).Observe((m.clock.Elapsed() - begun).Seconds())
}

// panicked notes a panic in an actor, outside of all that is caught.
func (m *Metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

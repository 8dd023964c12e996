package hall

import "github.com/prometheus/client_golang/prometheus"

// Metrics count how halls are found and kept up to date. The nil *Metrics counts nothing.
type Metrics struct {
	hits, misses, readsOK, readsFailed, mended, wentBack prometheus.Counter
}

// NewMetrics registers the metrics of a node's halls. cacheHelp is what all say of boxoffice_cache_requests_total.
func NewMetrics(r prometheus.Registerer, cacheHelp string) *Metrics {
	cache := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_cache_requests_total", Help: cacheHelp, ConstLabels: prometheus.Labels{"cache": "halls"},
	}, []string{"result"})
	reads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "boxoffice_hall_reads_total", Help: "Reads of halls' seats from the journal, by outcome: ok, failed (they are shown as they were).",
	}, []string{"outcome"})
	m := &Metrics{
		hits: cache.WithLabelValues("hit"), misses: cache.WithLabelValues("miss"),
		readsOK: reads.WithLabelValues("ok"), readsFailed: reads.WithLabelValues("failed"),
		mended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_hall_gaps_total", Help: "Gaps in what was heard of a hall, read from the journal.",
		}),
		wentBack: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "boxoffice_hall_journals_gone_back_total", Help: "Halls given up because their journal went back, as if the database was restored.",
		}),
	}
	r.MustRegister(cache, reads, m.mended, m.wentBack)
	return m
}

func (m *Metrics) looked(found bool) {
	switch {
	case m == nil:
	case found:
		m.hits.Inc()
	default:
		m.misses.Inc()
	}
}

func (m *Metrics) read(err error) {
	switch {
	case m == nil:
	case err != nil:
		m.readsFailed.Inc()
	default:
		m.readsOK.Inc()
	}
}

func (m *Metrics) gap() {
	if m != nil {
		m.mended.Inc()
	}
}

func (m *Metrics) back() {
	if m != nil {
		m.wentBack.Inc()
	}
}

// Counts of now: halls in memory, those that somebody streams, and their streams.
func (hs *Halls) Counts() (loaded, streamed, streams int) {
	hs.mu.RLock()
	defer hs.mu.RUnlock()
	for _, h := range hs.byID {
		if h.streams > 0 {
			streamed++
			streams += h.streams
		}
	}
	return len(hs.byID), streamed, streams
}

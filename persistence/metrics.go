package persistence

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	// countsAgeMax is how old what is counted in the database may be before a scrape has it counted again.
	countsAgeMax = 10 * time.Second
	// countsTimeMax bounds that: one read of one connection that reads have among themselves.
	countsTimeMax = time.Second
	// countsKeptMax is how long it is shown where it cannot be counted again: an old number that looks like a new one is
	// worse than none.
	countsKeptMax = time.Minute
	// activeCountedMax is where the counting of active sessions ends: more read as this many.
	activeCountedMax = 100_000
)

// metricsStatement looks at two small tables whole, as the waker does each second, and at the active sessions in an index
// that holds no others, activeCountedMax at most. Those in line are counted by their places, with those that have left it.
const metricsStatement = `
with t as materialized (select now_ms() as now)
select
    (select count(*) from (
        select from session where status = 'ACTIVE' and ends_at > (select now from t) limit $1) s),
    (select coalesce(sum(last_place - head), 0)::bigint from admission),
    (select coalesce(max((select now from t) - next_due), 0) from admission where next_due < (select now from t)),
    (select coalesce(max((select now from t) - next_due), 0) from event_owner where next_due < (select now from t))`

// counts are of the whole database: every node shows the same.
type counts struct {
	active, inLine                 int64
	admissionOverdue, eventOverdue int64 // in milliseconds
}

// Metrics show what a DB and a Redis are doing. What costs something to find out is found out beside the scrape, which
// waits for nobody: it shows what the one before has asked for.
type Metrics struct {
	db    *DB
	redis *Redis // nil: there is none

	mu      sync.Mutex
	counts  counts
	counted time.Time
	asked   time.Time
	asking  bool
}

// NewMetrics registers the metrics of a database and of a Redis, which may be nil.
func NewMetrics(r prometheus.Registerer, db *DB, redis *Redis) *Metrics {
	m := &Metrics{db: db, redis: redis}
	r.MustRegister(m)
	return m
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("boxoffice_"+name, help, labels, nil)
}

var (
	activeDesc           = desc("sessions_active", "Sessions that may buy, in the whole database, whichever node is asked; 100000: that many or more.")
	waitingDesc          = desc("sessions_waiting", "Places in line behind the last admitted one, in the whole database; who has left the line counts until it is his turn.")
	admissionOverdueDesc = desc("admission_overdue_seconds", "How long ago somebody should have been looked after who waits, in the whole database; 0: nobody is overdue.")
	eventOverdueDesc     = desc("event_overdue_seconds", "How long ago an event's owner should have done what was due, in the whole database; 0: nothing is overdue.")

	poolConnsDesc    = desc("postgres_pool_connections", "Connections to Postgres, by pool and state: used, idle, opening.", "pool", "state")
	poolMaxDesc      = desc("postgres_pool_connections_max", "Connections to Postgres that a pool may have.", "pool")
	poolAcquiresDesc = desc("postgres_pool_acquires_total", "Connections taken from a pool.", "pool")
	poolWaitsDesc    = desc("postgres_pool_waits_total", "Takes that found no idle connection.", "pool")
	poolWaitDesc     = desc("postgres_pool_wait_seconds_total", "Time that those took.", "pool")
	poolCanceledDesc = desc("postgres_pool_canceled_total", "Takes that were given up.", "pool")

	cacheDesc = prometheus.NewDesc("boxoffice_cache_requests_total", cacheHelp, []string{"result"}, prometheus.Labels{"cache": "plans"})

	redisUpDesc        = desc("redis_up", "1 while Redis answers: a subscription is asked for a sign of life each second.")
	redisConnsDesc     = desc("redis_pool_connections", "Connections to Redis, by pool and state: used, idle.", "pool", "state")
	redisTimeoutsDesc  = desc("redis_pool_timeouts_total", "Calls that found no connection to Redis in time.", "pool")
	redisDroppedDesc   = desc("redis_live_dropped_total", "Live messages that could not be published: other nodes look for themselves.")
	redisUnreadDesc    = desc("redis_live_unreadable_total", "Live messages that were heard and not understood.")
	redisAnnounceDesc  = desc("redis_announcements_dropped_total", "Wakes of admissions that could not be written: the sweep finds who waits.")
	redisQueueDesc     = desc("redis_live_queue_messages", "Live messages that wait to be published.")
	redisRatesDesc     = desc("redis_rates_away", "1 while rates are counted by this process alone, as Redis has failed a moment ago.")
	redisSubscribeDesc = desc("redis_watched_events", "Events whose live messages this node wants to hear.")
)

// cacheHelp is the same wherever a cache is counted: the registry asks for that.
const cacheHelp = "Look-ups in a cache, by cache (events, halls, plans, seat_maps) and result: hit, miss."

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		activeDesc, waitingDesc, admissionOverdueDesc, eventOverdueDesc,
		poolConnsDesc, poolMaxDesc, poolAcquiresDesc, poolWaitsDesc, poolWaitDesc, poolCanceledDesc, cacheDesc,
		redisUpDesc, redisConnsDesc, redisTimeoutsDesc, redisDroppedDesc, redisUnreadDesc, redisAnnounceDesc, redisQueueDesc, redisRatesDesc, redisSubscribeDesc,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	m.collectCounts(to)
	names := []string{"commits", "claims", "evictions", "queries"}
	for i, p := range m.db.pools() {
		collectPool(to, names[i], p.Stat())
	}
	plans := &m.db.plans
	counter(to, cacheDesc, float64(plans.hits.Load()), "hit")
	counter(to, cacheDesc, float64(plans.misses.Load()), "miss")
	if m.redis != nil {
		m.redis.collect(to)
	}
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func collectPool(to chan<- prometheus.Metric, pool string, s *pgxpool.Stat) {
	gauge(to, poolConnsDesc, float64(s.AcquiredConns()), pool, "used")
	gauge(to, poolConnsDesc, float64(s.IdleConns()), pool, "idle")
	gauge(to, poolConnsDesc, float64(s.ConstructingConns()), pool, "opening")
	gauge(to, poolMaxDesc, float64(s.MaxConns()), pool)
	counter(to, poolAcquiresDesc, float64(s.AcquireCount()), pool)
	counter(to, poolWaitsDesc, float64(s.EmptyAcquireCount()), pool)
	counter(to, poolWaitDesc, s.EmptyAcquireWaitTime().Seconds(), pool)
	counter(to, poolCanceledDesc, float64(s.CanceledAcquireCount()), pool)
}

func (r *Redis) collect(to chan<- prometheus.Metric) {
	now := time.Since(r.opened)
	gauge(to, redisUpDesc, one(r.Hears()))
	gauge(to, redisRatesDesc, one(time.Duration(r.ratesAway.Load()) > now))
	for _, p := range []struct {
		name   string
		client *redis.Client
	}{{"commands", r.commands}, {"pulls", r.pulls}, {"rates", r.rates}} {
		s := p.client.PoolStats()
		gauge(to, redisConnsDesc, float64(s.TotalConns-min(s.IdleConns, s.TotalConns)), p.name, "used")
		gauge(to, redisConnsDesc, float64(s.IdleConns), p.name, "idle")
		counter(to, redisTimeoutsDesc, float64(s.Timeouts), p.name)
	}
	s := r.Stats()
	counter(to, redisDroppedDesc, float64(s.LiveDropped))
	counter(to, redisUnreadDesc, float64(s.LiveUnreadable))
	counter(to, redisAnnounceDesc, float64(s.AnnouncementsDropped))
	gauge(to, redisQueueDesc, float64(len(r.live)))
	r.watched.mu.Lock()
	watched := len(r.watched.counts)
	r.watched.mu.Unlock()
	gauge(to, redisSubscribeDesc, float64(watched))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// collectCounts shows what was counted last, and has it counted again where that is old.
func (m *Metrics) collectCounts(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if !m.asking && now.Sub(m.asked) >= countsAgeMax {
		m.asking, m.asked = true, now
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), countsTimeMax)
			defer cancel()
			_ = m.Refresh(ctx) // what could not be counted is not shown
			m.mu.Lock()
			defer m.mu.Unlock()
			m.asking = false
		}()
	}
	if m.counted.IsZero() || now.Sub(m.counted) >= countsKeptMax {
		return
	}
	gauge(to, activeDesc, float64(m.counts.active))
	gauge(to, waitingDesc, float64(m.counts.inLine))
	gauge(to, admissionOverdueDesc, float64(m.counts.admissionOverdue)/1000)
	gauge(to, eventOverdueDesc, float64(m.counts.eventOverdue)/1000)
}

// Refresh counts anew what is counted in the database, so that the next scrape shows it.
func (m *Metrics) Refresh(ctx context.Context) error {
	begun := time.Now()
	var c counts
	err := m.db.queries.QueryRow(ctx, metricsStatement, activeCountedMax).Scan(&c.active, &c.inLine, &c.admissionOverdue, &c.eventOverdue)
	if err != nil {
		return m.db.failed("count for metrics", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts, m.counted = c, begun
	return nil
}

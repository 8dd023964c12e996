package persistence

import (
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
)

// Goal: what is shown of the database is what is in it, and looking costs a bounded amount however many wait.
// Method: real Postgres and Redis; the numbers are read from the registry, as Prometheus would.

var metricLine = regexp.MustCompile(`(?m)^boxoffice_([a-z_]+(?:\{.*\})?) (\S+)$`)

// shown are the series of a registry.
func shown(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	got := map[string]float64{}
	for _, m := range metricLine.FindAllStringSubmatch(page.Body.String(), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		got[m[1]] = v
	}
	if len(got) == 0 {
		t.Fatal(page.Body.String())
	}
	return got
}

func TestMetricsOfTheRoom(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 2, 100)
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, r.db, nil)
	want := func(when string, active, waiting float64) {
		t.Helper()
		if err := m.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := shown(t, registry)
		if got["sessions_active"] != active || got["sessions_waiting"] != waiting {
			t.Errorf("%s: %v active, %v waiting, want %v and %v", when, got["sessions_active"], got["sessions_waiting"], active, waiting)
		}
	}
	want("empty", 0, 0)
	r.join(t, 1, 5)
	want("joined", 2, 3)
	if got := shown(t, registry); got["admission_overdue_seconds"] > 5 || got["event_overdue_seconds"] != 0 {
		t.Errorf("something is overdue: %v", got)
	}
	execute(t, r.conn, "update session set ends_at = 1 where status = 'ACTIVE'")
	want("whose time is over", 0, 3)
	execute(t, r.conn, "update admission set next_due = now_ms() - 60000")
	execute(t, r.conn, "update event_owner set next_due = now_ms() - 30000")
	want("overdue", 0, 3)
	got := shown(t, registry)
	if a, e := got["admission_overdue_seconds"], got["event_overdue_seconds"]; a < 60 || a > 120 || e < 30 || e > 90 {
		t.Errorf("the admission is overdue by %v s, the event by %v s", a, e)
	}
	for range 20 {
		if a := r.admit(t); !a.Waiting {
			break
		}
	}
	want("admitted", 2, 1)
}

// A scrape waits for nobody: it asks, and a later one shows.
func TestScrapeAsksBesideItself(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 2, 100)
	r.join(t, 1, 5)
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, r.db, nil)
	if _, ok := shown(t, registry)["sessions_active"]; ok {
		t.Error("the first scrape has waited for the database")
	}
	soon(t, func() bool { return shown(t, registry)["sessions_waiting"] == 3 })
	m.mu.Lock()
	m.counted = m.counted.Add(-countsKeptMax)
	m.asked = time.Now() // nobody counts again by now
	m.mu.Unlock()
	if _, ok := shown(t, registry)["sessions_waiting"]; ok {
		t.Error("an old number is shown")
	}
}

func TestMetricsReadNoLine(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 20, 50)
	const line, rowsMax = 20_000, 100
	r.join(t, 1, 20)
	execute(t, r.conn, `
insert into session (event_id, session_id, place, status, joined_at)
select 'E1', substr(sha256(n::text::bytea), 1, 16), n, 'WAITING', 1 from generate_series(21, $1::int) n`, line)
	execute(t, r.conn, "update admission set last_place = $1", line)
	conn, err := r.db.queries.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, statistics := range []string{"without", "with"} {
		for range 8 {
			if rows := rowsRead(t, conn.Conn(), "session", metricsStatement, activeCountedMax); rows > rowsMax {
				t.Errorf("%s statistics: %d rows read", statistics, rows)
			}
		}
		execute(t, r.conn, "analyze")
	}
}

func TestMetricsOfPoolsAndRedis(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	create(t, db, "E1", 10)
	redis := redisAt(t, pgtest.Redis(t).URL())
	registry := prometheus.NewRegistry()
	NewMetrics(registry, db, redis)
	before := shown(t, registry)
	if before["redis_up"] != 0 {
		t.Error("Redis is up before it has said anything")
	}
	for range 3 {
		if _, _, err := db.Catalogue().Plan(t.Context(), "E1"); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := db.claims.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := shown(t, registry)
	conn.Release()
	for name, want := range map[string]float64{
		`cache_requests_total{cache="plans",result="hit"}`:      2,
		`cache_requests_total{cache="plans",result="miss"}`:     1,
		`postgres_pool_connections{pool="claims",state="used"}`: 1,
		`postgres_pool_acquires_total{pool="claims"}`:           1,
	} {
		if got := now[name] - before[name]; got != want {
			t.Errorf("%s has moved by %v, want %v", name, got, want)
		}
	}
	if now[`postgres_pool_connections_max{pool="claims"}`] != claimConnsMax {
		t.Errorf("%v", now)
	}
	go redis.Listen(t.Context(), func(*messages.Live) {})
	soon(t, func() bool { return shown(t, registry)["redis_up"] == 1 })
	redis.Watch("E1")
	if got := shown(t, registry)["redis_watched_events"]; got != 1 {
		t.Errorf("%v events are watched", got)
	}
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, db, redisAt(t, pgtest.Redis(t).URL()))
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// soon waits until it is so.
func soon(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it never came true")
		}
	}
}

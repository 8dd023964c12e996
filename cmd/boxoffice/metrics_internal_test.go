package main

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"boxoffice/cluster"
	"boxoffice/persistence"
	"boxoffice/persistence/embedded/pgtest"
)

// Goal: what operators are given fits what there is: dashboard and alerts name metrics that exist, each alert has its
// section in the runbook and a test, and all names are as Prometheus wants them.
// Method: the process's own registry, over a real Postgres and Redis.

const operate = "../../docs/operate/"

func madeMetrics(t testing.TB) *metrics {
	t.Helper()
	db, err := persistence.Open(t.Context(), pgtest.New(t), persistence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	redis, err := persistence.OpenRedis(t.Context(), pgtest.Redis(t).URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	return newMetrics(db, redis, cluster.NewClock())
}

var describedName = regexp.MustCompile(`fqName: "([^"]+)"`)

// names of all that the registry has, whether or not there is a series of it yet.
func (m *metrics) names() map[string]bool {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		m.registry.Describe(descs)
	}()
	names := map[string]bool{}
	for d := range descs {
		if found := describedName.FindStringSubmatch(d.String()); found != nil {
			names[found[1]] = true
		}
	}
	return names
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(operate + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOperatorsMetricsExist(t *testing.T) {
	t.Parallel()
	names := madeMetrics(t).names()
	metric := regexp.MustCompile(`\b(?:boxoffice|go|process)_[a-z_]+`)
	used := map[string]bool{}
	for _, file := range []string{"grafana.json", "alerts.yml", "alerts_test.yml", "alerts.md"} {
		found := metric.FindAllString(read(t, file), -1)
		if len(found) < 3 {
			t.Errorf("%s names %d metrics: the search is broken", file, len(found))
		}
		for _, name := range found {
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			used[base], used[name] = true, true
			if !names[name] && !names[base] && !strings.HasSuffix(name, "_") {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
	for name := range names {
		if strings.HasPrefix(name, "boxoffice_") && !used[name] {
			t.Errorf("nobody looks at %s", name)
		}
	}
}

func TestEveryAlertHasItsSection(t *testing.T) {
	t.Parallel()
	rules, runbook, tests := read(t, "alerts.yml"), read(t, "alerts.md"), read(t, "alerts_test.yml")
	found := regexp.MustCompile(`(?s)- alert: (\w+)\n(.*?)(?:\n\n|\n      - alert|\z)`)
	var alerts []string
	for rest := rules; ; {
		at := found.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		name, body := rest[at[2]:at[3]], rest[at[4]:at[5]]
		rest = rest[at[5]:]
		alerts = append(alerts, name)
		if !strings.Contains(body, "docs/operate/alerts.md#"+strings.ToLower(name)+"\n") && !strings.HasSuffix(body, "docs/operate/alerts.md#"+strings.ToLower(name)) {
			t.Errorf("%s does not lead to its section:\n%s", name, body)
		}
		for _, want := range []string{"severity: ", "summary: "} {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
		if !strings.Contains(runbook, "\n### "+name+"\n") {
			t.Errorf("alerts.md has no section %s", name)
		}
		if !strings.Contains(tests, `ALERTS{alertname="`+name+`"`) {
			t.Errorf("alerts_test.yml does not let %s ring", name)
		}
	}
	if n := strings.Count(rules, "- alert: "); len(alerts) != n || n < 15 {
		t.Errorf("%d alerts looked at, of %d", len(alerts), n)
	}
	for _, section := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !slices.Contains(alerts, section[1]) {
			t.Errorf("alerts.md explains %s, which is no alert", section[1])
		}
	}
}

func TestMetricNames(t *testing.T) {
	t.Parallel()
	families, err := madeMetrics(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "boxoffice_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if len(families) < 80 {
		t.Errorf("%d families are shown", len(families))
	}
}

// BenchmarkScrape is a scrape of the process's own registry with many open files, as streams have them: 100,000, or most of
// what the system allows. What streams and events add is measured where they are, in http/sse and actors.
func BenchmarkScrape(b *testing.B) {
	const filesMax, left = 100_000, 500
	var files []*os.File
	for range filesMax {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	if len(files) < filesMax {
		for _, f := range files[len(files)-left:] {
			_ = f.Close()
		}
		files = files[:len(files)-left]
	}
	b.Cleanup(func() {
		for _, f := range files {
			_ = f.Close()
		}
	})
	m := madeMetrics(b)
	page := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		if w.Code != 200 {
			b.Fatal(w.Body.String())
		}
	}
	b.ReportMetric(float64(len(files)), "files")
}

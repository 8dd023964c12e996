package main_test

import (
	"crypto/rand"
	"regexp"
	"strconv"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// metric is the sum of a family's series, as GET /metrics of the process shows them; -1: there is none.
func (s *server) metric(t testing.TB, series string) float64 {
	t.Helper()
	page, err := s.inspect("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := -1.0
	for _, found := range regexp.MustCompile(`(?m)^`+series+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(page, -1) {
		v, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum = max(sum, 0) + v
	}
	return sum
}

// Goal: everything in the shipped process is wired to what it counts by.
// Method: one purchase and one refusal, of which each layer tells.
func TestMetricsOfTheProcess(t *testing.T) {
	t.Parallel()
	s := start(t, pgtest.New(t), "REDIS_URL="+pgtest.Redis(t).URL())
	s.create("E1", hall(2, 25), nil)
	b, o, err := s.authorized("E1", named(seatID(1, 1), seatID(1, 2)), "tok_visa")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.call(o.OrderID, "finalize", rand.Text(), "").is(200); err != nil {
		t.Fatal(err)
	}
	other, id, err := s.newOrder("E1")
	if err != nil {
		t.Fatal(err)
	}
	if a := other.call(id, "reserve", rand.Text(), "{"+named(seatID(1, 1))+"}"); a.code() != "seats-unavailable" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for series, want := range map[string]float64{
		"boxoffice_purchases_total":                                              1,
		"boxoffice_seats_sold_total":                                             2,
		"boxoffice_events_owned":                                                 1,
		`boxoffice_refusals_total\{outcome="seats_unavailable"\}`:                1,
		`boxoffice_http_problems_total\{code="seats-unavailable"\}`:              1,
		`boxoffice_http_requests_total\{.*route="/api/orders/{id}:finalize".*\}`: 1,
		`boxoffice_postgres_pool_connections_max\{pool="claims"\}`:               4,
		"boxoffice_build_info":                                                   1,
		"boxoffice_ready":                                                        1,
		"boxoffice_cluster_lease_alive":                                          1,
		`boxoffice_cluster_members\{state="owning"\}`:                            1,
	} {
		if got := s.metric(t, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	for _, series := range []string{"go_goroutines", "process_resident_memory_bytes", "boxoffice_ask_duration_seconds_count"} {
		if got := s.metric(t, series); got <= 0 {
			t.Errorf("%s is %v", series, got)
		}
	}
}

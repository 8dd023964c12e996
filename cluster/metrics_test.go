package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"boxoffice/messages"
)

// Goal: what a member does is counted, and no metrics at all are as good as some.
// Method: each method by itself; the numbers are read from the registry.

// stubRoster answers as the test says.
type stubRoster struct {
	Roster
	err error
}

func (r *stubRoster) Renew(context.Context, string, time.Duration, []string) (messages.Membership, error) {
	return messages.Membership{}, r.err
}

func (r *stubRoster) Evict(context.Context, messages.Member, uint64, []string, string) (messages.Membership, error) {
	return messages.Membership{}, r.err
}

func use(m *Metrics) {
	m.Asked(WhereHere, messages.Outcome_OUTCOME_ORDER_CREATED, time.Millisecond)
	m.Asked(WhereThere, messages.Outcome_OUTCOME_UNAVAILABLE, time.Millisecond)
	m.Asked("", messages.Outcome_OUTCOME_OVERLOADED, 0)
	m.Retried("Dead Letter")
	m.Elsewhere()
	m.Refused()
	m.HandedOver(nil, time.Second)
	m.Released(errors.New("late"), time.Second)
	m.InFlight(func() int64 { return 7 })
	m.Residents(func() (events, admissions int) { return 5, 3 })
	m.CertificateEnds(func() time.Time { return time.Unix(1_000, 0) })
	roster := &stubRoster{}
	r := m.Roster(roster)
	ctx := context.Background()
	_, _ = r.Renew(ctx, "a", time.Second, nil)
	_, _ = r.Evict(ctx, messages.Member{}, 1, []string{"b", "c"}, whyRefused)
	_, _ = r.Evict(ctx, messages.Member{}, 1, []string{"d"}, "something else")
	roster.err = errors.New("away")
	_, _ = r.Renew(ctx, "a", time.Second, nil)
	_, _ = r.Evict(ctx, messages.Member{}, 1, []string{"e"}, whyCut)
	for _, why := range []string{whyCut, ""} { // it was taken out; it never was one
		roster.err = &messages.NotMemberError{ID: "a", Why: why}
		_, _ = r.Renew(ctx, "a", time.Second, nil)
	}
	_, _ = m.Due(func(context.Context) ([]string, error) { return []string{"E1", "E2"}, nil })(ctx)
	leases := NewLeases(LeaseConfig{Lease: time.Hour})
	begun := time.Now().Add(-time.Minute)
	leases.begun.Store(&begun)
	leases.seen = messages.Membership{View: 9, Members: []messages.Member{{ID: "a"}, {ID: "b"}, {ID: "c", Leaving: true}, {ID: "d", Expired: true}}}
	m.Watch(&Node{leases: leases})
}

func TestMembersAreCounted(t *testing.T) {
	use(nil)
	registry := prometheus.NewRegistry()
	use(NewMetrics(registry))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()[len("boxoffice_"):]
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"ask_duration_seconds answered here": 1, "ask_duration_seconds unavailable there": 1, "ask_duration_seconds refused none": 1,
		"ask_overloaded_total": 1, "ask_retries_total dead_letter": 1, "ask_elsewhere_total": 1, "cluster_refused_total": 1,
		"hand_over_duration_seconds done asked": 1, "hand_over_duration_seconds failed released": 1,
		"requests_in_flight": 7, "actors event": 5, "actors admission": 3,
		"cluster_certificate_expiry_timestamp_seconds": 1_000,
		"lease_renewal_duration_seconds renewed":       1, "lease_renewal_duration_seconds failed": 3, "leases_lost_total": 1,
		"members_evicted_total dead": 2, "members_evicted_total other": 1, "members_evicted_total cut": 0, "members_evicted_total expired": 0,
		"events_woken_total":  2,
		"cluster_lease_alive": 1, "cluster_view": 9, "cluster_unreachable_members": 0,
		"cluster_members owning": 2, "cluster_members leaving": 1, "cluster_members expired": 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if age := got["lease_renewal_age_seconds"]; age < 60 || age > 120 {
		t.Errorf("the last renewal was %v s ago", age)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

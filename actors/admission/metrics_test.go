package admission_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/actors/admission"
	"boxoffice/messages"
)

// Goal: what admissions do is counted. Method: as in shell_test.go; the numbers are read from the registry.

// counted are the series by name and label values; of histograms, how many were observed.
func counted(t testing.TB, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
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
	return got
}

func TestAdmissionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		h := newHouse(t, func(h *house) { h.env.Metrics = admission.NewMetrics(r, h.env.Clock) })
		want := func(when string, want map[string]float64) {
			t.Helper()
			got := counted(t, r)
			for name, n := range want {
				if v, ok := got[name]; !ok || v != n {
					t.Errorf("%s: %s is %v, want %v", when, name, v, n)
				}
			}
		}
		h.join(3)
		h.node.Poke("E1")
		h.pass(time.Second)
		h.entries <- "e1"
		h.pass(time.Second)
		want("at work", map[string]float64{
			"admissions_total": 3, "admissions_running": 1, "admission_claims_total claimed": 1, "demand_entries_total": 1,
			"admit_duration_seconds done": float64(h.now().admits), "admit_duration_seconds failed": 0,
		})
		h.mu.Lock()
		failures := 0
		h.onAdmit = func(context.Context, func() (messages.Admitted, error)) (messages.Admitted, error) {
			if failures++; failures == 1 {
				return messages.Admitted{}, errors.New("lost")
			}
			return messages.Admitted{}, messages.ErrFenced
		}
		h.mu.Unlock()
		h.node.Poke("E1")
		h.pass(3 * time.Second)
		want("fenced", map[string]float64{
			"admit_duration_seconds failed": 1, "admit_duration_seconds fenced": 1, "admissions_running": 0, "admission_panics_total": 0,
		})
		h.end()
	})
}

package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/messages"
)

// evictions are the words for why a member is taken out, as labels.
var evictions = map[string]string{whyExpired: "expired", whyRefused: "dead", whyCut: "cut"}

// collect shows how this process stands in the cluster.
func (l *Leases) collect(gauge func(d *prometheus.Desc, v float64, labels ...string)) {
	alive := 0.0
	if l.Alive() {
		alive = 1
	}
	gauge(aliveDesc, alive)
	if begun := l.begun.Load(); begun != nil {
		gauge(renewalAgeDesc, time.Since(*begun).Seconds())
	}
	l.mu.Lock()
	view, members, unreachable := l.seen.View, l.seen.Members, len(l.unreachable())
	var owning, leaving, expired float64
	for i := range members {
		switch m := &members[i]; {
		case m.Expired:
			expired++
		case m.Leaving:
			leaving++
		default:
			owning++
		}
	}
	l.mu.Unlock()
	gauge(viewDesc, float64(view))
	gauge(unreachableDesc, float64(unreachable))
	gauge(membersDesc, owning, "owning")
	gauge(membersDesc, leaving, "leaving")
	gauge(membersDesc, expired, "expired")
}

// Roster counts what passes between a process and its roster. For the nil *Metrics it is the roster itself.
func (m *Metrics) Roster(of Roster) Roster {
	if m == nil {
		return of
	}
	return countedRoster{of, m}
}

type countedRoster struct {
	Roster
	metrics *Metrics
}

func (r countedRoster) Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error) {
	begun := time.Now()
	seen, err := r.Roster.Renew(ctx, id, lease, unreachable)
	outcome := "renewed"
	var gone *messages.NotMemberError
	switch {
	case errors.As(err, &gone):
		outcome = "failed"
		if gone.Why != "" { // else it never was one: a join whose answer did not come had no effect
			r.metrics.lost.Inc()
		}
	case err != nil:
		outcome = "failed"
	}
	r.metrics.renewals.WithLabelValues(outcome).Observe(time.Since(begun).Seconds())
	return seen, err
}

func (r countedRoster) Evict(ctx context.Context, by messages.Member, view uint64, ids []string, why string) (messages.Membership, error) {
	seen, err := r.Roster.Evict(ctx, by, view, ids, why)
	if err == nil {
		reason, ok := evictions[why]
		if !ok {
			reason = "other"
		}
		r.metrics.evicted.WithLabelValues(reason).Add(float64(len(ids)))
	}
	return seen, err
}

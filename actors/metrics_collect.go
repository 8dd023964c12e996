package actors

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// What a scrape reads of all events together.
var (
	eventsDesc      = prometheus.NewDesc("boxoffice_events_owned", "Events whose owner is active on this node.", nil, nil)
	activatingDesc  = prometheus.NewDesc("boxoffice_events_activating", "Events that are being activated.", nil, nil)
	quarantinedDesc = prometheus.NewDesc("boxoffice_events_quarantined", "Events in quarantine: they answer 503.", nil, nil)
	epochDesc       = prometheus.NewDesc("boxoffice_event_epoch",
		"Epoch of an event that this node owns. The first 100 events only: a node may own thousands.", []string{"event"}, nil)
	mailboxDesc = prometheus.NewDesc("boxoffice_mailbox_messages", "Messages that wait in the mailboxes of events' actors.", nil, nil)
	longestDesc = prometheus.NewDesc("boxoffice_mailbox_longest_messages", "Messages that wait in the longest of these mailboxes.", nil, nil)
	formingDesc = prometheus.NewDesc("boxoffice_batch_forming_commands", "Commands decided that wait for the commit before theirs.", nil, nil)
	waitersDesc = prometheus.NewDesc("boxoffice_payment_waiters", "Callers that wait for the payment provider.", nil, nil)
	ordersDesc  = prometheus.NewDesc("boxoffice_orders", "Orders that have not ended, by status. All but pending hold seats.", []string{"status"}, nil)
	openDesc    = prometheus.NewDesc("boxoffice_payment_operations_open",
		"Payment operations that have not ended, by kind and state: calling for the first time, or unknown once a call got no answer, until one does.", []string{"kind", "state"}, nil)
	oldestDesc = prometheus.NewDesc("boxoffice_payment_operation_oldest_seconds",
		"Age of the oldest open payment operation, since this node asked first; 0: none.", []string{"kind"}, nil)
	behindDesc    = prometheus.NewDesc("boxoffice_projection_lag_entries", "Journal entries that the read model lacks, of all events.", nil, nil)
	behindForDesc = prometheus.NewDesc("boxoffice_projection_lag_seconds", "How old the oldest entry is that a read model lacks; 0: none does.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		eventsDesc, activatingDesc, quarantinedDesc, epochDesc, mailboxDesc, longestDesc, formingDesc, waitersDesc, ordersDesc, openDesc, oldestDesc, behindDesc, behindForDesc,
	} {
		to <- d
	}
}

// sums of all meters.
type sums struct {
	phases                        [ended + 1]int
	mailboxes, longest            int
	forming, waiters, unprojected int64
	live                          [seatmap.StatusCapturing + 1]uint64
	open, unknown                 [len(kinds)]int64
	oldest                        [len(kinds)]time.Duration
	unprojectedFor                time.Duration
	labelled                      []labelled
}

type labelled struct {
	eventID string
	epoch   uint64
}

func (m *Metrics) sum() (s sums) {
	now := m.clock.Elapsed()
	m.mu.Lock()
	defer m.mu.Unlock()
	for t := range m.meters {
		p := phase(t.phase.Load())
		s.phases[p]++
		waiting := t.mailbox()
		s.mailboxes += waiting
		s.longest = max(s.longest, waiting)
		s.forming += t.forming.Load()
		s.waiters += t.waiters.Load()
		s.unprojected += t.unprojected.Load()
		if since := t.unprojectedFor.Load(); since != 0 {
			s.unprojectedFor = max(s.unprojectedFor, now-time.Duration(since))
		}
		for i := range t.live {
			s.live[i] += t.live[i].Load()
		}
		for i := range kinds {
			s.open[i] += t.open[i].Load()
			s.unknown[i] += t.unknown[i].Load()
			if since := t.oldest[i].Load(); since != 0 {
				s.oldest[i] = max(s.oldest[i], now-time.Duration(since))
			}
		}
		if t.label && p == running {
			s.labelled = append(s.labelled, labelled{t.eventID, t.epoch.Load()})
		}
	}
	return s
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	s := m.sum()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(eventsDesc, float64(s.phases[running]))
	gauge(activatingDesc, float64(s.phases[activating]))
	gauge(quarantinedDesc, float64(s.phases[quarantined]))
	gauge(mailboxDesc, float64(s.mailboxes))
	gauge(longestDesc, float64(s.longest))
	gauge(formingDesc, float64(s.forming))
	gauge(waitersDesc, float64(s.waiters))
	gauge(behindDesc, float64(s.unprojected))
	gauge(behindForDesc, s.unprojectedFor.Seconds())
	for status := seatmap.StatusPending; status <= seatmap.StatusCapturing; status++ {
		gauge(ordersDesc, float64(s.live[status]), statusLabel(status))
	}
	for i, k := range kinds {
		gauge(openDesc, float64(s.open[i]-s.unknown[i]), k.String(), "calling")
		gauge(openDesc, float64(s.unknown[i]), k.String(), "unknown")
		gauge(oldestDesc, s.oldest[i].Seconds(), k.String())
	}
	for _, e := range s.labelled {
		gauge(epochDesc, float64(e.epoch), e.eventID)
	}
}

func statusLabel(s seatmap.OrderStatus) string {
	return strings.ToLower(strings.TrimPrefix(messages.OrderStatus(s).String(), "ORDER_STATUS_"))
}

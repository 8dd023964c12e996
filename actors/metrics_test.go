package actors_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/messages"
)

// Goal: what the actors count is what they did, no more and no less, and gauges go back when there is nothing to show.
// Method: real mailboxes and pools over the journal in memory and over Postgres'; the numbers are read from the registry.

// meters is a shell's registry.
type meters struct {
	*shell
	registry *prometheus.Registry
}

func (s *store) metered(name string, change func(*actors.Env)) *meters {
	s.Helper()
	r := prometheus.NewRegistry()
	sh := s.newShell(name, func(e *actors.Env) {
		if e.Metrics = actors.NewMetrics(r, e.Clock); change != nil {
			change(e)
		}
	})
	return &meters{sh, r}
}

var (
	line   = regexp.MustCompile(`(?m)^boxoffice_([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	labels = regexp.MustCompile(`="([^"]*)"`)
)

// series by name and the values of their labels; of histograms, how many were observed.
func (m *meters) series() map[string]float64 {
	m.Helper()
	page := httptest.NewRecorder()
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).
		ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	got := map[string]float64{}
	for _, found := range line.FindAllStringSubmatch(page.Body.String(), -1) {
		name := strings.TrimSuffix(found[1], "_count")
		if strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_sum") {
			continue
		}
		for _, l := range labels.FindAllStringSubmatch(found[2], -1) {
			name += " " + l[1]
		}
		v, err := strconv.ParseFloat(found[3], 64)
		if err != nil {
			m.Fatal(err)
		}
		got[name] = v
	}
	if len(got) == 0 {
		m.Fatal(page.Body.String())
	}
	return got
}

// free is what a run decides by itself.
var free = []string{"batch_", "commit_duration_seconds committed", "deadline_lag", "projection_lag", "event_epoch", "projections"}

// counts checks what has moved since before: exactly want. An actor may still be at it when its reply is here.
func (m *meters) counts(before, want map[string]float64) {
	m.Helper()
	var wrong []string
	defer func() {
		m.Helper()
		if len(wrong) > 0 {
			m.Error(strings.Join(wrong, "\n"))
		}
	}()
	m.eventually("the numbers are as they should be: see below", 0, func() bool {
		wrong = wrong[:0]
		now := m.series()
		for name, v := range now {
			d := v - before[name]
			w, named := want[name]
			if d != w && (named || !slices.ContainsFunc(free, func(p string) bool { return strings.HasPrefix(name, p) })) {
				wrong = append(wrong, fmt.Sprintf("%s has moved by %v, want %v", name, d, w))
			}
		}
		for name := range want {
			if _, ok := now[name]; !ok {
				wrong = append(wrong, "there is no "+name)
			}
		}
		return len(wrong) == 0
	})
}

// mute is a provider that can be made silent.
type mute struct {
	payment.Provider
	silent atomic.Bool
	// onLookUp is called by each look-up, unless it is nil.
	onLookUp func()
}

func (p *mute) Authorize(ctx context.Context, r payment.AuthorizeRequest) (string, error) {
	if p.silent.Load() {
		return "", payment.ErrUnknown
	}
	return p.Provider.Authorize(ctx, r)
}

func (p *mute) LookUp(ctx context.Context, key string) (payment.Result, error) {
	if p.onLookUp != nil {
		p.onLookUp()
	}
	if p.silent.Load() {
		return payment.Result{}, payment.ErrUnknown
	}
	return p.Provider.LookUp(ctx, key)
}

func TestPurchaseIsCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		m := s.metered("a", nil)
		before := m.series()
		m.must(createOrder("s", "o", s.now()+tokenTTL), created)
		m.must(reserve("s", "o", "1-1", "1-2"), reserved)
		m.counts(before, map[string]float64{
			"activation_duration_seconds active": 1, "events_owned": 1, "orders_created_total": 1, "holds_made_total": 1,
			"seats_moved_total held": 2, "orders reserved": 1,
		})
		before = m.series()
		m.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		m.must(finalize("s", "o"), completed)
		m.counts(before, map[string]float64{
			"purchases_total": 1, "seats_sold_total": 2, "seats_moved_total sold": 2, "orders reserved": -1,
			"payment_call_duration_seconds authorize heard": 1, "payment_call_duration_seconds capture heard": 1,
		})
		before = m.series()
		m.must(createOrder("s2", "p", s.now()+tokenTTL), created)
		m.must(reserve("s2", "p", "1-2", "1-3"), messages.Outcome_OUTCOME_SEATS_UNAVAILABLE)
		m.must(finalize("s", "o"), replayed)
		m.counts(before, map[string]float64{"orders_created_total": 1, "orders pending": 1, "refusals_total seats_unavailable": 1})
		if got := m.series()["event_epoch "+eventID]; got == 0 {
			t.Error("the epoch is not shown")
		}
	})
}

func TestMailboxesAreMeasured(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		begun, gate := make(chan struct{}), make(chan struct{})
		begin := sync.OnceFunc(func() { close(begun) })
		m := s.metered("a", func(e *actors.Env) {
			e.Render = func(r *messages.Reply) *messages.Answer {
				if r.GetOutcome() == reserved { // the actor's own goroutine
					begin()
					<-gate
				}
				return render(r)
			}
		})
		m.must(createOrder("s", "o", s.now()+tokenTTL), created)
		all := []<-chan *messages.Reply{m.begin(reserve("s", "o", "1-1"))}
		<-begun
		for range 3 {
			all = append(all, m.begin(getReport()))
		}
		wait := func(least, most float64) {
			t.Helper()
			m.eventually("so many wait", 0, func() bool {
				now := m.series()
				n := now["mailbox_messages"]
				return n >= least && n <= most && now["mailbox_longest_messages"] == n
			})
		}
		wait(3, 5) // of the actor's own errands two may be back: a commit, a projection
		close(gate)
		for _, reply := range all {
			<-reply
		}
		wait(0, 0)
	})
}

func TestExpiryIsCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		m := s.metered("a", nil)
		m.order("s", "o", "1-1", "1-2")
		m.must(createOrder("s", "empty", s.now()+tokenTTL), created)
		before := m.series()
		m.clock.advance(time.Duration(holdTTL) * time.Millisecond)
		m.eventually("the hold has expired", 0, func() bool { return m.series()["holds_expired_total"] == 1 })
		m.counts(before, map[string]float64{"holds_expired_total": 1, "seats_moved_total available": 2, "orders reserved": -1})
		if m.series()["deadline_lag_seconds"] == before["deadline_lag_seconds"] {
			t.Error("the lag of the deadline was not observed")
		}
	})
}

func TestFencedBatchIsCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		a, b := s.metered("a", nil), s.newShell("b", nil)
		a.order("s", "o", "1-1")
		b.own()
		before := a.series()
		a.must(createOrder("s", "o2", s.now()+tokenTTL), unavailable)
		a.counts(before, map[string]float64{
			"batches_fenced_total": 1, "commit_duration_seconds fenced": 1, "refusals_total unavailable": 1, "events_owned": -1, "orders reserved": -1,
		})
	})
}

func TestFaultsAreCounted(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		m := s.metered("a", poisoned)
		m.must(getReport(), read)
		before := m.series()
		m.poison()
		m.counts(before, map[string]float64{
			"actor_panics_total": 1, "quarantines_total": 1, "refusals_total unavailable": 2, "events_owned": -1, "events_quarantined": 1,
		})
		m.clock.advance(actors.QuarantineMin)
		m.must(getReport(), read)
		m.journal.set(func(w *wire) {
			w.onCommit = func(messages.Batch, func() error) error { return errors.New("the database is gone") }
		})
		before = m.series()
		m.must(createOrder("s", "o", s.now()+tokenTTL), unavailable)
		m.counts(before, map[string]float64{"commit_duration_seconds failed": 1, "refusals_total unavailable": 1, "events_owned": -1})
		m.journal.set(func(w *wire) {
			w.onCommit = func(messages.Batch, func() error) error { return &messages.DoubleSaleError{EventID: eventID} }
		})
		before = m.series()
		m.must(createOrder("s", "o", s.now()+tokenTTL), unavailable)
		m.counts(before, map[string]float64{
			"double_sales_refused_total": 1, "commit_duration_seconds double_sale": 1, "refusals_total unavailable": 1,
			"activation_duration_seconds active": 1, "quarantines_total": 1, "events_quarantined": 1,
		})
		before = m.series()
		m.must(elsewhere(getReport(), "none"), messages.Outcome_OUTCOME_EVENT_NOT_FOUND)
		m.counts(before, map[string]float64{"activation_duration_seconds not_found": 1, "refusals_total event_not_found": 1})
	})
}

// An answer of the provider's that cannot be taken note of, for a bug, ends nothing: its operation grows older while it is
// asked for again, or nobody would be told of the money.
func TestPaymentThatCannotBeNotedIsShown(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		m := s.metered("a", func(e *actors.Env) { e.Issuer = wrongIssuer{} })
		m.order("s", "o", "1-1")
		m.must(confirm("s", "o", "", payment.TokenVisa), authorized)
		before := m.series()
		m.must(finalize("s", "o"), unknown)
		m.counts(before, map[string]float64{
			"bugs_total": 1, "payment_call_duration_seconds capture heard": 1, "refusals_total payment_unknown": 1,
			"payment_operations_open capture unknown": 1, "orders capturing": 1, "orders authorized": -1, "payment_operation_oldest_seconds capture": 0,
		})
		m.clock.advance(actors.BugPauseMillis * time.Millisecond)
		m.eventually("it was tried again", 0, func() bool { return m.series()["bugs_total"] == before["bugs_total"]+2 })
		m.clock.advance(actors.BugPauseMillis * time.Millisecond)
		m.eventually("it grows older", 0, func() bool {
			return m.series()["payment_operation_oldest_seconds capture"] > 2*actors.BugPauseMillis/1000-1
		})
	})
}

// A provider that is silent leaves an operation open, whose age grows until it is known.
func TestOpenPaymentIsShown(t *testing.T) {
	eachStore(t, func(t *testing.T, s *store) {
		s.withEvent()
		provider := &mute{Provider: newProvider(s.ledger)}
		provider.silent.Store(true)
		var m *meters
		provider.onLookUp = func() {
			if m.series()["payment_operations_open authorize unknown"] != 1 {
				m.Error("while it is asked for again it counts as known: an alert on what is unknown would begin anew each time")
			}
		}
		m = s.metered("a", func(e *actors.Env) { e.Provider = provider })
		m.order("s", "o", "1-1")
		reply := m.begin(confirm("s", "o", "", payment.TokenVisa))
		m.eventually("the call was not heard", 0, func() bool { return m.series()["payment_operations_open authorize unknown"] == 1 })
		if m.series()["payment_waiters"] != 1 {
			t.Error("nobody waits")
		}
		m.clock.advance(time.Minute)
		m.eventually("it was repeated, and is unknown still", 0, func() bool {
			now := m.series()
			return now["payment_call_duration_seconds authorize unknown"] >= 2 && now["payment_operations_open authorize unknown"] == 1 &&
				now["payment_waiters"] == 0
		})
		if age := m.series()["payment_operation_oldest_seconds authorize"]; age < 59.9 || age > 61 {
			t.Errorf("the operation is %v s old", age)
		}
		if r := <-reply; r.GetOutcome() != unknown {
			t.Errorf("the caller heard %v", r)
		}
		provider.silent.Store(false)
		m.eventually("it is known at last", time.Minute, func() bool {
			now := m.series()
			return now["payment_operations_open authorize unknown"]+now["payment_operations_open authorize calling"] == 0
		})
		if now := m.series(); now["payment_operation_oldest_seconds authorize"] != 0 || now["payment_call_duration_seconds authorize heard"] != 1 {
			t.Errorf("%v", now)
		}
	})
}

func TestMetricNames(t *testing.T) {
	r := prometheus.NewRegistry()
	actors.NewMetrics(r, still{})
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// BenchmarkScrape reads the numbers of a node with 1,000 events.
func BenchmarkScrape(b *testing.B) {
	r := prometheus.NewRegistry()
	m := actors.NewMetrics(r, still{})
	for i := range 1_000 {
		actors.Metered(m, fmt.Sprint("E", i), i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}

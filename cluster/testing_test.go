package cluster

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	eventID = "E1"
	hall    = `{"name": "Hall", "size": {"width": 10, "height": 10}, "categories": [{"name": "I", "color": "#111111"}],
		"zones": [{"name": "A", "position": {"x": 0, "y": 0}, "rows": [{"row_number": "1", "position": {"x": 0, "y": 0}, "seats": [
			{"seat_guid": "1-1", "seat_number": "1", "category": "I", "position": {"x": 0, "y": 0}}]}]}]}`

	read        = messages.Outcome_OUTCOME_READ
	created     = messages.Outcome_OUTCOME_ORDER_CREATED
	unavailable = messages.Outcome_OUTCOME_UNAVAILABLE
	overloaded  = messages.Outcome_OUTCOME_OVERLOADED
)

// world is a node over a journal in memory. It is made inside a synctest bubble: its time is the bubble's.
type world struct {
	testing.TB
	db      *memory.DB
	journal *gated
	node    *Node
	log     *logged
	commits *brittlePool
}

// brittlePool panics, once it is told to, right after it has taken a function on: in the middle of an actor's Receive.
type brittlePool struct {
	*Pool
	breaks atomic.Bool
}

func (p *brittlePool) Go(f func()) bool {
	ok := p.Pool.Go(f)
	if p.breaks.CompareAndSwap(true, false) {
		panic("the pool is broken")
	}
	return ok
}

// logged is what was logged.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// end the node, and let what lingers of protoactor's go: its throttle of dead letters lives for a second.
func (w *world) end() {
	w.node.Drain(w.Context())
	time.Sleep(5 * time.Second) //nolint:forbidigo // the bubble's time
}

// gated is a journal whose claims wait at a gate, if there is one, and are counted.
type gated struct {
	actors.Journal
	mu     sync.Mutex
	claims int
	gate   chan struct{}
	// entryTakes is how long each entry takes to be read, in nanoseconds.
	entryTakes atomic.Int64
}

func (g *gated) Entries(ctx context.Context, event string, after, upTo uint64, yield func(messages.Entry) error) error {
	return g.Journal.Entries(ctx, event, after, upTo, func(e messages.Entry) error {
		time.Sleep(time.Duration(g.entryTakes.Load())) //nolint:forbidigo // the bubble's time
		return yield(e)
	})
}

func (g *gated) Claim(ctx context.Context, event string) (messages.Claim, error) {
	g.mu.Lock()
	g.claims++
	gate := g.gate
	g.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return messages.Claim{}, ctx.Err()
		}
	}
	return g.Journal.Claim(ctx, event)
}

func (g *gated) claimed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.claims
}

func newWorld(t testing.TB) *world {
	t.Helper()
	clock := NewClock()
	w := &world{TB: t, log: new(logged), db: memory.New(func() int64 { return time.Now().UnixMilli() })}
	w.commits = &brittlePool{Pool: NewPool(4, 64)}
	w.journal = &gated{Journal: w.db.Journal("test")}
	_, err := actors.NewOrganiser(w.db.Catalogue()).Create(t.Context(), messages.NewEvent{
		Event: &messages.Event{
			EventId: eventID, Name: "Concert", Venue: "Hall", Currency: "EUR", HoldTtlSeconds: 300, MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
		},
		Prices: map[string]int64{"I": 100}, PlanJSON: []byte(hall),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.node = NewNode(actors.Env{
		Journal: w.journal, ReadModel: w.db.ReadModel(), Clock: clock, Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Provider:    payment.NewMock(paymenttest.NewLedger(), payment.MockConfig{Wait: func(context.Context, time.Duration) error { return nil }}),
		Render:      func(*messages.Reply) *messages.Answer { return &messages.Answer{Status: 200} },
		Activations: NewPool(4, 64), Commits: w.commits, Calls: NewPool(4, 64), Projections: NewPool(4, 64),
	}, admission.Env{}, func() bool { return true })
	return w
}

func (w *world) ask(r *messages.Request) messages.Outcome {
	return w.node.Ask(w.Context(), r).GetOutcome()
}

func (w *world) must(r *messages.Request, want messages.Outcome) {
	w.Helper()
	if got := w.ask(r); got != want {
		w.Fatalf("%s, want %s", got, want)
	}
}

func report() *messages.Request {
	return &messages.Request{EventId: eventID, Call: &messages.Request_GetReport{GetReport: &messages.GetReport{}}}
}

func createOrder(n int) *messages.Request {
	id := func(kind byte) []byte { return append(make([]byte, 12), kind, byte(n>>16), byte(n>>8), byte(n)) }
	return &messages.Request{
		EventId: eventID, SessionId: id('s'), Idempotency: &messages.Idempotency{Scope: id('k'), Body: id('b')},
		Call: &messages.Request_CreateOrder{CreateOrder: &messages.CreateOrder{
			OrderId: id('o'), TokenExpiresAt: time.Now().Add(time.Hour).UnixMilli(),
		}},
	}
}

package actors_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/cluster"
	"boxoffice/messages"
	"boxoffice/persistence"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/memory"
)

// store is a database of either kind, with an event in it.
type store struct {
	testing.TB
	url       string // of Postgres
	clock     *fakeClock
	journal   func(node string) actors.Journal
	readModel actors.ReadModel
	catalogue actors.Catalogue
	due       func(context.Context) ([]string, error)
	audit     func() *messages.Audit
	ledger    *paymenttest.Ledger
}

// eachStore runs a test on the journal in memory and on Postgres'.
func eachStore(t *testing.T, test func(t *testing.T, s *store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s := &store{TB: t, clock: new(fakeClock), ledger: paymenttest.NewLedger()}
		db := memory.New(func() int64 { return int64(t0) + s.clock.Elapsed().Milliseconds() })
		s.journal = func(node string) actors.Journal { return db.Journal(node) }
		s.readModel, s.catalogue, s.due = db.ReadModel(), db.Catalogue(), db.Due
		s.audit = func() *messages.Audit { return audit(t, db, eventID, s.ledger) }
		test(t, s)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, openPostgres(t, pgtest.New(t), "test"))
	})
}

func openPostgres(t *testing.T, url, name string) *store {
	t.Helper()
	db, err := persistence.Open(t.Context(), url, persistence.Options{Name: name, CommitConns: 4, QueryConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	s := &store{TB: t, url: url, clock: new(fakeClock), ledger: paymenttest.NewLedger()}
	s.journal = func(node string) actors.Journal { return db.Journal(node) }
	s.readModel, s.catalogue, s.due = db.ReadModel(), db.Catalogue(), db.Due
	s.audit = func() *messages.Audit { return gather(t, db, s.ledger) }
	return s
}

func gather(t testing.TB, db *persistence.DB, ledger *paymenttest.Ledger) *messages.Audit {
	t.Helper()
	a, err := db.Audit(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	// The provider's ledger is in memory, and there are no sessions.
	a.Ledger, a.Sessions = nil, nil
	for _, row := range ledger.Rows() {
		if row.Event == eventID {
			a.Ledger = append(a.Ledger, row)
		}
	}
	return a
}

// shell is a node with real actors, mailboxes and pools, whose clock and connections are the test's.
type shell struct {
	*store
	node     *cluster.Node
	clock    *fakeClock
	journal  *wire
	provider *teller
}

// newShell makes a node over the store. change, if given, changes what it has of the world.
func (s *store) newShell(name string, change func(*actors.Env)) *shell {
	s.Helper()
	sh := &shell{store: s, clock: s.clock, journal: &wire{Journal: s.journal(name)}, provider: &teller{Provider: newProvider(s.ledger)}}
	pool := &countingPool{Pool: cluster.NewPool(16, 64)}
	env := actors.Env{
		Journal: sh.journal, ReadModel: s.readModel, Provider: sh.provider, Issuer: issuer{}, Render: render, Clock: s.clock,
		Activations: pool, Commits: pool, Calls: pool, Projections: pool, Log: silentLog(),
	}
	if change != nil {
		change(&env)
	}
	sh.node = cluster.NewNode(env, admission.Env{}, func() bool { return true })
	s.Cleanup(func() {
		// Not a test of draining: the clock stands, so that it may never be done.
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		sh.node.Drain(ctx)
		pool.close(s.TB)
	})
	return sh
}

func (sh *shell) ask(r *messages.Request) *messages.Reply { return sh.node.Ask(sh.Context(), r) }

// must ask, and fail the test if the outcome is another.
func (sh *shell) must(r *messages.Request, want messages.Outcome) *messages.Reply {
	sh.Helper()
	reply := sh.ask(r)
	if reply.GetOutcome() != want {
		sh.Fatalf("%s: %v, want %s", describe(r), reply, want)
	}
	return reply
}

// own the event: a deposed owner learns of it by being asked, and the next activation claims.
func (sh *shell) own() {
	sh.Helper()
	sh.eventually("the node owns the event", 0, func() bool { return sh.ask(getReport()).GetOutcome() == read })
}

// begin to ask; the reply comes by the channel.
func (sh *shell) begin(r *messages.Request) <-chan *messages.Reply {
	reply := make(chan *messages.Reply, 1)
	go func() { reply <- sh.ask(r) }()
	return reply
}

func (sh *shell) order(session, name string, seats ...string) {
	sh.Helper()
	sh.must(createOrder(session, name, sh.now()+tokenTTL), created)
	sh.must(reserve(session, name, seats...), reserved)
}

// wire is a journal as one node reaches it.
type wire struct {
	actors.Journal
	mu     sync.Mutex
	claims int
	// onCommit, if set, is called instead of each commit; it may call it.
	onCommit func(b messages.Batch, commit func() error) error
	// onEntry, if set, sees each entry that is read, and may change it.
	onEntry func(*messages.Entry)
}

func (w *wire) set(change func(w *wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *wire) claimed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.claims
}

func (w *wire) Claim(ctx context.Context, event string) (messages.Claim, error) {
	w.set(func(w *wire) { w.claims++ })
	return w.Journal.Claim(ctx, event)
}

func (w *wire) Commit(ctx context.Context, b messages.Batch) error {
	w.mu.Lock()
	hook := w.onCommit
	w.mu.Unlock()
	commit := func() error { return w.Journal.Commit(ctx, b) }
	if hook != nil {
		return hook(b, commit)
	}
	return commit()
}

func (w *wire) Entries(ctx context.Context, event string, after, upTo uint64, yield func(messages.Entry) error) error {
	w.mu.Lock()
	hook := w.onEntry
	w.mu.Unlock()
	return w.Journal.Entries(ctx, event, after, upTo, func(e messages.Entry) error {
		if hook != nil {
			hook(&e)
		}
		return yield(e)
	})
}

// teller is a provider that can be made to wait.
type teller struct {
	payment.Provider
	mu sync.Mutex
	// onAuthorize, if set, is called after each authorize, before its reply.
	onAuthorize func()
}

func (p *teller) Authorize(ctx context.Context, r payment.AuthorizeRequest) (string, error) {
	reference, err := p.Provider.Authorize(ctx, r)
	p.hold()
	return reference, err
}

func (p *teller) LookUp(ctx context.Context, key string) (payment.Result, error) {
	result, err := p.Provider.LookUp(ctx, key)
	p.hold()
	return result, err
}

func (p *teller) hold() {
	p.mu.Lock()
	hook := p.onAuthorize
	p.mu.Unlock()
	if hook != nil {
		hook()
	}
}

func (p *teller) set(hook func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onAuthorize = hook
}

// countingPool can be closed: then nothing runs any more, and what ran has ended.
type countingPool struct {
	*cluster.Pool
	mu      sync.Mutex
	running int
	closed  bool
}

func (p *countingPool) Go(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !p.Pool.Go(func() {
		defer p.done()
		f()
	}) {
		return false
	}
	p.running++
	return true
}

func (p *countingPool) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
}

func (p *countingPool) close(t testing.TB) {
	t.Helper()
	eventually(t, "nothing runs on the node's pool any more", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.closed = true
		return p.running == 0
	})
}

package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/persistence/embedded/pgtest"
)

// drainMax is promised.
const drainMax = 10 * time.Second

// Goal: two servers on one database are one box office, but one of the version that knows no others works alone. Method: an
// order is made at each of two servers; then somebody holds the lock as that version did.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	s.create("E1", hall(2, 10), nil)
	second := start(t, database)
	for _, at := range []*server{s, second} {
		_, _, err := at.newOrder("E1")
		must(t, err)
	}
	if took, code := second.terminate(); code != 0 || took > drainMax {
		t.Errorf("the second server exits with %d after %v", code, took)
	}
	_, _, err := s.newOrder("E1")
	must(t, err)
	s.kill()

	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `select pg_advisory_lock(x'626f786f66666963'::bigint)`)
	must(t, err)
	err = s.tryRun()
	if err == nil || !strings.Contains(err.Error(), "another server works on this database") || exitCode(s.child) != 1 {
		t.Errorf("beside a server of the version before: %v", err)
	}
}

// Goal: the import of another version leaves the schema alone until the server is gone. Method: all migrations are taken back,
// and their tables must stay away.
func TestImportLeavesTheSchema(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	execute(t, database, `drop schema public cascade; create schema public; select 1`)
	args := []string{"import", "-", "--event", "E1", "--starts-at", "2030-01-01T20:00:00Z", "--price", "K=15.00"}
	plan := hall(2, 10)
	o := tool(t, database, strings.NewReader(plan), args...)
	if o.code != 1 || !strings.Contains(o.problems, "may not be changed under a running server") {
		t.Errorf("import exits with %d: %s", o.code, o.problems)
	}
	if query[bool](t, database, `select to_regclass('event') is not null`)[0] {
		t.Error("the schema was changed under the running server")
	}
	s.kill()
	if o := tool(t, database, strings.NewReader(plan), args...); o.code != 0 {
		t.Errorf("import alone exits with %d: %s", o.code, o.problems)
	}
	s.run()
	must(t, s.counts("E1", 20, 0, 0))
}

// Goal: a server that cannot do its work says why, all at once, and does not start. Method: wrong settings.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	database, emptied := pgtest.New(t), t.TempDir()
	must(t, os.WriteFile(filepath.Join(emptied, "token-keys"), []byte("\n"), 0o600))
	for _, c := range []struct {
		name     string
		database string
		env      []string
		want     []string
	}{
		{"nothing set", "", []string{"BOXOFFICE_ADMIN_TOKEN="}, []string{"DATABASE_URL", "BOXOFFICE_ADMIN_TOKEN"}},
		{"short key", database, []string{"BOXOFFICE_TOKEN_KEYS=abcd"}, []string{"BOXOFFICE_TOKEN_KEYS", "bytes"}},
		{"delay", database, []string{"BOXOFFICE_MOCK_PAYMENT_DELAY=soon"}, []string{"BOXOFFICE_MOCK_PAYMENT_DELAY"}},
		{"long delay", database, []string{"BOXOFFICE_MOCK_PAYMENT_DELAY=5s"}, []string{"BOXOFFICE_MOCK_PAYMENT_DELAY", "no payment would ever succeed"}},
		{"limits", database, []string{"BOXOFFICE_JOINS_PER_MINUTE=-1", "BOXOFFICE_TRUSTED_PROXIES=10.0.0.0/8, here"}, []string{"BOXOFFICE_JOINS_PER_MINUTE", `"here"`}},
		{"empty key file", database, []string{"BOXOFFICE_TOKEN_KEYS=", "BOXOFFICE_DATA_DIR=" + emptied}, []string{filepath.Join(emptied, "token-keys"), "is empty", "remove it"}},
		{"address taken", database, []string{"BOXOFFICE_HTTP_ADDR=" + taken.Addr().String()}, []string{"BOXOFFICE_HTTP_ADDR", "in use"}},
		{"no database there", "postgres://nobody@127.0.0.1:1/nothing", nil, []string{"refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, &shipped, c.database)
			err := s.tryRun(c.env...)
			if err == nil {
				t.Fatal("it starts")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it does not say %q: %v", want, err)
				}
			}
			if code := exitCode(s.child); code != 1 {
				t.Errorf("it exits with %d", code)
			}
		})
	}
}

// Goal: SIGTERM ends a busy server within 10 s with exit code 0, and nothing acknowledged is lost. Method: buyers go on
// all the while, one of them waits for a slow provider; after a restart every answer is asked for again.
func TestDrain(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	l := startLoad(s, "E1", true)
	until(t, patience, func() error {
		if l.purchases() < 50 {
			return errors.New("the load does not begin")
		}
		return nil
	})
	b, id, err := s.newOrder("E1")
	must(t, err)
	waiting := make(chan answer, 1)
	go func() {
		waiting <- b.call(id, "confirm", "slow", pay(named(seatID(loadRows, loadRowSeats)), "tok_slow"))
	}()
	until(t, patience, func() error {
		if o := b.order(id).order(); o.Status != "AUTHORIZING" {
			return fmt.Errorf("the order is %s", o.Status)
		}
		return nil
	})
	took, code := s.terminate()
	t.Logf("drained in %v", took)
	if took > drainMax || code != 0 {
		t.Errorf("SIGTERM: exit code %d after %v", code, took)
	}
	if a := <-waiting; a.is(202) != nil {
		t.Errorf("who waited for the provider was not answered: %v", a.is(202))
	}
	s.run()
	l.end(t)
	l.audit(t)
	must(t, b.call(id, "finalize", "slow", "").is(200))
	must(t, awaitSettled(t, database))
	verify(t, database)
}

// Goal: a server whose provider is silent ends all the same. Method: a provider that is slower than the engine waits, with
// a token that takes longer still, a buyer waiting for it, and SIGTERM.
func TestDrainWhileProviderIsSilent(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database, "BOXOFFICE_MOCK_PAYMENT_DELAY=4900ms")
	s.create("E1", hall(2, 10), nil)
	b, id, err := s.newOrder("E1")
	must(t, err)
	waiting := make(chan answer, 1)
	go func() { waiting <- b.call(id, "confirm", "c", pay(best(2), "tok_slow")) }()
	until(t, patience, func() error {
		if o := b.order(id).order(); o.Status != "AUTHORIZING" {
			return fmt.Errorf("the order is %s", o.Status)
		}
		return nil
	})
	took, code := s.terminate()
	if took > drainMax || code != 0 {
		t.Errorf("SIGTERM: exit code %d after %v", code, took)
	}
	if a := <-waiting; a.err == nil && a.status != 503 {
		t.Errorf("who waited was answered %d: %s", a.status, a.body)
	}
	s.run("BOXOFFICE_MOCK_PAYMENT_DELAY=0s")
	must(t, insist(func() answer { return b.call(id, "confirm", "c", pay(best(2), "tok_slow")) }).is(202))
	wantLedger(t, database, "E1", map[string]int{"authorize": 1})
	must(t, awaitSettled(t, database))
	verify(t, database)
}

// Goal: a server whose database hangs ends all the same. Method: Postgres is stopped right after an order, before the read
// model shows that, and SIGTERM.
func TestDrainWhilePostgresIsFrozen(t *testing.T) {
	t.Parallel()
	postgres := privatePostgres(t)
	s := start(t, postgres.URL())
	s.create("E1", hall(2, 10), nil)
	b, id, err := s.newOrder("E1")
	must(t, err)
	must(t, b.call(id, "reserve", "r", "{"+best(2)+"}").is(200))
	must(t, postgres.Freeze())
	took, code := s.terminate()
	must(t, postgres.Thaw())
	t.Logf("ended in %v", took)
	if took > drainMax || code != 0 {
		t.Errorf("SIGTERM: exit code %d after %v", code, took)
	}
	s.run()
	must(t, s.counts("E1", 18, 2, 0))
	must(t, awaitSettled(t, postgres.URL()))
	verify(t, postgres.URL())
}

// Goal: a server ends in time beside one that hangs. Method: events on both, the other one is stopped, a buyer asks for what
// it owns, and SIGTERM.
func TestDrainBesideAFrozenServer(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	other := start(t, database)
	asked := make(chan answer)
	const events = 8
	for i := range events {
		s.create(fmt.Sprint("E", i), hall(2, 10), nil)
		_, _, err := s.newOrder(fmt.Sprint("E", i))
		must(t, err)
	}
	must(t, other.child.Signal(syscall.SIGSTOP))
	for i := range events {
		go func() {
			b, err := s.join(fmt.Sprint("E", i))
			if err != nil {
				asked <- answer{err: err}
				return
			}
			asked <- b.create(rand.Text())
		}()
	}
	took, code := s.terminate()
	t.Logf("ended in %v", took)
	if took > drainMax || code != 0 {
		t.Errorf("SIGTERM: exit code %d after %v", code, took)
	}
	for range events {
		if a := <-asked; a.err == nil && a.status != 201 && a.status != 503 {
			t.Errorf("who asked was answered %d: %s", a.status, a.body)
		}
	}
	other.kill()
}

// Goal: a server that is killed again and again while it is busy loses nothing that was acknowledged. Method: kill -9 in
// the middle of a sale, five times, with buyers who go on as if nothing had been.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	l := startLoad(s, "E1", true)
	for range 5 {
		from := l.purchases()
		until(t, patience, func() error {
			if l.purchases() < from+20 {
				return errors.New("the sale does not go on")
			}
			return nil
		})
		s.kill()
		s.run()
	}
	l.end(t)
	l.audit(t)
	must(t, awaitSettled(t, database))
	captured := query[int](t, database, `select count(*)::int from mock_payment where kind = 'capture' and declined = ''`)[0]
	if captured != len(l.finished) {
		t.Errorf("%d purchases, %d captures", len(l.finished), captured)
	}
	must(t, s.counts("E1", loadRows*loadRowSeats-captured, 0, captured))
	verify(t, database)
}

// Goal: after kill -9 tokens, sessions, orders, tickets and answers are what they were. Method: a buyer with one order in
// each state, and the signing key that the server keeps itself, not one from the environment.
func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	database, data := pgtest.New(t), filepath.Join(t.TempDir(), "data")
	s := start(t, database, "BOXOFFICE_TOKEN_KEYS=", "BOXOFFICE_DATA_DIR="+data)
	s.create("E1", hall(2, 10), map[string]any{"maxOrdersPerSession": 10})
	b, err := s.join("E1")
	must(t, err)
	type step struct{ verb, body string }
	confirm := step{"confirm", pay(best(2), "tok_visa")}
	shown := map[string]answer{}
	var said []acknowledged
	for _, steps := range [][]step{
		{}, {{"reserve", `{` + best(2) + `}`}}, {confirm}, {confirm, {"finalize", ""}}, {confirm, {"cancel", ""}},
	} {
		key := rand.Text()
		create := func() answer { return b.create(key) }
		created := create()
		must(t, created.is(201))
		said = append(said, acknowledged{created, create})
		id := created.order().OrderID
		for _, step := range steps {
			call := func() answer { return b.call(id, step.verb, key, step.body) }
			a := call()
			if a.status/100 != 2 {
				t.Fatal(a.is(200))
			}
			said = append(said, acknowledged{a, call})
		}
		shown[id] = b.order(id)
	}
	keys := s.get("/api/ticket-keys")

	s.kill()
	s.run()
	for _, a := range said {
		must(t, a.same(a.again()))
	}
	for id, a := range shown {
		must(t, a.same(b.order(id)))
	}
	must(t, keys.same(s.get("/api/ticket-keys")))
	must(t, b.create(rand.Text()).is(201))
	must(t, s.counts("E1", 14, 4, 2))
	// Who can read the key can make tickets.
	info, err := os.Stat(filepath.Join(data, "token-keys"))
	must(t, err)
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the signing key's file is %v", info.Mode())
	}
	verify(t, database)
}

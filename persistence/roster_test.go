package persistence

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// rosterWithin is for what waits for nobody; a busy machine takes its time.
const rosterWithin = 3 * time.Second

// Goal: the roster in Postgres is what members may trust. Method: the conformance suite; each process has connections of its
// own, and time passes in the rows.
func TestRoster(t *testing.T) {
	journaltest.RunRoster(t, func(t *testing.T) journaltest.RosterFixture {
		db, url := open(t)
		admin := outsider(t, url)
		return journaltest.RosterFixture{
			Roster: func() journaltest.Roster { return openAt(t, url, Options{}).Roster() },
			Pass: func(t testing.TB, d time.Duration) {
				const statement = `update member set lease_until = lease_until - $1, gone_at = gone_at - $1`
				execute(t, admin, statement, d.Milliseconds())
			},
			Journal:   func(node string) journaltest.Journal { return db.Journal(node) },
			Catalogue: db.Catalogue(),
		}
	})
}

func joined(t *testing.T, db *DB, lease time.Duration, ids ...string) (s messages.Membership) {
	t.Helper()
	for _, id := range ids {
		var err error
		if s, err = db.Roster().Join(t.Context(), journaltest.Member(id), lease); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func renewed(t *testing.T, db *DB, id, want string) {
	t.Helper()
	began := time.Now()
	s, err := db.Roster().Renew(t.Context(), id, time.Hour, nil)
	if got := journaltest.Shape(s); err != nil || got != want {
		t.Errorf("renewed: %q, %v; want %q", got, err, want)
	}
	if took := time.Since(began); took > rosterWithin {
		t.Errorf("a renewal took %v", took)
	}
}

func notMember(t *testing.T, err error, id string) {
	t.Helper()
	var not *messages.NotMemberError
	if !errors.As(err, &not) || not.ID != id {
		t.Errorf("%v, want that %s is no member", err, id)
	}
}

// Goal: no rush of commits, claims and queries delays leases or changes. Method: all connections of all pools are taken.
func TestRosterInARush(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	for _, p := range db.pools() {
		for range p.Config().MaxConns {
			conn, err := p.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Release)
		}
	}
	joined(t, db, time.Hour, "a", "b")
	renewed(t, db, "a", "2 a b")
	if s, err := db.Roster().Evict(t.Context(), journaltest.Member("a"), 2, []string{"b"}, "test"); err != nil || s.View != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Goal: a change that is stuck delays no renewal. Method: an outsider holds the row that all changes take.
func TestRenewalsBesideStuckChange(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	joined(t, db, time.Hour, "a")
	other := outsider(t, url)
	unblock := block(t, other, "select from membership for update")
	done := make(chan error, 1)
	go func() {
		_, err := db.Roster().Join(t.Context(), journaltest.Member("b"), time.Hour)
		done <- err
	}()
	waitForWaiting(t, other)
	for range 5 {
		renewed(t, db, "a", "1 a")
	}
	unblock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	renewed(t, db, "a", "2 a b")
}

// Goal: a Postgres that stands still makes every call fail when its time is up, and none hangs; it changes nobody's
// membership, and after it everything works at once. Method: the whole of Postgres is frozen under renewals and changes.
func TestRosterFrozenPostgres(t *testing.T) {
	t.Parallel()
	pg := pgtest.Private(t)
	db := openAt(t, pg.URL(), Options{})
	joined(t, db, time.Hour, "a", "b")
	renewed(t, db, "a", "2 a b")
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	const patience = 200 * time.Millisecond
	for range 5 {
		began := time.Now()
		ctx, done := context.WithTimeout(t.Context(), patience)
		var errs [2]error
		var wg sync.WaitGroup
		wg.Go(func() { _, errs[0] = db.Roster().Renew(ctx, "a", time.Hour, nil) })
		wg.Go(func() { _, errs[1] = db.Roster().Leaving(ctx, "x") })
		wg.Wait()
		done()
		for _, err := range errs {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while frozen: %v", err)
			}
		}
		if took := time.Since(began); took > patience+rosterWithin {
			t.Errorf("calls took %v", took)
		}
	}
	if err := pg.Thaw(); err != nil {
		t.Fatal(err)
	}
	renewed(t, db, "a", "2 a b")
	if _, err := db.Roster().Leaving(t.Context(), "x"); err == nil {
		t.Error("a stranger is leaving")
	} else {
		notMember(t, err, "x")
	}
}

// Goal: where connecting takes longer than any call waits, as it does while the first host of the url is gone, renewals succeed
// all the same. Method: a network on which each new connection takes its time.
func TestRosterSlowConnect(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	var slow atomic.Bool
	const patience = 100 * time.Millisecond
	db := openAt(t, url, Options{dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if slow.Load() && !pause(ctx, 3*patience) {
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}})
	joined(t, db, time.Hour, "a")
	slow.Store(true)
	var err error
	for range 20 {
		ctx, done := context.WithTimeout(t.Context(), patience)
		_, err = db.Roster().Renew(ctx, "a", time.Hour, nil)
		done()
		if err == nil {
			return
		}
	}
	t.Errorf("not renewed: %v", err)
}

// jam is a network on which the next message can stop midway.
type jam struct {
	next atomic.Pointer[jammed]
}

// jammed is a message of which only sent's part goes out before thaw is closed.
type jammed struct {
	sent         func(length int) int
	frozen, thaw chan struct{}
}

func (j *jam) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &jamConn{conn, j}, err
}

type jamConn struct {
	net.Conn
	jam *jam
}

func (c *jamConn) Write(p []byte) (int, error) {
	m := c.jam.next.Swap(nil)
	if m == nil {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:m.sent(len(p))])
	close(m.frozen)
	<-m.thaw
	if err != nil {
		return n, err
	}
	rest, err := c.Conn.Write(p[n:])
	return n + rest, err
}

// Goal: a member that freezes, or is cut off, in the midst of a call holds up nobody: the others renew, join and take it
// out. Method: each kind of call stops before its first byte, in its midst, before its last byte, and after it.
func TestRosterFrozenClient(t *testing.T) {
	calls := map[string]func(ctx context.Context, r *Roster) error{
		"join": func(ctx context.Context, r *Roster) error {
			_, err := r.Join(ctx, journaltest.Member("d"), time.Hour)
			return err
		},
		"renew": func(ctx context.Context, r *Roster) error {
			_, err := r.Renew(ctx, "c", time.Hour, []string{"a"})
			return err
		},
		"leaving": func(ctx context.Context, r *Roster) error {
			_, err := r.Leaving(ctx, "c")
			return err
		},
		"evict": func(ctx context.Context, r *Roster) error {
			_, err := r.Evict(ctx, journaltest.Member("c"), 3, []string{"b"}, "test")
			return err
		},
		"leave": func(ctx context.Context, r *Roster) error { return r.Leave(ctx, "c") },
	}
	parts := map[string]func(length int) int{
		"the first byte": func(int) int { return 0 },
		"the middle":     func(length int) int { return length / 2 },
		"the last byte":  func(length int) int { return length - 1 },
		"the answer":     func(length int) int { return length },
	}
	for name, call := range calls {
		for before, sent := range parts {
			t.Run(name+" before "+before, func(t *testing.T) {
				t.Parallel()
				url := pgtest.New(t)
				db, j := openAt(t, url, Options{}), new(jam)
				frozen := openAt(t, url, Options{dial: j.dial})
				joined(t, db, time.Hour, "a", "b")
				joined(t, frozen, time.Hour, "c")
				renewed(t, frozen, "c", "3 a b c")

				m := &jammed{sent, make(chan struct{}), make(chan struct{})}
				j.next.Store(m)
				done := make(chan error, 1)
				go func() { done <- call(t.Context(), frozen.Roster()) }()
				thaw := sync.OnceFunc(func() { close(m.thaw) })
				t.Cleanup(thaw)
				<-m.frozen
				goOnWithout(t, db)
				thaw()
				// What it asked for was done before the others went on, or it is told that it is none of them.
				if err := <-done; name == "renew" && before != "the answer" {
					notMember(t, err, "c")
				}
			})
		}
	}
}

// goOnWithout c, whatever it has done.
func goOnWithout(t *testing.T, db *DB) {
	t.Helper()
	began := time.Now()
	r := db.Roster()
	if _, err := r.Renew(t.Context(), "a", time.Hour, nil); err != nil {
		t.Error(err)
	}
	// What was sent whole may be done only now.
	for ids := []string{"c"}; ; {
		s, err := r.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Evict(t.Context(), journaltest.Member("a"), s.View, ids, "frozen")
		if err == nil {
			break
		}
		if !errors.Is(err, messages.ErrViewChanged) {
			t.Fatal(err)
		}
	}
	joined(t, db, time.Hour, "e")
	if took := time.Since(began); took > rosterWithin {
		t.Errorf("the others took %v", took)
	}
	_, err := r.Renew(t.Context(), "c", time.Hour, nil)
	notMember(t, err, "c")
}

// Goal: what the calls promise hangs on no default of the server. Method: it has others.
func TestRosterConnections(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	admin := outsider(t, url)
	for _, set := range []string{
		"default_transaction_isolation = 'repeatable read'", "synchronous_commit = remote_write",
		"standard_conforming_strings = off", "client_encoding = 'latin1'",
	} {
		execute(t, admin, fmt.Sprintf("alter database %q set %s", admin.Config().Database, set))
	}
	r := openAt(t, url, Options{}).Roster()
	for l, want := range map[*line]string{r.renewals: "read committed off", r.changes: "read committed on"} {
		const query = `select current_setting('transaction_isolation') || ' ' || current_setting('synchronous_commit')`
		if got, err := l.ask(t.Context(), query); err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	m := journaltest.Member(`Łódź \' "`)
	if s, err := r.Join(t.Context(), m, time.Hour); err != nil || s.Members[0].ID != m.ID {
		t.Errorf("%+v, %v", s, err)
	}
}

// Goal: the table's own rules stand where the functions fail. Method: rows that no function makes.
func TestMemberChecks(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	joined(t, db, time.Hour, "a", "b")
	admin := outsider(t, url)
	for _, bad := range []string{
		"update member set address = 'a:1'", "update member set joined = 1", "update member set gone_at = 1",
		"update member set address = ''", "insert into membership (view) values (7)", "update membership set view = -1",
		"insert into membership values (false, 7)",
	} {
		if _, err := admin.Exec(t.Context(), bad); err == nil {
			t.Errorf("%s: done", bad)
		}
	}
}

// A statement for one value.
func valueOf[T any](t *testing.T, conn *pgx.Conn, statement string) (v T) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), statement).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func BenchmarkRenew(b *testing.B) {
	db, _ := open(b)
	for i := range 8 {
		if _, err := db.Roster().Join(b.Context(), journaltest.Member(fmt.Sprint("m", i)), time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := db.Roster().Renew(b.Context(), "m0", time.Hour, nil); err != nil {
			b.Fatal(err)
		}
	}
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// recoverWithin is how soon after Postgres' return everything works again: a second, with room for a machine that does much
// else.
const recoverWithin = 4 * time.Second

// Goal: Postgres goes and comes back under load: calls fail meanwhile and none hangs, everything works within a second
// of its return, and nothing acknowledged is lost. Method: owners commit, buyers join, all the time, through an
// orderly restart and a kill.
func TestPostgresRestart(t *testing.T) {
	for name, restart := range map[string]func(ctx context.Context, s server) error{
		"in order": func(ctx context.Context, s server) error { return s.Restart(ctx) },
		"after a kill": func(ctx context.Context, s server) error {
			return errors.Join(s.Kill(), s.Restart(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := pgtest.Private(t)
			db := openAt(t, pg.URL(), Options{})
			lock, err := db.HoldServerLock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Release()
			if _, err := db.Roster().Join(t.Context(), journaltest.Member("a"), time.Hour); err != nil {
				t.Fatal(err)
			}
			l := startLoad(t, db)
			l.until(t, 50)
			if err := restart(t.Context(), pg); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			before := l.done.Load()
			l.until(t, before+50)
			for !lock.Held() {
				if err := db.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for renewed := false; !renewed; {
				m, err := db.Roster().Renew(t.Context(), "a", time.Hour, nil)
				if renewed = err == nil; renewed && (m.View != 1 || len(m.Members) != 1) {
					t.Errorf("the cluster has become %+v", m)
				}
			}
			took := time.Since(back)
			t.Logf("worked again %v after the return; %d calls had failed", took, l.failed.Load())
			if took > recoverWithin {
				t.Errorf("worked again only after %v", took)
			}
			l.stop()
			l.check(t, db)
		})
	}
}

type server interface {
	Restart(ctx context.Context) error
	Kill() error
}

// load is owners that commit, each to an event of its own, and buyers who join it.
type load struct {
	stop         func()
	acknowledged [loadEvents][]messages.Entry
	joined       [loadEvents]int
	done, failed atomic.Int64
}

const loadEvents = 4

func startLoad(t *testing.T, db *DB) *load {
	t.Helper()
	l := new(load)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for e := range loadEvents {
		id := fmt.Sprint("E", e)
		create(t, db, id, 10)
		wg.Go(func() { l.own(ctx, db, id, e) })
		wg.Go(func() { l.join(ctx, db, id, e) })
	}
	l.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(l.stop)
	return l
}

// own commits, and claims anew after each error, as an actor does.
func (l *load) own(ctx context.Context, db *DB, id string, e int) {
	j := db.Journal("a")
	for ctx.Err() == nil {
		c, err := j.Claim(ctx, id)
		for seq := c.LastSeq + 1; err == nil; seq++ {
			b := journaltest.Batch(id, c.Epoch, seq)
			if err = j.Commit(ctx, b); err == nil {
				l.acknowledged[e] = append(l.acknowledged[e], *b.Entry)
				l.done.Add(1)
			}
		}
		l.failed.Add(1)
	}
}

func (l *load) join(ctx context.Context, db *DB, id string, e int) {
	for n := 0; ctx.Err() == nil; n++ {
		j := messages.Join{EventID: id, SessionID: journaltest.ID(id, n)}
		if _, _, err := db.Sessions().Join(ctx, j); err == nil {
			l.joined[e]++
			l.done.Add(1)
		} else {
			l.failed.Add(1)
		}
	}
}

func (l *load) until(t *testing.T, done int64) {
	t.Helper()
	for l.done.Load() < done {
		if t.Context().Err() != nil {
			t.Fatal("gave up")
		}
		runtime.Gosched()
	}
}

func (l *load) check(t *testing.T, db *DB) {
	t.Helper()
	for e := range loadEvents {
		id := fmt.Sprint("E", e)
		a, err := db.Audit(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range l.acknowledged[e] {
			if want.Seq > uint64(len(a.Entries)) || !reflect.DeepEqual(a.Entries[want.Seq-1], want) {
				t.Fatalf("event %s: entry %d was acknowledged and is lost", id, want.Seq)
			}
		}
		counts, err := db.Sessions().Counts(t.Context(), id)
		if err != nil || int(counts[messages.SessionActive]) < l.joined[e] { //nolint:gosec // small
			t.Errorf("event %s: %d joins acknowledged, %v there (%v)", id, l.joined[e], counts, err)
		}
	}
}

// Goal: servers run side by side, but not beside one of the version before, nor beside whoever changes the schema alone; who
// is turned away is told by whom. Method: one after the other asks; the version before takes the same lock, alone.
func TestServerLock(t *testing.T) {
	t.Parallel()
	first, url := open(t)
	second, importer := openAt(t, url, Options{Name: "second"}), openAt(t, url, Options{Name: "import"})
	before := outsider(t, url)
	const lockOfBefore = `select pg_try_advisory_lock($1)`
	taken := func() (got bool) {
		t.Helper()
		if err := before.QueryRow(t.Context(), lockOfBefore, serverLockKey).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	refused := func(hold func(context.Context) (*ServerLock, error), by string) {
		t.Helper()
		var locked *ServerLockedError
		if _, err := hold(t.Context()); !errors.As(err, &locked) || locked.Application != by {
			t.Fatalf("%v, want that %q has the lock", err, by)
		}
	}
	hold := func(hold func(context.Context) (*ServerLock, error)) *ServerLock {
		t.Helper()
		lock, err := hold(t.Context())
		if err != nil || !lock.Held() {
			t.Fatal(err)
		}
		return lock
	}
	a, b := hold(first.HoldServerLock), hold(second.HoldServerLock)
	refused(importer.HoldServerLockAlone, "boxoffice-server-lock")
	a.Release()
	<-a.Done()
	if a.Held() || a.Err() != nil {
		t.Errorf("released: held %v, %v", a.Held(), a.Err())
	}
	refused(importer.HoldServerLockAlone, "boxoffice-second-lock")
	if taken() {
		t.Error("the version before began beside a server of today")
	}
	b.Release()
	alone := hold(importer.HoldServerLockAlone)
	refused(first.HoldServerLock, "boxoffice-import-lock")
	alone.Release()
	for !taken() { // its session has yet to end
		runtime.Gosched()
	}
	refused(first.HoldServerLock, before.Config().RuntimeParams["application_name"])
}

// Goal: a server that loses the lock's connection has the lock again soon, and hears it when somebody else was faster.
// Method: the session is terminated; the second time somebody waits for the lock already.
func TestServerLockLost(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	lock, err := db.HoldServerLock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	admin := outsider(t, url)
	const holders = `
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and a.datname = current_database() and a.application_name like 'boxoffice%'`
	holder := func() (pid int) {
		for pid == 0 {
			if err := admin.QueryRow(t.Context(), "select coalesce(max(pid), 0) "+holders).Scan(&pid); err != nil {
				t.Fatal(err)
			}
		}
		return pid
	}
	first := holder()
	execute(t, admin, "select pg_terminate_backend(pid) "+holders)
	for again := first; again == first; {
		again = holder()
	}
	for !lock.Held() {
		_ = holder()
	}

	rival, taken := outsider(t, url), make(chan error, 1)
	go func() {
		_, err := rival.Exec(context.WithoutCancel(t.Context()), "select pg_advisory_lock($1)", serverLockKey)
		taken <- err
	}()
	const waiting = `select exists (select from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database()))`
	for waits := false; !waits; {
		if err := admin.QueryRow(t.Context(), waiting).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, admin, "select pg_terminate_backend(pid) "+holders)
	<-lock.Done()
	var locked *ServerLockedError
	if !errors.As(lock.Err(), &locked) || lock.Held() {
		t.Errorf("taken by a rival: held %v, %v", lock.Held(), lock.Err())
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
}

// Goal: a server whose Postgres stood still has the lock again, though its old session holds it yet. Method: the whole
// of Postgres is frozen until the lock is given up for lost, and thawed.
func TestServerLockFrozen(t *testing.T) {
	t.Parallel()
	pg := pgtest.Private(t)
	db := openAt(t, pg.URL(), Options{})
	lock, err := db.HoldServerLock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	for lock.Held() {
		runtime.Gosched()
	}
	if err := pg.Thaw(); err != nil {
		t.Fatal(err)
	}
	for !lock.Held() {
		select {
		case <-lock.Done():
			t.Fatalf("the lock is over: %v", lock.Err())
		default:
			runtime.Gosched()
		}
	}
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverLockKey is the advisory lock of the servers of a database: "boxoffic" in ASCII.
const serverLockKey int64 = 0x626f786f66666963

const (
	// A server that was just killed leaves a session that the server notices within milliseconds.
	serverLockWaitMax = 2 * time.Second
	// Between two tries to take the lock.
	serverLockPause = 50 * time.Millisecond
	// How long a connection that says nothing is trusted.
	serverLockCheckEvery = time.Second
	serverLockStepMax    = 3 * time.Second
)

const (
	lockSharedStatement = `select pg_try_advisory_lock_shared($1)`
	lockAloneStatement  = `select pg_try_advisory_lock($1)`

	// An advisory lock's key of 64 bits stands in pg_locks in two halves. Our own session from before comes last: where it is
	// the first one, nobody else has the lock.
	lockHolderStatement = `
select a.pid, a.application_name, coalesce(host(a.client_addr), 'this machine')
from pg_locks l
join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and (l.classid::bigint << 32) | l.objid::bigint = $1
order by a.pid = $2, a.backend_start
limit 1`

	lockSessionStatement = `select extract(epoch from backend_start)::text from pg_stat_activity where pid = pg_backend_pid()`

	// Our own session from before the connection was lost, where the server has not noticed the loss yet.
	endSessionStatement = `
select pg_terminate_backend(pid) from pg_stat_activity
where pid = $1 and extract(epoch from backend_start)::text = $2`
)

// ServerLockedError says that another server works on this database, and which; of several, the one that has done so for
// longest.
type ServerLockedError struct {
	PID         uint32 // of its session in Postgres
	Application string // its application_name
	Host        string
}

func (e *ServerLockedError) Error() string {
	return fmt.Sprintf("another server works on this database: %s on %s (Postgres session %d)", e.Application, e.Host, e.PID)
}

// errLockMoves says that whoever had the lock, perhaps we ourselves in a session that is ending, is just giving it up.
var errLockMoves = errors.New("the lock is just being given up")

// ServerLock is shared by the servers of a database. Versions from before there were several servers hold it alone: they
// and those of today exclude each other, and so does whoever changes the schema with nobody at work. It is an advisory lock
// of a session of its own, and says how things stand; what keeps two servers apart is the epoch of each event.
type ServerLock struct {
	db     *DB
	alone  bool
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	conn    *pgx.Conn
	session lockSession
	held    bool
	err     error
}

type lockSession struct {
	pid     uint32
	started string
}

// HoldServerLock takes the lock beside other servers, waiting up to serverLockWaitMax for one that is just ending.
// *ServerLockedError where somebody has it alone. Where the connection is lost later, the lock is taken anew as soon as
// Postgres is back.
func (db *DB) HoldServerLock(ctx context.Context) (*ServerLock, error) {
	return db.holdServerLock(ctx, false)
}

// HoldServerLockAlone is as HoldServerLock, but *ServerLockedError where any server runs; none can begin meanwhile.
func (db *DB) HoldServerLockAlone(ctx context.Context) (*ServerLock, error) {
	return db.holdServerLock(ctx, true)
}

func (db *DB) holdServerLock(ctx context.Context, alone bool) (*ServerLock, error) {
	l := &ServerLock{db: db, alone: alone, done: make(chan struct{})}
	deadline := time.Now().Add(serverLockWaitMax)
	for {
		err := l.take(ctx)
		if err == nil {
			break
		}
		var locked *ServerLockedError
		wait := errors.As(err, &locked) || errors.Is(err, errLockMoves)
		if !wait || time.Now().After(deadline) || !pause(ctx, serverLockPause) {
			return nil, fmt.Errorf("take the server lock: %w", err)
		}
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.keep(ctx)
	return l, nil
}

// Held says that as far as we know we have the lock: its connection stands.
func (l *ServerLock) Held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// Done is closed when the lock is over for good: released, or somebody else took it in our way
// while our connection was lost.
func (l *ServerLock) Done() <-chan struct{} { return l.done }

// Err is nil until Done is closed and after Release; *ServerLockedError where somebody else took the lock in our way.
func (l *ServerLock) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Release gives the lock back.
func (l *ServerLock) Release() {
	l.cancel()
	<-l.done
}

// keep watches the connection and takes the lock anew when it is lost.
func (l *ServerLock) keep(ctx context.Context) {
	defer close(l.done)
	defer l.drop()
	for {
		l.watch(ctx)
		l.drop()
		for {
			if ctx.Err() != nil {
				return
			}
			err := l.take(ctx)
			if err == nil {
				break
			}
			var locked *ServerLockedError
			if errors.As(err, &locked) {
				l.mu.Lock()
				l.err = err
				l.mu.Unlock()
				return
			}
			if !pause(ctx, serverLockPause) {
				return
			}
		}
	}
}

// watch returns when the connection is lost or ctx ends. Waiting for a notification that nobody sends notices a closed
// connection at once; a question now and then notices one that has gone silent.
func (l *ServerLock) watch(ctx context.Context) {
	for ctx.Err() == nil {
		wait, done := context.WithTimeout(ctx, serverLockCheckEvery)
		_, err := l.conn.WaitForNotification(wait)
		timedOut := wait.Err() != nil
		done()
		if err != nil && !timedOut {
			return
		}
		ask, done := context.WithTimeout(ctx, serverLockStepMax)
		err = l.conn.Ping(ask)
		done()
		if err != nil {
			return
		}
	}
}

// take connects and takes the lock. *ServerLockedError where somebody else has it in our way.
func (l *ServerLock) take(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, serverLockStepMax)
	defer done()
	conn, err := l.db.connect(ctx, map[string]string{"application_name": l.db.name + "-lock"})
	if err != nil {
		return err
	}
	session, err := l.lock(ctx, conn)
	if err != nil {
		_ = conn.Close(ctx)
		return err
	}
	l.mu.Lock()
	l.conn, l.session, l.held = conn, session, true
	l.mu.Unlock()
	return nil
}

func (l *ServerLock) lock(ctx context.Context, conn *pgx.Conn) (lockSession, error) {
	ended, err := conn.Exec(ctx, endSessionStatement, l.session.pid, l.session.started)
	if err != nil {
		return lockSession{}, fmt.Errorf("end our session of before: %w", err)
	}
	statement := lockSharedStatement
	if l.alone {
		statement = lockAloneStatement
	}
	var ours bool
	if err := conn.QueryRow(ctx, statement, serverLockKey).Scan(&ours); err != nil {
		return lockSession{}, fmt.Errorf("try the lock: %w", err)
	}
	if !ours {
		holder := new(ServerLockedError)
		err := conn.QueryRow(ctx, lockHolderStatement, serverLockKey, l.session.pid).
			Scan(&holder.PID, &holder.Application, &holder.Host)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return lockSession{}, errLockMoves
		case err != nil:
			return lockSession{}, fmt.Errorf("ask who holds the lock: %w", err)
		case ended.RowsAffected() > 0 && holder.PID == l.session.pid:
			return lockSession{}, errLockMoves
		}
		return lockSession{}, holder
	}
	s := lockSession{pid: conn.PgConn().PID()}
	if err := conn.QueryRow(ctx, lockSessionStatement).Scan(&s.started); err != nil {
		return lockSession{}, fmt.Errorf("ask for our session: %w", err)
	}
	return s, nil
}

// drop closes the connection, and with it gives up the lock.
func (l *ServerLock) drop() {
	l.mu.Lock()
	conn := l.conn
	l.conn, l.held = nil, false
	l.mu.Unlock()
	if conn != nil {
		ctx, done := context.WithTimeout(context.Background(), serverLockStepMax)
		defer done()
		_ = conn.Close(ctx)
	}
}

// connect opens a connection outside the pools, set as those for commits are but for what is in set.
func (db *DB) connect(ctx context.Context, set map[string]string) (*pgx.Conn, error) {
	c := db.commits.Config().ConnConfig
	maps.Copy(c.RuntimeParams, set)
	return pgx.ConnectConfig(ctx, c)
}

// pause waits, and is false where ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

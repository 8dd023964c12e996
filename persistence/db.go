// Package persistence keeps boxoffice's state in Postgres: the journal with its fence, the catalogue, the read model,
// sessions, the mock payment provider's ledger, who is a member of the cluster, and the lock that keeps versions apart.
//
// What it guarantees:
//
//  1. A batch is committed whole or not at all, and only under the epoch that stands (Journal.Commit).
//  2. A claim ends every older epoch, within about a second, whatever the older owner is doing (Journal.Claim).
//  3. The read model never moves backwards, and never past the journal (ReadModel.Project).
//  4. Places in a waiting room are dense and unique (Sessions.Join), and admitted in their order, by the admission that
//     claimed the event last, never more at once or in a second than its settings allow (Admissions.Admit).
//  5. Who is a member of the cluster is one sequence of views, and only a member whose lease is good claims (Roster,
//     DB.MemberJournal, DB.MemberAdmissions).
//  6. Every error says the operation. What is not one of the named errors leaves open whether a write took effect.
package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// applicationPrefix begins the application_name of all our connections: a claim terminates no others.
const applicationPrefix = "boxoffice"

const (
	// Events commit side by side, each at most one batch. Few commits share a flush of the log better than many.
	commitConnsDefault = 16
	// Reads and the projector, kept apart so that no report holds up a commit.
	queryConnsDefault = 8
	// Claims have connections of their own, so that stuck commits cannot keep anybody from ending them.
	claimConnsMax = 4
	// Nor can reads that take their time: who ends what blocks a claim has one that nobody else takes.
	evictConnsMax = 1
	// Postgres is near; a connect that takes longer is one to a server that is away.
	connectTimeout = 2 * time.Second
	// Backstops in the server, for statements whose client has gone: far above what any of ours takes.
	commitStatementMillisMax = 10_000
	queryStatementMillisMax  = 30_000
	// The projector must not hang behind somebody's alter table; it tries again.
	queryLockMillisMax = 2_000
	// A transaction of ours that does nothing for so long has lost its client.
	idleInTransactionMillisMax = 10_000
)

// Settings on which what we promise hangs, whatever the server's defaults: what is acknowledged is on disk, and who has
// waited for a row then sees it, and all beside it, as it is.
var always = map[string]string{
	"synchronous_commit":                  "on",
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": strconv.Itoa(idleInTransactionMillisMax),
}

// Every statement of ours finds its rows by key. Tables that grow faster than statistics are gathered would make the
// planner read them whole for a join: these settings keep it from that. Where it has no other way, it thinks the statement
// so dear that it would compile it first, which takes longer than any of ours.
var byKey = map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}

// Options of a DB. The zero value works.
type Options struct {
	// Name of this process as pg_stat_activity shows it, after "boxoffice-". Default "server".
	Name string
	// CommitConns bounds the commits, admissions, joins and ledger writes in flight; joins take half of them at most.
	// Default 16.
	CommitConns int
	// QueryConns bounds the reads and projections in flight; pages of events take half of them at most. Default 8.
	QueryConns int
	// Demand hears, after the commit, of events where somebody has begun to wait, or a place has become free for somebody
	// who does. It must not block. Default nil: who admits finds out by looking.
	Demand interface{ Announce(eventIDs ...string) }

	// dial replaces the network in tests.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DB is a database of boxoffice, brought up to date by migrations.Up. It is safe for concurrent use.
type DB struct {
	commits, claims, evictions, queries *pgxpool.Pool

	name   string
	demand interface{ Announce(eventIDs ...string) }
	plans  planCache
	joins  *batcher[*joinCall] // by event
	ledger *batcher[*ledgerCall]
	roster *Roster
	// pages holds one for each page of events that is being looked up.
	pages chan struct{}
}

// Open connects to the Postgres at url, and fails if it does not answer.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Name == "" {
		o.Name = "server"
	}
	if o.CommitConns == 0 {
		o.CommitConns = commitConnsDefault
	}
	if o.QueryConns == 0 {
		o.QueryConns = queryConnsDefault
	}
	db := &DB{name: applicationPrefix + "-" + o.Name, demand: o.Demand}
	// Anybody may search, for something else each time: that leaves connections to the projector and to other reads.
	db.pages = make(chan struct{}, max(1, o.QueryConns/2))
	db.joins = newBatcher(joinBatchMax, joinsMax, max(1, o.CommitConns/2), db.flushJoins)
	db.ledger = newBatcher(ledgerBatchMax, ledgerMax, 1, db.flushLedger)

	commit := map[string]string{"statement_timeout": strconv.Itoa(commitStatementMillisMax)}
	query := map[string]string{
		"statement_timeout": strconv.Itoa(queryStatementMillisMax),
		"lock_timeout":      strconv.Itoa(queryLockMillisMax),
	}
	// The first few in an index's order are read from the index, and not all that could follow them.
	commit["enable_bitmapscan"] = "off"
	// There is one good plan for each statement, however many rows it is given: it need not be made again each time.
	commit["plan_cache_mode"] = "force_generic_plan"
	for _, all := range []map[string]string{always, byKey, {"application_name": db.name}} {
		maps.Copy(commit, all)
		maps.Copy(query, all)
	}
	for _, p := range []struct {
		pool  **pgxpool.Pool
		conns int
		set   map[string]string
	}{
		{&db.commits, o.CommitConns, commit},
		{&db.claims, claimConnsMax, commit},
		{&db.evictions, evictConnsMax, query},
		{&db.queries, o.QueryConns, query},
	} {
		pool, err := openPool(ctx, url, p.conns, p.set, o)
		if err != nil {
			db.Close()
			return nil, err
		}
		*p.pool = pool
	}
	db.roster = newRoster(db)
	if err := db.Ping(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func openPool(ctx context.Context, url string, conns int, set map[string]string, o Options) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's url: %w", err)
	}
	for k, v := range set {
		c.ConnConfig.RuntimeParams[k] = v
	}
	c.ConnConfig.ConnectTimeout = connectTimeout
	if o.dial != nil {
		c.ConnConfig.DialFunc = o.dial
	}
	c.MaxConns = int32(conns) //nolint:gosec // a handful
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open a pool of connections: %w", err)
	}
	return pool, nil
}

// Ping is nil when the database can be written to: a standby or one that is starting up says what it is.
func (db *DB) Ping(ctx context.Context) error {
	const statement = `select pg_is_in_recovery()`
	var recovering bool
	if err := db.queries.QueryRow(ctx, statement).Scan(&recovering); err != nil {
		return db.failed("ping the database", err)
	}
	if recovering {
		return errors.New("ping the database: it is a standby and takes no writes")
	}
	return nil
}

// Close waits for what is being done and closes all connections.
func (db *DB) Close() {
	if db.roster != nil {
		db.roster.close()
	}
	for _, p := range db.pools() {
		if p != nil {
			p.Close()
		}
	}
}

func (db *DB) pools() []*pgxpool.Pool {
	return []*pgxpool.Pool{db.commits, db.claims, db.evictions, db.queries}
}

// announce tells of demand in the events, if there are any.
func (db *DB) announce(eventIDs ...string) {
	if db.demand != nil && len(eventIDs) > 0 {
		db.demand.Announce(eventIDs...)
	}
}

// failed wraps the error of an operation. Where the server has gone, all idle connections are dropped, so that each
// does not have to fail once after its return.
func (db *DB) failed(op string, err error) error {
	if lost(err) {
		for _, p := range db.pools() {
			p.Reset()
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// lost says that the error means a lost connection or a server on its way down or up, not a statement that failed.
func lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
			return true
		}
		return false
	}
	// Neither an answer of the server's nor the caller's doing: the network.
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || isEOF(err)
}

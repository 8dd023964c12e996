package persistence

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// Goal: whatever an owner does, its successor claims within a second, and the old commit writes nothing. Method: the old
// owner's statement waits for an outsider: for a row, in its midst, when it holds the row of event_owner already; or for
// the whole table, before it has begun.

// claimWithin is a second, with room for a machine that does much else; less than claimTimeout.
const claimWithin = 4 * time.Second

// frozenOwnerURL names the variable that makes this test binary the owner that gets frozen.
const frozenOwnerURL = "BOXOFFICE_TEST_FROZEN_OWNER"

func saleBatch(epoch, seq uint64) messages.Batch {
	b := journaltest.Batch("E1", epoch, seq)
	b.Tickets = []messages.TicketRow{journaltest.Ticket(journaltest.ID("order", 1), 1)}
	return b
}

// blockers make a commit of saleBatch wait for an outsider, until his transaction ends.
var blockers = map[string]struct {
	statement string
	// holds says that the waiting commit has locked the owner's row already, so that a claim must wait too.
	holds bool
}{
	"for a seat's other ticket": {`
insert into ticket (event_id, ticket_id, order_id, n, seat_index, seat_id, code, issued_at)
values ('E1', substr(sha256('ticket'), 1, 16), substr(sha256('order'), 1, 16), 1, 1, 'P-1-2', '', 1)`, true},
	"for the table": {"lock table ticket in access exclusive mode", false},
}

// block begins the outsider's transaction; unblock undoes it.
func block(t *testing.T, conn *pgx.Conn, statement string) (unblock func()) {
	t.Helper()
	execute(t, conn, "begin")
	execute(t, conn, statement)
	return func() { execute(t, conn, "rollback") }
}

// waitForWaiting returns when somebody waits for the outsider.
func waitForWaiting(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	// Not pg_stat_activity, which stands still in a transaction.
	const statement = `
select exists (select from pg_locks l where not l.granted and pg_backend_pid() = any (pg_blocking_pids(l.pid)))`
	for waits := false; !waits; {
		if err := conn.QueryRow(t.Context(), statement).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
}

// takeOver claims from another process' pools, and checks the time it took: more than the claim's patience where the
// old owner is in the way.
func takeOver(t *testing.T, db *DB, inTheWay bool) messages.Claim {
	t.Helper()
	began := time.Now()
	c, err := db.Journal("b").Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("claimed within %v", took)
	if took > claimWithin || inTheWay && took < claimPatience {
		t.Errorf("the claim took %v", took)
	}
	return c
}

func nothingWritten(t *testing.T, db *DB, c messages.Claim) {
	t.Helper()
	if s := stateOf(t, db, "E1"); c.LastSeq != 1 || s.LastSeq != 1 || len(s.Tickets) != 0 {
		t.Errorf("claimed at entry %d; the journal ends at %d with %d tickets", c.LastSeq, s.LastSeq, len(s.Tickets))
	}
	if err := db.Journal("b").Commit(t.Context(), saleBatch(c.Epoch, 2)); err != nil {
		t.Errorf("the successor's own sale: %v", err)
	}
}

func TestClaimFromStuckCommit(t *testing.T) {
	for name, by := range blockers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.New(t)
			old, fresh := openAt(t, url, Options{Name: "old"}), openAt(t, url, Options{Name: "fresh"})
			create(t, old, "E1", 10)
			c, err := old.Journal("a").Claim(t.Context(), "E1")
			if err != nil {
				t.Fatal(err)
			}
			other := outsider(t, url)
			unblock := block(t, other, by.statement)
			done := make(chan error, 1)
			go func() { done <- old.Journal("a").Commit(t.Context(), saleBatch(c.Epoch, 2)) }()
			waitForWaiting(t, other)

			claimed := takeOver(t, fresh, by.holds)
			unblock()
			if err := <-done; err == nil || by.holds == errors.Is(err, messages.ErrFenced) {
				t.Errorf("the stuck commit: %v", err)
			}
			nothingWritten(t, fresh, claimed)
			// The old owner's pool is of use again at once, and fenced.
			if err := old.Journal("a").Commit(t.Context(), saleBatch(c.Epoch, 2)); !errors.Is(err, messages.ErrFenced) {
				t.Errorf("the deposed owner's next commit: %v, want ErrFenced", err)
			}
		})
	}
}

// Goal: reads that take all their connections keep no claim from ending who is in its way.
func TestClaimBesideReads(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	old, fresh := openAt(t, url, Options{Name: "old"}), openAt(t, url, Options{Name: "fresh", QueryConns: 1})
	create(t, old, "E1", 10)
	c, err := old.Journal("a").Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	other := outsider(t, url)
	unblock := block(t, other, blockers["for a seat's other ticket"].statement)
	done := make(chan error, 1)
	go func() { done <- old.Journal("a").Commit(t.Context(), saleBatch(c.Epoch, 2)) }()
	waitForWaiting(t, other)

	read, err := fresh.queries.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(read.Release)
	claimed := takeOver(t, fresh, true)
	read.Release()
	unblock()
	if err := <-done; err == nil {
		t.Error("the stuck commit was written")
	}
	nothingWritten(t, fresh, claimed)
}

// The same with an owner whose process is stopped by the kernel while its statement waits, and goes on later.
func TestClaimFromFrozenProcess(t *testing.T) {
	for name, by := range blockers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.New(t)
			db := openAt(t, url, Options{})
			create(t, db, "E1", 10)
			other := outsider(t, url)
			unblock := block(t, other, by.statement)

			owner := startOwner(t, url)
			waitForWaiting(t, other)
			if err := owner.process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			claimed := takeOver(t, db, by.holds)
			unblock()
			nothingWritten(t, db, claimed)
			if err := owner.process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if said := <-owner.said; said != "refused, then fenced" {
				t.Errorf("the thawed owner %s", said)
			}
			if s := stateOf(t, db, "E1"); s.LastSeq != 2 || len(s.Tickets) != 1 {
				t.Errorf("after the thaw: last entry %d, %d tickets", s.LastSeq, len(s.Tickets))
			}
		})
	}
}

type ownerProcess struct {
	process *os.Process
	said    chan string
}

func startOwner(t *testing.T, url string) ownerProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), frozenOwnerURL+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = err.Error()
		}
		said <- line
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return ownerProcess{cmd.Process, said}
}

// frozenOwner is what the other process does: claim, commit, and say what became of it, and of another try.
func frozenOwner(url string) {
	ctx := context.Background()
	db, err := Open(ctx, url, Options{Name: "frozen"})
	if err != nil {
		fmt.Print(err)
		return
	}
	defer db.Close()
	j := db.Journal("frozen")
	c, err := j.Claim(ctx, "E1")
	if err != nil {
		fmt.Print(err)
		return
	}
	first := j.Commit(ctx, saleBatch(c.Epoch, 2))
	second := j.Commit(ctx, saleBatch(c.Epoch, 2))
	if first != nil && errors.Is(second, messages.ErrFenced) {
		fmt.Print("refused, then fenced")
		return
	}
	fmt.Print(strconv.Quote(fmt.Sprint(first)), strconv.Quote(fmt.Sprint(second)))
}

// Goal: what we promise does not hang on the defaults of the server, its roles or databases.
func TestConnectionsAreSet(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	admin := outsider(t, url)
	for _, set := range []string{"default_transaction_isolation = 'serializable'", "synchronous_commit = off"} {
		execute(t, admin, fmt.Sprintf("alter database %q set %s", admin.Config().Database, set))
	}
	db := openAt(t, url, Options{})
	for i, pool := range db.pools() {
		var isolation, commit string
		const query = `select current_setting('transaction_isolation'), current_setting('synchronous_commit')`
		err := pool.QueryRow(t.Context(), query).Scan(&isolation, &commit)
		if err != nil || isolation != "read committed" || commit != "on" {
			t.Errorf("pool %d: isolation %q, synchronous_commit %q, %v", i, isolation, commit, err)
		}
	}
}

// Goal: a claim terminates no connection that is not ours. Method: an outsider holds the owner's row; the claim waits
// until it lets go.
func TestClaimSparesOthers(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	create(t, db, "E1", 10)
	other := outsider(t, url)
	execute(t, other, "begin")
	execute(t, other, "select from event_owner for update")
	type result struct {
		took time.Duration
		err  error
	}
	done := make(chan result, 1)
	began := time.Now()
	go func() {
		_, err := db.Journal("a").Claim(t.Context(), "E1")
		done <- result{time.Since(began), err}
	}()
	// Until the claim has lost its patience and looked for whom to evict.
	const evicted = `
select exists (select from pg_stat_activity
    where state = 'idle' and query like '%pg_terminate_backend%' and datname = current_database())`
	watcher := outsider(t, url)
	for looked := false; !looked; {
		if err := watcher.QueryRow(t.Context(), evicted).Scan(&looked); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, other, "commit")
	if r := <-done; r.err != nil || r.took < claimPatience {
		t.Errorf("the claim took %v: %v", r.took, r.err)
	}
}

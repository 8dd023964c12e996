package persistence

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/migrations"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(frozenOwnerURL); url != "" {
		frozenOwner(url)
		return
	}
	pgtest.Main(m, migrations.Up)
}

// open is a database of the test's own.
func open(t testing.TB) (*DB, string) {
	t.Helper()
	url := pgtest.New(t)
	return openAt(t, url, Options{}), url
}

func openAt(t testing.TB, url string, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// create makes an event of so many seats.
func create(t testing.TB, db *DB, eventID string, seats int) {
	t.Helper()
	if err := db.Catalogue().CreateEvent(t.Context(), journaltest.NewEvent(eventID, seats)); err != nil {
		t.Fatal(err)
	}
}

// outsider is a connection that is not ours: no claim may touch it.
func outsider(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func execute(t testing.TB, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// stateOf reads what is stored, through Audit.
func stateOf(t testing.TB, db *DB, eventID string) (s journaltest.State) {
	t.Helper()
	a, err := db.Audit(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	s = journaltest.State{
		LastSeq: a.LastSeq, ProjectedSeq: a.ProjectedSeq, SnapshotSeq: a.SnapshotSeq, NextDue: a.NextDue,
		Tickets: a.Tickets, Seats: a.Seats, Orders: a.Orders, Payments: a.Payments,
		Moved: journaltest.MovedOf(a.Entries),
	}
	slices.SortFunc(s.Orders, func(a, b messages.OrderRow) int { return bytes.Compare(a.OrderID[:], b.OrderID[:]) })
	return s
}

// wire is a network whose next reply can be lost after the server has sent it.
type wire struct{ lose atomic.Bool }

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wireConn{conn, w}, nil
}

type wireConn struct {
	net.Conn
	wire *wire
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.wire.lose.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// Goal: the Postgres journal is what the actors may trust. Method: the conformance suite; replies are lost on the wire
// after the server has answered.
func TestJournal(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journaltest.Fixture {
		w := new(wire)
		db := openAt(t, pgtest.New(t), Options{dial: w.dial})
		return journaltest.Fixture{
			Journal:   func(node string) journaltest.Journal { return db.Journal(node) },
			ReadModel: db.ReadModel(),
			Catalogue: db.Catalogue(),
			State:     func(t testing.TB, eventID string) journaltest.State { return stateOf(t, db, eventID) },
			LoseReply: func(commit func() error) error {
				w.lose.Store(true)
				defer w.lose.Store(false)
				return commit()
			},
			IsDoubleSale: func(err error) bool {
				var d *messages.DoubleSaleError
				return errors.As(err, &d)
			},
		}
	})
}

// Package pgtest gives each test a database of its own on a real Postgres.
//
// One server for each test package runs in memory, started when the first test asks for it. A template
// database is migrated once; each test gets a copy of it in some 10 ms. A package's TestMain:
//
//	func TestMain(m *testing.M) { pgtest.Main(m, migrations.Up) }
//
// Guarantees: a database is nobody else's; the server and its data are gone after the package's tests,
// also when the test process was killed; a package that leaks goroutines fails.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/persistence/embedded"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

const (
	// startMax bounds a start: initdb, the server and the migrations.
	startMax = 2 * time.Minute

	// stepMax bounds making or dropping one database, and stopping the server.
	stepMax = 30 * time.Second

	template = "template_boxoffice"
)

// Migrate brings an empty database to the schema that the tests want, such as migrations.Up.
type Migrate func(ctx context.Context, url string) error

var shared struct {
	migrate Migrate
	once    sync.Once
	server  *embedded.Postgres
	err     error
	count   atomic.Int64
}

// Main runs the package's tests, stops the server, looks for leaked goroutines and exits. A nil migrate
// leaves the databases empty.
func Main(m *testing.M, migrate Migrate) {
	shared.migrate = migrate
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// New makes a database for one test, migrated, and returns its URL. It is dropped when the test ends,
// with whatever connections it still has.
func New(t testing.TB) string {
	t.Helper()
	server := Server(t)
	name := fmt.Sprintf("test_%d", shared.count.Add(1))
	create := fmt.Sprintf("create database %s template %s strategy file_copy", name, template)
	if err := execute(server, create); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(server, fmt.Sprintf("drop database if exists %s with (force)", name)); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return server.DatabaseURL(name)
}

// Server is the package's server. To kill, freeze or restart one, take a Private one: others use this.
func Server(t testing.TB) *embedded.Postgres {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startMax)
		defer cancel()
		shared.server, shared.err = start(ctx)
	})
	if shared.err != nil {
		t.Fatalf("pgtest: %v", shared.err)
	}
	return shared.server
}

// Private starts a server for one test alone, whose database boxoffice is migrated. It keeps its data
// over Kill and Restart, and is stopped when the test ends.
func Private(t testing.TB) *embedded.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	server, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stepMax)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	if shared.migrate != nil {
		if err := shared.migrate(ctx, server.URL()); err != nil {
			t.Fatalf("pgtest: migrate: %v", err)
		}
	}
	return server
}

// Redis starts an empty Redis for one test alone; it is stopped when the test ends.
func Redis(t testing.TB) *embedded.Redis {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stepMax)
	defer cancel()
	server, err := embedded.StartRedis(ctx, embedded.RedisConfig{})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stepMax)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return server
}

func start(ctx context.Context) (*embedded.Postgres, error) {
	server, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{
		// Tests run side by side, each with a pool or two.
		Settings: map[string]string{"max_connections": "400"},
	})
	if err != nil {
		return nil, err
	}
	shared.server = server // stop finds it, whatever fails below
	if err := execute(server, "create database "+template); err != nil {
		return server, err
	}
	if shared.migrate != nil {
		if err := shared.migrate(ctx, server.DatabaseURL(template)); err != nil {
			return server, fmt.Errorf("migrate: %w", err)
		}
	}
	return server, nil
}

func stop() error {
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stepMax)
	defer cancel()
	return shared.server.Stop(ctx)
}

// execute runs one statement on a connection of its own: create and drop database allow no other in
// their transaction, and a kept connection would be one more thing to close.
func execute(server *embedded.Postgres, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stepMax)
	defer cancel()
	conn, err := pgx.Connect(ctx, server.URL())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

package pgtest_test

import (
	"context"
	"testing"

	"boxoffice/persistence/embedded/pgtest"

	"github.com/jackc/pgx/v5"
)

// Goal: each test has a migrated database to itself. Method: tests side by side insert the same key.

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		return execute(ctx, url, "create table mark (id int primary key)")
	})
}

func execute(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

func TestNewGivesADatabaseOfOnesOwn(t *testing.T) {
	for _, name := range []string{"one", "two", "three", "four"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := execute(t.Context(), pgtest.New(t), "insert into mark values (1)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPrivateIsMigrated(t *testing.T) {
	t.Parallel()
	if err := execute(t.Context(), pgtest.Private(t).URL(), "insert into mark values (1)"); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkNew(b *testing.B) {
	pgtest.Server(b)
	for b.Loop() {
		pgtest.New(b)
	}
}

// Package migrations holds the database's schema as SQL and brings a database up to it.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver, which goose runs on
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// Several servers may start at once; one migrates and the others wait, looking once a second, as long as a large
// table's index may take to build.
const (
	lockPeriodSeconds = 1
	lockTriesMax      = 600
)

// Up brings the database at url to the newest schema. It is safe to call from several processes at once: goose's
// session lock lets one of them work. Each file is one transaction, so a failed one changes nothing.
//
// The first server of a new version runs it while those of the version before are at work. So from 00007 on a migration
// expands: it adds what the new version needs and leaves all that the version before reads, writes and calls, with locks
// that last for milliseconds. What nobody uses any more goes with the version after that.
func Up(ctx context.Context, url string) error {
	return with(url, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// Current says that the database at url needs no Up. It changes no table of ours.
func Current(ctx context.Context, url string) (current bool, err error) {
	err = with(url, func(p *goose.Provider) error {
		pending, err := p.HasPending(ctx)
		current = !pending
		return err
	})
	return current && err == nil, err
}

func with(url string, do func(*goose.Provider) error) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return fmt.Errorf("migrate: open the database: %w", err)
	}
	defer db.Close()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockTriesMax))
	if err != nil {
		return fmt.Errorf("migrate: make the lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("migrate: read the migrations: %w", err)
	}
	if err := do(provider); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

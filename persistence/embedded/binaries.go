package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// postgresMajorMin is the oldest Postgres that the schema and the template databases work with
// (`strategy file_copy` came with 15).
const postgresMajorMin = 15

// ErrNoPostgres says that this machine has no Postgres server programs that would do.
var ErrNoPostgres = errors.New("no Postgres server programs (15 or newer) on PATH or in /usr/lib/postgresql/*/bin: " +
	"run `apt-get install --no-install-recommends postgresql`, or set DATABASE_URL to a server of your own")

// ErrNoRedis says that this machine has no Redis server program.
var ErrNoRedis = errors.New("neither redis-server nor valkey-server on PATH: " +
	"run `apt-get install --no-install-recommends redis-server`, or set REDIS_URL to a server of your own")

// postgresPrograms is one version's server programs.
type postgresPrograms struct {
	major            int
	postgres, initdb string
}

// findPostgres returns the version to use for a folder: the newest that it has data of, else the newest
// that is there.
func findPostgres(ctx context.Context, hasData func(major int) bool) (postgresPrograms, error) {
	folders, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return postgresPrograms{}, fmt.Errorf("look for Postgres: %w", err)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if abs, err := filepath.Abs(path); err == nil {
			folders = append(folders, filepath.Dir(abs))
		}
	}
	var found []postgresPrograms
	for _, folder := range folders {
		if p, ok := programsIn(ctx, folder); ok {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return postgresPrograms{}, ErrNoPostgres
	}
	slices.SortStableFunc(found, func(a, b postgresPrograms) int { return b.major - a.major })
	for _, p := range found {
		if hasData(p.major) {
			return p, nil
		}
	}
	return found[0], nil
}

var versionPattern = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

func programsIn(ctx context.Context, folder string) (postgresPrograms, bool) {
	p := postgresPrograms{postgres: filepath.Join(folder, "postgres"), initdb: filepath.Join(folder, "initdb")}
	if _, err := os.Stat(p.initdb); err != nil {
		return p, false
	}
	out, err := exec.CommandContext(ctx, p.postgres, "--version").Output()
	if err != nil {
		return p, false
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return p, false
	}
	p.major, err = strconv.Atoi(string(match[1]))
	return p, err == nil && p.major >= postgresMajorMin
}

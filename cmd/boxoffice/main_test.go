package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"boxoffice/migrations"
	"boxoffice/persistence/embedded/pgtest"
)

// The tests of this package run the real binary as a child process on a real Postgres, and speak to it over HTTP. A
// server is killed by its pid when its test ends, and by the kernel when the test process dies. Under the race detector
// the binary is built with it, too.

func TestMain(m *testing.M) {
	if os.Getenv(bareFiberEnv) != "" {
		bareFiber()
		return
	}
	// One more than the default: a minute without Redis, and cut lines between nodes, are spent waiting.
	if err := flag.Set("test.parallel", strconv.Itoa(runtime.GOMAXPROCS(0)+1)); err != nil {
		panic(err)
	}
	pgtest.Main(m, migrations.Up)
}

// raceDetector is set by a file that is built with it alone.
var raceDetector bool

// binary is a built boxoffice. Its file is open and has no name any more, so that nothing is left of it, however the
// test process ends.
type binary struct {
	tags string
	once sync.Once
	file *os.File
	err  error
}

var (
	shipped = binary{}
	failing = binary{tags: "failpoints"} // dies at BOXOFFICE_FAILPOINT
)

// path to execute it by.
func (b *binary) path(t testing.TB) string {
	t.Helper()
	b.once.Do(func() { b.file, b.err = build(b.tags) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.file.Fd())
}

func build(tags string) (*os.File, error) {
	dir, err := os.MkdirTemp("", "boxoffice-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "boxoffice")
	args := []string{"build", "-tags", tags, "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	return os.Open(path)
}

// environ is ours without what would configure a server, and more.
func environ(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "REDIS_URL=") || strings.HasPrefix(v, "BOXOFFICE_")
	})
	return append(own, more...)
}

// outcome of a tool that has ended.
type outcome struct {
	code             int
	output, problems string
}

// tool runs the shipped binary to its end.
func tool(t testing.TB, database string, stdin io.Reader, args ...string) outcome {
	t.Helper()
	return toolIn(t, environ("DATABASE_URL="+database), stdin, args...)
}

func toolIn(t testing.TB, env []string, stdin io.Reader, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shipped.path(t), args...)
	cmd.Env, cmd.Stdin = env, stdin
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), problems.String()}
}

// verify fails the test unless `boxoffice verify` finds that all of the database agrees.
func verify(t testing.TB, database string) {
	t.Helper()
	if o := tool(t, database, nil, "verify"); o.code != 0 {
		t.Errorf("verify exits with %d:\n%s%s", o.code, o.output, o.problems)
	}
}

package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"boxoffice/persistence/embedded"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

const (
	testMax = time.Minute // bounds each wait

	// helperDir makes this test binary, run again, a parent that starts a server there and waits to be
	// killed; helperRedis one that starts a Redis.
	helperDir   = "EMBEDDED_TEST_DIR"
	helperRedis = "EMBEDDED_TEST_REDIS"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperDir) != "" || os.Getenv(helperRedis) != "" {
		helper()
	}
	goleak.VerifyTestMain(m)
}

// helper starts a server, prints its pid and URL, and waits for a kill -9.
func helper() {
	ctx, cancel := context.WithTimeout(context.Background(), testMax)
	defer cancel()
	var server interface {
		PID() int
		URL() string
	}
	var err error
	if dir := os.Getenv(helperDir); dir != "" {
		server, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Durable: true})
	} else {
		server, err = embedded.StartRedis(ctx, embedded.RedisConfig{})
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(server.PID(), server.URL())
	select {}
}

// parent is a helper process.
type parent struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startParent(t *testing.T, environment string) *parent {
	t.Helper()
	p := &parent{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), environment)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

// ready waits until the parent's server runs.
func (p *parent) ready(t *testing.T) (pid int, url string) {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("the helper printed nothing: %v", p.lines.Err())
	}
	first, url, _ := strings.Cut(p.lines.Text(), " ")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatalf("the helper said: %s", p.lines.Text())
	}
	return pid, url
}

// kill is kill -9.
func (p *parent) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testMax)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// family is a process and its children.
func family(t *testing.T, pid int) []int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{pid}
	for field := range strings.FieldsSeq(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, child)
	}
	return pids
}

// gone tells whether none of the processes runs; one that ended and that nobody has reaped is gone.
func gone(pids []int) bool {
	for _, pid := range pids {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && !strings.Contains(string(status), "State:\tZ") {
			return false
		}
	}
	return true
}

func start(t *testing.T, c embedded.PostgresConfig) *embedded.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testMax)
	defer cancel()
	p, err := embedded.StartPostgres(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

func stop(t *testing.T, p *embedded.Postgres) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testMax)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// query runs statements, of which the last returns one number.
func query(ctx context.Context, url, statements string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, testMax)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.Background())) }()
	results, err := conn.Exec(ctx, statements).ReadAll()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(results[len(results)-1].Rows[0][0]))
}

func mustQuery(t *testing.T, url, statement string) int {
	t.Helper()
	n, err := query(t.Context(), url, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

// dataFolder is a folder below one that nobody but our user may enter, as /root is.
func dataFolder(t *testing.T) string {
	t.Helper()
	private := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(private, "data")
}

package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded"
)

// Goal: the guarantees of the package's documentation. Method: the real servers; where the starting
// process has to die, this test binary runs again as that process.

// makeKept makes a table that holds 7.
const makeKept = "create table kept as select 7 as n; select n from kept"

func TestStartAndStop(t *testing.T) {
	dir := dataFolder(t)
	p := start(t, embedded.PostgresConfig{Dir: dir, Durable: true, Settings: map[string]string{"max_connections": "37"}})
	if n := mustQuery(t, p.URL(), "select current_setting('max_connections')::int"); n != 37 {
		t.Errorf("max_connections = %d, want the 37 we set", n)
	}
	if n := mustQuery(t, p.URL(), "select count(*)::int from pg_settings where name = 'listen_addresses' and setting = ''"); n != 1 {
		t.Error("the server listens on more than its socket")
	}
	processes := family(t, p.PID())
	stop(t, p)
	if !gone(processes) {
		t.Error("a server process outlived Stop")
	}
	if _, err := query(t.Context(), p.URL(), "select 1"); err == nil {
		t.Error("the server still answers after Stop")
	}
	if os.Geteuid() != 0 {
		return
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm()&0o077 != 0o011 {
		t.Errorf("the data folder's mode is %v (%v): others must not list it", fi.Mode(), err)
	}
}

func TestMemoryIsGivenBack(t *testing.T) {
	p := start(t, embedded.PostgresConfig{})
	if n := mustQuery(t, p.URL(), "select count(*)::int from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off'"); n != 2 {
		t.Error("fsync and full_page_writes are not off")
	}
	stop(t, p)
	if _, err := os.Stat(p.LogFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", p.LogFile(), err)
	}
}

func TestKillRestartKeepsWhatWasCommitted(t *testing.T) {
	p := start(t, embedded.PostgresConfig{})
	url := p.URL()
	mustQuery(t, url, makeKept)
	processes := family(t, p.PID())
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	until(t, "the killed server's children are gone", func() bool { return gone(processes) })
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := mustQuery(t, url, "select n from kept"); n != 7 {
		t.Errorf("the table holds %d, want 7", n)
	}
	if err := p.Restart(t.Context()); err != nil { // of one that runs
		t.Fatal(err)
	}
	mustQuery(t, url, "select n from kept")
}

func TestFreezeAndThaw(t *testing.T) {
	p := start(t, embedded.PostgresConfig{})
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := query(ctx, p.URL(), "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen server answered: %v", err)
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	mustQuery(t, p.URL(), "select 1")
}

func TestOneStartAFolder(t *testing.T) {
	dir := dataFolder(t)
	start(t, embedded.PostgresConfig{Dir: dir})
	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: dir})
	var inUse *embedded.InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Errorf("the second start got %v, want an InUseError with our pid", err)
	}
}

func TestParentKilled(t *testing.T) {
	dir := dataFolder(t)
	parent := startParent(t, helperDir+"="+dir)
	pid, url := parent.ready(t)
	mustQuery(t, url, makeKept)
	processes := family(t, pid)

	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Dir: dir})
	var inUse *embedded.InUseError
	if !errors.As(err, &inUse) || inUse.PID != parent.cmd.Process.Pid {
		t.Errorf("a start on the other process's folder got %v, want an InUseError with its pid", err)
	}

	parent.kill()
	p := start(t, embedded.PostgresConfig{Dir: dir, Durable: true}) // at once, while the old server ends
	if !gone(processes) {
		t.Error("the new server started before the old one's processes were gone")
	}
	if n := mustQuery(t, p.URL(), "select n from kept"); n != 7 {
		t.Errorf("the table holds %d, want 7", n)
	}
}

func TestParentKilledWhileFrozen(t *testing.T) {
	t.Parallel() // waits 5 s for Postgres's patience with its children to end
	parent := startParent(t, helperDir+"="+dataFolder(t))
	pid, _ := parent.ready(t)
	processes := family(t, pid)
	for _, pid := range processes[1:] {
		signal(t, pid, syscall.SIGSTOP)
	}
	parent.kill()
	until(t, "the frozen processes are gone", func() bool { return gone(processes) })
}

func TestInitdbCutShort(t *testing.T) {
	dir := dataFolder(t)
	parent := startParent(t, helperDir+"="+dir)
	until(t, "initdb is at work", func() bool {
		at, err := filepath.Glob(filepath.Join(dir, "*", "data.new", "PG_VERSION"))
		return err == nil && len(at) == 1
	})
	parent.kill()
	if made, _ := filepath.Glob(filepath.Join(dir, "*", "data")); len(made) != 0 {
		t.Skip("initdb was done before the kill")
	}
	mustQuery(t, start(t, embedded.PostgresConfig{Dir: dir}).URL(), "select 1")
}

func TestStalePidFileOfALivingProcess(t *testing.T) {
	dir := dataFolder(t)
	p := start(t, embedded.PostgresConfig{Dir: dir})
	pidFile := filepath.Join(filepath.Dir(p.LogFile()), "data", "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	// As after a reboot, when some other process has the pid: our own, or init's.
	if err := os.WriteFile(pidFile, append([]byte("1\n"), content...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustQuery(t, p.URL(), "select 1")
}

func TestBadSettingShowsTheLog(t *testing.T) {
	_, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !contains(err, "no_such_setting") {
		t.Errorf("got %v, want what the server's log says", err)
	}
}

func TestNoPrograms(t *testing.T) {
	if at, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(at) == 0 {
		t.Setenv("PATH", "")
		if _, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{}); !errors.Is(err, embedded.ErrNoPostgres) {
			t.Errorf("StartPostgres got %v, want ErrNoPostgres", err)
		}
	}
	t.Setenv("PATH", "")
	if _, err := embedded.StartRedis(t.Context(), embedded.RedisConfig{}); !errors.Is(err, embedded.ErrNoRedis) {
		t.Errorf("StartRedis got %v, want ErrNoRedis", err)
	}
}

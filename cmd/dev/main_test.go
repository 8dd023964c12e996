package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Goal: dev starts everything, stops everything, and leaves nothing behind however it or the server dies.
// Method: the real binary with a stub for the server beside it, on private folders and ports.

// testMax bounds each wait.
const testMax = time.Minute

func build(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for name, pkg := range map[string]string{"dev": ".", "boxoffice": "./testdata/stub"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", name, err, out)
		}
	}
	return bin
}

// session is one run of dev.
type session struct {
	cmd   *exec.Cmd
	data  string
	lines *bufio.Scanner
}

func start(t *testing.T, bin, data string) *session {
	t.Helper()
	s := &session{cmd: exec.Command(filepath.Join(bin, "dev")), data: data}
	s.cmd.Env = append(
		slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "DATABASE_URL=") || strings.HasPrefix(v, "REDIS_URL=") || strings.HasPrefix(v, "BOXOFFICE_")
		}),
		"BOXOFFICE_DATA_DIR="+data, "BOXOFFICE_HTTP_ADDR="+freeAddress(t), "BOXOFFICE_ADMIN_ADDR="+freeAddress(t),
	)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	s.lines = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	s.until(t, "Ctrl-C stops everything")
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *session) until(t *testing.T, text string) {
	t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("dev ended without saying %q", text)
}

// served is what the stub noted of itself: its pid, and the database that it was told.
func (s *session) served(t *testing.T) (pid int, database string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "served"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || len(lines) != 3 {
		t.Fatalf("the stub noted %q", b)
	}
	return pid, strings.TrimSpace(lines[1])
}

// descendants are all processes below dev.
func (s *session) descendants(t *testing.T) []int {
	t.Helper()
	all := []int{s.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range lists {
			b, _ := os.ReadFile(list) // a thread may be gone
			for field := range strings.FieldsSeq(string(b)) {
				if pid, err := strconv.Atoi(field); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	if len(all) < 6 { // the stub, Redis, Postgres and its children
		t.Fatalf("dev has only the descendants %v", all[1:])
	}
	return all[1:]
}

func untilGone(t *testing.T, pids []int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testMax)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(pids, running) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("some of the processes %v are left", pids)
		}
	}
}

func running(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

func TestLife(t *testing.T) {
	bin, data := build(t), filepath.Join(t.TempDir(), "data")

	s := start(t, bin, data)
	_, database := s.served(t)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "create table kept as select 7 as n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())

	t.Log("Ctrl-C stops everything in order")
	left := s.descendants(t)
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.until(t, "Stopping.")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("dev ended with %v, want exit 0", err)
	}
	if _, err := os.Stat(filepath.Join(data, "drained")); err != nil {
		t.Errorf("the server was not drained: %v", err)
	}
	untilGone(t, left)

	t.Log("kill -9 of dev leaves nothing, and the data stays")
	s = start(t, bin, data)
	left = s.descendants(t)
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	untilGone(t, left)

	t.Log("kill -9 of the server: dev says so, stops the rest and fails")
	s = start(t, bin, data)
	pid, database := s.served(t)
	if conn, err = pgx.Connect(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "select n from kept").Scan(&n); err != nil || n != 7 {
		t.Errorf("the table holds %d (%v), want 7", n, err)
	}
	_ = conn.Close(t.Context())
	left = s.descendants(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until(t, "Stopping.")
	if err := s.cmd.Wait(); err == nil {
		t.Error("dev exits 0 after its server died")
	}
	untilGone(t, left)
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = checkAddresses(t.Context(), &settings{httpAddr: "127.0.0.1:0", adminAddr: l.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "BOXOFFICE_ADMIN_ADDR") {
		t.Errorf("got %v, want an error that names BOXOFFICE_ADMIN_ADDR", err)
	}
}

func TestDemoPricesCoverThePlan(t *testing.T) {
	var plan struct{ Categories []struct{ Name string } }
	if err := json.Unmarshal(seatingPlan, &plan); err != nil {
		t.Fatal(err)
	}
	arguments := strings.Join(demoArguments(time.Now()), "\n")
	for _, c := range plan.Categories {
		if !strings.Contains(arguments, "\n"+c.Name+"=") {
			t.Errorf("no price for %s", c.Name)
		}
	}
	if got := strings.Count(arguments, "--price"); got != len(plan.Categories) {
		t.Errorf("%d prices for %d categories", got, len(plan.Categories))
	}
}

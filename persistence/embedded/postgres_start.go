package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// logTailBytes is how much of the server's log an error shows.
const logTailBytes = 2000

// start runs the server and waits until it takes connections.
func (p *Postgres) start(ctx context.Context) error {
	held, err := lockServer(ctx, p.home)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }() // the server has inherited it by then
	// No process of an earlier server is left, so its pid file is stale. Postgres itself would refuse to
	// start where another process has got the old server's pid since.
	pidFile := filepath.Join(p.data(), "postmaster.pid")
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale %s: %w", pidFile, err)
	}
	_ = os.Rename(p.LogFile(), p.LogFile()+".1")
	log, err := os.OpenFile(p.LogFile(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open Postgres's log: %w", err)
	}
	defer func() { _ = log.Close() }()

	cmd, closeFolder, err := p.command(held, p.programs.postgres, p.data())
	if err != nil {
		return err
	}
	defer closeFolder()
	settings := p.settings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		cmd.Args = append(cmd.Args, "-c", name+"="+settings[name])
	}
	cmd.Stdout, cmd.Stderr = log, log
	// SIGQUIT is Postgres's immediate shutdown: it ends the children too, by force after 5 s where they
	// do not answer, such as frozen ones. A fast shutdown (SIGINT) would wait for those for ever, and
	// SIGKILL would leave the children to find out. What is lost is a checkpoint: the next start
	// recovers from the log, as after any crash.
	p.child, err = StartChild(cmd, syscall.SIGQUIT)
	if err != nil {
		return err
	}
	if err := p.untilReady(ctx, pidFile); err != nil {
		return errors.Join(err, p.kill())
	}
	return nil
}

func (p *Postgres) settings() map[string]string {
	s := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": p.socketFolder(),
		"unix_socket_permissions": "0700",
		"port":                    "5432", // only part of the socket's name
		"max_connections":         "100",
		"lc_messages":             "C",
		"log_timezone":            "UTC",
		"timezone":                "UTC",
		"log_line_prefix":         "%m [%p] ",
		"log_checkpoints":         "off", // a template copy is two checkpoints
	}
	if !p.config.Durable {
		s["fsync"] = "off"
		s["full_page_writes"] = "off"
		s["autovacuum"] = "off" // nothing lives long enough to need it
	}
	maps.Copy(s, p.config.Settings)
	return s
}

// command is a server program on a data folder, as the server's user and with the server's lock held.
//
// The server's user may not be able to walk to the folder, below /root for instance, which nobody but
// root may enter. So the folder is handed over open, and named by its file descriptor: the kernel
// resolves that without a walk.
func (p *Postgres) command(held *os.File, program, data string) (cmd *exec.Cmd, closeFolder func(), err error) {
	folder, err := os.Open(data)
	if err != nil {
		return nil, nil, fmt.Errorf("open data folder: %w", err)
	}
	cmd = exec.Command(program)
	p.id.assume(cmd)
	cmd.ExtraFiles = []*os.File{held, folder} // become 3 and 4
	if p.id.dropped() {
		data = "/proc/self/fd/4"
	}
	cmd.Args = append(cmd.Args, "-D", data)
	cmd.Dir = "/" // ours may be one that the server's user cannot enter
	// Nothing of PGDATA, PGOPTIONS and so on may reach it.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	return cmd, func() { _ = folder.Close() }, nil
}

// untilReady waits until postmaster.pid, which Postgres keeps for this purpose, says so.
func (p *Postgres) untilReady(ctx context.Context, pidFile string) error {
	for !isReady(pidFile, p.child.PID()) {
		if !p.child.Running() {
			return fmt.Errorf("Postgres ended at its start: %w; its log %s ends with:\n%s", p.child.Err(), p.LogFile(), p.logTail())
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("wait for Postgres to start: %w; its log %s ends with:\n%s", err, p.LogFile(), p.logTail())
		}
	}
	return nil
}

// isReady reads postmaster.pid: line 1 is the server's pid, line 8 its state.
func isReady(pidFile string, pid int) bool {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

func (p *Postgres) logTail() []byte {
	b, err := os.ReadFile(p.LogFile())
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(b[max(0, len(b)-logTailBytes):])
}

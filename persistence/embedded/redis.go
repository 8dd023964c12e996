package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// redisPingMax bounds one look whether Redis answers.
const redisPingMax = time.Second

// RedisConfig says how a private Redis runs. It keeps nothing on disk: nothing in Redis is
// authoritative.
type RedisConfig struct {
	// Settings are server options besides our own, such as maxmemory. They win over ours.
	Settings map[string]string
}

// Redis is a private Redis (or Valkey) server.
type Redis struct {
	config  RedisConfig
	program string
	id      identity
	socket  *scratch

	mu      sync.Mutex // guards the below, and is held for the length of a start or stop
	child   *Child
	stopped bool
}

// StartRedis starts an empty server. It fails with ErrNoRedis where the machine has none; StartMiniredis
// is what remains then.
func StartRedis(ctx context.Context, c RedisConfig) (*Redis, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	r := &Redis{config: c}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			r.program = path
			break
		}
	}
	if r.program == "" {
		return nil, ErrNoRedis
	}
	var err error
	if r.id, err = serverIdentity(""); err != nil {
		return nil, err
	}
	if r.socket, err = newScratch(socketParent()); err != nil {
		return nil, err
	}
	err = errors.Join(os.Mkdir(r.folder(), 0o700), r.id.give(r.folder()))
	if err == nil {
		err = r.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.socket.remove())
	}
	return r, nil
}

func (r *Redis) folder() string { return filepath.Join(r.socket.dir, "s") }

// Socket is the path of the server's Unix socket.
func (r *Redis) Socket() string { return filepath.Join(r.folder(), "redis.sock") }

// URL is the server's address as go-redis's ParseURL reads it; it stays the same over Restart.
func (r *Redis) URL() string { return "unix://" + r.Socket() + "?db=0" }

// PID is the server's process id.
func (r *Redis) PID() int { return r.current().PID() }

// Done is closed once the server process of the latest start has ended.
func (r *Redis) Done() <-chan struct{} { return r.current().Done() }

func (r *Redis) current() *Child {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child
}

// Stop ends the server, waits until it is gone and removes its folder. When ctx ends first, the server
// is killed.
func (r *Redis) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	return errors.Join(r.shutDown(ctx), r.socket.remove())
}

// Restart starts the server anew, and empty.
func (r *Redis) Restart(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return errors.New("restart Redis: it was stopped for good")
	}
	if err := r.shutDown(ctx); err != nil {
		return err
	}
	return r.start(ctx)
}

// Kill ends the server as a crash would, and waits until it is gone. Restart brings it back, empty.
func (r *Redis) Kill() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kill()
}

// Freeze stops the server in its tracks: connections stay open and nothing answers.
func (r *Redis) Freeze() error { return freezeFamily(r.PID()) }

// Thaw lets a frozen server go on.
func (r *Redis) Thaw() error { return thawFamily(r.PID()) }

func (r *Redis) shutDown(ctx context.Context) error {
	if r.child == nil || !r.child.Running() {
		return nil
	}
	if err := r.child.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-r.child.Done():
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("shut Redis down: %w", ctx.Err()), r.kill())
	}
}

func (r *Redis) kill() error {
	if r.child == nil || !r.child.Running() {
		return nil
	}
	err := r.child.Signal(syscall.SIGKILL)
	<-r.child.Done()
	return err
}

func (r *Redis) start(ctx context.Context) error {
	if err := os.Remove(r.Socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale socket: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(r.socket.dir, "log"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open Redis's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	settings := map[string]string{
		"port": "0", "unixsocket": r.Socket(), "unixsocketperm": "700", "dir": r.folder(),
		"save": "", "appendonly": "no",
		// Streams must never be evicted; a server that could do so is refused at start.
		"maxmemory-policy": "noeviction",
	}
	for name, value := range r.config.Settings {
		settings[name] = value
	}
	cmd := exec.Command(r.program)
	r.id.assume(cmd)
	for name, value := range settings {
		cmd.Args = append(cmd.Args, "--"+name, value)
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", []string{"LC_ALL=C"}, log, log
	// It has nothing to save and no children.
	if r.child, err = StartChild(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	if err := r.untilReady(ctx); err != nil {
		tail, _ := os.ReadFile(log.Name())
		return errors.Join(fmt.Errorf("%w; its log ends with:\n%s", err, tail[max(0, len(tail)-logTailBytes):]), r.kill())
	}
	return nil
}

func (r *Redis) untilReady(ctx context.Context) error {
	for ping(ctx, r.Socket()) != nil {
		if !r.child.Running() {
			return fmt.Errorf("Redis ended at its start: %w", r.child.Err())
		}
		if err := wait(ctx); err != nil {
			return fmt.Errorf("wait for Redis to start: %w", err)
		}
	}
	return nil
}

func ping(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, redisPingMax)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "+PONG") {
		return fmt.Errorf("redis says %q", strings.TrimSpace(answer))
	}
	return nil
}

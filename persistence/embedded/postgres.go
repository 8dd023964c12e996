package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	postgresUser     = "boxoffice"
	postgresDatabase = "boxoffice"
)

// PostgresConfig says where and how a private Postgres runs.
type PostgresConfig struct {
	// Dir holds the data, in a folder by Postgres's major version, and its log. Empty: a folder in
	// memory (/dev/shm, where that can be written) that Stop removes.
	Dir string

	// Durable makes commits survive a crash of the machine, as in production. Without it fsync is off:
	// for tests. A crash of Postgres alone loses no commit either way.
	Durable bool

	// Settings are server settings (postgresql.conf) besides our own, such as max_connections (default
	// 100). They win over ours.
	Settings map[string]string
}

// Postgres is a private Postgres server, with a database and a superuser both named boxoffice.
type Postgres struct {
	config   PostgresConfig
	programs postgresPrograms
	id       identity
	home     string   // holds lock, data and log
	lock     *os.File // of home
	socket   *scratch
	memory   *scratch // holds home, unless the caller gave Dir

	mu      sync.Mutex // guards the below, and is held for the length of a start or stop
	child   *Child
	stopped bool
}

// StartPostgres starts a server, and makes its data folder where there is none. Errors are ErrNoPostgres,
// *InUseError, or carry the end of the server's log.
func StartPostgres(ctx context.Context, c PostgresConfig) (*Postgres, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	p := &Postgres{config: c}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// open finds the programs, takes the folders and makes the data where there is none.
func (p *Postgres) open(ctx context.Context) (err error) {
	base := p.config.Dir
	if base == "" {
		if p.memory, err = newScratch(memoryParent()); err != nil {
			return err
		}
		base = p.memory.dir
	}
	if base, err = filepath.Abs(base); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	home := func(major int) string { return filepath.Join(base, fmt.Sprintf("postgres-%d", major)) }
	p.programs, err = findPostgres(ctx, func(major int) bool {
		_, err := os.Stat(filepath.Join(home(major), "data"))
		return err == nil
	})
	if err != nil {
		return err
	}
	p.home = home(p.programs.major)
	if err := os.MkdirAll(p.home, 0o711); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if p.lock, err = lock(p.home); err != nil {
		return err
	}
	if p.id, err = serverIdentity(p.data()); err != nil {
		return err
	}
	if p.socket, err = newScratch(socketParent()); err != nil {
		return err
	}
	if err := os.Mkdir(p.socketFolder(), 0o700); err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	if err := p.id.give(p.socketFolder()); err != nil {
		return fmt.Errorf("socket folder: %w", err)
	}
	return p.initialize(ctx)
}

// close gives back what open took.
func (p *Postgres) close() error {
	var errs []error
	if p.socket != nil {
		errs = append(errs, p.socket.remove())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	if p.memory != nil {
		errs = append(errs, p.memory.remove())
	}
	return errors.Join(errs...)
}

func (p *Postgres) data() string         { return filepath.Join(p.home, "data") }
func (p *Postgres) socketFolder() string { return filepath.Join(p.socket.dir, "s") }

// URL is the connection string of the database boxoffice; it stays the same over Restart.
func (p *Postgres) URL() string { return p.DatabaseURL(postgresDatabase) }

// DatabaseURL is the connection string of another database of the server.
func (p *Postgres) DatabaseURL(name string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(postgresUser), Path: "/" + name,
		RawQuery: url.Values{"host": {p.socketFolder()}}.Encode(),
	}
	return u.String()
}

// LogFile is where the server writes its log; log.1 beside it is that of the start before.
func (p *Postgres) LogFile() string { return filepath.Join(p.home, "log") }

// PID is the process id of the server's first process.
func (p *Postgres) PID() int { return p.current().PID() }

// Done is closed once the server process of the latest start has ended.
func (p *Postgres) Done() <-chan struct{} { return p.current().Done() }

func (p *Postgres) current() *Child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

// Stop shuts the server down (fast: open transactions are rolled back), waits until it is gone and
// gives its folders back. When ctx ends first, the server is killed.
func (p *Postgres) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	return errors.Join(p.shutDown(ctx), p.close())
}

// Restart starts the server anew, after a fast shutdown where it still runs.
func (p *Postgres) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return errors.New("restart Postgres: it was stopped for good")
	}
	if err := p.shutDown(ctx); err != nil {
		return err
	}
	return p.start(ctx)
}

// Kill ends all processes of the server at once, as a crash would, and waits until they are gone.
// Restart brings it back.
func (p *Postgres) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kill()
}

// Freeze stops all processes of the server in their tracks: connections stay open and nothing answers.
func (p *Postgres) Freeze() error { return freezeFamily(p.PID()) }

// Thaw lets a frozen server go on.
func (p *Postgres) Thaw() error { return thawFamily(p.PID()) }

func (p *Postgres) shutDown(ctx context.Context) error {
	if p.child == nil || !p.child.Running() {
		return nil
	}
	if err := p.child.Signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-p.child.Done():
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("shut Postgres down: %w", ctx.Err()), p.kill())
	}
}

func (p *Postgres) kill() error {
	if p.child == nil || !p.child.Running() {
		return nil
	}
	if err := killFamily(p.child.PID()); err != nil {
		return err
	}
	<-p.child.Done()
	return nil
}

// Command dev is the embedded default: on a machine with nothing set up, `make run` starts it and the
// demonstration event is on sale a moment later.
//
// It starts a private Postgres and Redis (unless DATABASE_URL and REDIS_URL name others), then the server
// beside it in its own folder, then imports the event E1 if it is not there, and prints the commands that
// buy tickets for it. Ctrl-C stops all of it in order. Guarantees: nothing that it started outlives it,
// also after kill -9; the next start goes on with the same data (see package embedded).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// startMax bounds a start: initdb, the servers, migrations, the import.
const startMax = 3 * time.Minute

func main() {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	// After the first Ctrl-C, a second one kills us, and the kernel what we started.
	context.AfterFunc(ctx, release)
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1) //nolint:gocritic // run has stopped everything; release only restores signals
	}
}

// run starts everything, waits until ctx ends or something dies, and stops everything.
func run(ctx context.Context, out io.Writer) (err error) {
	env, err := loadSettings()
	if err != nil {
		return err
	}
	if err := checkAddresses(ctx, env); err != nil {
		return err
	}
	services, err := startServices(ctx, env, out)
	defer func() { err = errors.Join(err, services.stop(out)) }()
	if err != nil {
		return unlessDone(ctx, err)
	}
	server, err := startServer(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopServer(server, out)) }()

	starting, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	if err := untilReady(starting, env, server); err != nil {
		return unlessDone(ctx, err)
	}
	if err := importDemo(starting, env); err != nil {
		return unlessDone(ctx, err)
	}
	printDemo(out, env)

	select {
	case <-ctx.Done():
		return nil
	case <-server.Done():
		return fmt.Errorf("the server ended by itself: %w", orExit0(server.Err()))
	case name := <-services.ended:
		return fmt.Errorf("%s ended by itself", name)
	}
}

// unlessDone drops what only went wrong because we were told to stop.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

var errExit0 = errors.New("exit status 0")

func orExit0(err error) error {
	if err == nil {
		return errExit0
	}
	return err
}

// sibling is the path of a binary in our own folder.
func sibling(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find %s (make build puts both into one folder): %w", name, err)
	}
	return path, nil
}

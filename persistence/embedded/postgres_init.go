package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// initialize makes the data folder where there is none. It works on data.new, so that what is named data
// is whole, with the database in it.
func (p *Postgres) initialize(ctx context.Context) error {
	switch _, err := os.Stat(filepath.Join(p.data(), "PG_VERSION")); {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("data folder: %w", err)
	}
	held, err := lockServer(ctx, p.home)
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	fresh := p.data() + ".new"
	if err := os.RemoveAll(fresh); err != nil { // of an initdb that was cut short
		return fmt.Errorf("remove half-made data folder: %w", err)
	}
	if err := errors.Join(os.Mkdir(fresh, 0o700), p.id.give(fresh)); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	// Only those whom the socket folder lets in can reach the server, hence trust. Locale C compares
	// bytes, the same on every machine.
	args := []string{
		"--username=" + postgresUser, "--auth=trust", "--encoding=UTF8", "--locale=C",
		"--data-checksums", "--no-instructions",
	}
	if !p.config.Durable {
		args = append(args, "--no-sync")
	}
	if err := p.run(ctx, held, fresh, p.programs.initdb, "", args...); err != nil {
		return err
	}
	// In single-user mode, so that the folder never exists without its database.
	single := []string{"--single"}
	if err := p.run(ctx, held, fresh, p.programs.postgres, "create database "+postgresDatabase+"\n", single...); err != nil {
		return err
	}
	if err := os.Rename(fresh, p.data()); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return syncFolder(p.home)
}

// run runs a server program on a data folder to its end; it does not outlive us either.
func (p *Postgres) run(ctx context.Context, held *os.File, data, program, input string, args ...string) error {
	cmd, closeFolder, err := p.command(held, program, data)
	if err != nil {
		return err
	}
	defer closeFolder()
	if len(args) > 0 && args[0] == "--single" { // has to be the first, and the database the last
		cmd.Args = append(append([]string{program}, args...), append(cmd.Args[1:], "postgres")...)
	} else {
		cmd.Args = append(cmd.Args, args...)
	}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
	child, err := StartChild(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		err := killFamily(child.PID())
		<-child.Done()
		return errors.Join(fmt.Errorf("%s: %w", filepath.Base(program), ctx.Err()), err)
	}
	if err := child.Err(); err != nil {
		return fmt.Errorf("%s on %s: %w: %s", filepath.Base(program), data, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// syncFolder makes a rename in the folder last.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync data folder: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

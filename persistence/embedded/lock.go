package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// pollEvery is how often a condition outside this process is looked at.
	pollEvery = 5 * time.Millisecond

	// orphansEndMax bounds the wait for the processes of a killed predecessor: Postgres gives its
	// children 5 s after the immediate shutdown that our death means, then kills them.
	orphansEndMax = 15 * time.Second
)

// InUseError says that another start holds the folder.
type InUseError struct {
	Dir string
	PID int // who holds it; 0 when unknown
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return e.Dir + " is in use by another start"
	}
	return fmt.Sprintf("%s is in use by process %d", e.Dir, e.PID)
}

// lock takes dir for this process, until the file is closed or the process dies.
func lock(dir string) (*os.File, error) {
	f, err := openLock(dir, "lock")
	if err != nil {
		return nil, err
	}
	ok, err := tryFlock(f)
	if err == nil && !ok {
		err = &InUseError{Dir: dir, PID: ownerOf(f)}
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeOwner(f))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// lockServer takes the lock that a server's processes inherit, which is free when the last of them has
// ended. Who calls has dir's lock, so that processes that still hold this one have lost their parent and
// are on their way out: it waits for them.
func lockServer(ctx context.Context, dir string) (*os.File, error) {
	f, err := openLock(dir, "lock.server")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, orphansEndMax)
	defer cancel()
	for {
		ok, err := tryFlock(f)
		if ok {
			return f, nil
		}
		if err == nil {
			err = wait(ctx)
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("wait for the processes of an earlier server on %s to end: %w", dir, err)
		}
	}
}

func openLock(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	return f, nil
}

func writeOwner(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}

func ownerOf(f *os.File) int {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, _ := strconv.Atoi(string(b[:n]))
	return pid
}

// wait lets pollEvery pass, or less when ctx ends.
func wait(ctx context.Context) error {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scratch is a folder for as long as one server lives. What kill -9 leaves is swept by the next start.
type scratch struct {
	dir  string
	lock *os.File
}

// newScratch makes a locked folder in parent, and sweeps what dead processes of our user left there.
func newScratch(parent string) (*scratch, error) {
	prefix := fmt.Sprintf("boxoffice-%d-", os.Geteuid())
	sweep(parent, prefix)
	// Made and locked under a name that sweep does not look at, so that nobody sweeps it before it is
	// locked.
	made, err := os.MkdirTemp(parent, "new-"+prefix)
	if err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	// Others may walk through (the server's user has to), not list.
	if err := os.Chmod(made, 0o711); err != nil {
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	f, err := lock(made)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(parent, strings.TrimPrefix(filepath.Base(made), "new-"))
	if err := os.Rename(made, dir); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("make scratch folder: %w", err)
	}
	return &scratch{dir: dir, lock: f}, nil
}

func (s *scratch) remove() error {
	err := os.RemoveAll(s.dir)
	return errors.Join(err, s.lock.Close())
}

func sweep(parent, prefix string) {
	left, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() || !mine(fi) {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(dir) // an earlier sweep was cut short
			continue
		}
		if err != nil {
			continue
		}
		if ok, _ := tryFlock(f); ok {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}

// socketPathMax is below the 107 bytes that a Unix socket's path may have.
const socketPathMax = 100

// socketParent is where socket folders go: short, or the sockets could not be bound.
func socketParent() string {
	if dir := os.TempDir(); len(dir) < socketPathMax-len("/boxoffice-1234567890-1234567890/s/.s.PGSQL.5432") {
		return dir
	}
	return "/tmp"
}

// memoryParent is where data that need not last goes.
func memoryParent() string {
	if f, err := os.CreateTemp("/dev/shm", "boxoffice-try-"); err == nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return "/dev/shm"
	}
	return os.TempDir()
}

package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

func supported() error { return nil }

func setChildAttributes(cmd *exec.Cmd, onParentDeath syscall.Signal) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = onParentDeath
	return nil
}

func isGone(err error) bool {
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// identity is whom a server runs as. The zero value stands for ourselves.
type identity struct {
	drop     bool
	uid, gid uint32
}

// serverIdentity is us, or when we are root, an unprivileged user: Postgres refuses to run as root. An
// existing data folder keeps its owner, so that one made without root still opens with it.
func serverIdentity(data string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	if fi, err := os.Stat(data); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return identity{drop: true, uid: st.Uid, gid: st.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return identity{drop: true, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return identity{}, errors.New("running as root, and there is neither a user postgres nor nobody to run the server as")
}

// dropped tells whether the server runs as someone else than us.
func (id identity) dropped() bool { return id.drop }

// assume makes cmd run as id.
func (id identity) assume(cmd *exec.Cmd) {
	if id.drop {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id.uid, Gid: id.gid}}
	}
}

// give makes the one file or folder id's.
func (id identity) give(path string) error {
	if !id.drop {
		return nil
	}
	return os.Chown(path, int(id.uid), int(id.gid))
}

// tryFlock takes the exclusive lock of f, or says false when another open file has it.
func tryFlock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return false, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// mine tells whether the file is our user's.
func mine(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// serverFamily is pid and its children. Postgres's children make sessions and so process groups of
// their own, so that a signal to the server's group does not reach them.
func serverFamily(pid int) []int {
	family := []int{pid}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return family
	}
	for _, task := range tasks {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(children)) {
			if child, err := strconv.Atoi(field); err == nil {
				family = append(family, child)
			}
		}
	}
	return family
}

// freezeFamily stops pid first, so that it can start no further child, and then its children.
func freezeFamily(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("freeze process %d: %w", pid, err)
	}
	return signalAll(serverFamily(pid)[1:], syscall.SIGSTOP)
}

func thawFamily(pid int) error { return signalAll(serverFamily(pid), syscall.SIGCONT) }

// killFamily ends pid and its children with no chance to tidy up.
func killFamily(pid int) error {
	if err := freezeFamily(pid); err != nil && !isGone(err) {
		return err
	}
	return signalAll(serverFamily(pid), syscall.SIGKILL)
}

func signalAll(pids []int, s syscall.Signal) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && !isGone(err) {
			errs = append(errs, fmt.Errorf("signal %v to process %d: %w", s, pid, err))
		}
	}
	return errors.Join(errs...)
}

package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Child is a process that does not outlive us.
type Child struct {
	process *os.Process
	done    chan struct{}
	err     error // of Wait; written before done is closed
}

// StartChild starts cmd in a process group of its own, so that a Ctrl-C at the terminal reaches only us
// and we decide in which order things stop. When this process dies, however it dies, the kernel sends
// onParentDeath to the child.
func StartChild(cmd *exec.Cmd, onParentDeath syscall.Signal) (*Child, error) {
	if err := setChildAttributes(cmd, onParentDeath); err != nil {
		return nil, err
	}
	c := &Child{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal fires when the thread that forked ends, not the process. The Go runtime ends
		// threads as it likes, but not one that a goroutine is locked to: this one waits as long as the
		// child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.process = cmd.Process
		started <- nil
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// PID is the child's process id, which is also its process group's.
func (c *Child) PID() int { return c.process.Pid }

// Done is closed once the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err is how the child ended, nil for exit code 0; only to be asked once Done is closed.
func (c *Child) Err() error { return c.err }

// Signal sends a signal to the child alone. A child that has ended is no error.
func (c *Child) Signal(s os.Signal) error {
	if err := c.process.Signal(s); err != nil && !isGone(err) {
		return fmt.Errorf("signal %v to process %d: %w", s, c.PID(), err)
	}
	return nil
}

// Running tells whether the child has not ended yet.
func (c *Child) Running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

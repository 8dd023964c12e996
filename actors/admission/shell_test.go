package admission_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/messages"
)

// Goal: the actor around an Admission keeps going whatever happens elsewhere, and leaves nothing behind. Method: real
// mailboxes and pools in a synctest bubble, where time-outs take no time, over the simulation's model of the database.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.join(3)
		h.node.Poke("E1")
		h.pass(0)
		// Two are let in at once, and everybody hears of it.
		h.expect("waiting", h.waiting(), 1)
		h.expect("told", h.now().told, 1)
		h.expect("head", h.now().head, 2)
		h.pass(100 * time.Millisecond)
		h.expect("waiting", h.waiting(), 0)
		// Who comes later is told of by the demand, and acknowledged.
		h.pass(5 * time.Second)
		h.join(1)
		h.entries <- "e1"
		h.pass(0)
		h.expect("waiting", h.waiting(), 0)
		h.expect("acknowledged", h.now().acked, 1)
		before := h.now().admits
		h.pass(admission.IdleAfter + admission.GraceAfterEnd)
		h.expect("a last look", h.now().admits, before+1)
		if s := h.log.String(); !strings.Contains(s, "nobody can be let in for now") || strings.Contains(s, "level=WARN") || strings.Contains(s, "level=ERROR") {
			t.Errorf("logged:\n%s", s)
		}
		h.join(1)
		h.node.Poke("E1")
		h.pass(0)
		h.expect("waiting", h.waiting(), 0)
		h.expect("claims", h.now().claims, 2)
		h.end()
	})
}

// Without Redis, and with nobody who listens, the sweep does it.
func TestAdmissionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(h *house) { h.env.Demand, h.env.Live = nil, nil })
		h.join(50)
		h.node.Poke("E1")
		h.pass(10 * time.Second)
		h.expect("waiting", h.waiting(), 0)
		h.end()
	})
}

func TestPanicElsewhereIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		broken := true
		h.onAdmit = func(_ context.Context, admit func() (messages.Admitted, error)) (messages.Admitted, error) {
			if broken {
				broken = false
				panic("the driver is broken")
			}
			return admit()
		}
		h.onTold = func() { panic("the listener is broken") }
		h.join(1)
		h.node.Poke("E1")
		h.pass(admission.RetryMin - time.Millisecond)
		h.expect("waiting", h.waiting(), 1)
		h.pass(time.Millisecond)
		h.expect("waiting", h.waiting(), 0)
		h.expect("claims", h.now().claims, 1)
		h.end()
	})
}

// A bug of ours ends the actor. It comes back, but not at once.
func TestPanicInTheStepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.onClaim = func(c *messages.AdmissionClaim) {
			if h.claims == 1 {
				c.Epoch = 0
			}
		}
		h.join(1)
		h.node.Poke("E1")
		h.pass(0)
		for range 5 {
			h.node.Poke("E1")
		}
		h.pass(admission.PauseAfterFailure - time.Millisecond)
		h.expect("claims", h.now().claims, 1)
		h.pass(time.Millisecond)
		h.node.Poke("E1")
		h.pass(0)
		h.expect("claims", h.now().claims, 2)
		h.expect("waiting", h.waiting(), 0)
		if !strings.Contains(h.log.String(), "ended by a panic") {
			t.Errorf("logged:\n%s", h.log.String())
		}
		h.end()
	})
}

func TestHangingAdmitTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		hangs := true
		h.onAdmit = func(ctx context.Context, admit func() (messages.Admitted, error)) (messages.Admitted, error) {
			if hangs {
				hangs = false
				<-ctx.Done()
				return messages.Admitted{}, ctx.Err()
			}
			return admit()
		}
		h.join(1)
		h.node.Poke("E1")
		h.pass(admission.AdmitTimeout + admission.RetryMin)
		h.expect("waiting", h.waiting(), 0)
		h.end()
	})
}

// Two nodes that both think they admit: one of them does.
func TestDeposedAdmissionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.join(100)
		h.node.Poke("E1")
		h.pass(time.Second)
		other := cluster.NewNode(actors.Env{Log: h.env.Log}, h.env, func() bool { return true })
		other.Poke("E1")
		h.pass(time.Second)
		h.expect("claims", h.now().claims, 2)
		if s := h.log.String(); strings.Count(s, "fenced") != 2 { // the Admit, and the end
			t.Errorf("logged:\n%s", s)
		}
		h.pass(20 * time.Second)
		h.expect("waiting", h.waiting(), 0)
		h.expect("claims", h.now().claims, 2)
		other.Drain(t.Context())
		h.end()
	})
}

// brittle is a pool that panics, once it is told to, after it has taken a function on, and that has begun: in the middle of
// Receive.
type brittle struct {
	actors.Pool
	breaks atomic.Bool
	begun  chan struct{}
}

func (p *brittle) Go(f func()) bool {
	ok := p.Pool.Go(f)
	if p.breaks.CompareAndSwap(true, false) {
		<-p.begun
		panic("the pool is broken")
	}
	return ok
}

// After a panic of the shell, what was asked for before it is nobody's.
func TestPanicInTheShellStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool *brittle
		h := newHouse(t, func(h *house) {
			pool = &brittle{Pool: h.env.Admissions, begun: make(chan struct{})}
			h.env.Admissions = pool
		})
		release := make(chan struct{})
		var first atomic.Bool
		h.onAdmit = func(_ context.Context, admit func() (messages.Admitted, error)) (messages.Admitted, error) {
			hangs := first.CompareAndSwap(false, true)
			r, err := admit()
			if hangs {
				close(pool.begun)
				<-release
			}
			return r, err
		}
		h.join(4)
		pool.breaks.Store(true)
		h.node.Poke("E1")
		h.pass(time.Second)
		h.expect("claims", h.now().claims, 2)
		h.expect("waiting", h.waiting(), 0)
		told := h.now().told
		close(release)
		h.pass(0)
		h.expect("told", h.now().told, told)
		h.end()
	})
}

func TestFullPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := cluster.NewPool(0, 0)
		h := newHouse(t, func(h *house) { h.env.Pulls = full })
		h.join(20)
		h.node.Poke("E1")
		h.pass(3 * time.Second)
		h.expect("waiting", h.waiting(), 0)
		h.end()

		h = newHouse(t, func(h *house) { h.env.Claims = full })
		for range 30 {
			h.node.Poke("E1")
			h.pass(admission.PauseAfterFailure)
		}
		h.expect("claims", h.now().claims, 0)
		if n := strings.Count(h.log.String(), "admission ended"); n > 30 {
			t.Errorf("tried %d times", n)
		}
		h.end()
	})
}

// Draining waits for the Admit in flight, tells what it did, and begins no other.
func TestDrainAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.onAdmit = func(_ context.Context, admit func() (messages.Admitted, error)) (messages.Admitted, error) {
			time.Sleep(300 * time.Millisecond) //nolint:forbidigo // the bubble's time
			return admit()
		}
		h.join(10)
		h.node.Poke("E1")
		h.pass(100 * time.Millisecond)
		began := time.Now()
		h.node.Drain(t.Context())
		if took := time.Since(began); took != 200*time.Millisecond {
			t.Errorf("draining took %v", took)
		}
		h.expect("told", h.now().told, 1)
		h.node.Poke("E1")
		h.pass(10 * time.Second)
		h.expect("Admits", h.now().admits, 1)
		h.end()
	})
}

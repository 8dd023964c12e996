package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// What an event does elsewhere, on a pool. Whatever happens there, one message comes back: not even a panic is lost, or
// ends the process.

// errPoolFull says that too much was waiting for a pool already.
var errPoolFull = errors.New("too many wait for the pool")

// panicError says that work done elsewhere panicked.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// elsewhere runs f on a pool and sends what it returns back to this incarnation, or what failed makes of the error where
// the pool is full or f panics: something comes back in any case.
func (e *Event) elsewhere(pool Pool, f func() any, failed func(error) any) {
	root, self, incarnation := e.root, e.self, e.incarnation
	if !pool.Go(func() { root.Send(self, tagged{e, incarnation, e.guarded(f, failed)}) }) {
		e.later(failed(errPoolFull))
	}
}

// guarded calls f, elsewhere: a panic that nobody recovers there would end the process.
func (e *Event) guarded(f func() any, failed func(error) any) (of any) {
	defer func() {
		if p := recover(); p != nil {
			e.env.Log.Error("work for an event panicked", "event", e.id, "panic", p, "stack", string(debug.Stack()))
			of = failed(&panicError{p})
		}
	}()
	return f()
}

func (e *Event) pay(c Call) CallResult {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := Pay(ctx, e.env.Provider, e.env.Issuer, c)
	if r.Err != nil {
		e.env.Log.Warn("payment call", "event", e.id, "kind", c.Op.Kind.String(), "error", r.Err)
	}
	return r
}

func (e *Event) project(p *Projector, to uint64) Projected {
	seq, err := p.Run(context.Background(), to)
	if err != nil {
		e.env.Log.Warn("event not projected", "event", e.id, "to", to, "error", err)
	}
	return Projected{Seq: seq, Err: err}
}

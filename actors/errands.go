package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"boxoffice/messages"
)

// errPoolFull says that too much was waiting for a pool already.
var errPoolFull = errors.New("too many wait for the pool")

// panicError says that work done elsewhere panicked.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Errands are what an actor has done for it: elsewhere on a pool, or once some time has passed.
//
//  1. Of whatever is done elsewhere one message comes back. Not even a panic is lost, or ends the process.
//  2. It comes to the incarnation that asked for it, and to no other of the same actor.
//
// They are the actor's own: only it calls the methods.
type Errands struct {
	self        *actor.PID
	root        *actor.RootContext
	clock       Clock
	log         *slog.Logger
	incarnation uint64
}

// returned is a message that comes back. After a panic of ours protoactor puts a new actor behind the same PID, and that
// one counts its incarnations anew: by tells whose it is.
type returned struct {
	by          *Errands
	incarnation uint64
	of          any
}

// NewErrands makes those of the actor that is being started.
func NewErrands(c actor.Context, clock Clock, log *slog.Logger) *Errands {
	return &Errands{self: c.Self(), root: c.ActorSystem().Root, clock: clock, log: log}
}

// Renew begins a new incarnation: what earlier ones asked for is dropped when it comes back.
func (e *Errands) Renew() { e.incarnation++ }

// Returned says what has come back with a message, if that is of this incarnation.
func (e *Errands) Returned(message any) (of any, ok bool) {
	m, ok := message.(returned)
	if !ok || m.by != e || m.incarnation != e.incarnation {
		return nil, false
	}
	return m.of, true
}

// Elsewhere runs f on a pool and sends what it returns back, or what failed makes of the error where the pool is full or
// f panics.
func (e *Errands) Elsewhere(pool Pool, f func() any, failed func(error) any) {
	root, self, log, incarnation := e.root, e.self, e.log, e.incarnation
	if !pool.Go(func() { root.Send(self, returned{e, incarnation, guarded(log, f, failed)}) }) {
		root.Send(self, returned{e, incarnation, failed(errPoolFull)})
	}
}

// After sends a message back, d from now, unless stopped before.
func (e *Errands) After(d time.Duration, m any) (stop func()) {
	root, self, incarnation := e.root, e.self, e.incarnation
	return e.clock.AfterFunc(d, func() { root.Send(self, returned{e, incarnation, m}) })
}

// Publish to a publisher, if there is one. Whatever it does, the actor goes on.
func (e *Errands) Publish(to Publisher, m *messages.Live) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("publishing panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if to != nil {
		to.Publish(m)
	}
}

// guarded calls f, elsewhere: a panic that nobody recovers there would end the process.
func guarded(log *slog.Logger, f func() any, failed func(error) any) (of any) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("work for an event panicked", "panic", p, "stack", string(debug.Stack()))
			of = failed(&panicError{p})
		}
	}()
	return f()
}

package actors

import (
	"context"
	"errors"
	"sync"
	"time"

	"boxoffice/messages"
)

// errStalled is why a watchdog ended what it watched.
var errStalled = errors.New("no progress for too long")

// watchdog ends work that makes no progress for a while. It does not bound how long the work takes as a whole: a long
// journal must be replayable, and a read model that is far behind must catch up.
type watchdog struct {
	clock    Clock
	patience time.Duration
	cancel   context.CancelCauseFunc

	mu     sync.Mutex
	last   time.Duration // Clock.Elapsed of the last progress
	disarm func()        // nil once it is called off
}

// watch starts a watchdog. The context that it gives ends, for errStalled, patience after the last progress.
func watch(ctx context.Context, clock Clock, patience time.Duration) (context.Context, *watchdog) {
	w := &watchdog{clock: clock, patience: patience, last: clock.Elapsed()}
	ctx, w.cancel = context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disarm = clock.AfterFunc(patience, w.look)
	return ctx, w
}

// progress has been made.
func (w *watchdog) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = w.clock.Elapsed()
}

// look whether there was progress of late: then look again when that is as long ago as may be.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.disarm == nil {
		return
	}
	left := w.last + w.patience - w.clock.Elapsed()
	if left <= 0 {
		w.cancel(errStalled)
		return
	}
	w.disarm = w.clock.AfterFunc(left, w.look)
}

// callOff the watchdog, and end its context: the work is done.
func (w *watchdog) callOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disarm()
	w.disarm = nil
	w.cancel(nil)
}

// watched is a journal of which each entry that is read is progress.
type watched struct {
	Journal
	dog *watchdog
}

// Entries of the journal.
func (j watched) Entries(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error {
	return j.Journal.Entries(ctx, eventID, after, upTo, func(e messages.Entry) error {
		j.dog.progress()
		return yield(e)
	})
}

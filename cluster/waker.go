package cluster

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"boxoffice/messages"
)

const (
	// wakeEvery is how often the database is asked which events are due: an owner that is alive knows by itself, so this
	// is how long the holds of a dead one outlive it, at most.
	wakeEvery = time.Second
	// wakeAtOnceMax bounds the activations that the waker causes at once, so that buyers' own find room.
	wakeAtOnceMax = 16
)

// RunWaker asks once a second which events have something due that no owner has done, and wakes them, until ctx ends. An
// event that takes its time is not waited for, nor woken twice at once. RunWaker returns when the last has answered,
// which is within askTimeout of the end of ctx.
func (n *Node) RunWaker(ctx context.Context, due func(context.Context) ([]string, error), log *slog.Logger) {
	w := waker{node: n, slots: make(chan struct{}, wakeAtOnceMax), waking: make(map[string]bool)}
	defer w.all.Wait()
	tick := time.NewTicker(wakeEvery)
	defer tick.Stop()
	for {
		ids, err := due(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("due events not read", "error", err)
		default:
			w.wake(ctx, ids)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// waker lets events do what is due, a few at once.
type waker struct {
	node  *Node
	slots chan struct{}
	all   sync.WaitGroup

	mu     sync.Mutex
	waking map[string]bool // who has not answered yet
}

// wake the events that are not being woken already. It waits for a free slot for each, and for no answer.
func (w *waker) wake(ctx context.Context, eventIDs []string) {
	for _, id := range eventIDs {
		if !w.begin(id) {
			continue
		}
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		w.all.Go(func() {
			defer func() { <-w.slots }()
			defer w.end(id)
			w.node.Ask(ctx, &messages.Request{EventId: id, Call: &messages.Request_Wake{Wake: &messages.Wake{}}})
		})
	}
}

func (w *waker) begin(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waking[id] {
		return false
	}
	w.waking[id] = true
	return true
}

func (w *waker) end(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waking, id)
}

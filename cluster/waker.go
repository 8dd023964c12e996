package cluster

import (
	"context"
	"log/slog"
	"slices"
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

// due says which events have something due that nobody has done.
type due = func(context.Context) ([]string, error)

// RunWaker asks once a second which events have something due that no owner has done, and wakes them, and at which
// somebody is due to be admitted, and pokes their admissions, until ctx ends. An event that takes its time is not waited
// for, nor woken twice at once. RunWaker returns when the last has answered, which is within askTimeout of the end of ctx.
func (n *Node) RunWaker(ctx context.Context, events, admissions due, log *slog.Logger) {
	w := waker{node: n, slots: make(chan struct{}, wakeAtOnceMax), waking: make(map[string]bool)}
	defer w.all.Wait()
	// Side by side: events that hang hold up the waker, but no admission.
	w.all.Go(func() {
		everySecond(ctx, admissions, log.With("of", "admissions"), func(ids []string) {
			for _, id := range ids {
				n.Poke(id)
			}
		})
	})
	ours := n.metrics.Due(func(ctx context.Context) ([]string, error) {
		ids, err := events(ctx)
		// Those of other nodes have wakers of their own.
		return slices.DeleteFunc(ids, func(id string) bool { return !n.owns(name{owner, id}) }), err
	})
	everySecond(ctx, ours, log.With("of", "events"), func(ids []string) { w.wake(ctx, ids) })
}

// everySecond asks what is due and wakes that, until ctx ends.
func everySecond(ctx context.Context, due due, log *slog.Logger, wake func(eventIDs []string)) {
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
			wake(ids)
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

package persistence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"boxoffice/messages"
)

// flushTimeout bounds a batch's writing: the server may be frozen, and then nobody else would end the waiting.
const flushTimeout = 15 * time.Second

// batcher writes items together: what arrives while a batch is being written is the next batch. There is no ticker, so
// that an idle system answers at the speed of one write. An item gets its results by being a pointer.
type batcher[T any] struct {
	batchMax   int
	waitingMax int
	flush      func(ctx context.Context, items []T) error // may reorder items

	mu      sync.Mutex
	waiting []waiter[T]
	leading bool
}

type waiter[T any] struct {
	item T
	done chan error
}

func newBatcher[T any](batchMax, waitingMax int, flush func(context.Context, []T) error) *batcher[T] {
	return &batcher[T]{batchMax: batchMax, waitingMax: waitingMax, flush: flush}
}

// do writes the item with others and returns once it is written. Where ctx ends before, the item may be written yet,
// and nobody may look at it. messages.ErrOverloaded where too many wait.
func (b *batcher[T]) do(ctx context.Context, item T) error {
	w := waiter[T]{item: item, done: make(chan error, 1)}
	b.mu.Lock()
	if len(b.waiting) >= b.waitingMax {
		b.mu.Unlock()
		return messages.ErrOverloaded
	}
	b.waiting = append(b.waiting, w)
	if !b.leading {
		b.leading = true
		// Not the caller's own goroutine: it may give up, or be done before the others are.
		go b.lead(context.WithoutCancel(ctx))
	}
	b.mu.Unlock()

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait to be written: %w", ctx.Err())
	}
}

// lead writes batches until nobody waits.
func (b *batcher[T]) lead(ctx context.Context) {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), b.batchMax)
		if n == 0 {
			b.leading, b.waiting = false, nil
			b.mu.Unlock()
			return
		}
		batch := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		b.write(ctx, batch)
	}
}

// write flushes the batch, and where the database refuses it for one item's sake, each item alone, so that one that
// breaks a constraint fails by itself.
func (b *batcher[T]) write(ctx context.Context, batch []waiter[T]) {
	items := make([]T, len(batch))
	for i, w := range batch {
		items[i] = w.item
	}
	ctx, done := context.WithTimeout(ctx, flushTimeout)
	defer done()
	err := b.flush(ctx, items)
	if len(batch) > 1 && breaksConstraint(err) {
		for _, w := range batch {
			w.done <- b.flush(ctx, []T{w.item})
		}
		return
	}
	for _, w := range batch {
		w.done <- err
	}
}

func breaksConstraint(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && len(refused.Code) == 5 && refused.Code[:2] == integrityClass
}

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

// batcher writes items of one key together: what arrives while a batch of the key is being written is the next batch.
// There is no ticker, so that an idle system answers at the speed of one write. An item gets its results by being a
// pointer.
//
//  1. Of a key, one batch is written at a time; keys side by side, as many as there are turns, which go round.
//  2. What hangs or fails for one key costs the others nothing but its turn.
//  3. A key costs something only while it has items.
type batcher[T any] struct {
	batchMax int
	itemsMax int // of all keys together, also those being written
	flush    func(ctx context.Context, key string, items []T) error
	turns    chan struct{}

	mu      sync.Mutex
	waiting map[string][]waiter[T] // by key, as long as somebody leads for it
	items   int
}

type waiter[T any] struct {
	item T
	done chan error
}

// newBatcher calls flush, which may reorder items, up to turns times at once.
func newBatcher[T any](batchMax, itemsMax, turns int, flush func(ctx context.Context, key string, items []T) error) *batcher[T] {
	return &batcher[T]{
		batchMax: batchMax, itemsMax: itemsMax, flush: flush,
		turns: make(chan struct{}, turns), waiting: map[string][]waiter[T]{},
	}
}

// do writes the item with others of its key and returns once it is written. Where ctx ends before, the item may be written
// yet, and nobody may look at it. messages.ErrOverloaded where there are too many.
func (b *batcher[T]) do(ctx context.Context, key string, item T) error {
	w := waiter[T]{item: item, done: make(chan error, 1)}
	b.mu.Lock()
	if b.items >= b.itemsMax {
		b.mu.Unlock()
		return messages.ErrOverloaded
	}
	b.items++
	before, led := b.waiting[key]
	b.waiting[key] = append(before, w)
	b.mu.Unlock()
	if !led {
		// Not the caller's own goroutine: it may give up, or be done before the others are.
		go b.lead(context.WithoutCancel(ctx), key)
	}

	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait to be written: %w", ctx.Err())
	}
}

// lead writes batches of the key until nobody waits.
func (b *batcher[T]) lead(ctx context.Context, key string) {
	for more := true; more; {
		b.turns <- struct{}{}
		batch := b.take(key)
		b.write(ctx, key, batch)
		<-b.turns
		more = b.written(key, len(batch))
	}
}

func (b *batcher[T]) take(key string) []waiter[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.waiting[key]
	n := min(len(all), b.batchMax)
	b.waiting[key] = all[n:]
	return all[:n:n]
}

// written is false where nobody waits any more: then the key is nobody's.
func (b *batcher[T]) written(key string, n int) (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items -= n
	if len(b.waiting[key]) > 0 {
		return true
	}
	delete(b.waiting, key)
	return false
}

// write flushes the batch, and where the database refuses it for one item's sake, each item alone, so that one that
// breaks a constraint fails by itself.
func (b *batcher[T]) write(ctx context.Context, key string, batch []waiter[T]) {
	items := make([]T, len(batch))
	for i, w := range batch {
		items[i] = w.item
	}
	ctx, done := context.WithTimeout(ctx, flushTimeout)
	defer done()
	err := b.flush(ctx, key, items)
	if len(batch) > 1 && breaksConstraint(err) {
		for _, w := range batch {
			w.done <- b.flush(ctx, key, []T{w.item})
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

package persistence

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"boxoffice/messages"
)

// Goal: keys are written side by side, each a batch at a time and no more at once than there are turns; all that wait are
// bounded together; and a key is forgotten once nobody waits. Method: flushes that last until the test lets one go.
func TestBatcherKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const turns, itemsMax = 2, 12
		running, most := map[string]int{}, 0 // flushes, items of one
		release := make(chan struct{})
		var b *batcher[int]
		b = newBatcher(3, itemsMax, turns, func(_ context.Context, key string, items []int) error {
			b.mu.Lock()
			running[key]++
			most = max(most, len(items))
			if running[key] > 1 || len(running) > turns {
				t.Errorf("written at once: %v", running)
			}
			b.mu.Unlock()
			<-release
			b.mu.Lock()
			delete(running, key)
			b.mu.Unlock()
			return nil
		})
		done := make(chan error, itemsMax)
		for n := range itemsMax {
			go func() { done <- b.do(t.Context(), []string{"rush", "rush", "B", "rush", "C", "rush"}[n%6], n) }()
			synctest.Wait()
		}
		if err := b.do(t.Context(), "D", 0); !errors.Is(err, messages.ErrOverloaded) {
			t.Errorf("one too many: %v, want ErrOverloaded", err)
		}
		if len(running) != turns {
			t.Errorf("written at once: %v", running)
		}
		flushes := 0
		for ; len(done) < itemsMax; flushes++ {
			release <- struct{}{}
			synctest.Wait()
		}
		// The first of each key came alone, and what came meanwhile of it is in batches.
		if flushes != 1+3+2+1 || most != 3 {
			t.Errorf("%d flushes, of at most %d", flushes, most)
		}
		for range itemsMax {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(b.waiting) != 0 || b.items != 0 || len(b.turns) != 0 {
			t.Errorf("left over: %v, %d items, %d turns", b.waiting, b.items, len(b.turns))
		}
	})
}

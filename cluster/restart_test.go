package cluster

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// Goal: a bug in the shell itself costs the request under way and no more. Method: the actor panics while a commit is in
// flight. protoactor starts it anew behind the same PID, and the old commit's completion comes to the new one, which must
// not take it for its own.
func TestPanicInTheShellStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(report(), read)
		release := make(chan struct{})
		w.db.OnCommit(func(_ context.Context, b messages.Batch) memory.Fault {
			if b.Entry != nil {
				<-release
			}
			return memory.None
		})
		w.commits.breaks.Store(true)
		lost := make(chan messages.Outcome)
		go func() { lost <- w.ask(createOrder(1)) }()
		synctest.Wait()
		w.must(report(), read)
		close(release)
		synctest.Wait()
		for range 5 {
			w.must(report(), read)
		}
		if n := w.journal.claimed(); n != 2 {
			t.Errorf("%d activations, want 2", n)
		}
		if got := <-lost; got != unavailable {
			t.Errorf("the request under way heard %s", got)
		}
		w.must(createOrder(1), created) // the old commit was fenced
		w.end()
		if s := w.log.String(); !strings.Contains(s, "the pool is broken") || strings.Contains(s, "session_id") {
			t.Errorf("logged:\n%s", s)
		}
	})
}

package watch_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

// Goal: who has left the line, and of whom nobody hears, is noticed: at once where it was between being read and being
// watched, else within a minute.
func TestLeftUnnoticed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.admit(0, minute)
		elsewhere := w.open(1)
		look := w.hub.Watch(w.wait(2))
		w.become(2, messages.SessionLeft)
		w.hub.Look("E1", id(2)) // whom nobody watches yet
		synctest.Wait()
		between := &tape{closed: look.Closed, begun: time.Now()}
		look.Open(between)
		after(5 * time.Second)
		between.want(t, "+0s position 2 1", "+1s expired LEFT")
		w.become(1, messages.SessionLeft)
		after(time.Minute)
		elsewhere.want(t, "+0s position 1 1", "+46s expired LEFT")
	})
}

// Goal: to read anew who waits costs little, however many there are, and everybody has their turn.
func TestWaitersReadSeldom(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const crowd = 20_000
		w.admit(0, minute)
		for n := range crowd {
			w.wait(n + 1)
			w.open(n + 1)
		}
		ids := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.ids
		}
		for second := range 150 {
			before := ids()
			after(time.Second)
			if n := ids() - before; n > 300 {
				t.Errorf("second %d: %d read", second, n)
			}
		}
		for n := range crowd {
			if times := w.visited[id(n+1)]; times < 1 || times > 4 {
				t.Fatalf("%d was read %d times", n+1, times)
			}
		}
	})
}

// Goal: a buyer who shows up in the last moment is not told that it was too late, where what was read is older than that;
// who never does is.
func TestShowsUpInTheLastMoment(t *testing.T) {
	for _, late := range []bool{false, true} {
		inBubble(t, func(t *testing.T, w *world) {
			w.wait(1)
			w.admit(1, minute)
			tape := w.open(1)
			after(time.Second)
			w.become(1, messages.SessionExpired)
			w.hub.Look("E1", id(1))
			after(500 * time.Millisecond)
			if !late {
				w.become(1, messages.SessionActive)
			}
			after(3 * time.Second)
			got := tape.told(true)
			if tape.ended != late || late && got[len(got)-1] != "+2s expired EXPIRED" || !late && len(got) != 1 {
				t.Errorf("late %v: %q", late, got)
			}
		})
	}
}

// Goal: the log says once of each kind of reads that it fails, and once that it does no more, whatever others do.
func TestHealth(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.admit(1, time.Hour)
		w.open(1)
		w.setOrder(7, `{"n":1}`)
		w.setOrder(8, `{"n":1}`)
		w.openOrder(7, `{"n":1}`)
		w.openOrder(8, `{"n":1}`)
		after(5 * time.Second)
		w.mu.Lock()
		w.refused[id(7)] = errAway // it alone
		w.mu.Unlock()
		after(time.Minute)
		logged := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := strings.Split(strings.TrimSpace(w.log.String()), "\n")
			if len(got) != len(want) {
				t.Fatalf("%q", got)
			}
			for i, line := range got {
				if text, of, _ := strings.Cut(want[i], " of "); !strings.Contains(line, text) || !strings.Contains(line, "of="+of) {
					t.Errorf("%s, want %s", line, want[i])
				}
			}
			w.log.Reset()
		}
		logged("cannot of orders")
		w.mu.Lock()
		delete(w.refused, id(7))
		w.mu.Unlock()
		after(15 * time.Second)
		logged("again of orders")
		w.fail(errAway)
		after(20 * time.Second)
		w.fail(nil)
		after(20 * time.Second)
		counts := map[string]int{}
		for line := range strings.SplitSeq(strings.TrimSpace(w.log.String()), "\n") {
			for _, of := range []string{"positions", "sessions", "orders"} {
				if strings.Contains(line, "of="+of) {
					counts[fmt.Sprint(of, strings.Contains(line, "again"))]++
				}
			}
		}
		if len(counts) != 6 {
			t.Error(counts, w.log.String())
		}
		for what, n := range counts {
			if n != 1 {
				t.Errorf("%s %d times", what, n)
			}
		}
	})
}

package watch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/http/watch"
)

// Goal: an order is shown at once and at each change; what is lost is found within seconds; what is said often is asked once.
func TestOrderChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.orders[id(7)], w.askTime = `{"n":1}`, 10*time.Millisecond
		tape := w.openOrder(7, `{"n":1}`)
		after(500 * time.Millisecond)
		asked := w.asked
		set := func(body string) { w.setOrder(7, body) }
		set(`{"n":2}`)
		w.changed(id(7))
		synctest.Wait() // it is being read
		for range 100 {
			w.changed(id(7), id(8), id(7))
		}
		after(100 * time.Millisecond)
		if w.asked-asked != 2 {
			t.Errorf("asked %d times", w.asked-asked)
		}
		set(`{"n":3}`) // nobody says so
		after(5 * time.Second)
		w.fail(errAway)
		after(4900 * time.Millisecond)
		set(`{"n":4}`)
		w.changed(id(7))
		after(4 * time.Second)
		w.fail(nil)
		after(4 * time.Second)
		w.mu.Lock()
		w.orders[id(7)], w.final = `{"n":5}`, true
		w.mu.Unlock()
		w.changed(id(7))
		after(time.Second)
		var events []string
		for i, e := range tape.told(false) {
			if e != fmt.Sprintf("order n:%d", i+1) {
				t.Errorf("%q", e)
			}
			events = append(events, e)
		}
		if len(events) != 5 || !tape.ended {
			t.Errorf("%q, ended %v", events, tape.ended)
		}
	})
}

// Goal: where other nodes are not heard, as Redis is away or there is none, a change on one of them is shown within a second
// or little more; where they are, nobody reads each second for that.
func TestOrdersOfOthersUnheard(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*world)
		read int // in 12 s
	}{
		{"heard", func(*world) {}, 4},
		{"Redis is away", func(w *world) { w.deaf = true }, 12},
		{"no Redis", func(w *world) { w.hub.Subscriptions = nil }, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c.set(w)
				w.setOrder(7, `{"n":1}`)
				tape := w.openOrder(7, `{"n":1}`)
				after(time.Second / 2)
				asked := w.askedUntilNow()
				after(12 * time.Second)
				if n := w.askedUntilNow() - asked; n != c.read {
					t.Errorf("read %d times in 12 s", n)
				}
				for n := 2; n < 10; n++ {
					after(130 * time.Millisecond)
					w.setOrder(7, fmt.Sprintf(`{"n":%d}`, n)) // on another node
					if after(1100 * time.Millisecond); c.read > 4 && len(tape.told(false)) != n {
						t.Errorf("after a second it is shown as %q", tape.told(false))
					}
				}
				tape.hangUp()
			})
		})
	}
}

// Goal: however many orders are watched, few are asked for at once, and each stream shows what its order is in the end.
func TestManyOrders(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.askTime = 50 * time.Millisecond
		var tapes []*tape
		var all [][16]byte
		for n := range 200 {
			w.setOrder(n, `{"n":1}`)
			tapes = append(tapes, w.openOrder(n, `{"n":1}`), w.openOrder(n, `{"n":1}`))
			all = append(all, id(n))
		}
		for n := range 200 {
			w.setOrder(n, `{"n":2}`)
		}
		w.changed(all...)
		after(2 * time.Second)
		for _, tape := range tapes {
			tape.want(t, "order n:1", "order n:2")
		}
		if w.mostAsks > 16 {
			t.Errorf("%d asked for at once", w.mostAsks)
		}
		for _, tape := range tapes {
			tape.hangUp()
		}
	})
}

// Goal: who comes while an order is being read does not see it go back.
func TestOrderDoesNotGoBack(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.orders[id(7)], w.askTime = `{"n":1}`, 100*time.Millisecond
		first := w.openOrder(7, `{"n":1}`)
		synctest.Wait() // it is being read, as it was
		w.setOrder(7, `{"n":2}`)
		second := w.openOrder(7, `{"n":2}`)
		after(time.Second)
		first.want(t, "order n:1", "order n:2")
		second.want(t, "order n:2")
	})
}

// Goal: no order is in another's way: whatever becomes of others, a change that nobody told of is found within seconds.
func TestOrdersSweptEach(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.orders[id(1)], w.orders[id(2)] = `{"n":1}`, `{"n":1}`
		busy := w.openOrder(1, `{"n":1}`)
		tape := w.openOrder(2, `{"n":1}`)
		for n := 2; n < 40; n++ {
			after(500 * time.Millisecond)
			w.changed(id(1)) // which has it read
			if n == 10 {
				w.setOrder(2, `{"n":2}`)
			}
			if n == 20 {
				tape.want(t, "order n:1", "order n:2")
			}
		}
		busy.hangUp()
	})
}

// Goal: orders that were watched are forgotten at once, however many they were.
func TestEndedOrdersAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for n := range 60_000 {
			w.openOrder(n, `{"n":1}`).hangUp()
		}
		w.setOrder(70_000, `{"n":1}`)
		tape := w.openOrder(70_000, `{"n":1}`)
		after(500 * time.Millisecond)
		w.setOrder(70_000, `{"n":2}`)
		after(4 * time.Second)
		tape.want(t, "order n:1", "order n:2")
	})
}

// Goal: who comes while a read goes on that fails is told by the next one.
func TestOrderReadFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.orders[id(7)], w.askTime = `{"n":1}`, 100*time.Millisecond
		w.fail(errAway)
		first := w.openOrder(7, `{"n":1}`)
		synctest.Wait() // it is being read, in vain
		w.fail(nil)
		second := w.openOrder(7, `{"n":1}`)
		w.setOrder(7, `{"n":2}`)
		after(500 * time.Millisecond)
		first.want(t, "order n:1", "order n:2")
		second.want(t, "order n:1", "order n:2")
	})
}

// Goal: an order that may not be shown any more ends its streams; nobody is alarmed.
func TestOrderRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.setOrder(7, `{"n":1}`)
		tape := w.openOrder(7, `{"n":1}`)
		after(time.Second)
		w.mu.Lock()
		w.refused[id(7)] = fmt.Errorf("read it: %w", watch.ErrRefused)
		w.mu.Unlock()
		after(4 * time.Second)
		if tape.want(t, "order n:1", "end"); !tape.ended || w.log.Len() > 0 {
			t.Errorf("ended %v, %s", tape.ended, w.log.String())
		}
	})
}

package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load buys seats, one after the other, with several buyers at once, over everything that happens to the server. What is
// not answered definitely is asked again under the same key.
type load struct {
	s     *server
	event string
	// seats that nobody has asked for yet: each order gets one of its own.
	seats atomic.Int64
	// mayBeGone is set where a server that is gone is no fault.
	mayBeGone bool

	stop chan struct{}
	wg   sync.WaitGroup

	mu       sync.Mutex
	said     []acknowledged
	finished []bought
	faults   []error
	// busy counts the answers 503.
	busy int
	// done are the times at which something was acknowledged.
	done []time.Time
}

type bought struct {
	buyer
	id   string
	last answer
}

const (
	loadRows, loadRowSeats = 100, 100
	loadBuyers             = 8
	loadOrders             = 100 // a session
)

// startLoad on an event of its own.
func startLoad(s *server, event string, mayBeGone bool) *load {
	s.t.Helper()
	s.create(event, hall(loadRows, loadRowSeats), map[string]any{"maxOrdersPerSession": loadOrders})
	l := &load{s: s, event: event, mayBeGone: mayBeGone, stop: make(chan struct{})}
	for range loadBuyers {
		l.wg.Go(l.buy)
	}
	l.wg.Go(l.look)
	return l
}

// end lets the buyers finish what they have begun, and fails the test with what went wrong.
func (l *load) end(t testing.TB) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if len(l.faults) > 0 {
		t.Errorf("%d faults under load, the first: %v", len(l.faults), errors.Join(l.faults[:min(3, len(l.faults))]...))
	}
}

// audit asks for every acknowledged answer again, and whether the orders are as they were acknowledged.
func (l *load) audit(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	each(t, loadBuyers, func(i int) error {
		for n := i; n < len(l.said); n += loadBuyers {
			if err := l.said[n].same(l.said[n].again()); err != nil {
				return fmt.Errorf("lost: %w", err)
			}
		}
		for n := i; n < len(l.finished); n += loadBuyers {
			o := l.finished[n]
			a := o.order(o.id)
			if err := a.is(200); err != nil {
				return fmt.Errorf("lost: %w", err)
			}
			if a.order().Status != o.last.order().Status {
				return fmt.Errorf("lost: acknowledged %s, now %s", o.last.body, a.body)
			}
		}
		return nil
	})
	if len(l.finished) < loadBuyers {
		t.Errorf("only %d orders went through", len(l.finished))
	}
}

// purchases that have been acknowledged whole.
func (l *load) purchases() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.finished)
}

// after waits for the first thing that is acknowledged after a moment, and says how long that took.
func (l *load) after(t testing.TB, moment time.Time) (took time.Duration) {
	t.Helper()
	until(t, patience, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, at := range l.done {
			if at.After(moment) {
				took = at.Sub(moment)
				return nil
			}
		}
		return errors.New("nothing is acknowledged any more")
	})
	return took
}

// refusals are the answers 503 until now.
func (l *load) refusals() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy
}

// look at the event all the while, as its owner sees it: a buyer who waits for the provider does not notice a short outage.
func (l *load) look() {
	tick := time.NewTicker(4 * pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		a := l.s.organise("GET", "/"+l.event+"/report", "")
		err := a.definite()
		var bad *badAnswerError
		l.mu.Lock()
		switch {
		case a.err != nil && l.mayBeGone:
		case a.err != nil || errors.As(err, &bad):
			l.faults = append(l.faults, err)
		case err != nil:
			l.busy++
		case a.is(200) != nil:
			l.faults = append(l.faults, a.is(200))
		}
		l.mu.Unlock()
	}
}

func (l *load) buy() {
	for {
		b, ok := l.join()
		for n := 0; ok && n < loadOrders; n++ {
			select {
			case <-l.stop:
				return
			default:
			}
			ok = l.purchase(b)
		}
		if !ok {
			return
		}
	}
}

func (l *load) join() (b buyer, ok bool) {
	key := rand.Text()
	_, ok = l.ask(201, func() answer {
		b, _ = l.s.joinAs(l.event, key)
		return b.joined
	})
	return b, ok
}

func (l *load) purchase(b buyer) bool {
	n := int(l.seats.Add(1)) - 1
	if n >= loadRows*loadRowSeats {
		return false
	}
	seat := seatID(n/loadRowSeats+1, n%loadRowSeats+1)
	create, confirm, finalize := rand.Text(), rand.Text(), rand.Text()
	a, ok := l.ask(201, func() answer { return b.create(create) })
	if !ok {
		return false
	}
	id := a.order().OrderID
	if _, ok = l.ask(202, func() answer { return b.call(id, "confirm", confirm, pay(named(seat), "tok_visa")) }); !ok {
		return false
	}
	if a, ok = l.ask(200, func() answer { return b.call(id, "finalize", finalize, "") }); !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = append(l.finished, bought{b, id, a})
	return true
}

// ask until the answer is definite, and note it; false where it is not the wanted one.
func (l *load) ask(status int, call func() answer) (a answer, ok bool) {
	a = insist(func() answer {
		a := call()
		if a.status == 503 {
			l.mu.Lock()
			l.busy++
			l.mu.Unlock()
		}
		if a.err != nil && !l.mayBeGone {
			a.err = &badAnswerError{a, a.err.Error()}
		}
		return a
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := a.is(status); err != nil {
		l.faults = append(l.faults, err)
		return a, false
	}
	l.said = append(l.said, acknowledged{a, func() answer { return insist(call) }})
	l.done = append(l.done, time.Now())
	return a, true
}

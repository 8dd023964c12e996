package watch

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// askersMax is how many orders are read at once.
	askersMax = 16
	// sweepEvery is how long a lost message may go unnoticed by those who watch an order, where messages are heard; else each
	// poll looks, as nothing else does. At most sweptMax orders are read by one poll, so that very many are read less often.
	sweepEvery = 3 * time.Second
	sweptMax   = 1000
)

// OrderID names an order, and the session whose token was shown.
type OrderID struct {
	EventID            string
	SessionID, OrderID [16]byte
}

// orders that are watched. Each is read at most once at a time, and once more where it was said to have changed
// meanwhile. Its goroutines end when there is nothing to read.
type orders struct {
	hub *Hub

	mu   sync.Mutex
	byID map[[16]byte]*subject
	// queue holds subjects to be read, swept all of them by when they were swept, with some that nobody watches any more.
	queue  []*subject
	swept  []*subject
	askers int
}

// subject is an order and who watches it.
type subject struct {
	id       OrderID
	watchers []*Order
	// queued: it is in the queue. reading: an asker has it; again: and must read it anew.
	queued, reading, again bool
	// swept is when it was last read to find what was lost. It is not moved by other reads: swept's sequence is its own.
	swept time.Time
}

// ErrRefused is an order that may not be shown any more, as its session was left. Its streams end: who comes back is told why.
var ErrRefused = errors.New("watch: the order may not be shown any more")

// Order is one stream's look at an order.
type Order struct {
	hub   *Hub
	id    OrderID
	body  []byte
	final bool
	out   Stream
	// subject is nil where there is nothing to wait for. late: what is being read may be older
	// than what was shown. Both are under the orders' lock.
	subject *subject
	late    bool
	events  uint32
}

func (o *orders) init(h *Hub) { o.hub, o.byID = h, map[[16]byte]*subject{} }

// WatchOrder prepares a look at an order that was just read. Give Closed to its stream, then call Open.
func (h *Hub) WatchOrder(id OrderID, body []byte, final bool) *Order {
	return &Order{hub: h, id: id, body: body, final: final}
}

// Open shows the order, and goes on showing it at each change. One that does not change any more ends its stream.
func (w *Order) Open(out Stream) {
	w.out = out
	if w.final {
		w.show(w.body, true)
		return
	}
	w.show(w.body, false)
	w.hub.orders.enter(w)
}

// Closed says that the stream has ended: once, after Open has returned. It does not block.
func (w *Order) Closed() { w.hub.orders.leave(w) }

func (w *Order) show(body []byte, final bool) {
	w.events++
	if w.body = body; final {
		w.out.End(appendEvent([]byte(retryLong), eventOrder, w.events, body))
		return
	}
	w.out.Send(appendEvent(make([]byte, 0, len(body)+48), eventOrder, w.events, body))
}

// enter has the order read once more: it may have changed since, when nobody watched.
func (o *orders) enter(w *Order) {
	o.hub.mu.Lock()
	defer o.hub.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hub.closed {
		return
	}
	s := o.byID[w.id.OrderID]
	if s == nil {
		s = &subject{id: w.id, swept: time.Now()}
		o.byID[w.id.OrderID] = s
		o.swept = append(o.swept, s)
	}
	o.hub.attend(w.id.EventID)
	s.watchers = append(s.watchers, w)
	w.subject, w.late = s, s.reading
	o.ask(s)
}

func (o *orders) leave(w *Order) {
	o.hub.mu.Lock()
	defer o.hub.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	s := w.subject
	if s == nil {
		return
	}
	o.hub.abandon(w.id.EventID)
	for i, other := range s.watchers {
		if other == w {
			// Copied, as an asker may be telling them.
			s.watchers = append(append([]*Order(nil), s.watchers[:i]...), s.watchers[i+1:]...)
			break
		}
	}
	if len(s.watchers) == 0 {
		delete(o.byID, s.id.OrderID)
	}
}

// changed marks orders that are said to have changed.
func (o *orders) changed(eventID string, ids [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if len(id) != len(OrderID{}.OrderID) {
			continue
		}
		if s := o.byID[[16]byte(id)]; s != nil && s.id.EventID == eventID {
			o.ask(s)
		}
	}
}

// sweep marks those that were not read for long.
func (o *orders) sweep() {
	every := pollEvery / 2 // at each poll, and at none twice
	if s := o.hub.Subscriptions; s != nil && s.Hears() {
		every = sweepEvery
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for n := 0; n < sweptMax && len(o.swept) > 0; {
		s := o.swept[0]
		watched := len(s.watchers) > 0
		if watched && now.Sub(s.swept) < every {
			return
		}
		o.swept[0] = nil
		o.swept = o.swept[1:]
		if watched {
			o.ask(s)
			s.swept = now
			o.swept = append(o.swept, s)
			n++
		}
	}
}

// ask has a subject read; o.mu is held.
func (o *orders) ask(s *subject) {
	switch {
	case s.reading:
		s.again = true
		return
	case s.queued:
		return
	}
	s.queued = true
	o.queue = append(o.queue, s)
	if o.askers < askersMax && o.hub.ctx.Err() == nil {
		o.askers++
		o.hub.wg.Go(o.read)
	}
}

// read reads what is queued until there is nothing.
func (o *orders) read() {
	for {
		s := o.take()
		if s == nil {
			return
		}
		ctx, cancel := context.WithTimeout(o.hub.ctx, readTimeMax)
		body, final, err := o.hub.Order(ctx, s.id)
		cancel()
		refused := errors.Is(err, ErrRefused)
		if !refused {
			o.hub.orderReads.note(o.hub, err)
		}
		for _, w := range o.punctual(s) {
			switch {
			case refused:
				w.out.End(nil)
			case err == nil && !bytes.Equal(w.body, body):
				w.show(body, final)
			}
		}
		o.done(s)
	}
}

// punctual are those who have not been shown something later than what was just read.
func (o *orders) punctual(s *subject) (who []*Order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range s.watchers {
		if !w.late {
			who = append(who, w)
		}
	}
	return who
}

// done with a read, whatever came of it: the next one is later than all that was shown.
func (o *orders) done(s *subject) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range s.watchers {
		w.late = false
	}
	if s.reading = false; s.again {
		s.again = false
		s.queued = true
		o.queue = append(o.queue, s)
	}
}

// take brings the next to be read that is still watched; nil: the asker ends.
func (o *orders) take() *subject {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) > 0 && o.hub.ctx.Err() == nil {
		s := o.queue[0]
		if o.queue = o.queue[1:]; len(o.queue) == 0 {
			o.queue = nil
		}
		if s.queued = false; len(s.watchers) > 0 {
			s.reading = true
			return s
		}
	}
	o.askers--
	return nil
}

// Package watch knows which sessions and orders are looked at on this node, and tells those who look what becomes of them.
//
//  1. What is shown is read from where it is true. What Heard and Look bring says only where to look, and may be lost,
//     doubled or late: admissions, ends and orders are found anyway within seconds, and that somebody has left the line
//     within a minute, or later where more than 10,000 wait on this node.
//  2. A position never grows for whoever watches it, and is told at most once a second.
//  3. Nobody waits for a reader: a Stream takes a frame at once or has ended.
//  4. Goroutines are few: one for each event whose waiting room is watched, some to ask for orders, and one that polls.
//  5. A session is read, which says that its buyer has shown up, only for a stream that was open a moment before.
package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"boxoffice/messages"
)

const (
	// pollEvery is how long a lost message may go unnoticed by those who wait.
	pollEvery = time.Second
	// readTimeMax bounds a read; after one that failed the next is readPause later.
	readTimeMax = 3 * time.Second
	readPause   = time.Second
	// polledMax is how many events a poll reads at once.
	polledMax = 500
	// readsMax is how many lists of sessions are read at once, for all events.
	readsMax = 4
)

// Sessions are read from where they are true; see http.Sessions.
type Sessions interface {
	Visits(ctx context.Context, eventID string, ids [][16]byte) ([]messages.Session, error)
	Progress(ctx context.Context, eventIDs []string) (map[string]*messages.Progress, error)
}

// Subscriptions say which events this node wants to hear of. Calls do not block; each Watch has its Unwatch.
type Subscriptions interface {
	Watch(eventID string)
	Unwatch(eventID string)
	// Hears is false while other nodes are not heard: orders are looked at at each poll then.
	Hears() bool
}

// Stream is a reader's end.
type Stream interface {
	// Send does not block, and is false once the stream is over. The frame must not change any more.
	Send(frame []byte) bool
	// End sends what is last, and closes.
	End(last []byte)
}

// Config is what a Hub needs. Only Subscriptions and Now may be left out.
type Config struct {
	Sessions      Sessions
	Subscriptions Subscriptions
	// Order reads an order as it is shown. final: it will not change any more. ErrRefused: it may not be shown any more.
	Order func(ctx context.Context, o OrderID) (body []byte, final bool, err error)
	// AppendActive and AppendEnded append the data of the events of a session that is ACTIVE, or has ended.
	AppendActive, AppendEnded func(b []byte, s messages.Session) []byte
	// Now is the wall clock; default time.Now. A token is not shown once its time is over by it.
	Now func() time.Time
	// Logger hears when reads begin to fail, and when they succeed again.
	Logger *slog.Logger
	// Metrics count; nil: nobody does.
	Metrics *Metrics
}

// Hub is safe for use by several goroutines. Make it with New; it has no goroutine while nobody watches.
type Hub struct {
	Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	reads  chan struct{}
	// frames and waiters are what may be told and read in a second.
	frames, waiters pace
	orders          orders
	// What may fail by itself.
	progressReads, visitReads, orderReads health

	mu      sync.Mutex
	closed  bool
	polling bool
	rooms   map[string]*room
	// watched counts, by event, rooms and orders.
	watched map[string]int
}

// New makes a hub.
func New(c Config) *Hub {
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Hub{
		Config: c, reads: make(chan struct{}, readsMax), rooms: map[string]*room{}, watched: map[string]int{},
		frames: pace{perSecond: framesPerSecondMax}, waiters: pace{perSecond: waitersPerSecondMax},
		progressReads: health{of: "positions"}, visitReads: health{of: "sessions"}, orderReads: health{of: "orders"},
	}
	h.orders.init(h)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Close ends what the hub does, and waits for it. Streams are left as they are.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.wg.Wait()
}

// Heard takes what is said about an event, whether it is watched here or not. It does not block: who watches is marked.
func (h *Hub) Heard(l *messages.Live) {
	switch what := l.GetWhat().(type) {
	case *messages.Live_Progress:
		h.mu.Lock()
		r := h.rooms[l.GetEventId()]
		h.mu.Unlock()
		if r != nil {
			r.learn(what.Progress, time.Time{})
		}
	case *messages.Live_Orders:
		h.orders.changed(l.GetEventId(), what.Orders.GetOrderIds())
	}
}

// Look has whoever watches the session here told what became of it. It does not block.
func (h *Hub) Look(eventID string, id [16]byte) {
	h.mu.Lock()
	r := h.rooms[eventID]
	h.mu.Unlock()
	if r != nil {
		r.pointOut(id)
	}
}

// attend and abandon count who watches an event; h.mu is held.
func (h *Hub) attend(eventID string) {
	if h.watched[eventID]++; h.watched[eventID] == 1 && h.Subscriptions != nil {
		h.Subscriptions.Watch(eventID)
	}
	if !h.polling {
		h.polling = true
		h.wg.Go(h.poll)
	}
}

func (h *Hub) abandon(eventID string) {
	if h.watched[eventID]--; h.watched[eventID] > 0 {
		return
	}
	delete(h.watched, eventID)
	if h.Subscriptions != nil {
		h.Subscriptions.Unwatch(eventID)
	}
}

// poll reads what may have been missed, as long as anything is watched.
func (h *Hub) poll() {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticks.C:
		}
		h.mu.Lock()
		if len(h.watched) == 0 {
			h.polling = false
			h.mu.Unlock()
			return
		}
		ids := make([]string, 0, len(h.rooms))
		for id := range h.rooms {
			ids = append(ids, id)
		}
		h.mu.Unlock()
		h.orders.sweep()
		for len(ids) > 0 {
			n := min(len(ids), polledMax)
			h.pollSome(ids[:n])
			ids = ids[n:]
		}
	}
}

func (h *Hub) pollSome(ids []string) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(h.ctx, readTimeMax)
	defer cancel()
	found, err := h.Sessions.Progress(ctx, ids)
	h.progressReads.note(h, err)
	for id, p := range found {
		h.mu.Lock()
		r := h.rooms[id]
		h.mu.Unlock()
		if r != nil {
			r.learn(p, begun)
		}
	}
}

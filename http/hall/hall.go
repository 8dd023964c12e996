// Package hall keeps replicas of the seats of events that are looked at on this node, and shows them: as a whole, and to
// streams as they change.
//
//  1. Nothing is shown that was not committed. What Heard and Source bring is from journals; it may be lost, doubled or out
//     of order: what is missing is read from the journal, at once where that is noticed, within a second else.
//  2. A replica's version never goes back, and one that was dropped and is loaded anew is as committed after that. Where the
//     journal itself went back, as that of a database that was restored, the replica is given up, and its streams end.
//  3. What was heard before a call began is in what the call shows, unless the journal cannot be read.
//  4. Who follows a stream has, after each event, the seats of that event's version: without a gap, and nothing twice.
//  5. Nobody waits for a reader, and Heard waits for nobody.
//  6. Memory is bounded: by halls that nobody streams (cacheBytesMax), and by those that somebody does. Goroutines are few:
//     one for each hall that is streamed, one that polls, some that read.
package hall

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"boxoffice/messages"
)

const (
	// loadsMax halls are loaded at once. Who asks for another waits.
	loadsMax = 8
	// readTimeMax bounds a load, with what it waits for others, and every other read.
	readTimeMax = 3 * time.Second
)

var (
	// ErrSeats says that the seats do not fit the plan.
	ErrSeats = errors.New("hall: the seats do not fit the plan")
	// ErrClosed says that the halls have been closed.
	ErrClosed = errors.New("hall: closed")

	errWentBack = errors.New("hall: the journal went back")
)

// Source is where halls are true; see http.Halls.
type Source interface {
	Availability(ctx context.Context, eventID string) (*messages.Availability, error)
	Since(ctx context.Context, after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error)
	Keep(ctx context.Context, eventID string, a *messages.Availability) error
}

// Subscriptions say which events this node wants to hear of. Calls do not block; each Watch has its Unwatch.
type Subscriptions interface {
	Watch(eventID string)
	Unwatch(eventID string)
}

// Section is a part of a hall: so many seats, which follow those of the section before.
type Section struct {
	Name  string
	Seats int
}

// View is a hall as of one version.
type View struct {
	EventID string
	Version uint64
	// AsOf is when this was known to be all that had been committed, in milliseconds since the Unix epoch by Config.Now: when
	// the last read of the journal that succeeded began, or the last message came. Other clocks have no part in it.
	AsOf int64
	// Seats has a letter for each: A available, H held, S sold, B blocked.
	Seats    []byte
	Sections []Section
}

// Config is what Halls need. Only Subscriptions and Now may be left out.
type Config struct {
	Source        Source
	Subscriptions Subscriptions
	// Sections of an event's plan; *messages.EventNotFoundError where there is none.
	Sections func(ctx context.Context, eventID string) ([]Section, error)
	// Append appends the JSON of a view, on one line.
	Append func(b []byte, v View) []byte
	// Pack makes of that JSON what is kept and handed out; see Shown.Body.
	Pack func(json []byte) any
	// Now is the wall clock; default time.Now. It says as of when a hall is shown.
	Now func() time.Time
	// Logger hears when reads begin to fail, and when they succeed again.
	Logger *slog.Logger
	// Metrics count; nil: nobody does.
	Metrics *Metrics
}

// Halls is safe for use by several goroutines. Make it with New; it has no goroutine while there is no hall.
type Halls struct {
	Config
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	loads  chan struct{}
	reads  health
	// cacheBytes is cacheBytesMax, but in tests.
	cacheBytes uint64

	mu      sync.RWMutex
	closed  bool
	polling bool
	keeping bool
	byID    map[string]*Hall
	// gaps are the halls to be repaired; there is a goroutine for them while repairing.
	gaps      map[*Hall]struct{}
	repairing bool
	// cache says how long halls stay that nobody streams; nil before the first.
	cache *otter.Cache[string, *stay]
}

// New makes halls.
func New(c Config) *Halls {
	if c.Now == nil {
		c.Now = time.Now
	}
	hs := &Halls{
		Config: c, loads: make(chan struct{}, loadsMax), byID: map[string]*Hall{}, gaps: map[*Hall]struct{}{},
		cacheBytes: cacheBytesMax,
	}
	hs.ctx, hs.cancel = context.WithCancel(context.Background())
	return hs
}

// Close ends what the halls do, and waits for it. Streams are left as they are; what is in memory is still shown.
func (hs *Halls) Close() {
	hs.mu.Lock()
	hs.closed = true
	cache := hs.cache
	hs.mu.Unlock()
	hs.cancel()
	hs.wg.Wait()
	if cache != nil {
		cache.StopAllGoroutines()
	}
}

// Heard takes what is said about an event's seats, whether these are looked at here or not. It does not block, and what
// it brings is shown from its return on. The message must not change any more.
func (hs *Halls) Heard(eventID string, m *messages.SeatsMoved) {
	hs.mu.RLock()
	h := hs.byID[eventID]
	hs.mu.RUnlock()
	if h == nil {
		return
	}
	switch h.hear(m, hs.Now().UnixMilli()) {
	case lackNothing:
	case lackEntries:
		hs.mend(h)
	case lackTruth:
		hs.reload(h)
	}
}

// Loaded brings a hall that is in memory; nil: Find it.
func (hs *Halls) Loaded(eventID string) *Hall {
	hs.mu.RLock()
	h := hs.byID[eventID]
	cache := hs.cache
	hs.mu.RUnlock()
	if h == nil {
		return nil
	}
	select {
	case <-h.ready:
	default:
		return nil
	}
	if h.err != nil {
		return nil
	}
	cache.GetIfPresent(eventID) // it was looked at
	hs.Metrics.looked(true)
	return h
}

// Find brings a hall, and loads it where it is not in memory. The error is *messages.EventNotFoundError, ErrSeats, or
// says that it could not be read.
func (hs *Halls) Find(ctx context.Context, eventID string) (*Hall, error) {
	if h := hs.Loaded(eventID); h != nil {
		return h, nil
	}
	hs.Metrics.looked(false)
	hs.mu.Lock()
	h := hs.find(eventID)
	hs.mu.Unlock()
	if h == nil {
		return nil, ErrClosed
	}
	select {
	case <-h.ready:
		return h, h.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

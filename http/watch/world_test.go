package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"boxoffice/http/watch"
	"boxoffice/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the truth that a hub reads, and what it says of whom it listens to.
type world struct {
	t   *testing.T
	hub *watch.Hub

	mu       sync.Mutex
	sessions map[[16]byte]messages.Session
	progress map[string]*messages.Progress
	err      error
	visits   int // calls
	visited  map[[16]byte]int
	ids      int // of all calls
	orders   map[[16]byte]string
	refused  map[[16]byte]error
	log      bytes.Buffer
	final    bool
	asked    int
	asking   int
	mostAsks int
	askTime  time.Duration
	watching map[string]int
	deaf     bool
}

// inBubble runs a test on a clock that moves when nothing else does. All goroutines must end with it.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, sessions: map[[16]byte]messages.Session{}, progress: map[string]*messages.Progress{}, visited: map[[16]byte]int{},
			orders: map[[16]byte]string{}, refused: map[[16]byte]error{}, watching: map[string]int{},
		}
		w.hub = watch.New(watch.Config{
			Sessions: w, Subscriptions: w, Order: w.order, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
			AppendActive: func(b []byte, s messages.Session) []byte {
				return fmt.Appendf(b, `{"until":%d}`, s.ActiveUntil)
			},
			AppendEnded: func(b []byte, s messages.Session) []byte { return fmt.Appendf(b, `{"status":"%s"}`, s.Status) },
		})
		defer w.hub.Close()
		test(t, w)
	})
}

func (w *world) Visits(_ context.Context, eventID string, ids [][16]byte) (all []messages.Session, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visits++; len(ids) == 0 || len(ids) > 500 {
		w.t.Errorf("%d read at once", len(ids))
	}
	if w.err != nil {
		return nil, w.err
	}
	w.ids += len(ids)
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			w.t.Error("read twice at once")
		}
		if s, ok := w.sessions[id]; ok && s.EventID == eventID {
			w.visited[id]++
			all = append(all, w.seen(s))
		}
	}
	return all, nil
}

// seen is a session with its position.
func (w *world) seen(s messages.Session) messages.Session {
	p := w.progress[s.EventID]
	if s.Status == messages.SessionWaiting && p.GetOnSale() {
		s.Position, s.PerSecond = s.Place-p.GetHead(), p.GetPerSecond()
	}
	return s
}

func (w *world) Progress(_ context.Context, ids []string) (map[string]*messages.Progress, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	found := map[string]*messages.Progress{}
	for _, id := range ids {
		if p := w.progress[id]; p != nil {
			found[id] = p
		}
	}
	return found, nil
}

func (w *world) Watch(id string)   { w.watching[id]++ }
func (w *world) Unwatch(id string) { w.watching[id]-- }

func (w *world) Hears() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.deaf
}

var errAway = errors.New("away")

func (w *world) order(ctx context.Context, id watch.OrderID) ([]byte, bool, error) {
	w.mu.Lock()
	w.asked++
	w.asking++
	w.mostAsks = max(w.mostAsks, w.asking)
	body, final, err, wait := w.orders[id.OrderID], w.final, w.err, w.askTime
	if refused := w.refused[id.OrderID]; refused != nil {
		err = refused
	}
	w.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking--
	return []byte(body), final, err
}

// fail lets reads fail, or not.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func id(n int) (id [16]byte) {
	copy(id[:], strconv.Itoa(n))
	return id
}

// wait puts a session of E1 in line; its place is its number.
func (w *world) wait(n int) messages.Session {
	s := messages.Session{EventID: "E1", SessionID: id(n), Place: uint64(n), Status: messages.SessionWaiting}
	w.set(s)
	return s
}

func (w *world) set(s messages.Session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions[s.SessionID] = s
}

// admit lets all up to a place in, for ttl, and says nothing of it.
func (w *world) admit(head int, ttl time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress["E1"] = &messages.Progress{Head: uint64(head), PerSecond: 10, OnSale: true}
	for id, s := range w.sessions {
		if s.Status == messages.SessionWaiting && s.Place <= uint64(head) {
			s.Status, s.ActiveUntil = messages.SessionActive, time.Now().Add(ttl).UnixMilli()
			w.sessions[id] = s
		}
	}
}

func (w *world) become(n int, status messages.SessionStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.sessions[id(n)]
	s.Status = status
	w.sessions[id(n)] = s
}

func (w *world) setOrder(n int, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders[id(n)] = body
}

// askedUntilNow is how often an order was read.
func (w *world) askedUntilNow() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// say broadcasts how the line stands.
func (w *world) say(head int, perSecond float64) {
	w.hub.Heard(&messages.Live{EventId: "E1", What: &messages.Live_Progress{Progress: &messages.Progress{
		Head: uint64(head), PerSecond: perSecond, OnSale: true,
	}}})
}

func (w *world) changed(orders ...[16]byte) {
	ids := [][]byte{nil, []byte("short")}
	for _, id := range orders {
		ids = append(ids, id[:])
	}
	w.hub.Heard(&messages.Live{EventId: "E1", What: &messages.Live_Orders{Orders: &messages.OrdersChanged{OrderIds: ids}}})
}

// tape is a stream that keeps what it is sent.
type tape struct {
	mu     sync.Mutex
	closed func()
	frames []string
	at     []time.Time
	ended  bool
	begun  time.Time
}

func (t *tape) Send(frame []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.frames, t.at = append(t.frames, string(frame)), append(t.at, time.Now())
	return true
}

func (t *tape) End(last []byte) {
	if t.Send(last) {
		t.mu.Lock()
		t.ended = true
		t.mu.Unlock()
		// As the transport does: later, and once.
		go t.closed()
	}
}

// hangUp is the client's end.
func (t *tape) hangUp() {
	t.mu.Lock()
	ended := t.ended
	t.ended = true
	t.mu.Unlock()
	if !ended {
		t.closed()
	}
}

// open a stream for a session as it is now.
func (w *world) open(n int) *tape {
	w.mu.Lock()
	s := w.seen(w.sessions[id(n)])
	w.mu.Unlock()
	look := w.hub.Watch(s)
	t := &tape{closed: look.Closed, begun: time.Now()}
	look.Open(t)
	return t
}

func (w *world) openOrder(n int, body string) *tape {
	look := w.hub.WatchOrder(watch.OrderID{EventID: "E1", OrderID: id(n)}, []byte(body), false)
	t := &tape{closed: look.Closed, begun: time.Now()}
	look.Open(t)
	return t
}

var frameForm = regexp.MustCompile(`^(retry: \d+\n)?event: (\S+)\nid: (\d+)\ndata: (\{.*\})\n\n$`)

// told is what it was sent, as "+0ms position 7 1" or "active", with the time since it was opened where at is set.
func (t *tape) told(at bool) (events []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, frame := range t.frames {
		if frame == "" && t.ended && i == len(t.frames)-1 {
			return append(events, "end")
		}
		m := frameForm.FindStringSubmatch(frame)
		if m == nil || m[3] != strconv.Itoa(i+1) || (m[1] != "") != (t.ended && i == len(t.frames)-1 && m[2] != "" && strings.Contains(frame, "retry")) {
			events = append(events, "malformed "+frame)
			continue
		}
		e := strings.TrimPrefix(m[2], "waiting-room-") + " " + strings.NewReplacer(`{"position":`, "", `,"etaSeconds":`, " ", `{"status":"`, "", `{`, "", `"`, "", "}", "").Replace(m[4])
		if at {
			e = fmt.Sprintf("+%v ", t.at[i].Sub(t.begun).Round(time.Millisecond)) + e
		}
		events = append(events, e)
	}
	return events
}

func (t *tape) want(tb testing.TB, events ...string) {
	tb.Helper()
	if got := t.told(strings.HasPrefix(slices.Concat(events, []string{""})[0], "+")); !slices.Equal(got, events) {
		tb.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(events, "\n"))
	}
}

// after lets time pass, and then whatever is due be done.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

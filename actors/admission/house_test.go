package admission_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/messages"
)

// house is a node that admits to one event.
type house struct {
	testing.TB
	node *cluster.Node
	env  admission.Env
	log  *logged

	mu     sync.Mutex
	rooms  rooms
	claims int
	admits int
	acked  []string
	told   []*messages.Progress
	// onAdmit, if set, is called instead of each Admit; it may call it.
	onAdmit func(ctx context.Context, admit func() (messages.Admitted, error)) (messages.Admitted, error)
	onClaim func(*messages.AdmissionClaim)
	onTold  func()

	entries chan string
}

type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// newHouse makes a node; change, if given, changes what it has of the world. One buyer is let in every 100 ms.
func newHouse(t testing.TB, change func(*house)) *house {
	t.Helper()
	h := &house{TB: t, log: new(logged), entries: make(chan string, 100)}
	h.rooms = rooms{limit: 1_000, perSecond: 10, ttl: 600_000}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.env = admission.Env{
		Rooms: h, Demand: h, Live: h, Clock: cluster.NewClock(), Log: log,
		Claims: cluster.NewPool(2, 8), Admissions: cluster.NewPool(2, 8), Pulls: cluster.NewPool(4, 8),
	}
	if change != nil {
		change(h)
	}
	h.node = cluster.NewNode(actors.Env{Log: log}, h.env, func() bool { return true })
	return h
}

func now() int64 { return time.Now().UnixMilli() }

func (h *house) Claim(context.Context, string) (messages.AdmissionClaim, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims++
	h.rooms.epoch++
	c := messages.AdmissionClaim{Epoch: h.rooms.epoch}
	if h.onClaim != nil {
		h.onClaim(&c)
	}
	return c, nil
}

func (h *house) Admit(ctx context.Context, m messages.Admit) (messages.Admitted, error) {
	admit := func() (messages.Admitted, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.admits++
		return h.rooms.admit(now(), m)
	}
	h.mu.Lock()
	hook := h.onAdmit
	h.mu.Unlock()
	if hook != nil {
		return hook(ctx, admit)
	}
	return admit()
}

func (h *house) Recover(context.Context, string) ([]string, error) { return nil, nil }

func (h *house) Pull(ctx context.Context, _ string) ([]string, error) {
	wait := time.NewTimer(time.Second)
	defer wait.Stop()
	select {
	case id := <-h.entries:
		return []string{id}, nil
	case <-wait.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *house) Ack(_ context.Context, _ string, ids []string) error {
	h.set(func() { h.acked = append(h.acked, ids...) })
	return nil
}

func (h *house) Publish(m *messages.Live) {
	h.set(func() {
		h.told = append(h.told, m.GetProgress())
		if h.onTold != nil {
			h.onTold()
		}
	})
}

func (h *house) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// join as many who have to wait.
func (h *house) join(n int) {
	h.set(func() {
		for range n {
			h.rooms.sessions = append(h.rooms.sessions, &session{place: uint64(len(h.rooms.sessions) + 1), status: messages.SessionWaiting, joinedAt: now()})
		}
	})
}

// pass some of the bubble's time, and let everything come to rest.
func (h *house) pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's time
	synctest.Wait()
}

// waiting is how many do.
func (h *house) waiting() (n int) {
	h.set(func() { n = len(h.rooms.having(messages.SessionWaiting)) })
	return n
}

// counts of what has happened up to now.
type counts struct{ claims, admits, acked, told, head int }

func (h *house) now() (c counts) {
	h.set(func() {
		c = counts{h.claims, h.admits, len(h.acked), len(h.told), 0}
		if c.told > 0 {
			c.head = int(h.told[c.told-1].GetHead())
		}
	})
	return c
}

func (h *house) expect(what string, got, want int) {
	h.Helper()
	if got != want {
		h.Errorf("%s: %d, want %d", what, got, want)
	}
}

// end the node, and let what lingers of protoactor's go.
func (h *house) end() {
	h.node.Drain(h.Context())
	h.pass(10 * time.Second)
}

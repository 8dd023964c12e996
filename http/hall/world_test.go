package hall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"boxoffice/messages"
)

// No goroutine of halls outlives their Close. The binary runs itself as the benchmark's clients.
func TestMain(m *testing.M) {
	if to := os.Getenv(clientsEnv); to != "" {
		runClients(to)
		return
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps its clock for the process and its pools' cleaners for seconds.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// journal is a Source: halls of so many seats each, and what has moved in them. Events are those whose name begins with E.
type journal struct {
	mu      sync.Mutex
	halls   map[string]*truth
	seats   int
	err     error // of all reads
	forgets int   // entries that Since does not know any more

	loads, sinces, keeps int
	keptAhead            int // of what never was
	watched              map[string]int
	// gate, where not nil, lets one load pass each time.
	gate chan struct{}
}

// truth is a hall as its owner has it.
type truth struct {
	seats   []byte
	version uint64
	entries []*messages.SeatsMoved
}

func newJournal(seats int) *journal {
	return &journal{halls: map[string]*truth{}, seats: seats, watched: map[string]int{}}
}

// at brings the version and the seats.
func (j *journal) at(id string) (uint64, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.of(id)
	return t.version, string(t.seats)
}

// of is called with the lock held.
func (j *journal) of(id string) *truth {
	if j.halls[id] == nil {
		j.halls[id] = &truth{seats: bytes.Repeat([]byte{'A'}, j.seats), version: 1}
	}
	return j.halls[id]
}

// end of the journal.
func (t *truth) end() uint64 {
	if len(t.entries) == 0 {
		return 1
	}
	return t.entries[len(t.entries)-1].GetVersion()
}

var errAway = errors.New("the database is away")

func (j *journal) Availability(ctx context.Context, id string) (*messages.Availability, error) {
	if j.gate != nil {
		select {
		case <-j.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.loads++; j.err != nil {
		return nil, j.err
	}
	t := j.of(id)
	return &messages.Availability{Version: t.version, Seats: bytes.Clone(t.seats)}, nil
}

func (j *journal) Since(_ context.Context, after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sinces++; j.err != nil {
		return nil, j.err
	}
	found := map[string][]*messages.SeatsMoved{}
	for id, version := range after {
		t := j.of(id)
		if end := t.end(); version > end {
			found[id] = []*messages.SeatsMoved{{Version: end, Previous: end}}
		}
		for i, m := range t.entries {
			if m.GetVersion() > version && i >= j.forgets && len(found[id]) < most {
				found[id] = append(found[id], m)
			}
		}
	}
	return found, nil
}

func (j *journal) Keep(_ context.Context, id string, a *messages.Availability) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.keeps++; a.GetVersion() > j.of(id).version {
		j.keptAhead++
	}
	return nil
}

func (j *journal) Watch(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watched[id]++
}

func (j *journal) Unwatch(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.watched[id]--; j.watched[id] == 0 {
		delete(j.watched, id)
	}
}

// counts since the last call of this.
func (j *journal) counts() (loads, sinces, keeps int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() { j.loads, j.sinces, j.keeps = 0, 0, 0 }()
	return j.loads, j.sinces, j.keeps
}

// wantCounts is what was read since the last call.
func (j *journal) wantCounts(t *testing.T, loads, sinces int) {
	t.Helper()
	if l, s, _ := j.counts(); l != loads || s != sinces {
		t.Errorf("%d loads and %d reads of the journal, want %d and %d", l, s, loads, sinces)
	}
}

// listening is how many events somebody hears of.
func (j *journal) listening() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.watched)
}

func (hs *Halls) size() int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return len(hs.byID)
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// commit an entry that gives seats other letters, and brings what is said about it.
func (j *journal) commit(id string, to map[int]byte) *messages.SeatsMoved {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.of(id)
	m := &messages.SeatsMoved{Previous: t.version, Version: t.version + 1 + uint64(len(to)%3)}
	for i := range t.seats {
		l, ok := to[i]
		if !ok || t.seats[i] == l {
			continue
		}
		t.seats[i] = l
		switch l {
		case 'A':
			m.Available = append(m.Available, uint32(i))
		case 'H':
			m.Held = append(m.Held, uint32(i))
		case 'S':
			m.Sold = append(m.Sold, uint32(i))
		default:
			m.Blocked = append(m.Blocked, uint32(i))
		}
	}
	t.version = m.GetVersion()
	t.entries = append(t.entries, m)
	return m
}

// restore the seats as they were at first: what was committed is after the moment that a load sees.
func (j *journal) restore(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.of(id)
	t.version, t.seats = 1, bytes.Repeat([]byte{'A'}, j.seats)
}

// goBack restores the journal as it was n entries ago.
func (j *journal) goBack(id string, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t := j.of(id)
	t.entries = t.entries[:len(t.entries)-n]
	t.version, t.seats = t.end(), bytes.Repeat([]byte{'A'}, j.seats)
	for _, m := range t.entries {
		for letter, seats := range statesOf(m) {
			for _, i := range seats {
				t.seats[i] = letters[letter]
			}
		}
	}
}

// some commits a change of a few seats.
func (j *journal) some(r *rand.Rand, id string) *messages.SeatsMoved {
	to := map[int]byte{}
	for range 1 + r.IntN(4) {
		to[r.IntN(j.seats)] = letters[r.IntN(len(letters))]
	}
	return j.commit(id, to)
}

// halls on the journal. Bodies are the JSON itself.
func (j *journal) open() *Halls {
	return New(Config{
		Source: j, Subscriptions: j, Pack: func(b []byte) any { return b }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sections: func(_ context.Context, id string) ([]Section, error) {
			if !strings.HasPrefix(id, "E") {
				return nil, &messages.EventNotFoundError{EventID: id}
			}
			return []Section{{Name: "D", Seats: 3}, {Name: "E", Seats: j.seats - 3}}, nil
		},
		Append: func(b []byte, v View) []byte {
			return fmt.Appendf(b, `{"version":%d,"asOf":%d,"seats":%q}`, v.Version, v.AsOf, v.Seats)
		},
	})
}

// shown is a body.
type shown struct {
	Version uint64
	AsOf    int64
	Seats   string
}

func (hs *Halls) get(t testing.TB, id string) (s shown) {
	t.Helper()
	h, err := hs.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	version := h.Version()
	body := h.Show()
	if err := json.Unmarshal(body.Body.([]byte), &s); err != nil {
		t.Fatal(err)
	}
	if s.Version < version || s.Version != body.Version || body.ETag != ETag(s.Version) {
		t.Fatalf("shown %d as %s, at %d or later", s.Version, body.ETag, version)
	}
	return s
}

// client applies what its streams bring, and fails the test where that does not follow.
type client struct {
	t       testing.TB
	version uint64
	seats   []byte
	w       *Watcher
	*pipe
	snapshots, deltas int
	// again are the versions that it had when it was given all seats once more.
	again []uint64
	// adopts: it also takes what it gets otherwise, so that it may be ahead of its stream.
	adopts bool
}

// pipe is one stream.
type pipe struct {
	mu     sync.Mutex
	frames [][]byte
	ended  bool
	last   []byte
}

func (p *pipe) Send(frame []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, frame)
	return true
}

// take brings what was not read yet.
func (p *pipe) take() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	frames := p.frames
	p.frames = nil
	return frames
}

func (p *pipe) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *pipe) End(last []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.last = true, last
}

// connect with what the client has; "" where it has nothing.
func (c *client) connect(hs *Halls, id string) {
	c.t.Helper()
	last := ""
	if c.version > 0 {
		last = strconv.FormatUint(c.version, 10)
	}
	c.connectWith(hs, id, last)
}

func (c *client) connectWith(hs *Halls, id, last string) {
	c.t.Helper()
	w, err := hs.Watch(c.t.Context(), id, last)
	if err != nil {
		c.t.Fatal(err)
	}
	c.w, c.pipe = w, &pipe{}
	w.Open(c.pipe)
}

// disconnect loses what was not read.
func (c *client) disconnect() { c.w.Closed() }

// read applies up to n frames.
func (c *client) read(n int) {
	c.t.Helper()
	c.mu.Lock()
	n = min(n, len(c.frames))
	frames := c.frames[:n]
	c.frames = c.frames[n:]
	c.mu.Unlock()
	for _, f := range frames {
		for event := range strings.SplitSeq(strings.TrimSuffix(string(f), "\n\n"), "\n\n") {
			c.apply(event)
		}
	}
}

func (c *client) apply(event string) {
	c.t.Helper()
	lines := strings.Split(event, "\n")
	if len(lines) != 3 {
		c.t.Fatalf("%q", event)
	}
	data := strings.TrimPrefix(lines[2], "data: ")
	switch lines[0] {
	case "event: snapshot":
		var s shown
		if err := json.Unmarshal([]byte(data), &s); err != nil || s.Version < c.version {
			c.t.Fatalf("at %d: %s %v", c.version, data, err)
		}
		if c.version > 0 {
			c.again = append(c.again, c.version)
		}
		c.version, c.seats = s.Version, []byte(s.Seats)
		c.snapshots++
	case "event: delta":
		var d struct {
			Version, Previous uint64
			Changes           map[string][]int
		}
		err := json.Unmarshal([]byte(data), &d)
		if c.adopts && d.Version <= c.version {
			return
		}
		if follows := d.Previous == c.version || c.adopts && d.Previous < c.version; err != nil || !follows || d.Version <= c.version {
			c.t.Fatalf("at %d: %s %v", c.version, data, err)
		}
		for letter, seats := range d.Changes {
			for _, i := range seats {
				c.seats[i] = letter[0]
			}
		}
		c.version = d.Version
		c.deltas++
	default:
		c.t.Fatalf("%q", event)
	}
	if lines[1] != "id: "+strconv.FormatUint(c.version, 10) {
		c.t.Fatalf("%q at %d", lines[1], c.version)
	}
}

// eventually waits for real time where a test has no bubble.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	late, tick := time.NewTimer(20*time.Second), time.NewTicker(time.Millisecond)
	defer late.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatal("waited in vain: ", what)
		}
	}
}

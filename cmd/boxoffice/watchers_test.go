package main_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

// retryWidth is what the server's `retry:` must be spread over, and retryPileMax the share of all that may come back in one
// tenth of that time: who lost the server at one moment must not come back at one.
const (
	retryWidth   = 2 * time.Second
	retryPileMax = 0.25
)

// Goal: the server is killed and stopped under a thousand who watch a hall while others buy. All come back, with a pause
// of their own, go on exactly behind the last delta that they applied, without another snapshot, and see at every version
// what everybody sees at that version, and what availability answers.
// Method: each keeps a hall as a browser does. Whoever is first at a version says what it looks like.
func TestWatchersResume(t *testing.T) {
	t.Parallel()
	database, redis := pgtest.New(t), pgtest.Redis(t)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(20, 10), map[string]any{"maxOrdersPerSession": 100, "holdTtlSeconds": 2})
	truth := &versions{seen: map[uint64]string{}}
	watchers := make([]*watcher, many(1_000))
	each(t, len(watchers), func(i int) error {
		watchers[i] = &watcher{s: s, truth: truth}
		return watchers[i].listen()
	})
	over := make(chan struct{})
	var running sync.WaitGroup
	for range 6 {
		running.Go(func() { churn(s, over) })
	}
	for _, w := range watchers {
		running.Go(func() { w.stay(over) })
	}
	running.Go(func() { truth.poll(s, over) })
	for _, down := range []func(){s.kill, func() { s.terminate() }} {
		atLeast(t, watchers, truth.latest()+30)
		down()
		s.run()
		s.ready(t)
	}
	atLeast(t, watchers, truth.latest()+30)
	close(over)
	running.Wait()
	// What is held still comes back by itself: the end is when nothing is held any more.
	until(t, patience, func() error { return s.quiet("E1") })
	letters, version, err := s.letters("E1")
	must(t, err)
	each(t, len(watchers), func(i int) error {
		return poll(patience, func() error { return watchers[i].shows(letters, version) })
	})
	audit(t, watchers)
	for _, w := range watchers {
		w.stream.close()
	}
	verify(t, database)
}

// versions are what a hall looked like.
type versions struct {
	mu   sync.Mutex
	seen map[uint64]string
	last uint64
}

// check is nil where everybody who was at this version saw the same.
func (v *versions) check(version uint64, letters string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.seen[version]
	if !ok {
		v.seen[version], v.last = letters, max(v.last, version)
		return nil
	}
	if known != letters {
		return fmt.Errorf("version %d was shown as\n%s\nand as\n%s", version, known, letters)
	}
	return nil
}

func (v *versions) latest() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

// poll what availability answers, which must fit as well, and never goes back.
func (v *versions) poll(s *server, over <-chan struct{}) {
	var before uint64
	for {
		if letters, version, err := s.letters("E1"); err == nil { // else it is down
			if err := v.check(version, letters); err != nil || version < before {
				s.t.Errorf("availability goes from version %d to %d: %v", before, version, err)
				return
			}
			before = version
		}
		select {
		case <-over:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// watcher keeps a hall by what its stream says.
type watcher struct {
	s      *server
	truth  *versions
	stream *stream

	mu                 sync.Mutex
	letters            []byte
	version            uint64
	snapshots, resumed int
	retries            []int
	fault              error
}

func (w *watcher) listen() error {
	w.mu.Lock()
	last := ""
	if w.version > 0 {
		last = strconv.FormatUint(w.version, 10)
	}
	w.mu.Unlock()
	st, err := w.s.resume("/api/sse/events/E1/availability", last, w.hear)
	if err == nil {
		w.stream = st
	}
	return err
}

// stay until it is over: whoever loses the server comes back after a tenth of the time that it was asked to wait.
func (w *watcher) stay(over <-chan struct{}) {
	wait := 0
	for {
		if wait == 0 {
			select {
			case <-over:
				return
			case <-w.stream.ended:
			}
			wait = w.stream.retry
			w.mu.Lock()
			w.retries = append(w.retries, wait)
			w.mu.Unlock()
			if !errors.Is(w.stream.err, io.EOF) && !errors.Is(w.stream.err, syscall.ECONNRESET) {
				w.fail(fmt.Errorf("the stream ended: %w", w.stream.err))
				return
			}
		}
		select {
		case <-over:
		case <-time.After(time.Duration(wait) * time.Millisecond / 10):
		}
		if w.listen() == nil {
			w.mu.Lock()
			w.resumed++
			w.mu.Unlock()
			wait = 0
		}
	}
}

func (w *watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == nil {
		w.fault = err
	}
}

// hear applies what the stream says, as api.md has it.
func (w *watcher) hear(event told) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		return
	}
	if w.fault = w.apply(event); w.fault == nil {
		w.fault = w.truth.check(w.version, string(w.letters))
	}
}

func (w *watcher) apply(event told) error {
	switch event.name {
	case "snapshot":
		var v struct {
			Version  uint64
			Sections []struct{ Seats string }
		}
		if err := json.Unmarshal(event.data, &v); err != nil {
			return err
		}
		if v.Version < w.version {
			return fmt.Errorf("a snapshot of version %d after version %d", v.Version, w.version)
		}
		w.snapshots++
		w.version, w.letters = v.Version, nil
		for _, section := range v.Sections {
			w.letters = append(w.letters, section.Seats...)
		}
	case "delta":
		var d struct {
			Version, Previous uint64
			Changes           map[string][]int
		}
		if err := json.Unmarshal(event.data, &d); err != nil {
			return err
		}
		if d.Previous != w.version || d.Version <= d.Previous {
			return fmt.Errorf("version %d is followed by a delta from %d to %d", w.version, d.Previous, d.Version)
		}
		for letter, seats := range d.Changes {
			for _, i := range seats {
				w.letters[i] = letter[0]
			}
		}
		w.version = d.Version
	default:
		return fmt.Errorf("an event named %q", event.name)
	}
	if event.id != strconv.FormatUint(w.version, 10) {
		return fmt.Errorf("version %d has the id %s", w.version, event.id)
	}
	return nil
}

// shows is nil where it keeps this.
func (w *watcher) shows(letters string, version uint64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.fault != nil:
		return w.fault
	case w.version != version || string(w.letters) != letters:
		return fmt.Errorf("it shows version %d as\n%s\nnot version %d as\n%s", w.version, w.letters, version, letters)
	}
	return nil
}

// atLeast waits until every watcher is at a version or above.
func atLeast(t *testing.T, watchers []*watcher, version uint64) {
	t.Helper()
	until(t, patience, func() error {
		for _, w := range watchers {
			w.mu.Lock()
			at, fault := w.version, w.fault
			w.mu.Unlock()
			if fault != nil {
				t.Fatal(fault)
			}
			if at < version {
				return fmt.Errorf("a watcher is at version %d, not %d", at, version)
			}
		}
		return nil
	})
}

// audit what the watchers went through.
func audit(t *testing.T, watchers []*watcher) {
	t.Helper()
	var retries []int
	for i, w := range watchers {
		if w.fault != nil {
			t.Fatalf("watcher %d: %v", i, w.fault)
		}
		if w.snapshots != 1 || w.resumed < 2 {
			t.Errorf("watcher %d got %d snapshots and came back %d times, want 1 and 2 at least", i, w.snapshots, w.resumed)
		}
		retries = append(retries, w.retries[0])
	}
	slices.Sort(retries)
	if width := time.Duration(retries[len(retries)-1]-retries[0]) * time.Millisecond; width < retryWidth {
		t.Errorf("all come back within %v", width)
	}
	window, pile := int(retryWidth.Milliseconds()/10), 0
	for i := range retries {
		for j := i; j < len(retries) && retries[j]-retries[i] <= window; j++ {
			pile = max(pile, j-i+1)
		}
	}
	if share := float64(pile) / float64(len(retries)); share > retryPileMax {
		t.Errorf("%.0f %% come back within %d ms", 100*share, window)
	}
}

// churn holds, buys, cancels and forgets seats until it is over; while the server is away it tries again.
func churn(s *server, over <-chan struct{}) {
	for turn := 0; ; turn++ {
		select {
		case <-over:
			return
		default:
		}
		b, id, err := s.newOrder("E1")
		if err != nil {
			select {
			case <-over:
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if b.call(id, "reserve", rand.Text(), `{`+named(seatID(1+chance(20), 1+chance(10)), seatID(1+chance(20), 1+chance(10)))+`}`).is(200) != nil {
			continue
		}
		switch turn % 10 {
		case 0: // runs out
		case 1:
			if b.call(id, "confirm", rand.Text(), pay("", "tok_visa")).is(202) == nil {
				_ = insist(func() answer { return b.call(id, "finalize", "one-key", "") })
			}
		default:
			_ = b.call(id, "cancel", rand.Text(), "")
		}
	}
}

func chance(n int64) int {
	i, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err)
	}
	return int(i.Int64())
}

// letters of all seats, and their version.
func (s *server) letters(event string) (letters string, version uint64, err error) {
	a := s.get("/api/events/" + event + "/availability")
	if err := a.is(200); err != nil {
		return "", 0, err
	}
	var v struct {
		Version  uint64
		Sections []struct{ Seats string }
	}
	a.into(&v)
	for _, section := range v.Sections {
		letters += section.Seats
	}
	return letters, v.Version, nil
}

// quiet is nil where no seat of the event is held.
func (s *server) quiet(event string) error {
	letters, _, err := s.letters(event)
	if held := strings.Count(letters, "H"); err == nil && held > 0 {
		err = fmt.Errorf("%d seats are held", held)
	}
	return err
}

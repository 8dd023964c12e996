package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	doorsPerSecond = 500
	// heardWithin is promised: the time from an admission's commit to its word at the client.
	heardWithin = time.Second
	// heardWithinAll bounds the worst of all on a machine that is busy with other things.
	heardWithinAll = 5 * time.Second
	// streamBytesMax is what a stream may cost the server.
	streamBytesMax = 3 << 10
	// baselineBytes and baselineGoroutines are what may be left of a crowd that has gone: pools' and caches' noise.
	baselineBytes, baselineGoroutines = 4 << 20, 20
)

// doorsWaiter listens before the doors.
type doorsWaiter struct {
	*stream
	id       string
	place    int64
	position atomic.Int64 // told last
	active   atomic.Int64 // when it was told, in ms; 0: not yet
	fault    atomic.Pointer[error]
}

// Goal: when the doors open, who is let in hears of it within a second, everybody else is told the right position, and
// nothing is left of them in the server once they are gone. Method: 5,000 listen to their sessions before the sale begins,
// on connections of their own; times are the table's and this process', on one machine.
func doorsOpen(t *testing.T) {
	waiting, limit := many(5_000), many(1_000)
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(2, 10), notYet(waitingRoom(limit, 600, doorsPerSecond, 1)))
	c := newCrowd(t, s)
	ids := c.joinAll(t, "E1", waiting, func(int) string { return "" })
	c.client.CloseIdleConnections()
	places := placesOf(t, database, "E1")
	waiters := make([]*doorsWaiter, waiting)
	for i, id := range ids {
		waiters[i] = &doorsWaiter{id: id, place: places[id]}
	}
	var before footprint
	until(t, patience, func() (err error) { // the joins' connections are gone
		if before, err = s.footprint(); err == nil && before.files > crowdConns {
			err = fmt.Errorf("%+v", before)
		}
		return err
	})
	t.Logf("before: %+v", before)
	each(t, crowdConns, func(n int) error {
		for i := n; i < waiting; i += crowdConns {
			if err := waiters[i].listen(s); err != nil {
				return err
			}
		}
		return nil
	})
	if t.Failed() {
		return
	}
	full, err := s.footprint()
	must(t, err)
	t.Logf("with %d streams: %+v", waiting, full)
	cost := (full.total() - before.total()) / int64(waiting)
	t.Logf("a stream costs %d bytes", cost)
	if cost > streamBytesMax && !raceDetector {
		t.Errorf("a stream costs more than %d bytes", streamBytesMax)
	}
	must(t, s.openDoors("E1"))
	admitted := untilIn(t, database, limit, waiters)
	latencies(t, admitted, waiters)
	positions(t, s, database, int64(limit), waiters)

	each(t, crowdConns, func(n int) error {
		for i := n; i < waiting; i += crowdConns {
			waiters[i].close()
		}
		return nil
	})
	until(t, 2*patience, func() error {
		after, err := s.footprint()
		if err != nil {
			return err
		}
		if after.heap > before.heap+baselineBytes || after.goroutines > before.goroutines+baselineGoroutines || after.files > before.files+baselineGoroutines {
			return fmt.Errorf("before them %+v, after them %+v", before, after)
		}
		return nil
	})
	after, err := s.footprint()
	must(t, err)
	t.Logf("after: %+v", after)
	judge(t, database, "E1", limit, doorsPerSecond)
	verify(t, database)
}

func (w *doorsWaiter) listen(s *server) (err error) {
	w.stream, err = s.listen("/api/sse/waiting-room/sessions/"+w.id, "", func(event told) {
		var v session
		err := json.Unmarshal(event.data, &v)
		switch {
		case err != nil:
		case event.name == "waiting-room-active":
			w.active.CompareAndSwap(0, event.at.UnixMilli())
		case event.name != "waiting-room-position":
			err = fmt.Errorf("told %s", event.name)
		case w.active.Load() != 0:
			err = errors.New("told a position once let in")
		case v.Position != nil:
			if last := w.position.Swap(*v.Position); last != 0 && *v.Position > last {
				err = fmt.Errorf("the position grew from %d to %d", last, *v.Position)
			}
		}
		if err != nil {
			err = fmt.Errorf("place %d: %w", w.place, err)
			w.fault.CompareAndSwap(nil, &err)
		}
	})
	return err
}

// untilIn waits until as many are in as there is room for, and returns when each of them was admitted, by place.
func untilIn(t *testing.T, database string, limit int, waiters []*doorsWaiter) map[int64]int64 {
	t.Helper()
	until(t, patience, func() error {
		in := 0
		for _, w := range waiters {
			if w.active.Load() != 0 {
				in++
			}
			if err := w.fault.Load(); err != nil {
				t.Fatal(*err)
			}
		}
		if in < limit {
			return fmt.Errorf("%d have heard that they are in", in)
		}
		return nil
	})
	type row struct{ Place, At int64 }
	admitted := map[int64]int64{}
	for _, r := range table[row](t, database, `select place, admitted_at from session where event_id = 'E1' and admitted_at is not null`) {
		admitted[r.Place] = r.At
	}
	if len(admitted) != limit {
		t.Errorf("%d were let in", len(admitted))
	}
	return admitted
}

// latencies from commit to client.
func latencies(t *testing.T, admitted map[int64]int64, waiters []*doorsWaiter) {
	t.Helper()
	var took []time.Duration
	for _, w := range waiters {
		at, in := admitted[w.place]
		if heard := w.active.Load(); in != (heard != 0) {
			t.Errorf("place %d: admitted at %d, heard at %d", w.place, at, heard)
		} else if in {
			took = append(took, time.Duration(heard-at)*time.Millisecond)
		}
	}
	if len(took) == 0 {
		t.Fatal("nobody was let in")
	}
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	t.Logf("from commit to client: median %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
	if raceDetector {
		return
	}
	if at(0.99) > heardWithin || at(1) > heardWithinAll {
		t.Errorf("who was let in heard of it late: median %v, p99 %v, max %v", at(0.5), at(0.99), at(1))
	}
}

// positions are place - head, for who listens and for who asks.
func positions(t *testing.T, s *server, database string, limit int64, waiters []*doorsWaiter) {
	t.Helper()
	head := query[int64](t, database, `select head from admission where event_id = 'E1'`)[0]
	if head != limit {
		t.Errorf("%d were let in and nobody has left, the head is %d", limit, head)
	}
	until(t, patience, func() error {
		for _, w := range waiters {
			if got := w.position.Load(); w.place > head && got != w.place-head {
				return fmt.Errorf("place %d was told %d last, the head is %d", w.place, got, head)
			}
		}
		return nil
	})
	for i := 0; i < len(waiters); i += 25 {
		w := waiters[i]
		a := s.get("/api/waiting-room/sessions/" + w.id)
		must(t, a.is(200))
		v := a.session()
		if w.place <= head && v.Status != "ACTIVE" || w.place > head && (v.Position == nil || *v.Position != w.place-head) {
			t.Errorf("place %d, the head is %d: %s", w.place, head, a.body)
		}
	}
}

// footprint of a server, after a collection.
type footprint struct {
	goroutines, files   int
	heap, stacks, inUse int64 // bytes; inUse is the heap's spans
}

func (f footprint) total() int64 { return f.inUse + f.stacks }

var (
	goroutinesLine = regexp.MustCompile(`goroutine profile: total (\d+)`)
	memoryLine     = regexp.MustCompile(`(?m)^# (HeapAlloc|HeapInuse|Stack) = (\d+)`)
)

func (s *server) footprint() (f footprint, err error) {
	profile, err := s.inspect("/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return f, err
	}
	for _, m := range memoryLine.FindAllStringSubmatch(profile, -1) {
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return f, err
		}
		switch m[1] {
		case "HeapAlloc":
			f.heap = n
		case "HeapInuse":
			f.inUse = n
		case "Stack":
			f.stacks = n
		}
	}
	if profile, err = s.inspect("/debug/pprof/goroutine?debug=1"); err != nil {
		return f, err
	}
	m := goroutinesLine.FindStringSubmatch(profile)
	if m == nil || f.heap == 0 || f.stacks == 0 {
		return f, fmt.Errorf("the profiles have no numbers: %.200s", profile)
	}
	if f.goroutines, err = strconv.Atoi(m[1]); err != nil {
		return f, err
	}
	f.files, err = s.openFiles()
	return f, err
}

// inspect a page of the admin listener.
func (s *server) inspect(path string) (string, error) {
	_, admin := s.at()
	r, err := nethttp.NewRequest("GET", admin+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Close = true
	response, err := s.client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != 200 {
		err = fmt.Errorf("%s: %d %s", path, response.StatusCode, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// openFiles of the server's process: a connection is one of them.
func (s *server) openFiles() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.child.PID()))
	return len(files), err
}

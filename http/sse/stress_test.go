package sse

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var seedFlag = flag.Int64("sse.seed", 0, "seed of the stress test; 0: by the clock")

// Goal: whatever clients do, each reads its own stream's frames, in order, and nothing stays behind. Numbers of file
// descriptors are used again all the time, while writes to their former owners are under way.
// Method: 2,000 clients come and go, at most 200 at once, while everybody is broadcast to. Some read on, some leave at
// once, some do not read until they are dropped. Every frame says whose it is.
func TestStress(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("-sse.seed=%d", seed)
	r := newRig(t, false, Config{})
	crowd := &crowd{streams: map[string]*Stream{}}
	r.set(0, crowd.enter)

	// Time passes as it does: fasthttp is not that quick under the race detector.
	ticker := time.NewTicker(tickTime)
	defer ticker.Stop()
	go r.sweepAt(ticker.C)

	stop := make(chan struct{})
	var broadcast, clients sync.WaitGroup
	broadcast.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				crowd.tell(n)
			}
		}
	})
	const clientsMax, atOnce = 2000, 200
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	places := make(chan struct{}, atOnce)
	for i := range clientsMax {
		places <- struct{}{}
		mood, reads := rng.IntN(10), 1+rng.IntN(50)
		clients.Go(func() {
			defer func() { <-places }()
			name := fmt.Sprintf("/client-%d-", i)
			if mood == 0 {
				name = fmt.Sprintf("/%s-%d-", deaf, i)
			}
			visit(r, crowd, name, mood, reads)
		})
	}
	clients.Wait()
	close(stop)
	broadcast.Wait()
	r.eventually("every stream is over", func() bool { return r.Stats().Open == 0 && r.closed.Load() == r.Stats().Opened })
	got := r.Stats()
	t.Logf("%+v", got)
	if got.DroppedSlow == 0 || got.Gone == 0 || crowd.told.Load() == 0 {
		t.Error("not all that this test is about has happened")
	}
}

// deaf is part of the names of those who do not read.
const deaf = "deaf"

// crowd is everybody's streams by their names, nil where they are over.
type crowd struct {
	mu      sync.Mutex
	streams map[string]*Stream
	told    atomic.Int64
}

func (c *crowd) enter(st *Stream, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[name] = st
}

func (c *crowd) tell(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, st := range c.streams {
		if st == nil {
			continue
		}
		times := 1 + n%30
		if strings.Contains(name, deaf) {
			times = largeBytesMax / len(name) / 32 // so that a few fill its buffers
		}
		text := bytes.Repeat([]byte(name), times)
		if !st.Send(AppendEvent(nil, "", fmt.Sprint(n), text)) {
			c.streams[name] = nil
		}
		c.told.Add(1)
	}
}

func (c *crowd) left(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	st, ok := c.streams[name]
	return ok && st == nil
}

// visit is one client: it reads some events and leaves, in one of the ways there are.
func visit(r *rig, crowd *crowd, name string, mood, reads int) {
	c := r.dial("GET " + name + " HTTP/1.1\r\nHost: x\r\n\r\n")
	defer func() { _ = c.Close() }()
	switch mood {
	case 0:
		r.eventually("who reads nothing is dropped", func() bool { return crowd.left(name) })
		return
	case 1:
		return
	case 2:
		_ = c.SetLinger(0)
	}
	for line := ""; !strings.HasPrefix(line, "retry: "); {
		var err error
		if line, err = c.ReadString('\n'); err != nil {
			return
		}
	}
	last := 0
	for range reads {
		id, data, err := c.event()
		if err != nil {
			// It was dropped for being slow: the others keep both processors busy.
			return
		}
		if id <= last || len(data)%len(name) != 0 || strings.Count(data, name)*len(name) != len(data) {
			r.t.Errorf("%s, after %d: event %d, %.80q", name, last, id, data)
			return
		}
		last = id
	}
}

// event reads on to the end of an event; comments are skipped.
func (c *client) event() (id int, data string, err error) {
	for {
		line, err := c.ReadString('\n')
		if err != nil {
			return 0, "", err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "id: "):
			if _, err := fmt.Sscan(line[4:], &id); err != nil {
				c.t.Errorf("id %q", line)
			}
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		case line == "" && id != 0:
			return id, data, nil
		case line == "", line == ":":
		default:
			c.t.Errorf("line %.80q", line)
			return 0, "", io.ErrUnexpectedEOF
		}
	}
}

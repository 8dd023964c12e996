package sse

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Goal: a stream's end is told once, after its beginning, under no lock, and leaves nothing behind.
// Method: as in sse_test.go.

func TestDrain(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		var clients []*client
		for i := range 50 {
			c, st := r.connect()
			st.Send(event(i))
			clients = append(clients, c)
		}
		_, stalled := r.connect()
		r.stall(stalled)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Drain(ctx)
		}()
		retries := map[string]bool{}
		for i, c := range clients {
			c.want(string(event(i)))
			got := c.ended()
			if !regexp.MustCompile(`^retry: [0-9]{4,5}\n\n$`).MatchString(got) {
				t.Fatalf("the last is %q", got)
			}
			retries[got] = true
		}
		if len(retries) < 40 {
			t.Errorf("only %d moments to come back for %d clients", len(retries), len(clients))
		}
		r.eventually("all but the stalled are closed", func() bool { return r.closed.Load() == 50 })
		if got := r.dial(plainRequest).line(); !strings.Contains(got, "503") {
			t.Errorf("while draining: %q", got)
		}
		select {
		case <-done:
			t.Error("Drain left a stream open")
		default:
		}
		cancel()
		<-done
		if n := r.closed.Load(); n != 51 {
			t.Errorf("Closed was called %d times", n)
		}
		r.Drain(context.Background())
	})
}

// A connection that fasthttp loses between Open and the hand-over holds its place for a few ticks, not for ever.
func TestReservationExpires(t *testing.T) {
	r := newRig(t, false, Config{StreamsMax: 1})
	st, err := r.reserve(Options{Closed: func() { t.Error("closed, and was never opened") }})
	if err != nil {
		t.Fatal(err)
	}
	r.passed(reservedTicksMax - 1)
	if _, err := r.reserve(Options{}); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	r.passed(1)
	r.connect()
	// It comes after all.
	c := r.dial("")
	r.eventually("accepted", func() bool { return r.conns.Load() == 2 })
	r.attach(st, c.TCPConn, nil, func(*Stream) { t.Error("opened") })
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("the late connection is open")
	}
}

func TestPanicsEndTheStreamAlone(t *testing.T) {
	var panics atomic.Int64
	r := newRig(t, false, Config{Panicked: func(any) { panics.Add(1) }})
	_, st := r.connect()
	r.set(0, func(*Stream, string) { panic("in opened") })
	c := r.dial(plainRequest)
	c.ended()
	r.eventually("told", func() bool { return panics.Load() == 1 && r.Stats().Open == 1 })
	if !st.Send(event(1)) {
		t.Error("the other ended too")
	}
}

// A server whose callers hold a lock over Send and take it in Closed does not come to a stop.
func TestClosedUnderALock(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		_, st := r.connect()
		var mu sync.Mutex
		closed := make(chan struct{})
		st.closed = func() {
			mu.Lock()
			defer mu.Unlock()
			close(closed)
		}
		mu.Lock()
		frame := make([]byte, 60_000)
		for st.Send(frame) {
		}
		mu.Unlock()
		select {
		case <-closed:
		case <-time.After(patience):
			t.Fatal("Closed was not called")
		}
	})
}

func TestNothingLeaks(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		_, st := r.connect()
		before := sockets(t)
		for i := range 200 {
			c, st := r.connect()
			if i%2 == 0 {
				st.End(nil)
				c.ended()
			}
			_ = c.Close()
			r.eventually("closed", func() bool { return int(r.closed.Load()) == i+1 })
		}
		if after := sockets(t); after != before {
			t.Errorf("%d sockets before, %d after", before, after)
		}
		r.Server.mu.Lock()
		if n := len(r.table.slots); n > 2 {
			t.Errorf("%d slots for 2 streams at a time", n)
		}
		r.Server.mu.Unlock()
		st.End(nil)
	})
}

package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// Goal: what a client reads is what was sent, in order, and the transport lets go of those who do not read, who have
// gone, and who are too many.
// Method: real connections over fasthttp, wrapped as the server wraps its own, both with epoll and with a goroutine each;
// ticks are the test's.

func TestHead(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		r.set(0, func(st *Stream, _ string) { st.Send(event(1)) })
		for _, proto := range []string{"HTTP/1.1", "HTTP/1.0"} {
			c := r.dial("GET / " + proto + "\r\nHost: x\r\n\r\n")
			head := c.head()
			want := `^HTTP/1.1 200 OK\r\nDate: [^\r]*GMT\r\nContent-Type: text/event-stream\r\nX-Content-Type-Options: nosniff\r\n` +
				`Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\nretry: [2-4][0-9]{3}\n\n$`
			if !regexp.MustCompile(want).MatchString(head) {
				t.Errorf("%s: %q", proto, head)
			}
			c.want(string(event(1)))
			(<-r.opens).End([]byte(":bye\n\n"))
			if got := c.ended(); got != ":bye\n\n" {
				t.Errorf("at the end: %q", got)
			}
		}
		c := r.dial("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := c.ended(); !strings.Contains(got, "text/event-stream") || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("HEAD: %q", got)
		}
		r.eventually("both are closed", func() bool { return r.closed.Load() == 2 })
		if got, want := r.Stats(), (Stats{Opened: 2}); got != want {
			t.Errorf("stats %+v, want %+v", got, want)
		}
	})
}

// Frames of many sizes, from several goroutines' worth of Sends, keep their order.
func TestOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		c, st := r.connect()
		const frames = 20_000
		for i := range frames {
			f := event(i)
			if i%1000 == 0 {
				f = AppendEvent(nil, "n", fmt.Sprint(i), bytes.Repeat([]byte{'x'}, 100_000))
			}
			// A reader that keeps up is never ahead by more than the queue.
			r.eventually("room in the queue", func() bool {
				st.mu.Lock()
				defer st.mu.Unlock()
				return st.fits(f)
			})
			if !st.Send(f) {
				t.Fatalf("frame %d was refused", i)
			}
			if i%50 == 49 {
				for j := i - 49; j <= i; j++ {
					c.want(fmt.Sprintf("event: n\nid: %d\n", j))
					c.line()
					c.line()
				}
			}
		}
	})
}

// One frame is larger than all buffers between; the client reads it late, and what came after.
func TestSlowReaderCatchesUp(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		c, st := r.connect()
		for round := range 3 {
			big := r.stall(st)
			for i := range queueFramesMax - 1 {
				if !st.Send(event(i)) {
					t.Fatalf("event %d behind a large frame was refused", i)
				}
			}
			r.passed(stallTicksMax - 1)
			c.want(string(big))
			for i := range queueFramesMax - 1 {
				c.want(string(event(i)))
			}
			r.settled(st)
			if n := r.Stats().Open; n != 1 {
				t.Fatalf("round %d: dropped", round)
			}
		}
	})
}

// Goal: whatever a hall's size, its availability fits at first, behind the answer's head, and then again, and leaves room
// for what moves until it is taken.
func TestEverySizeOfALargeFrameFits(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		delta := event(7)
		for _, size := range []int{largeBytesMin, largeBytesMin + 1, queueBytesMax - 1000, queueBytesMax - 1, queueBytesMax, queueBytesMax + 1, largeBytesMax} {
			frame := bytes.Repeat([]byte{'x'}, size)
			r.set(0, func(st *Stream, _ string) { // its head has not left yet
				for _, f := range [][]byte{frame, delta, delta} {
					if !st.Send(f) {
						t.Errorf("a frame of %d bytes in front of which one of %d waits was refused", len(f), size)
					}
				}
			})
			c := r.dial(plainRequest)
			c.head()
			c.want(string(frame) + string(delta) + string(delta))
			st := <-r.opens
			r.settled(st)
			if st.queued != 0 || st.large != nil {
				t.Errorf("%d bytes are left of %d", st.queued, size)
			}
			if !st.Send(frame) {
				t.Errorf("a frame of %d bytes was refused later", size)
			}
			c.want(string(frame))
			_ = c.Close()
		}
	})
}

func TestFullQueueDrops(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		fast, other := r.connect()
		_, st := r.connect()
		frame := AppendEvent(nil, "n", "", bytes.Repeat([]byte{'x'}, 20_000))
		sent := 0
		for st.Send(frame) {
			if sent++; !other.Send(event(sent)) {
				t.Fatal("a reader who reads was dropped")
			}
			fast.want(string(event(sent)))
			if sent > 10_000 {
				t.Fatal("a reader who does not read was not dropped")
			}
		}
		r.eventually("the slow reader is dropped", func() bool { return r.Stats().DroppedSlow == 1 && r.closed.Load() == 1 })
		if st.Send(event(0)) {
			t.Error("Send to a dropped stream")
		}
		if !other.Send(event(7)) {
			t.Error("the other was dropped too")
		}
		fast.want(string(event(7)))
	})
}

func TestStallDrops(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		_, st := r.connect()
		r.stall(st)
		r.passed(stallTicksMax - 1)
		if n := r.Stats(); n.Open != 1 || n.DroppedSlow != 0 {
			t.Fatal("dropped too early")
		}
		r.dropped(st)
		r.eventually("Closed", func() bool { return r.closed.Load() == 1 })
	})
}

// stall sends a frame larger than what the sockets at both ends hold of it, and returns it.
func (r *rig) stall(st *Stream) []byte {
	r.t.Helper()
	big := AppendEvent(nil, "big", "", bytes.Repeat([]byte("0123456789abcdef"), largeBytesMax/16-10))
	if !st.Send(big) {
		r.t.Fatal("a large frame was refused")
	}
	r.eventually("the socket is full", func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		// Whether a blocking write waits cannot be seen.
		return st.blocked || st.raw == nil && st.busy
	})
	return big
}

func TestClientLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		for name, leave := range map[string]func(*client){
			"closes":          func(c *client) { _ = c.Close() },
			"resets":          func(c *client) { _ = c.SetLinger(0); _ = c.Close() },
			"shuts down":      func(c *client) { _ = c.CloseWrite() },
			"sends for ever":  func(c *client) { _, _ = c.Write(make([]byte, receivedBytesMax+2)) },
			"leaves the rest": func(c *client) { _, _ = c.Write([]byte("rest")); _ = c.Close() },
		} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, hide, Config{})
				c, st := r.connect()
				leave(c)
				// Nothing is sent and no time passes: the hang-up alone tells.
				r.eventually("Closed", func() bool { return r.closed.Load() == 1 })
				if got, want := r.Stats(), (Stats{Opened: 1, Gone: 1}); got != want {
					t.Errorf("stats %+v, want %+v", got, want)
				}
				if st.Send(event(1)) {
					t.Error("Send to who has left")
				}
			})
		}
	})
}

// What follows the request, at once or later, is not answered and does no harm.
func TestBytesAfterTheRequest(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		c := r.dial(plainRequest + plainRequest)
		c.head()
		st := <-r.opens
		for i := range 10 {
			if _, err := io.WriteString(c.TCPConn, plainRequest); err != nil {
				t.Fatal(err)
			}
			st.Send(event(i))
			c.want(string(event(i)))
		}
		if got := r.Stats(); got.Opened != 1 || got.Open != 1 {
			t.Errorf("stats %+v", got)
		}
	})
}

// Who says more and then that this was all gets what was sent to him, and no reset.
func TestNoResetAfterTheRest(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		for range 50 {
			r := newRig(t, hide, Config{})
			c := r.dial(plainRequest)
			_, err := io.WriteString(c.TCPConn, plainRequest)
			if err = errors.Join(err, c.CloseWrite()); err != nil {
				t.Fatal(err)
			}
			r.eventually("Closed", func() bool { return r.closed.Load() == 1 })
			if _, err := io.ReadAll(c.Reader); err != nil {
				t.Fatalf("what was sent is lost: %v", err)
			}
			<-r.opens
		}
	})
}

// Answers before the stream, on the same connection, are not lost.
func TestStreamAfterKeepAlive(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		c := r.dial("GET " + plainPath + " HTTP/1.1\r\nHost: x\r\n\r\n" + plainRequest)
		if head := c.answer(); !strings.Contains(head, "Content-Length: 5\r\n") || strings.Contains(head, "event-stream") {
			t.Errorf("%q", head)
		}
		c.want("plain")
		if head := c.head(); !strings.Contains(head, "text/event-stream") {
			t.Errorf("%q", head)
		}
		st := <-r.opens
		st.Send(event(1))
		c.want(string(event(1)))
		st.End(nil)
		if got := c.ended(); got != "" {
			t.Errorf("%q", got)
		}
		if st.Send(event(1)) {
			t.Error("Send after End")
		}
		st.End(event(1))
		r.eventually("Closed", func() bool { return r.closed.Load() == 1 })
	})
}

func (r *rig) refused(status string) {
	r.t.Helper()
	if got := r.dial(plainRequest).line(); !strings.Contains(got, status) {
		r.t.Errorf("got %q, want %s", got, status)
	}
}

func TestLimits(t *testing.T) {
	r := newRig(t, false, Config{StreamsMax: 5, StreamsPerAddressMax: 2})
	r.from(1)
	c, _ := r.connect()
	r.connect()
	r.refused("429")
	if r.Room([16]byte{1}) == nil || r.Room([16]byte{2}) != nil {
		t.Error("Room does not say what Open does")
	}
	r.from(2)
	r.connect()
	_ = c.Close()
	r.eventually("a place of the first address is free", func() bool { return r.closed.Load() == 1 })
	r.from(1)
	r.connect()
	r.refused("429")
	r.from(0)
	r.connect()
	r.connect()
	r.refused("503")
	if got := r.Stats(); got.Open != 5 || got.Refused != 4 {
		t.Errorf("stats %+v", got)
	}
}

// A key's oldest streams make room for its newest, whether anybody reads them or not, and nobody else's do.
func TestNewestOfAKey(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		const limit = 3
		r := newRig(t, hide, Config{StreamsPerKeyMax: limit})
		r.set(2, nil)
		_, other := r.connect()
		r.set(1, nil)
		var clients []*client
		var streams []*Stream
		connect := func() {
			c, st := r.connect()
			clients, streams = append(clients, c), append(streams, st)
		}
		for range limit {
			connect()
		}
		// The second leaves, so that the chain has a gap; the first is stalled.
		_ = clients[1].Close()
		r.eventually("the second is gone", func() bool { return r.closed.Load() == 1 })
		r.stall(streams[0])
		connect()
		if r.Stats().Displaced != 0 {
			t.Error("displaced although there was room")
		}
		connect()
		connect()
		if got := clients[2].ended(); got != retryDisplaced {
			t.Errorf("the last is %q", got)
		}
		r.dropped(streams[0])
		r.eventually("three are closed", func() bool { return r.closed.Load() == 3 })
		if got := r.Stats(); got.Displaced != 2 || got.Open != limit+1 || got.Refused != 0 {
			t.Errorf("stats %+v", got)
		}
		for _, st := range append(streams[3:], other) {
			if !st.Send(event(1)) {
				t.Error("another ended too")
			}
		}
	})
}

// A stream that has its place and not yet its connection is displaced too; what comes for it is closed.
func TestDisplacedBeforeItsConnection(t *testing.T) {
	r := newRig(t, false, Config{StreamsPerKeyMax: 1})
	st, err := r.reserve(Options{Key: [16]byte{1}, Closed: func() { t.Error("closed, and was never opened") }})
	if err != nil {
		t.Fatal(err)
	}
	r.set(1, nil)
	r.connect()
	if n := r.Stats().Open; n != 1 {
		t.Errorf("%d are open", n)
	}
	c := r.dial("")
	r.eventually("accepted", func() bool { return r.conns.Load() == 2 })
	r.attach(st, c.TCPConn, nil, func(*Stream) { t.Error("opened") })
	r.Server.mu.Lock()
	defer r.Server.mu.Unlock()
	if n := len(r.table.newest); n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestHeartbeat(t *testing.T) {
	bothWays(t, func(t *testing.T, hide bool) {
		r := newRig(t, hide, Config{})
		var clients []*client
		var streams []*Stream
		for range silentTicksSpread {
			c, st := r.connect()
			clients, streams = append(clients, c), append(streams, st)
		}
		due := func(i int) int { return silentTicksMin + i%silentTicksSpread }
		// Ticks 1 to 14 bring one comment to each, at moments of their own.
		for tick := 1; tick < silentTicksMin+silentTicksSpread; tick++ {
			r.passed(1)
			for i, st := range streams {
				if tick == due(i) {
					clients[i].want(":\n\n")
					r.settled(st)
				}
				st.mu.Lock()
				moved := int(st.moved)
				st.mu.Unlock()
				if tick < due(i) && moved != 0 || tick >= due(i) && moved != due(i) {
					t.Errorf("tick %d: stream %d moved at %d", tick, i, moved)
				}
			}
		}
		// An event is as good as a comment.
		streams[0].Send(event(1))
		clients[0].want(string(event(1)))
		r.settled(streams[0])
		r.passed(silentTicksMin - 1)
		streams[0].Send(event(2))
		clients[0].want(string(event(2)))
	})
}

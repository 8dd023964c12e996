package sse

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// Goal: what a connection costs, and how long an event takes to the last of all clients, beside fasthttp's stream writer.
// Method: the clients are another process, so that none of their memory is counted; it says on its standard output when
// all have read an event. Both ways run in one run of the binary, one after the other.

const (
	// clientsEnv makes this binary clients: "address connections".
	clientsEnv     = "SSE_CLIENTS"
	benchedClients = 8000
)

// runClients reads the events of so many connections and prints the number of each event that all have read.
func runClients(to string) {
	var addr string
	var n int
	if _, err := fmt.Sscan(to, &addr, &n); err != nil {
		panic(err)
	}
	var mu sync.Mutex
	have := map[string]int{}
	heard := func(event string) {
		mu.Lock()
		defer mu.Unlock()
		if have[event]++; have[event] == n {
			delete(have, event)
			fmt.Println(event)
		}
	}
	// So many handshakes at once fit the listener's queue.
	places := make(chan struct{}, 64)
	var all sync.WaitGroup
	for range n {
		places <- struct{}{}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		if _, err := io.WriteString(conn, plainRequest); err != nil {
			panic(err)
		}
		all.Go(func() {
			b := bufio.NewReaderSize(conn, 1024)
			greeted := false
			for {
				line, err := b.ReadString('\n')
				if err != nil {
					return
				}
				if id, ok := strings.CutPrefix(line, "id: "); ok {
					heard(strings.TrimSpace(id))
					if !greeted {
						greeted = true
						<-places
					}
				}
			}
		})
	}
	all.Wait()
}

// audience is the clients' process.
type audience struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func newAudience(b *testing.B, addr string, n int) *audience {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=NONE")
	cmd.Env = append(os.Environ(), clientsEnv+"="+addr+" "+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return &audience{cmd, bufio.NewScanner(out)}
}

// heard waits until all have read that event.
func (a *audience) heard(b *testing.B, event int) {
	b.Helper()
	if !a.out.Scan() || a.out.Text() != strconv.Itoa(event) {
		b.Fatalf("read %q (%v), want %d", a.out.Text(), a.out.Err(), event)
	}
}

func (a *audience) leave() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// station is what is measured: something that serves streams and broadcasts.
type station interface {
	handle(ctx *fasthttp.RequestCtx)
	broadcast(frame []byte)
	end()
}

// ours is the transport, with a hub as small as can be.
type ours struct {
	*Server
	mu      sync.Mutex
	streams map[*Stream]struct{}
	keys    atomic.Int64
}

func (o *ours) handle(ctx *fasthttp.RequestCtx) {
	var mine *Stream
	var key [16]byte
	binary.BigEndian.PutUint64(key[:], uint64(o.keys.Add(1)))
	if err := o.Open(ctx, Options{Key: key, Closed: func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.streams, mine)
	}}, func(st *Stream) {
		o.mu.Lock()
		defer o.mu.Unlock()
		mine = st
		o.streams[st] = struct{}{}
		st.Send(event(0))
	}); err != nil {
		panic(err)
	}
}

func (o *ours) broadcast(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for st := range o.streams {
		st.Send(frame)
	}
}

func (o *ours) end() { o.Drain(context.Background()) }

// streamWriter is fasthttp's own way: a goroutine and a channel a stream.
type streamWriter struct {
	mu      sync.Mutex
	streams map[chan []byte]struct{}
}

func (s *streamWriter) handle(ctx *fasthttp.RequestCtx) {
	setHead(&ctx.Response.Header)
	frames := make(chan []byte, 2)
	s.mu.Lock()
	s.streams[frames] = struct{}{}
	s.mu.Unlock()
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		_, _ = w.Write(event(0))
		for err := w.Flush(); err == nil; err = w.Flush() {
			f, ok := <-frames
			if !ok {
				return
			}
			_, _ = w.Write(f)
		}
	})
}

func (s *streamWriter) broadcast(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.streams {
		f <- frame
	}
}

func (s *streamWriter) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.streams {
		close(f)
	}
}

func eachStation(b *testing.B, f func(b *testing.B, s station)) {
	b.Run("ours", func(b *testing.B) { f(b, &ours{Server: New(Config{}), streams: map[*Stream]struct{}{}}) })
	b.Run("streamwriter", func(b *testing.B) { f(b, &streamWriter{streams: map[chan []byte]struct{}{}}) })
}

// serve runs fasthttp with the limits of the server's public listener, until the returned function is called.
func serveStation(b *testing.B, s station) (addr string, stop func()) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &fasthttp.Server{
		Handler: s.handle, KeepHijackedConns: true, ReadBufferSize: 8 << 10, NoDefaultServerHeader: true,
		// Its goroutines of the requests stay for 10 s by default. A stream lasts longer.
		MaxIdleWorkerDuration: 100 * time.Millisecond,
	}
	var open atomic.Int64
	go func() { _ = server.Serve(listener{l, false, &open, func(*wrapped) {}}) }()
	return l.Addr().String(), func() {
		s.end()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.ShutdownWithContext(ctx); err != nil {
			b.Error(err)
		}
	}
}

// footprint is what Go has of the system and uses, stacks and the poller's descriptors among it, and the resident set.
func footprint(b *testing.B) (inUse, resident int64) {
	b.Helper()
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var pages int64
	if _, err := fmt.Sscan(strings.Fields(string(statm))[1], &pages); err != nil {
		b.Fatal(err)
	}
	return int64(m.Sys - m.HeapIdle), pages * int64(os.Getpagesize())
}

// BenchmarkMemory reports what each of 8,000 connections takes once all are open and have read an event, everything
// told: B/conn of Go's memory in use, RSS/conn of the process, goroutines/conn.
func BenchmarkMemory(b *testing.B) {
	eachStation(b, func(b *testing.B, s station) {
		addr, stop := serveStation(b, s)
		goroutines := runtime.NumGoroutine()
		inUse, resident := footprint(b)
		a := newAudience(b, addr, benchedClients)
		a.heard(b, 0)
		s.broadcast(event(1))
		a.heard(b, 1)
		// The requests' goroutines leave by and by.
		settled := runtime.NumGoroutine()
		for before := 0; before != settled; {
			<-time.After(500 * time.Millisecond)
			before, settled = settled, runtime.NumGoroutine()
		}
		inUseThen, residentThen := footprint(b)
		a.leave()
		stop()
		// Once is enough, and a second time would find memory that the first has left.
		for b.Loop() {
			runtime.KeepAlive(s)
		}
		b.ReportMetric(float64(inUseThen-inUse)/benchedClients, "B/conn")
		b.ReportMetric(float64(residentThen-resident)/benchedClients, "RSS/conn")
		b.ReportMetric(float64(settled-goroutines)/benchedClients, "goroutines/conn")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkDelivery is the time from the first Send of an event to 8,000 clients until the last of them has read it. The
// clients share the processors with the server.
func BenchmarkDelivery(b *testing.B) {
	eachStation(b, func(b *testing.B, s station) {
		addr, stop := serveStation(b, s)
		a := newAudience(b, addr, benchedClients)
		a.heard(b, 0)
		n := 0
		for b.Loop() {
			n++
			s.broadcast(event(n))
			a.heard(b, n)
		}
		b.StopTimer()
		a.leave()
		stop()
	})
}

// BenchmarkSweep is a tick over 8,000 quiet streams.
func BenchmarkSweep(b *testing.B) {
	s := newServer(Config{})
	for range benchedClients {
		if _, err := s.reserve(Options{}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		s.each(func(st *Stream) { st.sweep(0) })
	}
}

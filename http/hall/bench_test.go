package hall

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"boxoffice/http/sse"
	"boxoffice/messages"
)

// Goal: how long a change takes from Heard to who watches, and what a watcher costs, beside fasthttp's stream writer.
// Method: 10,000 clients, which are another process, so that none of their memory is counted; it shares the processors. A
// seat moves twice a second, or ten times, as often as streams are told at most: b.N times. Halls are the same both ways,
// and both ways run in one run of the binary, one after the other. The clients note when they read an event, by the clock
// that both processes have in common.

const (
	// clientsEnv makes this binary clients: "address connections".
	clientsEnv     = "HALL_CLIENTS"
	benchedClients = 10_000
	benchedSeats   = 1252
)

// runClients opens so many streams, says "open" when all have their first event, notes when each version came, and once
// its input says of each version when it was heard of, says how long that took: the median, the 99th percentile, the most.
func runClients(to string) {
	var addr string
	var n int
	if _, err := fmt.Sscan(to, &addr, &n); err != nil {
		panic(err)
	}
	came := make([][]int64, n) // by client and version, in nanoseconds since the Unix epoch
	// So many handshakes at once fit the listener's queue.
	places := make(chan struct{}, 64)
	var open sync.WaitGroup
	open.Add(n)
	for i := range n {
		places <- struct{}{}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			panic(err)
		}
		go func() {
			b := bufio.NewReaderSize(conn, 4096)
			for {
				line, err := b.ReadSlice('\n')
				if err != nil {
					return
				}
				id, ok := strings.CutPrefix(string(line), "id: ")
				if !ok {
					continue
				}
				now := time.Now().UnixNano()
				version, err := strconv.Atoi(strings.TrimSpace(id))
				if err != nil {
					panic(err)
				}
				if came[i] == nil {
					came[i] = make([]int64, 0, 1024)
					open.Done()
					<-places
				}
				// What was told together came together.
				for len(came[i]) <= version {
					came[i] = append(came[i], now)
				}
			}
		}()
	}
	open.Wait()
	fmt.Println("open")
	var took []int64
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var version int
		var heard int64
		if _, err := fmt.Sscan(in.Text(), &version, &heard); err != nil {
			break
		}
		for i := range came {
			if len(came[i]) <= version {
				panic(fmt.Sprintf("client %d has not heard of %d", i, version))
			}
			took = append(took, came[i][version]-heard)
		}
	}
	slices.Sort(took)
	fmt.Println(took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}

// station serves streams to the halls' watchers.
type station interface {
	handle(ctx *fasthttp.RequestCtx, w *Watcher)
	end()
}

// ours is the transport.
type ours struct{ *sse.Server }

func (o ours) handle(ctx *fasthttp.RequestCtx, w *Watcher) {
	if err := o.Open(ctx, sse.Options{Closed: w.Closed}, func(st *sse.Stream) { w.Open(st) }); err != nil {
		panic(err)
	}
}

func (o ours) end() { o.Drain(context.Background()) }

// streamWriter is fasthttp's own way: a goroutine and a channel a stream.
type streamWriter struct{ done chan struct{} }

type frames chan []byte

func (f frames) Send(frame []byte) bool {
	select {
	case f <- frame:
		return true
	default:
		return false
	}
}

func (frames) End([]byte) {}

func (s streamWriter) handle(ctx *fasthttp.RequestCtx, w *Watcher) {
	ctx.SetContentType("text/event-stream")
	f := make(frames, 4)
	ctx.SetBodyStreamWriter(func(b *bufio.Writer) {
		w.Open(f)
		defer w.Closed()
		for {
			select {
			case frame := <-f:
				_, _ = b.Write(frame)
				if b.Flush() != nil {
					return
				}
			case <-s.done:
				return
			}
		}
	})
}

func (s streamWriter) end() { close(s.done) }

func BenchmarkWatchers(b *testing.B) {
	for _, every := range []time.Duration{500 * time.Millisecond, tellEvery} {
		b.Run("ours/every="+every.String(), func(b *testing.B) {
			watched(b, ours{sse.New(sse.Config{StreamsMax: -1, StreamsPerAddressMax: -1})}, every)
		})
		b.Run("streamwriter/every="+every.String(), func(b *testing.B) { watched(b, streamWriter{make(chan struct{})}, every) })
	}
}

func watched(b *testing.B, s station, every time.Duration) {
	j := newJournal(benchedSeats)
	hs := j.open()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &fasthttp.Server{
		KeepHijackedConns: true, ReadBufferSize: 8 << 10, NoDefaultServerHeader: true, MaxIdleWorkerDuration: tellEvery,
		Handler: func(ctx *fasthttp.RequestCtx) {
			w, err := hs.Watch(context.Background(), "E", "")
			if err != nil {
				panic(err)
			}
			s.handle(ctx, w)
		},
	}
	go func() { _ = server.Serve(l) }()
	inUse, resident := footprint(b)
	cmd := exec.Command(os.Args[0], "-test.run=NONE")
	cmd.Env = append(os.Environ(), clientsEnv+"="+l.Addr().String()+" "+strconv.Itoa(benchedClients))
	cmd.Stderr = os.Stderr
	in, out := must(cmd.StdinPipe()), bufio.NewScanner(must(cmd.StdoutPipe()))
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	if !out.Scan() || out.Text() != "open" {
		b.Fatal(out.Text(), out.Err())
	}
	heard := &strings.Builder{}
	move := func() (*messages.SeatsMoved, int64) {
		version, seats := j.at("E")
		i := int(version) % benchedSeats
		other := byte('H')
		if seats[i] == 'H' {
			other = 'A'
		}
		return j.commit("E", map[int]byte{i: other}), time.Now().UnixNano()
	}
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	busy := processorTime(b)
	for b.Loop() {
		<-ticks.C
		m, now := move()
		hs.Heard("E", m)
		fmt.Fprintln(heard, m.GetVersion(), now)
	}
	b.StopTimer()
	<-time.After(time.Second) // the last is read
	busy = processorTime(b) - busy
	inUseThen, residentThen := footprint(b)
	_, _ = io.WriteString(in, heard.String())
	_ = in.Close()
	var median, percentile, most float64
	if out.Scan(); must(fmt.Sscan(out.Text(), &median, &percentile, &most)) != 3 {
		b.Fatal(out.Text())
	}
	s.end()
	_ = cmd.Process.Kill()
	if err := server.Shutdown(); err != nil {
		b.Error(err)
	}
	hs.Close()
	b.ReportMetric(float64(busy.Microseconds())/1000/float64(b.N), "cpu-ms/change")
	b.ReportMetric(median/1e6, "ms-median")
	b.ReportMetric(percentile/1e6, "ms-99th")
	b.ReportMetric(most/1e6, "ms-most")
	b.ReportMetric(float64(inUseThen-inUse)/benchedClients, "B/conn")
	b.ReportMetric(float64(residentThen-resident)/benchedClients, "RSS/conn")
	b.ReportMetric(0, "ns/op")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// footprint is what Go has of the system and uses, stacks among it, and the resident set.
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

// processorTime is what this process has used, to the hundredth of a second.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100
}

// BenchmarkHeard is what a message costs the event's owner, with and without streams.
func BenchmarkHeard(b *testing.B) {
	for _, streams := range []int{0, 1000} {
		b.Run(strconv.Itoa(streams), func(b *testing.B) {
			j := newJournal(50_000)
			hs := j.open()
			defer hs.Close()
			_ = must(hs.Find(b.Context(), "E"))
			for range streams {
				must(hs.Watch(b.Context(), "E", "")).Open(drain{})
			}
			m := &messages.SeatsMoved{Version: 1}
			b.ReportAllocs()
			for b.Loop() {
				next := &messages.SeatsMoved{Version: m.Version + 1, Previous: m.Version, Held: []uint32{uint32(m.Version % 50_000)}}
				hs.Heard("E", next)
				m = next
			}
		})
	}
}

type drain struct{}

func (drain) Send([]byte) bool { return true }
func (drain) End([]byte)       {}

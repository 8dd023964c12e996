package http_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	nethttp "net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"boxoffice/http"
)

// starved is a listener of a process that has no descriptor left, for some calls.
type starved struct {
	net.Listener
	errs  []error
	calls atomic.Int64
}

func (l *starved) Accept() (net.Conn, error) {
	if n := int(l.calls.Add(1)); n <= len(l.errs) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", l.errs[n-1])}
	}
	return l.Listener.Accept()
}

// Goal: a process that has no descriptor or memory left for a connection says so, not often, and serves again once it has.
func TestServesAfterScarcity(t *testing.T) {
	f := &fake{event: testEvent()}
	log := &syncBuffer{}
	srv := must(http.New(http.Config{
		Engine: f, Catalogue: f, Halls: f, Organiser: f, Sessions: f, Records: f, TokenKeys: must(http.ParseKeys(testSecret)), FilesMax: -1,
		AdminToken: adminToken, Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}))
	public := &starved{Listener: must(net.Listen("tcp", "127.0.0.1:0")), errs: []error{
		syscall.EMFILE, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED,
	}}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(public, must(net.Listen("tcp", "127.0.0.1:0"))) }()
	res, err := (&nethttp.Client{Timeout: 5 * time.Second}).Get("http://" + public.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	nethttp.DefaultTransport.(*nethttp.Transport).CloseIdleConnections()
	if n := strings.Count(log.String(), "cannot be accepted"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Goal: connections and streams together leave descriptors to everything else, streams leave some to requests, and what
// was asked for is lowered only where that has to be.
func TestFit(t *testing.T) {
	for _, c := range []struct{ files, streamsMax, public, admin, streams int }{
		{0, 50_000, 150_000, 256, 50_000},
		{-1, -1, 0, 256, -1},
		{1_048_576, 50_000, 150_000, 256, 50_000},
		{1_048_576, 800_000, 900_000, 256, 800_000},
		{1_048_576, -1, 1_047_808, 256, 947_808},
		{100_000, 50_000, 99_232, 256, 50_000},
		{20_000, 50_000, 19_232, 256, 14_424},
		{1024, 50_000, 448, 64, 336},
		{64, 50_000, 28, 4, 21},
	} {
		if public, admin, streams := http.Fit(c.files, c.streamsMax); public != c.public || admin != c.admin || streams != c.streams {
			t.Errorf("%d files, %d streams: %d, %d, %d", c.files, c.streamsMax, public, admin, streams)
		}
	}
}

// Goal: with few descriptors a server refuses connections in the words of the contract before it runs out of them; streams
// count; the organiser still comes in; the log says once that there are few.
func TestFewFiles(t *testing.T) {
	s := start(t, func(c *http.Config) { c.FilesMax = 64 })
	if log := s.log.String(); strings.Count(log, "few files") != 1 || !strings.Contains(log, "connections=28 streams=21") {
		t.Error(log)
	}
	s.waits = true
	var open []net.Conn
	for range 6 { // of at most eight streams each
		_, joined := s.join()
		transport.CloseIdleConnections()
		for range 4 {
			conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
			defer conn.Close()
			_ = must(io.WriteString(conn, "GET "+sessionStream(joined.SessionID)+" HTTP/1.1\r\nHost: x\r\n\r\n"))
			line := make([]byte, len("HTTP/1.1 200"))
			_ = must(io.ReadFull(conn, line))
			if got := string(line); got != "HTTP/1.1 200" && len(open) < 21 {
				t.Fatalf("stream %d: %s", len(open), line)
			} else if got == "HTTP/1.1 200" {
				open = append(open, conn)
			}
		}
	}
	if len(open) != 21 {
		t.Errorf("%d streams", len(open))
	}
	var idle []net.Conn
	for range 28 - 21 {
		conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
		defer conn.Close()
		idle = append(idle, conn)
	}
	// The server may be late to notice that a join's connection is gone: whoever is not refused takes its place.
	var refusal string
	eventually(t, func() bool {
		conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		answer, _ := io.ReadAll(conn)
		refusal = string(answer)
		return refusal != ""
	})
	if !strings.HasPrefix(refusal, "HTTP/1.1 503 ") || !strings.Contains(refusal, `"code":"overloaded"`) {
		t.Errorf("one connection too many is told %q", refusal)
	}
	if r := s.organiser("GET", "/livez", ""); r.status != 200 {
		t.Errorf("the organiser: %d", r.status)
	}
	_ = idle[0].Close()
	eventually(t, func() bool { return reached(s.public) })
}

// reached is true where the server answers a request.
func reached(base string) bool {
	res, err := nethttp.Get(base + "/livez")
	if err != nil {
		return false
	}
	defer nethttp.DefaultTransport.(*nethttp.Transport).CloseIdleConnections()
	_ = res.Body.Close()
	return res.StatusCode == 200
}

// Goal: whoever runs the server behind a proxy that it was not told of reads so in the log, once; nobody who does not.
func TestStrangeProxyIsLogged(t *testing.T) {
	for _, c := range []struct {
		peer, forwarded string
		want            int
	}{
		{"203.0.113.7", "1.1.1.1", 1},
		{"127.0.0.1", "1.1.1.1", 1},
		{"203.0.113.7", "", 0},
	} {
		t.Run(fmt.Sprintf("%s for %q", c.peer, c.forwarded), func(t *testing.T) {
			s := start(t)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { s.from(c.peer, c.forwarded) })
			}
			wg.Wait()
			if n := strings.Count(s.log.String(), "BOXOFFICE_TRUSTED_PROXIES"); n != c.want {
				t.Errorf("logged %d times: %s", n, s.log.String())
			}
		})
	}
}

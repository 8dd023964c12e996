package http_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	nethttp "net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/messages"
)

// slowMax is how many slow connections TestGarbageOverTCP keeps open, slowMaxLong in a long run.
const (
	slowMax     = 200
	slowMaxLong = 1000
	// bystanderMax is how long somebody else's request may take meanwhile, on a machine that does much else.
	bystanderMax = 3 * time.Second
)

// Goal: bytes that are hardly HTTP are answered as the document says or with a closed connection, they change nothing
// that they do not ask for in due form, and nobody else waits for them.
// Method: written cases and spoilt bytes of good requests over bare connections, some cut off, some half closed, beside
// many that send a byte now and then, while a bystander goes on browsing.
func TestGarbageOverTCP(t *testing.T) {
	s := start(t)
	s.replies(wrongState())
	s.sessions[testSession] = messages.Session{EventID: "E1", SessionID: testSession, Place: 1, Status: messages.SessionWaiting}
	first, end := seed(t), time.Now().Add(fuzzFor(t)/3)
	slow := s.slowly(slowCount())
	served := s.bystander(t)
	n := 0
	for ; n < len(garbage) || time.Now().Before(end); n++ {
		rng := rand.New(rand.NewPCG(first, uint64(n)))
		text := []byte(garbage[n%len(garbage)])
		if n >= len(garbage) {
			text = spoil(rng, s.goodBytes(rng))
		}
		before := s.state()
		good := s.garble(rng, text)
		if after := s.state(); after != before && !good {
			t.Errorf("something was done: %s, then %s", before, after)
		}
		slow.drip(n)
		if t.Failed() {
			t.Fatalf("number %d of BOXOFFICE_FUZZ_SEED=%d: %.1000q", n, first, text)
		}
	}
	t.Logf("%d connections beside %d slow ones, %d requests of a bystander", n, len(slow), served())
	if os.Getenv("BOXOFFICE_FUZZ_SECONDS") != "" {
		slow.end(t, s)
	}
	for _, c := range slow {
		_ = c.Close()
	}
	if log := s.log.String(); strings.Contains(log, "panicked") {
		t.Error(log)
	}
}

func slowCount() int {
	if os.Getenv("BOXOFFICE_FUZZ_SECONDS") != "" {
		return slowMaxLong
	}
	return slowMax
}

const head = "POST /api/waiting-room/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

var garbage = []string{
	"", "\r\n", "\n\n\n\n", "\x00", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET", "GET /\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n", "GET  /livez  HTTP/1.1\r\nHost: x\r\n\r\n", " GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez HTTP/1.1\r\n\r\n",
	"GET /livez HTTP/1.1\nHost: x\n\n", "GET /livez HTTP/1.1\rHost: x\r\r", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
	"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n", "GET //elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET livez HTTP/1.1\r\nHost: x\r\n\r\n", "GET ?x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez#x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /li\x00vez HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez\x7f HTTP/1.1\r\nHost: x\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
	"GET /livez HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n",
	"GET /livez HTTP/1.1\r\nHost: x\r\n folded: x\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
	"GET /livez HTTP/1.1\r\nHost : x\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	head + "Content-Length: -1\r\n\r\n", head + "Content-Length: x\r\n\r\n", head + "Content-Length: 99999999999999999999\r\n\r\n", head + "Content-Length: +16\r\n\r\n{\"eventId\":\"E2\"}",
	head + "Content-Length: 16\r\nContent-Length: 17\r\n\r\n{\"eventId\":\"E2\"} ", head + "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	head + "Content-Length: 100\r\n\r\n{", head + "Content-Length: 1000000\r\n\r\n{", head + "Content-Length: 0\r\n\r\n{}", head + "\r\n",
	head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", head + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx", head + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
	head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", head + "Transfer-Encoding: chunked\r\n\r\n2;ext=\x00\r\n{}\r\n0\r\n\r\n",
	head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", head + "Transfer-Encoding: identity\r\n\r\n",
	head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 20) + "0\r\n\r\n",
	head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 20_000) + "0\r\n\r\n",
	head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", head + "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
	strings.Repeat("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 50), "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n",
	"GET /" + strings.Repeat("a/", 900) + " HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("X", 20_000) + " / HTTP/1.1\r\n\r\n", "GET /livez HTTP/1.1\r\n" + strings.Repeat("X: x\r\n", 2000) + "\r\n",
	"BREW /api/nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "G\x00T /livez HTTP/1.1\r\nHost: x\r\n\r\n", "get /livez HTTP/1.1\r\nHost: x\r\n\r\n",
}

// goodBytes is a request that the document allows.
func (s *server) goodBytes(rng *rand.Rand) []byte {
	body := `{"seats":["D-14-1"],"paymentToken":"tok_visa"}`
	confirm := "POST " + orderPath(":confirm") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token(testNow+1000) +
		"\r\nIdempotency-Key: key-1\r\nContent-Type: application/json\r\n"
	return []byte([]string{
		confirm + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		confirm + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
		head + "Content-Length: 16\r\n\r\n{\"eventId\":\"E1\"}",
		"GET /api/events?q=x&limit=3 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
		"GET /api/events/E1/availability HTTP/1.1\r\nHost: x\r\nIf-None-Match: W/\"7\"\r\n\r\n",
		"GET " + sessionStream(http.SessionIDText("E1", testSession)) + " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
		"GET " + orderStream(s.token(0)) + " HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 7\r\n\r\n",
	}[rng.IntN(7)])
}

// spoil changes, drops, doubles or cuts bytes.
func spoil(rng *rand.Rand, b []byte) []byte {
	for range 1 + rng.IntN(4) {
		i := rng.IntN(len(b))
		switch rng.IntN(5) {
		case 0:
			b[i] = byte(rng.IntN(256))
		case 1:
			b = append(b[:i], b[min(len(b), i+1+rng.IntN(4)):]...)
		case 2:
			b = append(b[:i:i], append([]byte(strings.Repeat(string(b[i]), 1+rng.IntN(20))), b[i:]...)...)
		case 3:
			b = b[:i]
		case 4:
			b = append(b[:i:i], append([]byte([]string{"\r\n", "\n", "\r", "\x00", ":", " ", "\xff", "%00", "\t"}[rng.IntN(9)]), b[i:]...)...)
		}
		if len(b) == 0 {
			return b
		}
	}
	return b
}

// garble sends the bytes in pieces and judges all that comes back. It brings whether any of it was no refusal for form.
func (s *server) garble(rng *rand.Rand, text []byte) (good bool) {
	s.t.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))).(*net.TCPConn)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	go func() {
		for len(text) > 0 {
			n := 1 + rng.IntN(len(text))
			if _, err := conn.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
		_ = conn.CloseWrite()
	}()
	// What it does not understand it may take for the beginning of something, until the other side says no more.
	r := bufio.NewReader(conn)
	for {
		if _, err := r.Peek(1); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.t.Errorf("neither an answer nor a closed connection")
			}
			return good
		}
		res, err := nethttp.ReadResponse(r, nil)
		if err != nil {
			s.t.Errorf("no HTTP: %v", err)
			return good
		}
		if res.StatusCode == nethttp.StatusContinue {
			continue
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			s.t.Errorf("an answer cut off: %v", err)
			return good
		}
		good = s.judge(contract.Answer{Status: res.StatusCode, Header: res.Header, Body: body}) || good
	}
}

// judge is true of what was not refused for its form.
func (s *server) judge(a contract.Answer) bool {
	s.t.Helper()
	if a.Status >= 500 {
		s.t.Errorf("our fault: %d %s", a.Status, a.Body)
	}
	if a.Status < 400 {
		return true
	}
	if err := s.document.Problem(a); err != nil {
		s.t.Errorf("%d %v %.300s: %v", a.Status, a.Header, a.Body, err)
	}
	return bytes.Contains(a.Body, []byte(`"code":"order-state"`))
}

// bystander browses until told to end, and never waits long. It brings how often.
func (s *server) bystander(t *testing.T) (end func() int64) {
	done, ended := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			begun := time.Now()
			res, err := s.client.Get(s.public + "/api/events/E1")
			if err != nil {
				t.Errorf("a bystander: %v", err)
				return
			}
			_ = res.Body.Close()
			if took := time.Since(begun); res.StatusCode != 200 || took > bystanderMax {
				t.Errorf("a bystander waited %v for %d", took, res.StatusCode)
			}
			n.Add(1)
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return n.Load()
	}
}

// slowConns send a byte now and then, of something that looks like a request.
type slowConns []net.Conn

func (s *server) slowly(n int) (conns slowConns) {
	for i := range n {
		c := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
		_ = must(io.WriteString(c, []string{"", "G", "GET /livez HTTP/1.1\r\nX: ", head + "Content-Length: 1000\r\n\r\n{", head + "Transfer-Encoding: chunked\r\n\r\n1\r\n"}[i%5]))
		conns = append(conns, c)
	}
	return conns
}

// drip sends one byte on one of them.
func (cs slowConns) drip(i int) { _, _ = cs[i%len(cs)].Write([]byte("x")) }

// end waits until the server has had enough: it must have said so in words of the document, or nothing.
func (cs slowConns) end(t *testing.T, s *server) {
	t.Helper()
	timeouts := 0
	for i, c := range cs {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		b, err := io.ReadAll(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("slow connection %d is still open", i)
		}
		if len(b) == 0 {
			continue
		}
		res, err := nethttp.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			t.Fatalf("slow connection %d: %q: %v", i, b, err)
		}
		body := must(io.ReadAll(res.Body))
		_ = res.Body.Close()
		if s.judge(contract.Answer{Status: res.StatusCode, Header: res.Header, Body: body}); res.StatusCode == nethttp.StatusRequestTimeout {
			timeouts++
		}
	}
	t.Logf("%d of %d slow connections were answered with 408", timeouts, len(cs))
	if timeouts == 0 {
		t.Error("none was told that it is slow")
	}
}

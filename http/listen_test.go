package http_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/messages"
)

// raw sends bytes as they are to the public listener and reads one answer.
func (s *server) raw(bytes string) response {
	s.t.Helper()
	r := s.rawTo(s.public, bytes)
	if err := s.document.Protocol(contract.Answer{Status: r.status, Header: r.header, Body: []byte(r.body)}); err != nil {
		s.t.Errorf("the contract: %.60q: %v", bytes, err)
	}
	return r
}

func (s *server) rawTo(base, bytes string) response {
	s.t.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(base, "http://")))
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	go func() { _, _ = io.WriteString(conn, bytes) }()
	res, err := nethttp.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("%.60q: %v", bytes, err)
	}
	defer res.Body.Close()
	return response{res.StatusCode, res.Header, string(must(io.ReadAll(res.Body))), res.Close}
}

// Goal: what never became a request is answered in the words of the contract too.
func TestProtocolErrors(t *testing.T) {
	s := start(t)
	s.raw("nonsense\r\n\r\n").want(t, 400, "invalid-request")
	s.raw("GET /api/events HTTP/1.1\r\nno colon: but a space\r\n\r\n").want(t, 400, "invalid-request")
	for _, headers := range []string{
		"Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2\r\nTransfer-Encoding: chunked", "transfer-encoding: chunked\r\nCONTENT-LENGTH: 2",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
		"X: a\r\n b", "X: a\x00b", ": x",
	} {
		r := s.raw("POST /api/orders HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
		if r.want(t, 400, "invalid-request"); !r.closes {
			t.Errorf("%q: the connection stays", headers)
		}
	}
	s.raw("POST /api/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").want(t, 400, "invalid-request")
	s.raw("BREW /api/events HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 405, "method-not-allowed")
	s.raw("GET /"+strings.Repeat("x", 3000)+" HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 414, "uri-too-long")
	s.raw("GET /"+strings.Repeat("x", 100_000)+" HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 414, "uri-too-long")
	s.raw("GET /api/events HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 100_000)+"\r\n\r\n").want(t, 431, "headers-too-large")
	s.raw("GET /"+strings.Repeat("x", 700)+" HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 100_000)+"\r\n\r\n").want(t, 431, "headers-too-large")
	s.raw("GET /api/events/..%2f HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 400, "invalid-request")
	s.raw("GET /api/events/%00 HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 400, "invalid-request")
	s.raw("GET /problems/not-found/../internal HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 404, "not-found")
}

// Goal: a client that sends far too much reads its 413 all the same, in pieces or with a length, asked for or not.
func TestBodyTooLarge(t *testing.T) {
	s := start(t)
	const size = 5 << 20
	head := "POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	s.raw(head+fmt.Sprintf("Content-Length: %d\r\n\r\n", size)+strings.Repeat("x", size)).want(t, 413, "body-too-large")
	s.raw(head+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", size)+strings.Repeat("x", size)).want(t, 413, "body-too-large")
	s.do("POST", s.public+"/api/orders", strings.Repeat("x", size)).want(t, 413, "body-too-large")
	s.do("POST", s.public+"/api/orders", strings.Repeat("x", 16<<10)).want(t, 401, "token-required")
	s.do("POST", s.public+"/api/orders", strings.Repeat("x", 16<<10+1)).want(t, 413, "body-too-large")
	s.organiser("POST", "/api/admin/events", `"`+strings.Repeat("x", size)+`"`).want(t, 400, "invalid-request")
}

// Goal: who is not the organiser makes us read no more than 16 KiB, and hears of the token rather than of the body.
// Method: headers that announce a body which never comes: an answer shows that nobody waits for it.
func TestStrangersBodyUnread(t *testing.T) {
	s := start(t)
	announce := func(path, headers string) response {
		return s.rawTo(s.admin, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+headers+"\r\n\r\n{")
	}
	const events, bad = "/api/admin/events", "Authorization: Bearer x\r\n"
	const length = "Content-Length: 67108864"
	announce(events, length).want(t, 401, "token-required")
	announce(events, bad+length).want(t, 401, "token-invalid")
	announce(events+"/E1:block", bad+length).want(t, 401, "token-invalid")
	announce("/api/nowhere", bad+length).want(t, 404, "not-found")
	announce(events, "Content-Encoding: gzip\r\n"+bad+length).want(t, 415, "unsupported-media-type")
	announce(events, bad+"Content-Length: 67108865").want(t, 413, "body-too-large")
	announce(events, bad+"Transfer-Encoding: chunked\r\n\r\n4001").want(t, 413, "body-too-large")
	announce(events, "Authorization: Bearer "+adminToken+"\r\nContent-Length: 67108865").want(t, 413, "body-too-large")
	large := `"` + strings.Repeat("x", 1<<20) + `"`
	s.do("POST", s.admin+events, large, "Authorization", "Bearer x").want(t, 401, "token-invalid")
	s.organiser("POST", events, large).want(t, 400, "invalid-request")
}

// Goal: a panic costs its request alone, and the log names the place but nothing that a client sent.
func TestPanic(t *testing.T) {
	s := start(t)
	token, path := s.token(testNow+1000), orderPath(":confirm")
	s.ask = func(r *messages.Request) *messages.Reply { panic(fmt.Sprint(token, path, r)) }
	s.buyer(path, `{"paymentToken":"tok_secret"}`).want(t, 500, "internal")
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_INTERNAL})
	s.buyer(path, `{"paymentToken":"tok_secret"}`).want(t, 500, "internal")
	log := s.log.String()
	for _, secret := range []string{token, http.OrderIDText("E1", testOrder[:]), "tok_secret", adminToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q: %s", secret, log)
		}
	}
	if !strings.Contains(log, "confirm") && !strings.Contains(log, "/api/orders/:id") {
		t.Errorf("the log does not say where: %s", log)
	}
}

func TestHealth(t *testing.T) {
	s := start(t)
	for _, base := range []string{s.public, s.admin} {
		for _, path := range []string{"/livez", "/readyz"} {
			if r := s.do("GET", base+path, ""); r.status != 200 {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
	}
	s.readyErr = errors.New("postgres://user:password@host is away")
	r := s.do("GET", s.public+"/readyz", "")
	if r.want(t, 503, "unavailable"); strings.Contains(r.body, "password") {
		t.Error(r.body)
	}
	if r := s.do("GET", s.public+"/livez", ""); r.status != 200 {
		t.Errorf("not live while not ready: %d", r.status)
	}
}

// Goal: a shutdown lets the request finish that is being answered, and takes no new one.
func TestShutdownDrains(t *testing.T) {
	s := start(t)
	asked, release := make(chan struct{}), make(chan struct{})
	s.ask = func(*messages.Request) *messages.Reply {
		close(asked)
		<-release
		return wrongState()
	}
	answered, stopped := make(chan response, 1), make(chan error, 1)
	go func() { answered <- s.buyer(orderPath(":cancel"), "") }()
	<-asked
	go func() { stopped <- s.stop(context.Background()) }()
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.public, "http://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatal("stopped while a request was being answered", err)
	default:
	}
	close(release)
	r := <-answered
	if r.want(t, 409, "order-state"); !r.closes {
		t.Errorf("%v", r.header)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Goal: a server that would be open or dumb is not made.
func TestConfigRequired(t *testing.T) {
	f := &fake{}
	full := http.Config{
		Engine: f, Catalogue: f, Halls: f, Organiser: f, Sessions: f, Records: f, TokenKeys: must(http.ParseKeys(testSecret)),
		AdminToken: "x", Ready: func(context.Context) error { return nil },
	}
	if _, err := http.New(full); err != nil {
		t.Error(err)
	}
	for _, spoil := range []func(*http.Config){
		func(c *http.Config) { c.Engine = nil }, func(c *http.Config) { c.Halls = nil }, func(c *http.Config) { c.TokenKeys = http.Keys{} },
		func(c *http.Config) { c.AdminToken = "" }, func(c *http.Config) { c.Ready = nil },
	} {
		c := full
		if spoil(&c); func() error { _, err := http.New(c); return err }() == nil {
			t.Error("made without", c)
		}
	}
}

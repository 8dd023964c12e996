package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"boxoffice/http/contract"
	"boxoffice/persistence/embedded"
)

const (
	adminToken = "the organiser's secret"
	// patience bounds every wait for something that should take a moment.
	patience = 30 * time.Second
	// pollEvery is the pause between two looks at a condition.
	pollEvery = 5 * time.Millisecond
	// answerMax is above the 8 s for which a caller waits for the payment provider.
	answerMax = 15 * time.Second
)

var tokenKeys = "test:" + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

// server is a boxoffice server of one test's own.
type server struct {
	t        testing.TB
	binary   *binary
	database string
	env      []string
	client   *nethttp.Client
	// wrap is a command that runs the server, and dial how it is reached then.
	wrap []string
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu          sync.Mutex
	child       *embedded.Child
	log         *serverLog
	http, admin string
}

// newServer makes one that does not run yet.
func newServer(t testing.TB, b *binary, database string, env ...string) *server {
	s := &server{t: t, binary: b, database: database, env: env, dial: new(net.Dialer).DialContext}
	transport := &nethttp.Transport{
		MaxIdleConnsPerHost: 512,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dial(ctx, network, address)
		},
	}
	s.client = &nethttp.Client{Transport: s.judged(transport), Timeout: answerMax}
	t.Cleanup(func() {
		s.kill()
		transport.CloseIdleConnections()
	})
	return s
}

// judged holds every exchange against http/openapi.yaml.
func (s *server) judged(base nethttp.RoundTripper) nethttp.RoundTripper {
	document, err := contract.Load()
	must(s.t, err)
	return &contract.Transport{
		Document: document, Base: base,
		Report: func(err error) { s.t.Errorf("the contract: %v", err) },
		Listener: func(host string) contract.Listener {
			if _, admin := s.at(); admin == "http://"+host {
				return contract.Admin
			}
			return contract.Public
		},
	}
}

// start a server and wait until it answers.
func start(t testing.TB, database string, env ...string) *server {
	t.Helper()
	s := newServer(t, &shipped, database, env...)
	s.run()
	return s
}

// run it, with more in its environment; it must not run yet.
func (s *server) run(env ...string) {
	s.t.Helper()
	if err := s.tryRun(env...); err != nil {
		s.t.Fatal(err)
	}
}

// tryRun fails where the server ends before it answers.
func (s *server) tryRun(env ...string) error {
	if err := s.launch(env...); err != nil {
		return err
	}
	return s.serves(patience)
}

// launch its process.
func (s *server) launch(env ...string) error {
	log := &serverLog{serving: make(chan [2]string, 1)}
	command := slices.Concat(s.wrap, []string{s.binary.path(s.t), "serve"})
	cmd := exec.Command(command[0], command[1:]...)
	// What comes last counts.
	cmd.Env = environ(slices.Concat([]string{
		"DATABASE_URL=" + s.database, "BOXOFFICE_HTTP_ADDR=127.0.0.1:0", "BOXOFFICE_ADMIN_ADDR=127.0.0.1:0",
		"BOXOFFICE_ADMIN_TOKEN=" + adminToken, "BOXOFFICE_TOKEN_KEYS=" + tokenKeys,
	}, s.env, env)...)
	cmd.Stdout, cmd.Stderr = log, log
	child, err := embedded.StartChild(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.child, s.log = child, log
	s.mu.Unlock()
	return nil
}

// serves waits until what was launched answers.
func (s *server) serves(within time.Duration) error {
	s.mu.Lock()
	child, log := s.child, s.log
	s.mu.Unlock()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case at := <-log.serving:
		s.mu.Lock()
		s.http, s.admin = "http://"+at[0], "http://"+at[1]
		s.mu.Unlock()
		return nil
	case <-child.Done():
		return fmt.Errorf("the server ended at its start: %w:\n%s", child.Err(), log)
	case <-late.C:
		return fmt.Errorf("the server does not serve:\n%s", log)
	}
}

// kill -9, if it runs, and wait until it is gone.
func (s *server) kill() {
	s.mu.Lock()
	child := s.child
	s.mu.Unlock()
	if child == nil {
		return
	}
	_ = child.Signal(syscall.SIGKILL)
	<-child.Done()
	s.ended()
}

// terminate asks it to end and says how long that took and what its exit code was.
func (s *server) terminate() (time.Duration, int) {
	s.t.Helper()
	begun := time.Now()
	_ = s.child.Signal(syscall.SIGTERM)
	select {
	case <-s.child.Done():
	case <-time.After(patience):
		s.t.Errorf("the server does not end on SIGTERM:\n%s", s.log)
		s.kill()
	}
	s.ended()
	return time.Since(begun), exitCode(s.child)
}

// ended looks at what the server has said, once it is gone.
func (s *server) ended() {
	s.mu.Lock()
	log := s.log.String()
	s.mu.Unlock()
	for _, fault := range []string{"DATA RACE", "panicked", "quarantined", "goroutine "} {
		if strings.Contains(log, fault) {
			s.t.Errorf("the server's log tells of %q:\n%s", fault, log)
			return
		}
	}
	if s.t.Failed() {
		s.t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-4000):])
	}
	for _, secret := range []string{".o_", ".s_", "tok_"} {
		if strings.Contains(log, secret) {
			s.t.Errorf("the server's log shows an id or a token (%q):\n%s", secret, log[max(0, len(log)-4000):])
		}
	}
}

// done is closed once the process has ended.
func (s *server) done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.Done()
}

func exitCode(c *embedded.Child) int {
	var exit *exec.ExitError
	switch {
	case c.Err() == nil:
		return 0
	case errors.As(c.Err(), &exit):
		return exit.ExitCode()
	}
	return -2
}

// at is where it serves: it changes with every run.
func (s *server) at() (public, admin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.http, s.admin
}

var servingLine = regexp.MustCompile(`msg=serving http=(\S+) admin=(\S+)`)

// serverLog collects what a server says.
type serverLog struct {
	mu      sync.Mutex
	text    bytes.Buffer
	serving chan [2]string
	served  bool
}

var _ io.Writer = (*serverLog)(nil)

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if !l.served {
		if m := servingLine.FindSubmatch(l.text.Bytes()); m != nil && bytes.HasSuffix(l.text.Bytes(), []byte("\n")) {
			l.served = true
			l.serving <- [2]string{string(m[1]), string(m[2])}
		}
	}
	return len(p), nil
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until polls a condition; its last error is what the test fails with.
func until(t testing.TB, within time.Duration, condition func() error) {
	t.Helper()
	if err := poll(within, condition); err != nil {
		t.Fatalf("not within %v: %v", within, err)
	}
}

func poll(within time.Duration, condition func() error) error {
	deadline := time.Now().Add(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

// each runs f for 0 to n-1, all at once, and fails the test with the first errors.
func each(t testing.TB, n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) > 0 {
		t.Errorf("%d of %d failed, the first ones with: %v", len(errs), n, errors.Join(errs[:min(3, len(errs))]...))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddress of the kernel's choice.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

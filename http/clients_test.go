package http_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/http"
	"boxoffice/messages"
)

// Goal: an address has its sessions counted where nobody can choose it: one digest for each client and event, none for
// loopback, none where there is no cap.
func TestSessionsCountedByAddress(t *testing.T) {
	s := start(t, func(c *http.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	joined := func(s *server, address, forwarded string) messages.Join {
		t.Helper()
		before := len(s.sessions)
		if ctx := s.from(address, forwarded); ctx.Response.StatusCode() != 201 || len(s.sessions) != before+1 {
			t.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
		return s.lastJoin
	}
	client := func(address, forwarded string) [16]byte {
		j := joined(s, address, forwarded)
		if j.Client != ([16]byte{}) && j.ClientMax != 100 {
			t.Errorf("at most %d", j.ClientMax)
		}
		return j.Client
	}
	none := [16]byte{}
	one := client("203.0.113.7", "")
	if one == none || client("203.0.113.7", "1.1.1.1") != one || client("10.0.0.1", "203.0.113.7") != one || client("203.0.113.8", "") == one {
		t.Error("IPv4")
	}
	if six := client("2001:db8::1", ""); six == none || client("2001:db8::2:1", "") != six || client("2001:db8:0:1::1", "") == six {
		t.Error("IPv6")
	}
	if client("127.0.0.1", "") != none || client("::1", "1.1.1.1") != none {
		t.Error("loopback is counted")
	}
	if strings.Contains(string(one[:]), string([]byte{203, 0, 113, 7})) {
		t.Error("the address is kept as it is")
	}
	// The same again after a restart, but not with another key.
	other := start(t, func(c *http.Config) { c.TokenKeys = must(http.ParseKeys(strings.Repeat("ab", 32))) })
	if j := joined(other, "203.0.113.7", ""); j.Client == one || j.Client == none {
		t.Error("the digest has no key")
	}
	if j := joined(start(t, func(c *http.Config) { c.SessionsPerIPMax = 7 }), "203.0.113.7", ""); j.ClientMax != 7 || j.Client != one {
		t.Errorf("%+v", j)
	}
	if j := joined(start(t, func(c *http.Config) { c.SessionsPerIPMax = -1 }), "203.0.113.7", ""); j.Client != none {
		t.Errorf("%+v", j)
	}
}

// Goal: an address that has enough sessions is told so, and when to come again.
func TestTooManySessions(t *testing.T) {
	s := start(t)
	s.joinErr = fmt.Errorf("join: %w", messages.ErrTooManySessions)
	r := s.do("POST", s.public+"/api/waiting-room/sessions", `{"eventId":"E1"}`)
	p := r.want(t, 429, "rate-limited")
	if detail, _ := p["detail"].(string); !strings.Contains(detail, "sessions of the event") || r.header.Get("Retry-After") != "60" {
		t.Errorf("%v %s", r.header, r.body)
	}
}

// Goal: a join that is repeated brings what it brought, also once its session has been let in or has ended.
func TestWaitingJoinReplay(t *testing.T) {
	s := start(t)
	s.waits = true
	s.line(0, 2)
	key := []string{"Idempotency-Key", strings.Repeat("k", 22)}
	first, _ := s.join(key...)
	if !strings.Contains(first.body, `"status":"WAITING","position":1,"etaSeconds":1`) {
		t.Fatalf("%s", first.body)
	}
	s.line(1, 5)
	again, _ := s.join(key...)
	if again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v %s", again.header, again.body)
	}
}

// sharedRates count nothing: they answer.
type sharedRates struct {
	mu    sync.Mutex
	takes []string
	wait  time.Duration
	err   error
}

func (r *sharedRates) Take(_ context.Context, what string, key [16]byte, interval, window time.Duration) (time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takes = append(r.takes, fmt.Sprintf("%s %x %v %v", what, key[:4], interval, window))
	return r.wait, r.err
}

// Goal: what all nodes have counted together decides; while that is not to be had, what this one has.
func TestSharedRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &sharedRates{}
		f := &fake{event: testEvent(), sessions: map[[16]byte]messages.Session{}, joined: map[[16]byte]messages.Join{}}
		srv := inBubble(f, func(c *http.Config) {
			c.Rates, c.JoinsPerMinutePerIP, c.OrdersPerMinutePerSession = rates, 2, 3
		})
		s := &server{fake: f, t: t, keys: must(http.ParseKeys(testSecret)), handler: srv.PublicHandler()}
		join := func() (int, string) {
			ctx := s.from("203.0.113.7", "")
			return ctx.Response.StatusCode(), string(ctx.Response.Header.Peek("Retry-After"))
		}
		for range 5 { // more than are counted here
			if status, _ := join(); status != 201 {
				t.Fatal(status)
			}
		}
		if got := rates.takes[4]; got != "joins 00000000 30s 1m0s" {
			t.Errorf("%q", got)
		}
		rates.wait = 3500 * time.Millisecond
		if status, retry := join(); status != 429 || retry != "4" {
			t.Error(status, retry)
		}
		rates.wait = time.Hour // whoever says so
		if _, retry := join(); retry != "60" {
			t.Error(retry)
		}
		rates.err, rates.wait = errors.New("away"), 0
		for n, want := range []int{201, 201, 429, 429} {
			if status, _ := join(); status != want {
				t.Errorf("number %d here: %d", n+1, status)
			}
		}
		rates.err = nil
		if status, _ := join(); status != 201 {
			t.Error("counted here, though all nodes count again:", status)
		}
	})
}

// Goal: orders are counted by session.
func TestSharedOrderRates(t *testing.T) {
	rates := &sharedRates{}
	s := start(t, func(c *http.Config) { c.Rates, c.OrdersPerMinutePerSession = rates, 3 })
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_CREATED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_PENDING)})
	for range 4 {
		if r := s.buyer("/api/orders", `{"eventId":"E1"}`); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if want := fmt.Sprintf("orders %x 20s 1m0s", testSession[:4]); len(rates.takes) != 4 || rates.takes[0] != want {
		t.Errorf("%q", rates.takes)
	}
	rates.wait = time.Second
	r := s.buyer("/api/orders", `{"eventId":"E1"}`)
	if r.want(t, 429, "rate-limited"); r.header.Get("Retry-After") != "1" {
		t.Error(r.header)
	}
	var p struct{ Detail string }
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Detail == "" {
		t.Error(err, r.body)
	}
}

package http_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"google.golang.org/protobuf/proto"

	"boxoffice/http"
	"boxoffice/messages"
)

// engineFunc is an engine that, unlike the fake, answers many at once.
type engineFunc func(*messages.Request) *messages.Reply

// Ask the function.
func (f engineFunc) Ask(_ context.Context, r *messages.Request) *messages.Reply { return f(r) }

// gated is a catalogue whose events are read one gate's opening at a time.
type gated struct {
	*fake
	gate  chan error
	free  atomic.Bool // no gate
	reads atomic.Int64
}

// Event as the fake has it when it is asked, shown once the gate opens.
func (g *gated) Event(ctx context.Context, id string) (*messages.Event, error) {
	g.reads.Add(1)
	event, err := g.fake.Event(ctx, id)
	if err != nil {
		return nil, err
	}
	event = proto.CloneOf(event)
	if g.free.Load() {
		return event, nil
	}
	return event, <-g.gate
}

// inBubble makes a handler to be called within a bubble of testing/synctest.
func inBubble(f *fake, change func(*http.Config)) *http.Server {
	config := http.Config{
		Engine: f, Catalogue: f, Organiser: f, Sessions: f, Records: f, TokenKeys: must(http.ParseKeys(testSecret)),
		AdminToken: adminToken, Ready: func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}
	change(&config)
	return must(http.New(config))
}

func call(h fasthttp.RequestHandler, method, path, body string, headers ...string) *fasthttp.Response {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(path)
	if body != "" {
		req.Header.SetContentType("application/json")
		req.SetBodyString(body)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, &net.TCPAddr{IP: net.IPv6loopback}, nil)
	h(ctx)
	return &ctx.Response
}

// Goal: a crowd that polls an event's availability is one command at its owner, and each gets the whole answer.
// Method: the owner answers once everybody waits. Who comes after that is not shown the old state.
func TestPollsAreOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd = 1000
		var asked atomic.Int64
		gate := make(chan struct{})
		h := inBubble(&fake{event: testEvent(), plan: testPlan()}, func(c *http.Config) {
			c.Engine = engineFunc(func(*messages.Request) *messages.Reply {
				n := asked.Add(1)
				<-gate
				return available(uint64(n), "AHSBA")
			})
		}).PublicHandler()
		poll := func() *fasthttp.Response { return call(h, "GET", "/api/events/E1/availability", "") }
		var first string
		var once sync.Once
		for range crowd {
			go func() {
				r := poll()
				once.Do(func() { first = string(r.Body()) })
				if r.StatusCode() != 200 || string(r.Body()) != first {
					t.Errorf("%d %s", r.StatusCode(), r.Body())
				}
			}()
		}
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d commands in flight", n)
		}
		close(gate)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d commands for one crowd", n)
		}
		if r := poll(); string(r.Header.Peek("ETag")) != `W/"2"` {
			t.Errorf("an old state to who came later: %s", r.Body())
		}
		if r := call(h, "GET", "/api/events/E1/availability", "", "If-None-Match", `W/"3"`); r.StatusCode() != 304 {
			t.Errorf("%d", r.StatusCode())
		}
	})
}

// Goal: the version on one connection never goes back.
// Method: several clients poll as fast as they can while every command to the owner sees a newer version.
func TestPollsNeverGoBack(t *testing.T) {
	var version atomic.Uint64
	s := start(t, func(c *http.Config) {
		c.Engine = engineFunc(func(*messages.Request) *messages.Reply { return available(version.Add(1), "AHSBA") })
	})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			last := 0
			for range 50 {
				r := s.do("GET", s.public+"/api/events/E1/availability", "")
				var got struct{ Version int }
				if err := json.Unmarshal([]byte(r.body), &got); err != nil || got.Version < last || r.header.Get("ETag") != `W/"`+strconv.Itoa(got.Version)+`"` {
					t.Errorf("after %d: %s %v", last, r.body, err)
				}
				last = got.Version
			}
		})
	}
	clients.Wait()
}

// Goal: a rush of joins reads its event once a second, an error is not kept, and a change made here counts at once, even
// for a read that had begun before it.
func TestJoinsReadEventOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{event: testEvent(), plan: testPlan(), sessions: map[[16]byte]messages.Session{}, joined: map[[16]byte]messages.Join{}}
		f.ask = func(*messages.Request) *messages.Reply {
			f.event.Status = messages.EventStatus_EVENT_STATUS_CLOSED
			return &messages.Reply{Outcome: messages.Outcome_OUTCOME_CONFIGURED, Event: f.event}
		}
		g := &gated{fake: f, gate: make(chan error)}
		server := inBubble(f, func(c *http.Config) { c.Catalogue = g })
		h := server.PublicHandler()
		join := func(want int) {
			t.Helper()
			if r := call(h, "POST", "/api/waiting-room/sessions", `{"eventId":"E1"}`); r.StatusCode() != want {
				t.Errorf("%d %s, want %d", r.StatusCode(), r.Body(), want)
			}
		}
		reads := func(want int64) {
			t.Helper()
			if synctest.Wait(); g.reads.Load() != want {
				t.Errorf("%d reads, want %d", g.reads.Load(), want)
			}
		}
		for range 100 {
			go join(503)
		}
		reads(1)
		g.gate <- errors.New("away")
		synctest.Wait()
		for range 100 {
			go join(201)
		}
		reads(2)
		g.gate <- nil
		synctest.Wait()
		join(201)
		time.Sleep(999 * time.Millisecond) //nolint:forbidigo // a bubble's clock
		join(201)
		reads(2)
		time.Sleep(time.Millisecond) //nolint:forbidigo // a bubble's clock
		go join(201)
		reads(3)
		// The read in flight saw the event open. The change itself waits until a read shows it.
		g.free.Store(true)
		if r := call(server.AdminHandler(), "PATCH", "/api/admin/events/E1", `{"status":"CLOSED"}`, "Authorization", "Bearer "+adminToken); r.StatusCode() != 200 {
			t.Fatalf("%d %s", r.StatusCode(), r.Body())
		}
		g.free.Store(false)
		go join(409)
		reads(5)
		g.gate <- nil
		g.gate <- nil
		synctest.Wait()
		join(409)
		reads(5)
	})
}

// Goal: who looks right after a change sees it. Method: a read model that shows the change a while after it was made, and
// one that never does.
func TestChangeIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{event: testEvent(), plan: testPlan(), sessions: map[[16]byte]messages.Session{}, joined: map[[16]byte]messages.Join{}}
		changed := proto.CloneOf(f.event)
		changed.Name = "Another name"
		f.ask = func(*messages.Request) *messages.Reply {
			return &messages.Reply{Outcome: messages.Outcome_OUTCOME_CONFIGURED, Event: changed}
		}
		h := inBubble(f, func(*http.Config) {}).AdminHandler()
		patch := func() time.Duration {
			begin := time.Now()
			if r := call(h, "PATCH", "/api/admin/events/E1", `{"name":"Another name"}`, "Authorization", "Bearer "+adminToken); r.StatusCode() != 200 {
				t.Errorf("%d %s", r.StatusCode(), r.Body())
			}
			return time.Since(begin)
		}
		if took := patch(); took != time.Second {
			t.Errorf("never shown: answered after %v", took)
		}
		time.AfterFunc(300*time.Millisecond, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.event = changed
		})
		if took := patch(); took < 300*time.Millisecond || took > 320*time.Millisecond {
			t.Errorf("shown after 300 ms: answered after %v", took)
		}
		if took := patch(); took != 0 {
			t.Errorf("shown already: answered after %v", took)
		}
	})
}

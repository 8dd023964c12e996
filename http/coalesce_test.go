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

// gatedHalls are read one gate's opening at a time.
type gatedHalls struct {
	*fake
	gate chan struct{}
}

// Availability as the fake has it once the gate opens.
func (g *gatedHalls) Availability(ctx context.Context, id string) (*messages.Availability, error) {
	<-g.gate
	return g.fake.Availability(ctx, id)
}

// inBubble makes a handler to be called within a bubble of testing/synctest.
func inBubble(f *fake, change func(*http.Config)) *http.Server {
	config := http.Config{
		Engine: f, Catalogue: f, Halls: f, Organiser: f, Sessions: f, Records: f, TokenKeys: must(http.ParseKeys(testSecret)),
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

// Goal: a crowd that asks for an event's seats is one read, however long that takes, and each gets the whole answer. One
// that fails is shared too, and the next asks anew.
func TestAvailabilityIsOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd = 1000
		f := &fake{event: testEvent(), plan: testPlan()}
		g := &gatedHalls{fake: f, gate: make(chan struct{})}
		server := inBubble(f, func(c *http.Config) { c.Halls = g })
		h := server.PublicHandler()
		get := func(status int) {
			if r := call(h, "GET", "/api/events/E1/availability", ""); r.StatusCode() != status {
				t.Errorf("%d %s", r.StatusCode(), r.Body())
			}
		}
		for _, status := range []int{503, 200} {
			f.seatsErr = nil
			if status == 503 {
				f.seatsErr = errors.New("away")
			}
			before := f.loads
			for range crowd {
				go get(status)
			}
			synctest.Wait()
			g.gate <- struct{}{}
			if synctest.Wait(); status == 200 {
				get(status)
			}
			if f.loads-before != 1 {
				t.Errorf("%d reads for one crowd", f.loads-before)
			}
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Goal: the version on one connection never goes back, and whoever asks after a change was heard is shown it.
// Method: several clients ask as fast as they can while seats move.
func TestAvailabilityNeverGoesBack(t *testing.T) {
	s := start(t)
	s.do("GET", s.public+"/api/events/E1/availability", "")
	var version atomic.Uint64
	version.Store(1)
	ended := make(chan struct{})
	var clients, mover sync.WaitGroup
	mover.Go(func() {
		for range 100_000 {
			select {
			case <-ended:
				return
			default:
				next := version.Load() + 1
				s.heard(s.move(next, uint32(next%5)))
				version.Store(next)
			}
		}
	})
	for range 8 {
		clients.Go(func() {
			for range 50 {
				least := version.Load()
				r := s.do("GET", s.public+"/api/events/E1/availability", "")
				var got struct{ Version uint64 }
				if err := json.Unmarshal([]byte(r.body), &got); err != nil || got.Version < least || r.header.Get("ETag") != `W/"`+strconv.FormatUint(got.Version, 10)+`"` {
					t.Errorf("after %d: %s %v", least, r.body, err)
				}
			}
		})
	}
	clients.Wait()
	close(ended)
	mover.Wait()
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

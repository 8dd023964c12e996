package main_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: a reload loses neither the place in line, nor the seats that are held, nor the payment.
func reloadsOnTheWay(t *testing.T, chromium browser) {
	s, database := stage(t, 2, 6, map[string]any{"waitingRoom": map[string]any{"enabled": true, "activeLimit": 1}})
	first, err := s.join("E1")
	must(t, err)
	w := browse(t, chromium, "reload", view{width: phone})
	w.forgive("409") // the call of before the reload is in flight still
	w.open(s.http + "/events/E1")
	w.click(at("buy"))
	w.see(at("place"))
	w.says(at("place"), "1")
	w.shoot("waiting")
	w.accessible()
	w.reload()
	w.says(at("place"), "1")
	if n := query[int](t, database, `select count(*)::int from session`)[0]; n != 2 {
		t.Errorf("a reload in the waiting room makes %d sessions of two", n)
	}
	must(t, first.leave().is(204))
	w.see(at("reserve"))
	w.shoot("my-turn")
	w.click(at("best"))
	w.click(at("find"))
	w.see(at("hold-left"))
	w.reload()
	w.see(at("hold-left"))
	w.shoot("checkout-after-reload")
	w.click(at("tok_slow"))
	w.click(at("pay"))
	w.until(`document.querySelector('` + at("pay") + `').getAttribute("aria-disabled") === "true"`)
	w.reload() // while the provider takes its three seconds
	w.see(at("tickets"))
	w.shoot("tickets")
	wantLedger(t, database, "E1", map[string]int{"authorize": 1, "capture": 1})
	verify(t, database)
}

// Goal: a hold that runs out on the page is told kindly, gives its seats back, and leads to others.
func holdExpiresOnPage(t *testing.T, chromium browser) {
	s, _ := stage(t, 2, 6, map[string]any{"holdTtlSeconds": 4})
	w := browse(t, chromium, "expiry", view{width: phone, dark: true})
	w.forgive("410")
	w.open(s.http + "/events/E1")
	w.click(at("buy"))
	w.click(at("best"))
	w.click(at("find"))
	w.see(at("hold-left"))
	w.shoot("last-seconds")
	w.see(at("order-expired"))
	w.shoot("expired")
	w.accessible()
	until(t, patience, func() error { return s.counts("E1", 12, 0, 0) })
	w.click(at("choose-again"))
	w.see(at("reserve"))
}

// Goal: whatever an event is called is shown as it is written.
func namesAreText(t *testing.T, chromium browser) {
	const name = `<script>alert(1)</script> שלום & مرحبا 🎸`
	s, _ := stage(t, 2, 6, map[string]any{"name": name, "venue": `"><img src=x onerror=alert(2)>`, "performers": []string{`<b>bold</b>`, "Ünï 🎻"}})
	for _, v := range []view{{width: phone}, {width: desk, dark: true}} {
		w := browse(t, chromium, fmt.Sprintf("names-%d", v.width), v)
		w.open(s.http + "/")
		w.says(at("event-E1"), name)
		w.shoot("list")
		w.click(at("event-E1") + " a")
		w.says(at("event-name"), name)
		w.says("main", `<b>bold</b>`)
		w.see("canvas")
		w.shoot("event")
		if n := value[int](w, `document.querySelectorAll("script:not([src]), main img, main b").length`); n > 0 {
			t.Errorf("%d elements come from a name", n)
		}
	}
}

// Goal: a page that slept, with its connection lost, while others bought, and while the server was killed and started
// again, shows the truth once it is back, without anybody's doing.
func pageSleeps(t *testing.T, chromium browser) {
	database, redis := pgtest.New(t), pgtest.Redis(t)
	s := start(t, database, "REDIS_URL="+redis.URL(), "BOXOFFICE_HTTP_ADDR="+freeAddress(t))
	s.create("E1", strings.Replace(hall(4, 10), "#fff", seatColor, 1), nil)
	line := newLine(t, strings.TrimPrefix(s.http, "http://"))
	w := browse(t, chromium, "asleep", view{width: desk})
	w.forgive("ERR_", "Failed to load resource")
	buy := func(n int) {
		t.Helper()
		_, o, err := s.authorized("E1", best(n), "tok_visa")
		must(t, err)
		if len(o.Seats) != n {
			t.Fatalf("got %d seats, not %d", len(o.Seats), n)
		}
	}
	w.open("http://" + line.at + "/events/E1")
	w.says(at("counts"), "40")
	buy(4)
	w.says(at("counts"), "36")
	// Cut off, and awake.
	line.cut()
	buy(6)
	w.see(at("stale"))
	w.shoot("cut-off")
	line.mend()
	w.says(at("counts"), "30")
	w.until(`!(` + visible(at("stale")) + `)`)
	// Asleep: what happens meanwhile reaches no script.
	w.lifecycle(page.SetWebLifecycleStateStateFrozen)
	line.cut()
	buy(5)
	s.kill()
	s.run()
	s.ready(t)
	buy(5)
	line.mend()
	w.lifecycle(page.SetWebLifecycleStateStateActive)
	w.says(at("counts"), "20")
	w.until(`!(` + visible(at("stale")) + `)`)
	w.shoot("awake")
}

// lifecycle freezes a page as a browser does with a tab that nobody looks at for long, or wakes it.
func (w *tab) lifecycle(state page.SetWebLifecycleStateState) {
	w.t.Helper()
	w.do("change the page's lifecycle", command(page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state}))
}

// line is a network line to an address, which can be cut.
type line struct {
	at string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &line{at: listener.Addr().String(), conns: map[net.Conn]struct{}{}}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { l.carry(near, to) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
		carrying.Wait()
	})
	return l
}

func (l *line) carry(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	if !l.keep(near, far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	_, _ = io.Copy(far, near)
	_ = far.Close()
	back.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, near)
	delete(l.conns, far)
}

func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if !l.down {
			l.conns[c] = struct{}{}
		}
	}
	return !l.down
}

// cut ends all connections, and each new one at once.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

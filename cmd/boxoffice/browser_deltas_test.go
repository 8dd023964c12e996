package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// straying makes a page keep a hall by streams that the test feeds. GET availability is the server's own.
const straying = `(async () => {
	const [{ parseHall }, { Seats }, { LiveSeats }] = await Promise.all(['hall', 'seats', 'live'].map((m) => import('/static/map/' + m + '.js')));
	const [plan, event] = await Promise.all(['/seatmap', ''].map(async (p) => (await fetch('/api/events/E1' + p)).json()));
	window.fed = [];
	window.EventSource = class extends EventTarget {
		static OPEN = 1; static CLOSED = 2; readyState = 1;
		constructor() { super(); fed.push(this); }
		close() { this.readyState = 2; }
	};
	window.seats_ = new Seats(parseHall(plan, event));
	window.versions_ = [];
	window.letters_ = () => String.fromCharCode(...seats_.letters);
	seats_.addEventListener('change', () => versions_.push([seats_.version, letters_()]));
	window.live_ = new LiveSeats(seats_);
	live_.start();
	return true;
})()`

// Goal: deltas that are lost, doubled or out of order repair themselves, a page never goes back to an older version, and what it
// shows of a version is what that was; but where the server is restored to an earlier state, that is what is shown in the end.
// Method: the server's own deltas, as a stream of ours heard them, on their way to the page through a seeded adversary.
func deltasGoAstray(t *testing.T, chromium browser) {
	s, _ := stage(t, 4, 10, nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chances := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // an adversary to be repeated
	var mu sync.Mutex
	var heard []told
	truth := &versions{seen: map[uint64]string{}}
	keeper := &watcher{s: s, truth: truth}
	st, err := s.resume("/api/sse/events/E1/availability", "", func(event told) {
		keeper.hear(event)
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, event)
	})
	must(t, err)
	defer st.close()
	w := browse(t, chromium, "deltas", view{width: desk})
	w.open(s.http + "/")
	value[bool](w, straying)
	feed := func(event told) {
		data, err := json.Marshal(string(event.data))
		must(t, err)
		value[bool](w, fmt.Sprintf(`(fed.at(-1).dispatchEvent(new MessageEvent(%q, { data: %s })), true)`, event.name, data))
	}
	var late []told
	for turn := range 38 { // of 40 seats
		before := truth.latest()
		_, _, err := s.authorized("E1", best(1), "tok_visa")
		must(t, err)
		until(t, patience, func() error {
			if truth.latest() == before {
				return fmt.Errorf("nothing follows version %d", before)
			}
			return nil
		})
		mu.Lock()
		got := heard
		heard = nil
		mu.Unlock()
		for _, event := range got {
			switch chances.IntN(5) {
			case 0: // lost
			case 1: // late
				late = append(late, event)
			case 2: // doubled
				feed(event)
				feed(event)
			default:
				feed(event)
			}
		}
		if turn%7 == 6 {
			for _, event := range late {
				feed(event)
			}
			late = nil
		}
	}
	letters, version, err := s.letters("E1")
	must(t, err)
	// The last word may be among what was lost: any later one shows that, or a look at a stream that is silent.
	value[bool](w, `(void live_.check(), true)`)
	w.until(fmt.Sprintf(`seats_.version === %d && letters_() === %q`, version, letters))
	until(t, patience, func() error { return keeper.shows(letters, version) })
	var last float64
	for _, shown := range value[[][2]any](w, `versions_`) {
		at, letters := shown[0].(float64), shown[1].(string)
		if err := truth.check(uint64(at), letters); err != nil || at < last {
			t.Errorf("the page went from version %v to %v: %v", last, at, err)
		}
		last = at
	}
	// As if all of this had been on a server that was then restored.
	value[bool](w, `(seats_.version += 1000, fed.length = 0, live_.open(), true)`)
	w.until(`fed.length > 0`)
	snapshot := s.get("/api/events/E1/availability")
	must(t, snapshot.is(200))
	feed(told{name: "snapshot", data: snapshot.body})
	w.until(`fed.length > 1`) // it waited whether that was but a node that lags
	feed(told{name: "snapshot", data: snapshot.body})
	w.until(fmt.Sprintf(`seats_.version === %d && letters_() === %q`, version, letters))
}

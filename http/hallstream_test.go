package http_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/messages"
)

const (
	hallStream   = "/api/sse/events/E1/availability"
	availability = "/api/events/E1/availability"
)

// Goal: all seats first, then what moves; who comes back gets what was missed, or all. Anybody may watch.
func TestAvailabilityStream(t *testing.T) {
	s := start(t)
	s.hall(7, "AHSBA")
	st := s.opened(hallStream)
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got := st.res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	st.want("snapshot", s.do("GET", s.public+availability, "").body)
	s.heard(s.move(8, 0))
	st.want("delta", `{"version":8,"previous":7,"changes":{"H":[0]}}`)
	s.heard(s.move(9, 4))
	st.want("delta", `{"version":9,"previous":8,"changes":{"H":[4]}}`)
	back := s.opened(hallStream, "Last-Event-ID", "7")
	back.want("delta", `{"version":8,"previous":7,"changes":{"H":[0]}}`)
	back.want("delta", `{"version":9,"previous":8,"changes":{"H":[4]}}`)
	current := s.opened(hallStream, "Last-Event-ID", "9")
	lost := s.move(10, 3)
	current.want("delta", `{"version":10,"previous":9,"changes":{"H":[3]}}`) // by the poll
	s.heard(lost)
	s.opened(hallStream, "Last-Event-ID", "nonsense").want("snapshot", s.do("GET", s.public+availability, "").body)
	if err := s.stop(t.Context()); err != nil {
		t.Error(err)
	}
	st.want("delta", `{"version":10,"previous":9,"changes":{"H":[3]}}`)
	if _, retries := st.next(); strings.Count(retries, "retry: ") != 2 {
		t.Errorf("%q", retries)
	}
}

func TestAvailabilityStreamRefused(t *testing.T) {
	s := start(t, func(c *http.Config) { c.StreamsMax = 1 })
	get := func(path string) response { return s.do("GET", s.public+path, "") }
	get("/api/sse/events/E2/availability").want(t, 404, "not-found")
	get("/api/sse/events/E%31/availability").want(t, 400, "invalid-request")
	s.do("POST", s.public+hallStream, "").want(t, 405, "method-not-allowed")
	if r := s.do("HEAD", s.public+hallStream, ""); r.status != 200 || r.header.Get("Content-Type") != "text/event-stream" || s.loads != 0 {
		t.Errorf("%d %v, %d loads", r.status, r.header, s.loads)
	}
	s.seatsErr = errors.New("away")
	get(hallStream).want(t, 503, "unavailable")
	s.seatsErr = nil
	s.opened(hallStream).want("snapshot", "")
	get(hallStream).want(t, 503, "overloaded")
}

// hallClient applies what a stream brings.
type hallClient struct {
	t       *testing.T
	version uint64
	seats   []byte
}

// take applies an event; each must follow from the one before.
func (c *hallClient) take(name, data string) {
	c.t.Helper()
	var e struct {
		Version, Previous uint64
		Sections          []struct{ Seats string }
		Changes           map[string][]int
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		c.t.Fatal(name, data, err)
	}
	switch {
	case name == "snapshot" && e.Version >= c.version:
		c.seats = nil
		for _, section := range e.Sections {
			c.seats = append(c.seats, section.Seats...)
		}
	case name == "delta" && e.Previous == c.version && e.Version > c.version:
		for letter, seats := range e.Changes {
			for _, i := range seats {
				c.seats[i] = letter[0]
			}
		}
	default:
		c.t.Fatalf("at %d: %s %s", c.version, name, data)
	}
	c.version = e.Version
}

// Goal: a client that applies what it gets has what availability answers at the same version, across reconnects and
// messages that were lost or came twice.
// Method: several hundred changes over real connections, with a seeded adversary. hall's own tests take many more.
func TestAvailabilityFollowed(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	s := start(t)
	c := &hallClient{t: t}
	was := map[uint64]string{1: "AAAAA"}
	seats := []byte(was[1])
	version := uint64(1)
	for range 40 {
		var st *stream
		if c.version == 0 {
			st = s.opened(hallStream)
		} else {
			st = s.opened(hallStream, "Last-Event-ID", fmt.Sprint(c.version))
		}
		for range 1 + r.IntN(15) {
			i := uint32(r.IntN(len(seats)))
			m := &messages.SeatsMoved{Version: version + 1 + uint64(r.IntN(2)), Previous: version, At: testNow}
			if seats[i] = "AH"[r.IntN(2)]; seats[i] == 'A' {
				m.Available = []uint32{i}
			} else {
				m.Held = []uint32{i}
			}
			version = m.GetVersion()
			was[version] = string(seats)
			s.mu.Lock()
			s.moved = append(s.moved, m)
			s.mu.Unlock()
			for range r.IntN(3) {
				s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Seats{Seats: m}})
			}
		}
		// The last is never lost, so that nobody waits for the poll.
		s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Seats{Seats: s.moved[len(s.moved)-1]}})
		until := version
		if r.IntN(2) == 0 {
			until = c.version + 1 // leaves while more comes
		}
		for c.version < until {
			c.take(st.next())
			if was[c.version] != string(c.seats) {
				t.Fatalf("at %d: %s, it is %s", c.version, c.seats, was[c.version])
			}
		}
		_ = st.res.Body.Close()
		all := &hallClient{t: t}
		if all.take("snapshot", s.do("GET", s.public+availability, "").body); all.version != version || string(all.seats) != was[version] {
			t.Fatalf("shown %d %s, it is %d %s", all.version, all.seats, version, was[version])
		}
	}
}

// Goal: a reader that stalls is dropped, nobody waits for it, and when it comes back it has what all have.
func TestStalledWatcher(t *testing.T) {
	t.Parallel()
	s := start(t)
	row := s.plan.Sections[1].Rows[0]
	for len(row.GetSeats()) < 19_000 {
		row.Seats = append(row.Seats, row.GetSeats()[0])
	}
	conn := must(net.Dial("tcp", strings.TrimPrefix(s.public, "http://")))
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	_ = must(io.WriteString(conn, "GET "+hallStream+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	res, err := nethttp.ReadResponse(bufio.NewReaderSize(conn, 16<<10), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stalled := &stream{t: t, r: bufio.NewReader(res.Body)}
	c := &hallClient{t: t}
	c.take(stalled.next())
	other := s.opened(hallStream)
	all := &hallClient{t: t}
	all.take(other.next())
	for s.streams().DroppedSlow == 0 {
		version := all.version + 1
		m := &messages.SeatsMoved{Version: version, Previous: all.version, At: testNow}
		for i := range uint32(4_900) {
			if version%2 == 0 {
				m.Held = append(m.Held, i)
			} else {
				m.Available = append(m.Available, i)
			}
		}
		s.mu.Lock()
		s.moved = append(s.moved, m)
		s.mu.Unlock()
		begun := time.Now()
		s.heard(&messages.Live{EventId: "E1", What: &messages.Live_Seats{Seats: m}})
		all.take(other.next())
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("who reads waited %v", took)
		}
		if all.version > 500 {
			t.Fatal("the stalled reader is kept")
		}
	}
	c.take(s.opened(hallStream, "Last-Event-ID", fmt.Sprint(c.version)).next())
	if c.version != all.version || string(c.seats) != string(all.seats) {
		t.Errorf("at %d, others at %d", c.version, all.version)
	}
	t.Logf("dropped after %d changes", all.version-1)
}

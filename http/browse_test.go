package http_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"boxoffice/http/contract"
	"boxoffice/messages"
)

func TestEvents(t *testing.T) {
	s := start(t)
	const event = `{"eventId":"E1","name":"Die \"Nacht\"","venue":"Riethsporthalle","city":"Erfurt","performers":["A","B"],` +
		`"startsAt":"2026-01-03T03:04:05.678Z","onSaleAt":null,"status":"ON_SALE","seatsTotal":5,` +
		`"seatsAvailable":3,"soldOut":false,"priceFrom":{"currency":"EUR","amount":4950},"maxSeatsPerOrder":8,` +
		`"maxOrdersPerSession":4,"holdTtlSeconds":300,"waitingRoom":{"enabled":true,"activeLimit":500,"activeTtlSeconds":600,` +
		`"admitPerSecond":100},"categories":[{"name":"Kategorie I","color":"#E87722","price":{"currency":"EUR","amount":4950}},` +
		`{"name":"VIP","color":"","price":{"currency":"EUR","amount":9900}}]}`
	if r := s.do("GET", s.public+"/api/events/E1", ""); r.status != 200 || r.body != event {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.nextPage = "abc"
	r := s.do("GET", s.public+"/api/events?q=nacht+%C3%BC&status=PAUSED&from=2026-01-02T03:04:05.678Z&to=2026-01-02T05:04:06%2B01:00&limit=7&cursor=x", "")
	if r.body != `{"events":[`+event+","+event+`],"nextCursor":"abc"}` {
		t.Errorf("%s", r.body)
	}
	want := messages.EventQuery{Text: "nacht ü", Status: messages.EventStatus_EVENT_STATUS_PAUSED, From: testNow, To: testNow + 3_600_322, Limit: 7, Cursor: "x"}
	if s.query != want {
		t.Errorf("asked for %+v", s.query)
	}
	s.nextPage = ""
	if r := s.do("GET", s.public+"/api/events", ""); s.query != (messages.EventQuery{Limit: 20}) || !strings.HasSuffix(r.body, `"nextCursor":null}`) {
		t.Errorf("asked for %+v: %s", s.query, r.body)
	}
}

func TestEventQueriesRefused(t *testing.T) {
	s := start(t)
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "limit=1e1": "limit", "status=OPEN": "status", "status=on_sale": "status",
		"from=yesterday": "from", "to=2026-13-01T00:00:00Z": "to", "q=%00": "q", "q=%FF": "q", "cursor=bent": "cursor",
		"q=" + strings.Repeat("x", 201): "q", "limit=0&from=x&status=y": "from status limit",
	} {
		var beyond string
		if query == "cursor=bent" {
			beyond = "only we know which cursors are ours"
		}
		if got := fields(s.do("GET", s.public+"/api/events?"+query, "", contract.Beyond, beyond).want(t, 400, "invalid-request")); got != field {
			t.Errorf("%s: faults at %q", query, got)
		}
	}
	for _, path := range []string{"", "/seatmap", "/availability"} {
		s.do("GET", s.public+"/api/events/E2"+path, "").want(t, 404, "not-found")
		s.do("GET", s.public+"/api/events/E%31"+path, "").want(t, 400, "invalid-request")
		s.do("GET", s.public+"/api/events/"+strings.Repeat("E", 300)+path, "").want(t, 400, "invalid-request")
	}
	s.eventErr = errors.New("password=secret")
	r := s.do("GET", s.public+"/api/events/E1", "")
	if r.want(t, 503, "unavailable"); strings.Contains(r.body, "secret") {
		t.Error(r.body)
	}
}

func TestSeatMap(t *testing.T) {
	s := start(t)
	r := s.do("GET", s.public+"/api/events/E1/seatmap", "")
	const want = `{"eventId":"E1","seatMapVersion":"abcd000000000000","size":{"width":2700,"height":1200.5},"sections":[{"name":"Block D","rows":[` +
		`{"name":"14","seats":[{"seatId":"D-14-1","number":"1","category":"Kategorie I","x":0,"y":0.1},{"seatId":"D-14-2","number":"2","category":"Kategorie I","x":25,"y":0.1}]},` +
		`{"name":"15","seats":[{"seatId":"D-15-1","number":"1","category":"VIP","x":0,"y":0.1}]}]},{"name":"Block E","rows":[` +
		`{"name":"1","seats":[{"seatId":"E-1-1","number":"1","category":"Kategorie I","x":1000000,"y":0.1},{"seatId":"E-1-2","number":"2","category":"Kategorie I","x":0.0000001,"y":0.1}]}]}]}`
	if r.status != 200 || r.body != want || r.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	revalidate(t, s, "/api/events/E1/seatmap", r.header.Get("ETag"))
}

func revalidate(t *testing.T, s *server, path, etag string) {
	t.Helper()
	for _, sent := range []string{etag, strings.TrimPrefix(etag, "W/"), `"x", ` + etag, "*"} {
		r := s.do("GET", s.public+path, "", "If-None-Match", sent)
		if r.status != 304 || r.body != "" || r.header.Get("ETag") != etag {
			t.Errorf("%s If-None-Match %s: %d %v %q", path, sent, r.status, r.header, r.body)
		}
	}
	if r := s.do("GET", s.public+path, "", "If-None-Match", `W/"other"`); r.status != 200 {
		t.Errorf("%s: %d", path, r.status)
	}
}

func TestAvailability(t *testing.T) {
	s := start(t)
	s.hall(7, "AHSBA")
	const path = "/api/events/E1/availability"
	r := s.do("GET", s.public+path, "")
	const want = `{"eventId":"E1","version":7,"asOf":"2026-01-02T03:04:05.678Z","counts":{"available":2,"held":1,"sold":1,"blocked":1},"sections":[` +
		`{"name":"Block D","available":1,"held":1,"sold":1,"blocked":0,"seats":"AHS"},{"name":"Block E","available":1,"held":0,"sold":0,"blocked":1,"seats":"BA"}]}`
	if r.status != 200 || r.body != want || r.header.Get("ETag") != `W/"7"` || r.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v %s", r.status, r.header, r.body)
	}
	revalidate(t, s, path, `W/"7"`)
	if r := s.do("HEAD", s.public+path, ""); r.status != 200 || r.body != "" || r.header.Get("ETag") != `W/"7"` {
		t.Errorf("HEAD: %d %v %s", r.status, r.header, r.body)
	}
	s.heard(s.move(8, 0))
	if r := s.do("GET", s.public+path, "", "If-None-Match", `W/"7"`); r.status != 200 || !strings.Contains(r.body, `"seats":"HHS"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if len(s.asked) != 0 {
		t.Errorf("the owner was asked %v", s.asked)
	}
}

func TestAvailabilityRefused(t *testing.T) {
	for _, letters := range []string{"AAAA", "AAAAAA", "", "AAAAX"} {
		s := start(t)
		s.hall(9, letters)
		s.do("GET", s.public+"/api/events/E1/availability", "").want(t, 500, "internal")
		s.seatsErr = messages.ErrOverloaded
		s.do("GET", s.public+"/api/events/E1/availability", "").want(t, 503, "overloaded")
		s.seatsErr = errors.New("password=secret")
		if r := s.do("GET", s.public+"/api/events/E1/availability", ""); strings.Contains(r.body, "secret") {
			t.Error(r.body)
		} else {
			r.want(t, 503, "unavailable")
		}
		s.hall(9, "AAAAB")
		s.seatsErr = nil
		if r := s.do("GET", s.public+"/api/events/E1/availability", ""); r.status != 200 {
			t.Errorf("later: %d %s", r.status, r.body)
		}
	}
}

// Goal: whoever accepts compression gets it, whoever does not is left alone, and both read the same.
func TestCompression(t *testing.T) {
	s := start(t)
	row := s.plan.Sections[1].Rows[0]
	for len(row.GetSeats()) < 5000 {
		row.Seats = append(row.Seats, row.GetSeats()[0])
	}
	for _, path := range []string{"/api/events/E1/availability", "/api/events/E1/seatmap"} {
		plain := s.do("GET", s.public+path, "")
		packed := s.do("GET", s.public+path, "", "Accept-Encoding", "gzip")
		if got := packed.header.Get("Content-Encoding"); got != "gzip" || plain.header.Get("Content-Encoding") != "" {
			t.Fatalf("%s: encoded as %q", path, got)
		}
		body := must(io.ReadAll(must(gzip.NewReader(bytes.NewReader([]byte(packed.body))))))
		if string(body) != plain.body || len(packed.body)*5 > len(body) || !json.Valid(body) {
			t.Errorf("%s: %d bytes of %d", path, len(packed.body), len(body))
		}
		smallest := s.do("GET", s.public+path, "", "Accept-Encoding", "gzip, deflate, br, zstd")
		if smallest.header.Get("Content-Encoding") != "zstd" || smallest.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", path, smallest.header)
		}
		if body := must(must(zstd.NewReader(nil)).DecodeAll([]byte(smallest.body), nil)); string(body) != plain.body || len(smallest.body)*5 > len(body) {
			t.Errorf("%s: %d bytes of %d by zstd", path, len(smallest.body), len(body))
		}
		if br := s.do("GET", s.public+path, "", "Accept-Encoding", "gzip, deflate, br"); br.header.Get("Content-Encoding") != "br" || br.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", path, br.header)
		}
		if none := s.do("GET", s.public+path, "", "Accept-Encoding", "identity"); none.body != plain.body {
			t.Errorf("%s: identity is %v", path, none.header)
		}
	}
}

func TestTicketKeys(t *testing.T) {
	s := start(t)
	want := `{"keys":[{"keyId":"k1","algorithm":"Ed25519","publicKey":"` + strings.Repeat("A", 43) + `"}]}`
	if r := s.do("GET", s.public+"/api/ticket-keys", ""); r.status != 200 || r.body != want {
		t.Errorf("%d %s", r.status, r.body)
	}
}

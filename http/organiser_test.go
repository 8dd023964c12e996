package http_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/http/contract"
	"boxoffice/messages"
)

const newEvent = `{"eventId":"E9","name":"N","venue":"V","startsAt":"2026-01-02T03:04:05.678Z","currency":"EUR",` +
	`"prices":{"A":100,"B":0},"seatingPlan":{"zones":[{"x":null,"uuid":"\n"}]}}`

// Goal: nothing of the API is open on the organiser's listener, to strangers as little as to buyers. Method: each operation
// of the document that names a credential.
func TestOrganiserNeedsToken(t *testing.T) {
	s := start(t)
	guarded := 0
	for _, op := range s.document.Operations() {
		if op.Security == nil || !slices.Contains(op.Listeners, contract.Admin) {
			continue
		}
		guarded++
		path := strings.NewReplacer("{eventId}", "E1", "{profile}", "heap").Replace(op.Path)
		s.do(op.Method, s.admin+path, "").want(t, 401, "token-required")
		s.do(op.Method, s.admin+path, "", "Authorization", "Bearer "+s.token(testNow+1000)).want(t, 401, "token-invalid")
		if op.Method == "GET" {
			if r := s.do("HEAD", s.admin+path, ""); r.status != 401 {
				t.Errorf("HEAD %s: %d", path, r.status)
			}
		}
	}
	if guarded < 11 {
		t.Errorf("the document has %d operations that need the token", guarded)
	}
	if s.browses.Load() > 0 || s.last() != nil {
		t.Error("something was read all the same")
	}
	for _, path := range []string{"/api/admin/events/E1/report", "/debug/pprof/", "/debug/pprof/goroutine", "/debug/pprof/cmdline"} {
		s.do("GET", s.admin+path, "").want(t, 401, "token-required")
		s.do("GET", s.admin+path, "", "Authorization", "Bearer "+adminToken+"x").want(t, 401, "token-invalid")
		s.do("GET", s.public+path, "").want(t, 404, "not-found")
	}
	s.do("POST", s.admin+"/api/admin/events", "{", "Authorization", "Bearer x").want(t, 401, "token-invalid")
	if r := s.organiser("GET", "/debug/pprof/goroutine?debug=1", ""); r.status != 200 || !strings.Contains(r.body, "goroutine profile") {
		t.Errorf("%d %.100s", r.status, r.body)
	}
}

// Goal: a block of a whole hall goes to whichever node has the event, and one that could not be sent to another is refused by all.
func TestLargestBlock(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_BLOCKED})
	of := func(idBytes int) string {
		seats := slices.Repeat([]string{`"` + strings.Repeat("x", idBytes) + `"`}, 200_000)
		return `{"seats":[` + strings.Join(seats, ",") + `]}`
	}
	if r := s.organiser("POST", "/api/admin/events/E1:block", of(36)); r.status != 200 {
		t.Errorf("%d %.200s", r.status, r.body)
	}
	if got := proto.Size(s.last()); got > 8_126_464 {
		t.Errorf("a request of %d bytes is not sent to another node: cluster's messageBytesMax", got)
	}
	s.organiser("POST", "/api/admin/events/E1:block", of(37)).want(t, 413, "body-too-large")
}

func TestCreateEvent(t *testing.T) {
	s := start(t)
	r := s.organiser("POST", "/api/admin/events", newEvent)
	if r.status != 201 || r.header.Get("Location") != "/api/events/E9" || !strings.Contains(r.body, `"eventId":"E9"`) {
		t.Fatalf("%d %v %s", r.status, r.header, r.body)
	}
	e := s.created.Event
	if e.GetHoldTtlSeconds() != 300 || e.GetMaxSeatsPerOrder() != 8 || e.GetMaxOrdersPerSession() != 4 || e.GetOnSaleAt() != 0 || e.GetStartsAt() != testNow {
		t.Errorf("defaults: %v", e)
	}
	if w := e.GetWaitingRoom(); !w.GetEnabled() || w.GetActiveLimit() != 500 || w.GetActiveTtlSeconds() != 600 || w.GetAdmitPerSecond() != 100 {
		t.Errorf("defaults: %v", w)
	}
	if got := string(s.created.PlanJSON); got != `{"zones":[{"x":null,"uuid":"\n"}]}` || s.created.Prices["A"] != 100 {
		t.Errorf("plan %s, prices %v", got, s.created.Prices)
	}
	s.organiser("POST", "/api/admin/events", strings.Replace(newEvent, `"currency"`, `"city":"C","performers":["P"],"onSaleAt":"2027-01-01T00:00:00Z","holdTtlSeconds":1,"waitingRoom":{"enabled":false,"activeLimit":7},"currency"`, 1))
	e = s.created.Event
	if w := e.GetWaitingRoom(); w.GetEnabled() || w.GetActiveLimit() != 7 || w.GetActiveTtlSeconds() != 600 || e.GetHoldTtlSeconds() != 1 || e.GetCity() != "C" || e.GetOnSaleAt() == 0 {
		t.Errorf("%v", e)
	}
	s.createErr = &messages.EventExistsError{EventID: "E9"}
	s.organiser("POST", "/api/admin/events", newEvent).want(t, 409, "event-exists")
	s.createErr = &messages.InvalidInputError{Faults: []*messages.Fault{{Field: "seatingPlan.zones[0]", Message: "has no rows"}}}
	if got := fields(s.organiser("POST", "/api/admin/events", newEvent, contract.Beyond, "the plan").want(t, 400, "invalid-request")); got != "seatingPlan.zones[0]" {
		t.Errorf("faults at %q", got)
	}
	s.createErr = errors.New("away")
	s.organiser("POST", "/api/admin/events", newEvent).want(t, 503, "unavailable")
}

func TestCreateEventRefused(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ from, to, fields string }{
		{newEvent, `{}`, "eventId name venue startsAt currency seatingPlan prices"},
		{`"eventId":"E9"`, `"eventId":"E 9"`, "eventId"},
		{`"name":"N"`, `"name":""`, "name"},
		{`"name":"N"`, `"name":null`, "name"},
		{`"name":"N"`, `"name":5,"status":"ON_SALE","amount":1`, "amount name status"},
		{`"currency":"EUR"`, `"currency":"eur"`, "currency"},
		{`{"A":100,"B":0}`, `{"A":-1,"B":1000000000001}`, "prices.A prices.B"},
		{`{"A":100,"B":0}`, `{"A":1.5}`, "prices.A"},
		{`{"A":100,"B":0}`, `{}`, "prices"},
		{`"currency"`, `"holdTtlSeconds":0,"maxSeatsPerOrder":101,"waitingRoom":{"activeLimit":0},"currency"`, "holdTtlSeconds maxSeatsPerOrder waitingRoom.activeLimit"},
		{`"currency"`, `"waitingRoom":{"activeLimit":null,"x":1},"currency"`, "waitingRoom.x"},
		{`"currency"`, `"waitingRoom":{"activeLimit":null},"currency"`, "waitingRoom.activeLimit"},
		{`"currency"`, `"startsAt":"2026-01-02T03:04:05Z","currency"`, "startsAt"},
		{`2026-01-02T03:04:05.678Z`, `tomorrow`, "startsAt"},
		{`{"zones":[{"x":null,"uuid":"\n"}]}`, `[]`, "seatingPlan"},
		{`{"x":null,"uuid":"\n"}`, strings.Repeat("[", 11) + strings.Repeat("]", 11), ""},
	} {
		p := s.organiser("POST", "/api/admin/events", strings.Replace(newEvent, c.from, c.to, 1)).want(t, 400, "invalid-request")
		if got := fields(p); got != c.fields {
			t.Errorf("%.80s: faults at %q, want %q", c.to, got, c.fields)
		}
	}
	if s.created.Event != nil {
		t.Error("a bad event was created")
	}
}

func TestPatchEvent(t *testing.T) {
	s := start(t)
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_CONFIGURED, Event: s.event})
	r := s.organiser("PATCH", "/api/admin/events/E1", `{"status":"PAUSED","city":"","performers":[],"waitingRoom":{"enabled":false},"onSaleAt":"2026-01-02T03:04:05.678Z"}`)
	if r.status != 200 || !strings.Contains(r.body, `"eventId":"E1"`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	p := s.last().GetConfigure().GetPatch()
	if p.GetStatus() != messages.EventStatus_EVENT_STATUS_PAUSED || p.City == nil || !p.GetReplacePerformers() || p.WaitingRoomEnabled == nil || p.GetOnSaleAt() != testNow {
		t.Errorf("%v", p)
	}
	if p.Name != nil || p.Venue != nil || p.StartsAt != nil || p.HoldTtlSeconds != nil || p.ActiveLimit != nil {
		t.Errorf("what is absent is set: %v", p)
	}
	asked := len(s.asked)
	for body, want := range map[string]string{
		`{}`: "", ``: "", `{"name":null}`: "name", `{"onSaleAt":null}`: "onSaleAt", `{"status":"SCHEDULED"}`: "status", `{"status":"on"}`: "status",
		`{"currency":"EUR","prices":{},"seatingPlan":{},"eventId":"E2"}`: "eventId currency prices seatingPlan",
		`{"seats":1}`: "seats", `{"holdTtlSeconds":86401}`: "holdTtlSeconds", `{"waitingRoom":{"activeLimit":"5"}}`: "waitingRoom.activeLimit",
	} {
		if got := fields(s.organiser("PATCH", "/api/admin/events/E1", body).want(t, 400, "invalid-request")); got != want {
			t.Errorf("%s: faults at %q, want %q", body, got, want)
		}
	}
	if len(s.asked) != asked {
		t.Error("a bad patch reached the engine")
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SETTINGS_INVALID, Faults: []*messages.Fault{{Field: "startsAt", Message: "is past"}}})
	if got := fields(s.organiser("PATCH", "/api/admin/events/E1", `{"name":"x"}`, contract.Beyond, "the event").want(t, 400, "invalid-request")); got != "startsAt" {
		t.Errorf("faults at %q", got)
	}
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_EVENT_NOT_FOUND})
	s.organiser("PATCH", "/api/admin/events/E2", `{"name":"x"}`).want(t, 404, "not-found")
}

func TestBlockAndReport(t *testing.T) {
	s := start(t)
	for call, outcome := range map[string]messages.Outcome{":block": messages.Outcome_OUTCOME_SEATS_BLOCKED, ":unblock": messages.Outcome_OUTCOME_SEATS_UNBLOCKED} {
		s.replies(&messages.Reply{Outcome: outcome})
		if r := s.organiser("POST", "/api/admin/events/E1"+call, `{"seats":["D-14-1"]}`); r.status != 200 || r.body != `{"eventId":"E1","seats":["D-14-1"]}` {
			t.Errorf("%d %s", r.status, r.body)
		}
		s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_SEATS_UNAVAILABLE, Seats: []string{"D-14-1"}})
		s.organiser("POST", "/api/admin/events/E1"+call, `{"seats":["D-14-1"]}`).want(t, 409, "seats-unavailable")
	}
	s.organiser("POST", "/api/admin/events/E1:block", `{"seats":[]}`).want(t, 400, "invalid-request")
	s.organiser("POST", "/api/admin/events/E1:delete", `{}`).want(t, 404, "not-found")
	s.replies(&messages.Reply{Outcome: messages.Outcome_OUTCOME_READ, Report: &messages.Report{
		Version: 9, AsOf: testNow, Currency: "EUR", Orders: map[string]uint64{"PENDING": 1, "COMPLETED": 3},
		Categories: []*messages.Report_CategoryLine{{Name: "A", Available: 1, Held: 2, Sold: 3, Blocked: 4, Revenue: 300}, {Name: "B", Sold: 1, Revenue: 50}},
	}})
	const want = `{"eventId":"E1","version":9,"asOf":"2026-01-02T03:04:05.678Z","available":1,"held":2,"sold":4,"blocked":4,"revenue":{"currency":"EUR","amount":350},"categories":[` +
		`{"name":"A","available":1,"held":2,"sold":3,"blocked":4,"revenue":{"currency":"EUR","amount":300}},{"name":"B","available":0,"held":0,"sold":1,"blocked":0,"revenue":{"currency":"EUR","amount":50}}],` +
		`"orders":{"COMPLETED":3,"PENDING":1},"sessions":{"ACTIVE":5,"LEFT":2}}`
	if r := s.organiser("GET", "/api/admin/events/E1/report", ""); r.status != 200 || r.body != want {
		t.Errorf("%d %s", r.status, r.body)
	}
}

package http_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	nethttp "net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/http/contract"
	"boxoffice/messages"
)

// fuzzTime is how long each fuzzing test runs; BOXOFFICE_FUZZ_SECONDS says otherwise.
const fuzzTime = time.Second

func fuzzFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BOXOFFICE_FUZZ_SECONDS")
	if text == "" {
		return fuzzTime
	}
	return time.Duration(must(strconv.Atoi(text))) * time.Second
}

// seed is drawn, or taken from BOXOFFICE_FUZZ_SEED to see a failure again.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("BOXOFFICE_FUZZ_SEED"); text != "" {
		n = must(strconv.ParseUint(text, 10, 64))
	}
	t.Logf("BOXOFFICE_FUZZ_SEED=%d", n)
	return n
}

// Goal: whatever is sent to an endpoint is answered as the document says, and what is refused for its form changes
// nothing.
// Method: for each operation of the document in turn, requests drawn from it; after the first, most are then spoilt in
// one to three ways. The client's transport judges each exchange; here the fakes are looked at, which must not have been touched.
func TestFuzzEndpoints(t *testing.T) {
	s := start(t)
	first := seed(t)
	for range 3 {
		s.join()
	}
	s.settle()
	answered := map[string]int{}
	operations := s.document.Operations()
	end := time.Now().Add(fuzzFor(t))
	n := uint64(0)
	for ; time.Now().Before(end) || n < 20*uint64(len(operations)); n++ {
		g := generator{rand.New(rand.NewPCG(first, n)), s.document, n < 2*uint64(len(operations))}
		op := operations[n%uint64(len(operations))]
		// Streams ask on their own: this generator is the engine's alone, under the fake's lock.
		answers := generator{rand.New(rand.NewPCG(first, ^n)), s.document, g.tame}
		s.asks(answers.reply)
		f, broken := s.fuzzed(g, op)
		before := s.state()
		status := s.send(g, op, f)
		if after := s.state(); refusedForForm(status) && after != before {
			t.Errorf("refused with %s, yet something was done:\n%s\n%s", status, before, after)
		}
		answered[op.OperationID+" "+status]++
		if t.Failed() {
			t.Fatalf("request %d of BOXOFFICE_FUZZ_SEED=%d, %s with %q: %s", n, first, op.OperationID, broken, f)
		}
	}
	t.Logf("%d requests", n)
	for _, op := range operations {
		if answered[op.OperationID+" 200"]+answered[op.OperationID+" 201"]+answered[op.OperationID+" 202"]+answered[op.OperationID+" 204"] == 0 {
			t.Errorf("%s never succeeded", op.OperationID)
		}
	}
	if log := s.log.String(); strings.Contains(log, "panicked") {
		t.Error(log)
	}
}

// settle gives the fakes something to show.
func (s *server) settle() {
	s.order = orderMessage(messages.OrderStatus_ORDER_STATUS_CANCELLED)
	s.answer = http.Render(&messages.Reply{Outcome: messages.Outcome_OUTCOME_ORDER_CREATED, Order: orderMessage(messages.OrderStatus_ORDER_STATUS_PENDING)})
}

// state is all that a request can change in the fakes.
func (s *server) state() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := 0
	for _, session := range s.sessions {
		if session.Status == messages.SessionLeft {
			left++
		}
	}
	// Reading an order changes nothing, and streams do it when they like.
	asked := 0
	for _, r := range s.asked {
		if r.GetGetOrder() == nil {
			asked++
		}
	}
	return fmt.Sprintf("%d asked, %d sessions, %d left, %d joined, created %p", asked, len(s.sessions), left, len(s.joined), s.created.Event)
}

// refusedForForm is true of a status with a code that says that nothing was looked at.
func refusedForForm(status string) bool {
	code, _ := strings.CutPrefix(status, status[:3]+" ")
	return slices.Contains([]string{
		"invalid-request", "idempotency-key-required", "token-required", "method-not-allowed", "body-too-large", "uri-too-long",
		"headers-too-large", "unsupported-media-type",
	}, code)
}

// fuzzed draws a request, and says in which ways it was spoilt.
func (s *server) fuzzed(g generator, op *contract.Operation) (f *fuzzed, broken []string) {
	f = &fuzzed{method: op.Method, path: op.Path, headers: map[string]string{}}
	for _, list := range [][]string{{"path"}, {"query", "header"}} {
		for _, ref := range slices.Concat(op.Item.Parameters, op.Parameters) {
			p := ref.Value
			if !slices.Contains(list, p.In) || p.Name == "seconds" || !p.Required && g.IntN(2) == 0 {
				continue
			}
			text := s.known(g, p.Name)
			if text == "" {
				text = fmt.Sprint(g.value(p.Schema))
			}
			switch p.In {
			case "path":
				f.path = strings.ReplaceAll(f.path, "{"+p.Name+"}", text)
			case "query":
				f.query += "&" + p.Name + "=" + url.QueryEscape(text)
			case "header":
				f.headers[p.Name] = strings.Map(func(r rune) rune { return min(max(r, ' '), '~') }, text)
			}
		}
	}
	f.query = strings.TrimPrefix(f.query, "&")
	if op.Security != nil {
		f.headers["Authorization"] = "Bearer " + s.credential(g, op)
	}
	if op.RequestBody != nil && (op.RequestBody.Value.Required || g.IntN(2) == 0) {
		f.headers["Content-Type"] = "application/json"
		f.value = g.value(op.RequestBody.Value.Content["application/json"].Schema)
		if o, ok := f.value.(map[string]any); ok && o["eventId"] != nil {
			if id := s.known(g, "eventId"); id != "" {
				o["eventId"] = id
			}
		}
		f.body = g.json(f.value)
	}
	if !g.tame && g.IntN(4) > 0 {
		for range 1 + g.IntN(3) {
			b := breakages[g.IntN(len(breakages))]
			b.apply(g, f)
			broken = append(broken, b.name)
		}
	}
	return f, broken
}

// pageParts are the parameters of the pages' addresses, of which there is nothing to be said but that they are there.
var pageParts = map[string]string{"event": "E1", "order": "E1.o_x", "file": "base.css", "folder": "js", "part": "app.js"}

// known is mostly something that is there, for a parameter that names it; else "".
func (s *server) known(g generator, parameter string) string {
	switch {
	case parameter == "code":
		return http.Codes()[g.IntN(len(http.Codes()))]
	case pageParts[parameter] != "":
		return pageParts[parameter] // what is not there is drawn by spoiling it
	case parameter == "profile":
		// The others take their time.
		return []string{"goroutine", "heap", "cmdline", "symbol", "nonsense"}[g.IntN(map[bool]int{true: 4, false: 5}[g.tame])]
	case !g.tame && g.IntN(4) == 0:
		return ""
	case parameter == "eventId":
		return "E1"
	case parameter == "orderId":
		return http.OrderIDText("E1", testOrder[:])
	case parameter == "sessionId":
		s.mu.Lock()
		defer s.mu.Unlock()
		for id := range s.sessions {
			return http.SessionIDText("E1", id)
		}
	}
	return ""
}

func (s *server) credential(g generator, op *contract.Operation) string {
	if slices.Contains(op.Listeners, contract.Admin) {
		if !g.tame && g.IntN(10) == 0 {
			return s.token(testNow + 1)
		}
		return adminToken
	}
	switch kind := g.IntN(12); {
	case g.tame:
	case kind == 0:
		return s.token(0)
	case kind == 1:
		return s.keys.Sign(http.Claims{EventID: "E2", SessionID: testSession, ExpiresAt: testNow + 1})
	case kind == 2:
		return adminToken
	}
	return s.token(testNow + 1000)
}

// send sends a request as it is and brings the status with the problem's code.
func (s *server) send(g generator, op *contract.Operation, f *fuzzed) string {
	s.t.Helper()
	base := s.public
	if l := op.Listeners; l[g.IntN(len(l))] == contract.Admin {
		base = s.admin
	}
	u := must(url.Parse(base))
	// Opaque goes out as it stands, but that what follows two slashes is taken for a host.
	f.path = "/" + strings.TrimLeft(f.path, "/")
	if u.Opaque = f.path; f.query != "" {
		u.Opaque += "?" + f.query
	}
	req := must(nethttp.NewRequest(f.method, base, bytes.NewReader(f.body)))
	req.URL = u
	for name, value := range f.headers {
		req.Header.Set(name, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Errorf("no answer: %v", err)
		return "000"
	}
	defer res.Body.Close()
	body := readAnswer(res)
	if res.StatusCode >= 500 {
		s.t.Errorf("our fault: %d %s", res.StatusCode, body)
	}
	status := strconv.Itoa(res.StatusCode)
	if _, rest, ok := strings.Cut(string(body), `"code":"`); ok && res.StatusCode >= 400 {
		status += " " + rest[:strings.IndexByte(rest, '"')]
	}
	return status
}

// readAnswer reads an answer to its end, of a stream that has none its first event.
func readAnswer(res *nethttp.Response) (body []byte) {
	if res.Header.Get("Content-Type") != "text/event-stream" {
		return must(io.ReadAll(res.Body))
	}
	for b := make([]byte, 4096); !bytes.Contains(body, []byte("\ndata: ")) || !bytes.HasSuffix(body, []byte("\n\n")); {
		n, err := res.Body.Read(b)
		if body = append(body, b[:n]...); err != nil {
			break
		}
	}
	return body
}

// reply draws what an engine may answer to a request.
func (g generator) reply(r *messages.Request) *messages.Reply {
	one := func(outcomes ...messages.Outcome) messages.Outcome { return outcomes[g.IntN(len(outcomes))] }
	order := orderMessage(messages.OrderStatus(1 + g.Int32N(9)))
	reply := &messages.Reply{
		Order: order, Seats: []string{"D-14-1"}, Limit: 4, DeclineCode: "card_declined", OnSaleAt: g.Int64N(2) * testNow, Event: testEvent(),
		Stored: &messages.StoredAnswer{Seq: 1},
	}
	// No plan has a seat of such a name.
	for _, seat := range slices.Concat(r.GetReserve().GetWant().GetSeats(), r.GetConfirm().GetWant().GetSeats(), r.GetBlock().GetSeats(), r.GetUnblock().GetSeats()) {
		if len(seat) > 255 {
			reply.Outcome, reply.Seats = messages.Outcome_OUTCOME_UNKNOWN_SEAT, []string{seat}
			return reply
		}
	}
	always := []messages.Outcome{messages.Outcome_OUTCOME_EVENT_NOT_FOUND}
	call := append(always, messages.Outcome_OUTCOME_REQUEST_IN_FLIGHT, messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED,
		messages.Outcome_OUTCOME_SESSION_LEFT, messages.Outcome_OUTCOME_TOO_MANY_ANSWERS)
	change := append(call, messages.Outcome_OUTCOME_ORDER_NOT_FOUND, messages.Outcome_OUTCOME_HOLD_EXPIRED, messages.Outcome_OUTCOME_ORDER_STATE)
	hold := append(change, messages.Outcome_OUTCOME_TOO_MANY_SEATS, messages.Outcome_OUTCOME_UNKNOWN_SEAT, messages.Outcome_OUTCOME_DUPLICATE_SEAT,
		messages.Outcome_OUTCOME_UNKNOWN_CATEGORY, messages.Outcome_OUTCOME_UNKNOWN_SECTION, messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE,
		messages.Outcome_OUTCOME_SEATS_UNAVAILABLE, messages.Outcome_OUTCOME_NOT_ENOUGH_SEATS)
	block := append(always, messages.Outcome_OUTCOME_UNKNOWN_SEAT, messages.Outcome_OUTCOME_DUPLICATE_SEAT, messages.Outcome_OUTCOME_SEATS_UNAVAILABLE)
	often := func(good messages.Outcome, others []messages.Outcome) messages.Outcome {
		if g.tame || g.IntN(2) == 0 {
			return good
		}
		return one(others...)
	}
	switch r.GetCall().(type) {
	case *messages.Request_CreateOrder:
		order.Status, order.Seats = messages.OrderStatus_ORDER_STATUS_PENDING, nil
		reply.Outcome = often(one(messages.Outcome_OUTCOME_ORDER_CREATED, messages.Outcome_OUTCOME_REPLAYED),
			append(call, messages.Outcome_OUTCOME_TOKEN_EXPIRED, messages.Outcome_OUTCOME_TOO_MANY_ORDERS, messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE))
	case *messages.Request_Reserve:
		reply.Outcome = often(messages.Outcome_OUTCOME_SEATS_RESERVED, hold)
	case *messages.Request_Confirm:
		reply.Outcome = often(messages.Outcome_OUTCOME_ORDER_AUTHORIZED, append(hold, messages.Outcome_OUTCOME_PAYMENT_DECLINED))
	case *messages.Request_Finalize:
		reply.Outcome = often(messages.Outcome_OUTCOME_ORDER_COMPLETED, append(change, messages.Outcome_OUTCOME_CAPTURE_FAILED, messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE))
	case *messages.Request_Cancel:
		reply.Outcome = often(messages.Outcome_OUTCOME_ORDER_CANCELLED, change)
	case *messages.Request_EndSession:
		reply.Outcome = often(messages.Outcome_OUTCOME_SESSION_ENDED, always)
	case *messages.Request_Configure:
		reply.Outcome = often(messages.Outcome_OUTCOME_CONFIGURED, always)
	case *messages.Request_Block:
		reply.Outcome = often(messages.Outcome_OUTCOME_SEATS_BLOCKED, block)
	case *messages.Request_Unblock:
		reply.Outcome = often(messages.Outcome_OUTCOME_SEATS_UNBLOCKED, block)
	default:
		reply.Outcome = often(messages.Outcome_OUTCOME_READ, append(always, messages.Outcome_OUTCOME_READ))
		if r.GetGetOrder() == nil && reply.GetOutcome() == messages.Outcome_OUTCOME_READ {
			reply.Report = &messages.Report{Version: 1, AsOf: testNow, Currency: "EUR", Orders: map[string]uint64{"PENDING": 1}}
		}
	}
	return reply
}

package contract_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"boxoffice/http/contract"
)

const (
	positionEvent = "event: waiting-room-position\nid: 1\ndata: {\"position\":2,\"etaSeconds\":null}\n\n"
	streamPath    = "/api/sse/waiting-room/sessions/E1.s_AQIDBAUGBwgJCgsMDQ4PEA"
)

// Goal: the judge sees what is wrong with a stream while it is read, in whatever pieces, and passes it on as it is.
func TestJudgeEvents(t *testing.T) {
	document, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", ""},
		{"good", "retry: 3000\n\n" + positionEvent + ":\n\n: a comment\n\n" + strings.Replace(positionEvent, "id: 1", "id: 2", 1) + "retry: 1\n\n", ""},
		{"cut off", "retry: 3000\n\n" + positionEvent[:20], ""},
		{"retry with the event", "retry: 3000\n\nretry: 5\n" + positionEvent, ""},
		{"no retry", positionEvent, "does not begin with retry"},
		{"a comment first", ":\n\nretry: 5\n\n", "does not begin with retry"},
		{"no id", "retry: 3000\n\n" + strings.Replace(positionEvent, "id: 1\n", "", 1), "no id"},
		{"two ids", "retry: 3000\n\n" + strings.Replace(positionEvent, "id: 1\n", "id: 1\nid: 2\n", 1), "the line"},
		{"no name", "retry: 3000\n\nid: 1\ndata: {}\n\n", "not in the document"},
		{"another's name", "retry: 3000\n\n" + strings.Replace(positionEvent, "waiting-room-position", "order", 1), "not in the document"},
		{"no JSON", "retry: 3000\n\n" + strings.Replace(positionEvent, "{", "", 1), "no JSON"},
		{"a field", "retry: 3000\n\n" + strings.Replace(positionEvent, "null", `null,"x":1`, 1), "/x"},
		{"a position", "retry: 3000\n\n" + strings.Replace(positionEvent, ":2", ":0", 1), "position"},
		{"text", "retry: 3000\n\nhello\n\n", "the line"},
		{"no end", "retry: 3000\n\n:" + strings.Repeat("x", 2<<20), "no end"},
	} {
		for name, pieces := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader} {
			if len(c.body) > 1<<20 && name == "bytes" {
				continue
			}
			var reports []string
			transport := &contract.Transport{
				Document: document, Base: streamStub{pieces(strings.NewReader(c.body))}, Report: func(err error) { reports = append(reports, err.Error()) },
			}
			req, err := http.NewRequest(http.MethodGet, "http://x"+streamPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil || string(body) != c.body {
				t.Errorf("%s: changed on its way, %v", c.name, err)
			}
			_ = res.Body.Close()
			if got := strings.Join(reports, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%s, %s: reported %q, want %q", c.name, name, got, c.want)
			}
		}
	}
}

type streamStub struct{ body io.Reader }

func (s streamStub) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(s.body), Header: http.Header{
		"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Accel-Buffering": {"no"},
	}}, nil
}

package contract_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"boxoffice/http/contract"
)

// stub answers everything alike.
type stub struct {
	status int
	header http.Header
	body   string
}

func (s stub) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.status, Header: s.header, Body: io.NopCloser(strings.NewReader(s.body))}, nil
}

const (
	live     = `{"status":"live"}`
	session  = `{"sessionId":"E1.s_AQIDBAUGBwgJCgsMDQ4PEA","eventId":"E1","status":"WAITING","position":1,"etaSeconds":2,"accessToken":null,"activeUntil":null}`
	location = "/api/waiting-room/sessions/E1.s_AQIDBAUGBwgJCgsMDQ4PEA"
)

func problem(status, code, more string) string {
	return `{"type":"/problems/` + code + `","title":"t","status":` + status + `,"detail":"d","instance":"/","code":"` + code + `"` + more + `}`
}

// Goal: the judge sees every kind of fault, and none where there is none.
// Method: made-up exchanges, as they should be and with one thing wrong. "want" is a piece of the report.
func TestJudge(t *testing.T) {
	headers := func(more ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Date": {"today"}}
		for i := 0; i < len(more); i += 2 {
			if h.Set(more[i], more[i+1]); more[i+1] == "" {
				h.Del(more[i])
			}
		}
		return h
	}
	const kind, problemType = "Content-Type", "application/problem+json"
	joined := stub{201, headers("Location", location), session}
	wrong := problem("400", "invalid-request", `,"errors":[]`)
	for _, c := range []struct {
		name, method, path, body string
		answer                   stub
		want                     string
	}{
		{"good", "GET", "/livez", "", stub{200, headers(), live}, ""},
		{"good join", "POST", "/api/waiting-room/sessions", `{"eventId":"E1"}`, joined, ""},
		{"HEAD", "HEAD", "/livez", "", stub{200, headers(), ""}, ""},
		{"no such address", "GET", "/nowhere", "", stub{404, headers(kind, problemType), problem("404", "not-found", "")}, ""},
		{"no such method", "PUT", "/livez", "", stub{405, headers(kind, problemType, "Allow", "GET, HEAD"), problem("405", "method-not-allowed", "")}, ""},
		{"a call", "GET", "/api/orders/x:reserve", "", stub{405, headers(kind, problemType, "Allow", "POST"), problem("405", "method-not-allowed", "")}, ""},
		{"no such call", "POST", "/api/orders/x:buy", "", stub{404, headers(kind, problemType), problem("404", "not-found", "")}, ""},
		{"of the other listener", "GET", "/api/admin/events/E1/report", "", stub{404, headers(kind, problemType), problem("404", "not-found", "")}, ""},
		{"a forbidden request refused", "POST", "/api/waiting-room/sessions", `{"eventId":7}`, stub{400, headers(kind, problemType), wrong}, ""},

		{"a status", "GET", "/livez", "", stub{418, headers(kind, problemType), problem("418", "teapot", "")}, `code "teapot"`},
		{"a documented code's status elsewhere", "GET", "/livez", "", stub{503, headers(kind, problemType, "Retry-After", "1"), problem("503", "unavailable", "")}, `code "unavailable"`},
		{"a header", "GET", "/livez", "", stub{200, headers("Server", "x"), live}, "header Server is not"},
		{"a missing header", "GET", "/livez", "", stub{200, headers("Cache-Control", ""), live}, "header Cache-Control is missing"},
		{"a header's value", "GET", "/livez", "", stub{200, headers("Cache-Control", "public"), live}, "header Cache-Control"},
		{"a content type", "GET", "/livez", "", stub{200, headers(kind, "text/plain"), live}, `content type "text/plain"`},
		{"a field", "GET", "/livez", "", stub{200, headers(), `{"status":"live","x":1}`}, "/x"},
		{"a nested field", "GET", "/api/ticket-keys", "", stub{200, headers(), `{"keys":[{"keyId":"k","algorithm":"Ed25519","publicKey":"` + strings.Repeat("A", 43) + `","x":1}]}`}, "/keys/0/x"},
		{"a problem's field", "POST", "/api/waiting-room/sessions", "{}", stub{400, headers(kind, problemType), problem("400", "invalid-request", `,"errors":[],"x":1`)}, "/x"},
		{"a missing field", "GET", "/livez", "", stub{200, headers(), `{}`}, "status"},
		{"no JSON", "GET", "/livez", "", stub{200, headers(), `{`}, "no JSON"},
		{"a body where none is", "DELETE", location, "", stub{204, http.Header{"Cache-Control": {"no-store"}}, "x"}, "a body"},
		{"an error that is none", "GET", "/livez", "", stub{500, headers(), live}, "no problem"},
		{"another status inside", "GET", "/nowhere", "", stub{404, headers(kind, problemType), problem("400", "not-found", "")}, "of the status 400"},
		{"no Retry-After", "GET", "/readyz", "", stub{503, headers(kind, problemType), problem("503", "unavailable", "")}, "Retry-After"},
		{"another Allow", "PUT", "/livez", "", stub{405, headers(kind, problemType, "Allow", "POST"), problem("405", "method-not-allowed", "")}, "Allow is"},
		{"an answer from nowhere", "GET", "/nowhere", "", stub{200, headers(), live}, "the document has nothing"},
		{"a method from nowhere", "PUT", "/livez", "", stub{200, headers(), live}, "the document has nothing"},
		{"a forbidden field accepted", "POST", "/api/waiting-room/sessions", `{"eventId":"E1","amount":1}`, joined, "the document forbids"},
		{"a repeated field accepted", "POST", "/api/waiting-room/sessions", `{"eventId":"E1","eventId":"E1"}`, joined, "the document forbids"},
		{"a bad id accepted", "GET", "/api/events/E.1", "", stub{404, headers(kind, problemType), problem("404", "not-found", "")}, "the document forbids"},
		{"no token asked for", "GET", "/api/orders/E1.o_8AAHAAAAAAAAAAAAAAAACQ", "", stub{404, headers(kind, problemType), problem("404", "not-found", "")}, "no bearer token"},
		{"an allowed request refused", "POST", "/api/waiting-room/sessions", `{"eventId":"E1"}`, stub{400, headers(kind, problemType), wrong}, "the document allows"},
	} {
		document, err := contract.Load()
		if err != nil {
			t.Fatal(err)
		}
		var reports []string
		transport := &contract.Transport{Document: document, Base: c.answer, Report: func(err error) { reports = append(reports, err.Error()) }}
		req, err := http.NewRequest(c.method, "http://x"+c.path, bytes.NewReader([]byte(c.body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != c.answer.body {
			t.Errorf("%s: the answer changed on its way: %q, %v", c.name, body, err)
		}
		if got := strings.Join(reports, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: reported %q, want %q", c.name, got, c.want)
		}
	}
}

package contract

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// lengthMatters is the shortest of the document's maxLength, in bytes.
const lengthMatters = 200

// refusedUnseen are the statuses of a request that was refused for its form, before anything was looked at; those of
// limits at the edge may come before its form is.
var refusedUnseen = []int{400, 401, 405, 408, 413, 414, 415, 431, 429, 503}

// refusedForForm are the codes that say that the form was at fault.
var refusedForForm = []string{
	"invalid-request", "idempotency-key-required", "token-required", "unsupported-media-type", "body-too-large", "uri-too-long", "method-not-allowed",
}

// exchange judges a request and its answer. beyond is set where the request is refused for a reason that a schema cannot
// tell.
func (d *Document) exchange(l Listener, req *http.Request, body []byte, a Answer, beyond bool) error {
	path, query, _ := strings.Cut(req.URL.RequestURI(), "?")
	r := d.find(l, req.Method, path)
	switch {
	case len(r.allowed) == 0:
		return d.missing(a, "not-found")
	case r.op == nil:
		if allow := a.Header.Get("Allow"); a.Status == http.StatusMethodNotAllowed && allow != strings.Join(r.allowed, ", ") {
			return fmt.Errorf("Allow is %q, the document has %q", allow, r.allowed)
		}
		return d.missing(a, "method-not-allowed")
	}
	errs := []error{d.answered(r.op, a)}
	why := d.forbidden(r, req, query, body)
	_, malformed := url.ParseQuery(query)
	beyond = beyond || malformed != nil || bytesCount(query) || bytesCount(string(body))
	// Nobody looks into the body of a GET, but it is counted.
	beyond = beyond || r.op.RequestBody == nil && len(body) > bodyBytesMax
	if text, err := url.QueryUnescape(query); err == nil {
		beyond = beyond || bytesCount(text)
	}
	if value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body)); err == nil {
		beyond = beyond || bytesCount(fmt.Sprint(value))
	}
	switch code := a.problem().Code; {
	case why != nil && !slices.Contains(refusedUnseen, a.Status):
		errs = append(errs, fmt.Errorf("the document forbids the request, the server does not: %w", why))
	case why == nil && !beyond && slices.Contains(refusedForForm, code):
		errs = append(errs, errors.New("the document allows the request, the server does not"))
	}
	if err := errors.Join(errs...); err != nil || !d.first(r.op, a.Status) {
		return err
	}
	return d.filter(r, req, body, a, why == nil)
}

// bytesCount is true of a text so long that it matters whether one counts bytes, as we do, or characters, as schemas do.
func bytesCount(text string) bool {
	return len(text) > lengthMatters && len(text) != utf8.RuneCountInString(text)
}

// Problem checks that an answer is a problem of those that the document has, whatever it was asked.
func (d *Document) Problem(a Answer) error {
	code := a.problem().Code
	for _, ref := range d.T.Components.Schemas {
		if code == "" || Code(ref.Value) != code {
			continue
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body))
		if err != nil {
			return fmt.Errorf("the body is no JSON: %w", err)
		}
		return errors.Join(d.schemas.check(ref, value), consistent(a))
	}
	return fmt.Errorf("no problem of the document's: %d %.200q", a.Status, a.Body)
}

// missing checks the answer to an address or a method that the document does not have.
func (d *Document) missing(a Answer, code string) error {
	got := a.problem().Code
	if a.Head || got == code || slices.Contains([]string{"uri-too-long", "headers-too-large", "request-timeout", "body-too-large"}, got) {
		return d.Protocol(a)
	}
	return fmt.Errorf("answered with %q where the document has nothing: want %s", got, code)
}

// Protocol checks an answer to what was no request that could be looked up: it must be a problem of those that every
// operation may Answer, or a 404.
func (d *Document) Protocol(a Answer) error {
	want := d.T.Components.Responses["Protocol"]
	if a.Status == http.StatusNotFound {
		want = d.T.Components.Responses["NotFound"]
	}
	return d.fits(want.Value, a)
}

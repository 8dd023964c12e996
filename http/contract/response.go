package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/klauspost/compress/zstd"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/valyala/fasthttp"
)

// ofHTTP are headers that belong to HTTP rather than to us.
var ofHTTP = []string{"Date", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Keep-Alive"}

// Answer is a response read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Head: the request was a HEAD, so that the headers are all there is.
	Head bool
}

// problem is what the checks want to know of one.
type problem struct {
	Type, Code string
	Status     int
}

// problem is zero where the answer is none.
func (a Answer) problem() (p problem) {
	if a.Header.Get("Content-Type") == "application/problem+json" {
		_ = json.Unmarshal(a.Body, &p)
	}
	return p
}

// answered checks what was answered to an operation of the document.
func (d *Document) answered(op *Operation, a Answer) error {
	ref := op.Responses.Status(a.Status)
	if ref == nil {
		ref = op.Responses.Default()
	}
	return d.fits(ref.Value, a)
}

// fits checks an answer against what the document says of it.
func (d *Document) fits(want *openapi3.Response, a Answer) error {
	errs := []error{d.headers(want, a.Header), consistent(a)}
	if !a.Head {
		errs = append(errs, d.content(want, a))
	}
	return errors.Join(errs...)
}

func (d *Document) headers(want *openapi3.Response, got http.Header) error {
	var errs []error
	for name := range got {
		if want.Headers[name] == nil && !slices.Contains(ofHTTP, name) && !named(want.Headers, name) {
			errs = append(errs, fmt.Errorf("the header %s is not in the document", name))
		}
	}
	for name, ref := range want.Headers {
		values := got.Values(name)
		switch {
		case len(values) == 0 && ref.Value.Required:
			errs = append(errs, fmt.Errorf("the header %s is missing", name))
		case len(values) > 1:
			errs = append(errs, fmt.Errorf("the header %s is there %d times", name, len(values)))
		case len(values) == 1:
			if err := d.text(ref.Value.Schema, values[0]); err != nil {
				errs = append(errs, fmt.Errorf("the header %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// named finds a header whose usual spelling is not Go's, as WWW-Authenticate and ETag.
func named(headers openapi3.Headers, name string) bool {
	for n := range headers {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (d *Document) content(want *openapi3.Response, a Answer) error {
	if len(want.Content) == 0 || a.Status == http.StatusNotModified {
		if len(a.Body) > 0 {
			return fmt.Errorf("a body where the document has none: %.100q", a.Body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	content := want.Content[media]
	if content == nil {
		return fmt.Errorf("the content type %q is not in the document", media)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	body, err := decompress(a)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	schema := content.Schema
	if code := a.problem().Code; code != "" {
		// Of many problems the one that it says to be, so that the fault can be told in a line.
		var codes []string
		if schema, codes = choose(schema, code); schema == nil {
			return fmt.Errorf("the code %q is not in the document: it has %q", code, codes)
		}
	}
	if err := d.schemas.check(schema, value); err != nil {
		return fmt.Errorf("the body does not fit: %w", err)
	}
	return nil
}

// choose finds the schema of a code among those that the answer may have.
func choose(schema *openapi3.SchemaRef, code string) (found *openapi3.SchemaRef, codes []string) {
	for _, ref := range append(openapi3.SchemaRefs{schema}, schema.Value.OneOf...) {
		if c := Code(ref.Value); c == code {
			return ref, nil
		} else if c != "" {
			codes = append(codes, c)
		}
	}
	return nil, codes
}

// unzstd may be used by several goroutines at once.
var unzstd = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil)
	if err != nil {
		panic(err) // there are no options
	}
	return d
})

func decompress(a Answer) (body []byte, err error) {
	switch e := a.Header.Get("Content-Encoding"); e {
	case "":
		return a.Body, nil
	case "gzip":
		body, err = fasthttp.AppendGunzipBytes(nil, a.Body)
	case "br":
		body, err = fasthttp.AppendUnbrotliBytes(nil, a.Body)
	case "zstd":
		body, err = unzstd().DecodeAll(a.Body, nil)
	default:
		err = errors.New("no such encoding")
	}
	if err != nil {
		return nil, fmt.Errorf("content encoding: %w", err)
	}
	return body, nil
}

// consistent checks what the contract says of all answers and a schema cannot.
func consistent(a Answer) error {
	if a.Head {
		return nil
	}
	var errs []error
	p := a.problem()
	if a.Status >= http.StatusBadRequest && p.Code == "" {
		errs = append(errs, errors.New("an error that is no problem"))
	}
	if p.Code != "" && (p.Status != a.Status || p.Type != "/problems/"+p.Code) {
		errs = append(errs, fmt.Errorf("a problem of the status %d and the type %s", p.Status, p.Type))
	}
	waits := a.Status == http.StatusServiceUnavailable || a.Status == http.StatusTooManyRequests || p.Code == "request-in-flight"
	if waits != (a.Header.Get("Retry-After") != "") {
		errs = append(errs, fmt.Errorf("Retry-After is %q", a.Header.Get("Retry-After")))
	}
	if (a.Status == http.StatusMethodNotAllowed) != (a.Header.Get("Allow") != "") {
		errs = append(errs, fmt.Errorf("Allow is %q", a.Header.Get("Allow")))
	}
	return errors.Join(errs...)
}

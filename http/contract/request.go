package contract

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What a body may have where the document does not say otherwise with x-bytes-max and x-depth-max.
const (
	bodyBytesMax = 16 << 10
	bodyDepthMax = 8
	uriBytesMax  = 2048
)

// forbidden says why the document forbids a request; nil where it allows it.
func (d *Document) forbidden(r route, req *http.Request, rawQuery string, body []byte) error {
	var errs []error
	if len(req.URL.RequestURI()) > uriBytesMax {
		errs = append(errs, errors.New("address too long"))
	}
	// fasthttp takes what is malformed as it stands.
	query, _ := url.ParseQuery(rawQuery)
	for _, list := range []openapi3.Parameters{r.op.Item.Parameters, r.op.Parameters} {
		for _, ref := range list {
			if err := d.parameter(ref.Value, r.params, query, req.Header); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", ref.Value.Name, err))
			}
		}
	}
	if !r.open() && bearer(req.Header) == "" && !d.tokenInAddress(r.op, query) {
		errs = append(errs, errors.New("no bearer token"))
	}
	if r.op.RequestBody != nil {
		errs = append(errs, d.body(r.op.RequestBody.Value, req.Header, body))
	}
	return errors.Join(errs...)
}

// open is true where nobody has to show who he is. What may be asked with nothing or with a token, as the document has it,
// is open on the public listener alone.
func (r route) open() bool {
	if r.op.Security == nil {
		return true
	}
	free := slices.ContainsFunc(*r.op.Security, func(s openapi3.SecurityRequirement) bool { return len(s) == 0 })
	return free && r.listener == Public
}

// tokenInAddress is true where the operation takes a token in the query, and one is there.
func (d *Document) tokenInAddress(op *Operation, query url.Values) bool {
	for _, requirement := range *op.Security {
		for name := range requirement {
			if scheme := d.T.Components.SecuritySchemes[name].Value; scheme.In == openapi3.ParameterInQuery && query.Get(scheme.Name) != "" {
				return true
			}
		}
	}
	return false
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (d *Document) parameter(p *openapi3.Parameter, path map[string]string, query url.Values, header http.Header) error {
	var text string
	switch p.In {
	case openapi3.ParameterInPath:
		text = path[p.Name]
	case openapi3.ParameterInQuery:
		text = query.Get(p.Name)
	case openapi3.ParameterInHeader:
		text = strings.Trim(header.Get(p.Name), " \t")
	}
	switch {
	case text == "" && p.Required:
		return errors.New("is required")
	case text == "":
		return nil
	case p.In == openapi3.ParameterInQuery && !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	}
	return d.text(p.Schema, text)
}

// text checks a value that came as text: a parameter or a header.
func (d *Document) text(ref *openapi3.SchemaRef, text string) error {
	if !ref.Value.Type.Is(openapi3.TypeInteger) {
		return d.schemas.check(ref, text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("is no whole number: %w", err)
	}
	return d.schemas.check(ref, n)
}

func (d *Document) body(b *openapi3.RequestBody, header http.Header, body []byte) error {
	if len(body) == 0 {
		if b.Required {
			return errors.New("no body")
		}
		return nil
	}
	if e := header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return errors.New("compressed body")
	}
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	content := b.Content[media]
	if content == nil {
		return fmt.Errorf("content type %q", media)
	}
	if len(body) > extension(b, "x-bytes-max", bodyBytesMax) {
		return errors.New("body too large")
	}
	value, err := strictJSON(body, extension(b, "x-depth-max", bodyDepthMax))
	if err != nil {
		return err
	}
	return d.schemas.check(content.Schema, value)
}

func extension(b *openapi3.RequestBody, name string, absent int) int {
	if n, ok := b.Extensions[name].(float64); ok {
		return int(n)
	}
	return absent
}

// strictJSON reads JSON as the contract does: UTF-8, no repeated field, no NUL, not too deep.
func strictJSON(body []byte, depthMax int) (any, error) {
	var any1 any
	if err := json.Unmarshal(body, &any1); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	depth, nul := measure(value)
	if depth > depthMax {
		return nil, fmt.Errorf("body: nested %d deep", depth)
	}
	if nul {
		return nil, errors.New("body: contains a NUL")
	}
	return value, nil
}

func measure(v any) (depth int, nul bool) {
	inner := func(v any) {
		d, n := measure(v)
		depth, nul = max(depth, d), nul || n
	}
	switch v := v.(type) {
	case string:
		return 0, strings.Contains(v, "\x00")
	case map[string]any:
		for k, item := range v {
			nul = nul || strings.Contains(k, "\x00")
			inner(item)
		}
		return depth + 1, nul
	case []any:
		for _, item := range v {
			inner(item)
		}
		return depth + 1, nul
	}
	return 0, false
}

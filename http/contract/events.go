package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const eventStream = "text/event-stream"

// blockBytesMax is more than any event has.
const blockBytesMax = 1 << 20

var (
	retryLine = regexp.MustCompile(`^retry: [1-9]\d{0,8}$`)
	idLine    = regexp.MustCompile(`^id: [^\x00]+$`)
)

// events is a stream's body that is judged while it is read: `retry:` comes first, every event has an id and a name of
// the operation's x-events, and its data fits that schema. What a stream that was cut off leaves unfinished is not looked at.
func (d *Document) events(l Listener, req *http.Request, body io.ReadCloser, report func(error)) io.ReadCloser {
	j := &eventJudge{ReadCloser: body, d: d, first: true}
	j.report = func(err error) { report(fmt.Errorf("%s %s → an event: %w", req.Method, req.URL.Path, err)) }
	path, _, _ := strings.Cut(req.URL.RequestURI(), "?")
	if r := d.find(l, req.Method, path); r.op != nil {
		if ref := r.op.Responses.Status(http.StatusOK); ref != nil && ref.Value.Content[eventStream] != nil {
			j.names, _ = ref.Value.Content[eventStream].Extensions["x-events"].(map[string]any)
		}
	}
	return j
}

type eventJudge struct {
	io.ReadCloser
	d      *Document
	report func(error)
	// names of the events, each with a reference to its data's schema.
	names map[string]any
	rest  []byte
	first bool
}

func (j *eventJudge) Read(b []byte) (int, error) {
	n, err := j.ReadCloser.Read(b)
	j.rest = append(j.rest, b[:n]...)
	for {
		block, rest, ok := bytes.Cut(j.rest, []byte("\n\n"))
		if !ok {
			break
		}
		j.rest = rest
		if err := j.judge(string(block)); err != nil {
			j.report(fmt.Errorf("%.400q: %w", block, err))
		}
		j.first = false
	}
	if len(j.rest) > blockBytesMax {
		j.report(errors.New("it has no end"))
		j.rest = nil
	}
	return n, err
}

func (j *eventJudge) judge(block string) error {
	var name, data string
	id := false
	for i, line := range strings.Split(block, "\n") {
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case j.first && i == 0 && !retryLine.MatchString(line):
			return errors.New("the stream does not begin with retry")
		case strings.HasPrefix(line, ":"), retryLine.MatchString(line):
		case idLine.MatchString(line) && !id:
			id = true
		case field == "event" && name == "":
			name = value
		case field == "data" && data == "":
			data = value
		default:
			return fmt.Errorf("the line %q", line)
		}
	}
	switch {
	case name == "" && data == "" && !id:
		return nil
	case !id:
		return errors.New("no id")
	case j.names[name] == nil:
		return fmt.Errorf("the name %q is not in the document", name)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
	if err != nil {
		return fmt.Errorf("the data is no JSON: %w", err)
	}
	schema, err := j.schema(name)
	if err != nil {
		return err
	}
	if err := j.d.schemas.check(schema, value); err != nil {
		return fmt.Errorf("the data does not fit: %w", err)
	}
	return nil
}

func (j *eventJudge) schema(name string) (*openapi3.SchemaRef, error) {
	named, _ := j.names[name].(map[string]any)
	ref, _ := named["$ref"].(string)
	schema := j.d.T.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	if schema == nil {
		return nil, fmt.Errorf("x-events: no schema for %q", name)
	}
	return schema, nil
}

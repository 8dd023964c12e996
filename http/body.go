package http

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"boxoffice/messages"
)

const (
	depthMax = 8
	// planDepthMax leaves a seating plan its own 8 levels and what pretix may add to them.
	planDepthMax = 12
	faultsMax    = 50
)

// decode reads a JSON object into the struct that dst points to, strictly: no unknown, repeated or differently cased
// members, no null (but inside the member loose), no bad UTF-8, no NUL, nothing after it. An empty body is {}.
// The faults are all that can be told at once.
func decode(body []byte, dst any, depth int, loose string) []*messages.Fault {
	if len(body) == 0 {
		body = []byte("{}")
	}
	seen := scan(body)
	if seen.depth > depth {
		return []*messages.Fault{fault("", fmt.Sprintf("nested over %d deep", depth))}
	}
	if seen.nul {
		return []*messages.Fault{fault("", "contains a NUL character")}
	}
	if err := json.Unmarshal(body, dst, json.RejectUnknownMembers(true)); err != nil {
		return diagnose(body, dst, err)
	}
	if seen.null {
		return nulls(nil, "", body, loose)
	}
	return nil
}

// seen is what a look over the bytes of a JSON text tells, if it is one.
type seen struct {
	depth     int
	null, nul bool
}

func scan(body []byte) (s seen) {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inString && c == '\\':
			s.nul = s.nul || i+6 <= len(body) && string(body[i+1:i+6]) == "u0000"
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			s.depth = max(s.depth, depth)
		case c == '}' || c == ']':
			depth--
		case c == 'n':
			s.null = true
		}
	}
	return s
}

// diagnose looks for more faults than the first: it tries each member alone.
func diagnose(body []byte, dst any, first error) []*messages.Fault {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil {
		return []*messages.Fault{faultOf(err)}
	}
	var faults []*messages.Fault
	for _, name := range slices.Sorted(maps.Keys(members)) {
		one := append([]byte{'{'}, appendString(nil, name)...)
		one = append(append(append(one, ':'), members[name]...), '}')
		fresh := reflect.New(reflect.TypeOf(dst).Elem()).Interface()
		if err := json.Unmarshal(one, fresh, json.RejectUnknownMembers(true)); err != nil {
			faults = append(faults, faultOf(err))
		}
		if len(faults) == faultsMax {
			break
		}
	}
	if faults == nil {
		faults = append(faults, faultOf(first))
	}
	return faults
}

// nulls finds each null in a text that is known to be JSON.
func nulls(faults []*messages.Fault, path string, value jsontext.Value, loose string) []*messages.Fault {
	switch value.Kind() { //nolint:exhaustive // no other kind holds a null
	case jsontext.KindNull:
		return append(faults, fault(path, "must not be null"))
	case jsontext.KindBeginObject:
		var members map[string]jsontext.Value
		_ = json.Unmarshal(value, &members)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if path != "" || name != loose || loose == "" {
				faults = nulls(faults, strings.TrimPrefix(path+"."+name, "."), members[name], loose)
			}
		}
	case jsontext.KindBeginArray:
		var items []jsontext.Value
		_ = json.Unmarshal(value, &items)
		for i, item := range items {
			faults = nulls(faults, fmt.Sprintf("%s[%d]", path, i), item, loose)
		}
	}
	return faults[:min(len(faults), faultsMax)]
}

// faultOf puts a decoder's error into a client's words.
func faultOf(err error) *messages.Fault {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		return fault(fieldPath(semantic.JSONPointer), semanticMessage(semantic))
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		return fault(fieldPath(syntactic.JSONPointer), "appears twice")
	case errors.As(err, &syntactic):
		return fault("", fmt.Sprintf("malformed JSON at byte %d", syntactic.ByteOffset))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault("", "malformed JSON: ends too early")
	default:
		return fault("", "malformed JSON")
	}
}

func semanticMessage(e *json.SemanticError) string {
	if errors.Is(e.Err, json.ErrUnknownName) {
		return "unknown field"
	}
	t := cmp.Or(e.GoType, reflect.TypeFor[any]())
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch k := t.Kind(); {
	case k == reflect.String:
		return "must be a string"
	case k == reflect.Bool:
		return "must be true or false"
	case k >= reflect.Uint && k <= reflect.Uint64:
		return "must be a whole number, not negative"
	case k >= reflect.Int && k <= reflect.Int64:
		return "must be a whole number"
	case k == reflect.Slice:
		return "must be a list"
	default:
		return "must be an object"
	}
}

// fieldPath turns /waitingRoom/limits/0 into waitingRoom.limits[0].
func fieldPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "" && b.Len() > 0:
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}

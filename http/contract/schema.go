package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas compiles each schema of the document once.
type schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[*openapi3.SchemaRef]*jsonschema.Schema
}

// whole is the address under which the compiler knows the document.
const whole = "https://boxoffice.invalid/openapi.json"

func newSchemas(doc *openapi3.T) (*schemas, error) {
	s := &schemas{compiler: jsonschema.NewCompiler(), compiled: map[*openapi3.SchemaRef]*jsonschema.Schema{}}
	s.compiler.DefaultDraft(jsonschema.Draft2020)
	s.compiler.AssertFormat()
	components, err := plain(doc.Components.Schemas)
	if err != nil {
		return nil, err
	}
	for _, schema := range components.(map[string]any) {
		closeInside(schema)
	}
	if err := s.compiler.AddResource(whole, map[string]any{"components": map[string]any{"schemas": components}}); err != nil {
		return nil, fmt.Errorf("the document's schemas: %w", err)
	}
	return s, nil
}

// plain brings anything of the document's as maps and lists, references kept.
func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a part of the document: %w", err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// Check is nil for a value that fits and has no field that the schema does not name.
func (d *Document) Check(ref *openapi3.SchemaRef, value any) error {
	v, err := plain(value)
	if err != nil {
		return err
	}
	return d.schemas.check(ref, v)
}

// check is nil for a value that fits. The value is as jsonschema.UnmarshalJSON makes it.
func (s *schemas) check(ref *openapi3.SchemaRef, value any) error {
	schema, err := s.compile(ref)
	if err != nil {
		return err
	}
	return brief(schema.Validate(value))
}

// brief is the error without the fields that are forbidden only because something else did not fit.
func brief(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, strings.TrimSpace(line))
	}
	other := slices.DeleteFunc(slices.Clone(lines[1:]), func(line string) bool { return strings.HasSuffix(line, "false schema") })
	if len(other) == 0 {
		other = lines[1:]
	}
	return errors.New(strings.Join(other, "; "))
}

func (s *schemas) compile(ref *openapi3.SchemaRef) (*jsonschema.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema := s.compiled[ref]; schema != nil {
		return schema, nil
	}
	value, err := plain(ref)
	if err != nil {
		return nil, err
	}
	closeWhole(value)
	absolute(value)
	url := fmt.Sprintf("https://boxoffice.invalid/%d.json", len(s.compiled))
	if err := s.compiler.AddResource(url, value); err != nil {
		return nil, fmt.Errorf("a schema of the document: %w", err)
	}
	schema, err := s.compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("a schema of the document: %w", err)
	}
	s.compiled[ref] = schema
	return schema, nil
}

// absolute lets references out of a part find the whole.
func absolute(v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && strings.HasPrefix(ref, "#/") {
			v["$ref"] = whole + ref
		}
		for _, inner := range v {
			absolute(inner)
		}
	case []any:
		for _, inner := range v {
			absolute(inner)
		}
	}
}

// closeWhole forbids fields that the schema does not name. To clients the document says no such thing: answers may gain
// fields. But they must not gain them unnoticed.
func closeWhole(v any) {
	schema, ok := v.(map[string]any)
	if !ok {
		return
	}
	if _, open := schema["additionalProperties"]; !open {
		schema["unevaluatedProperties"] = false
	}
	closeInside(v)
}

// closeInside does so for the values that the schema's fields have, but not for the schema itself, which may be a part
// of another: there the whole is closed.
func closeInside(v any) {
	schema, ok := v.(map[string]any)
	if !ok {
		return
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		for _, p := range properties {
			closeWhole(p)
		}
	}
	closeWhole(schema["items"])
	closeWhole(schema["additionalProperties"])
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		parts, _ := schema[name].([]any)
		for _, part := range parts {
			closeInside(part)
		}
	}
}

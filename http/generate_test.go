package http_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"boxoffice/http/contract"
)

// generator makes values that the document allows.
type generator struct {
	*rand.Rand
	document *contract.Document
	// tame makes requests that succeed.
	tame bool
}

// value of a schema. What a schema forbids across its parts, as two fields that exclude each other, is found by trying.
func (g generator) value(ref *openapi3.SchemaRef) any {
	for range 50 {
		if v := g.draw(ref.Value); g.document.Check(ref, v) == nil {
			return v
		}
	}
	panic("no value for " + ref.Ref)
}

func (g generator) draw(s *openapi3.Schema) any {
	switch {
	case s.Const != nil:
		return s.Const
	case len(s.Enum) > 0:
		return s.Enum[g.IntN(len(s.Enum))]
	case s.Format == "date-time":
		// From 1990 to 2270, in some zone.
		at := time.UnixMilli(int64(6e11 + g.Float64()*9e12)).In(time.FixedZone("", 1800*(g.IntN(48)-24)))
		return at.Format(time.RFC3339Nano)
	}
	kinds := s.Type.Slice()
	if len(kinds) == 0 {
		return g.anything(3)
	}
	switch kinds[g.IntN(len(kinds))] {
	case "object":
		return g.object(s)
	case "array":
		list := []any{}
		most := uint64(8)
		if s.MaxItems != nil {
			most = min(most, *s.MaxItems)
		}
		for range max(s.MinItems, g.Uint64N(most+1)) {
			list = append(list, g.draw(s.Items.Value))
		}
		return list
	case "integer":
		return g.integer(s)
	case "number":
		return g.Float64() * 1000
	case "boolean":
		return g.IntN(2) == 0
	case "string":
		return g.text(s)
	}
	return nil
}

func (g generator) object(s *openapi3.Schema) map[string]any {
	o := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		if slices.Contains(s.Required, name) || g.IntN(3) == 0 {
			o[name] = g.draw(p.Value)
		}
	}
	if values := s.AdditionalProperties.Schema; values != nil {
		for range 1 + g.IntN(3) {
			o[g.letters(12)] = g.draw(values.Value)
		}
	} else if s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has {
		for range g.IntN(4) {
			o[g.letters(12)] = g.anything(3)
		}
	}
	return o
}

// integer likes the ends of its range.
func (g generator) integer(s *openapi3.Schema) int64 {
	from, to := int64(0), int64(1000)
	if s.Min != nil {
		from = int64(*s.Min)
	}
	if s.Max != nil {
		to = int64(*s.Max)
	}
	switch g.IntN(4) {
	case 0:
		return from
	case 1:
		return to
	}
	return from + g.Int64N(to-from+1)
}

func (g generator) text(s *openapi3.Schema) string {
	if s.Pattern != "" {
		return g.matching(must(syntax.Parse(s.Pattern, syntax.Perl)))
	}
	most := 40
	if s.MaxLength != nil && (g.IntN(10) == 0 || int(*s.MaxLength) < most) {
		most = int(*s.MaxLength)
	}
	return g.letters(max(most, 1))
}

// letters are 1 to most characters of a byte each, seldom with something to escape.
func (g generator) letters(most int) string {
	const usual, unusual = "ABCabc012-_ ", `"\/<>&'{}[]:,` + "\n\t\x7f"
	var b strings.Builder
	for range 1 + g.IntN(most) {
		if g.IntN(50) == 0 {
			b.WriteByte(unusual[g.IntN(len(unusual))])
		} else {
			b.WriteByte(usual[g.IntN(len(usual))])
		}
	}
	return b.String()
}

// matching draws a text that a pattern matches.
func (g generator) matching(re *syntax.Regexp) string {
	var b strings.Builder
	repeat := func(least, most int) {
		if most < 0 || most > least+40 {
			most = least + 40
		}
		for range least + g.IntN(most-least+1) {
			b.WriteString(g.matching(re.Sub[0]))
		}
	}
	switch re.Op { // the others match nothing that has characters, or are not in the document
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		at := 2 * g.IntN(len(re.Rune)/2)
		from, to := re.Rune[at], min(re.Rune[at+1], 'z')
		b.WriteRune(max(from, ' ') + g.Int32N(max(to-max(from, ' ')+1, 1)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			b.WriteString(g.matching(sub))
		}
	case syntax.OpAlternate:
		b.WriteString(g.matching(re.Sub[g.IntN(len(re.Sub))]))
	case syntax.OpCapture:
		b.WriteString(g.matching(re.Sub[0]))
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	}
	return b.String()
}

func (g generator) anything(depth int) any {
	switch g.IntN(7) {
	case 0:
		return nil
	case 1:
		return g.IntN(2) == 0
	case 2:
		return g.IntN(100)
	case 3:
		return g.Float64()
	case 4:
		return g.letters(20)
	}
	if depth == 0 {
		return "deep"
	}
	if g.IntN(2) == 0 {
		return []any{g.anything(depth - 1), g.anything(depth - 1)}
	}
	return map[string]any{g.letters(8): g.anything(depth - 1)}
}

func (g generator) json(v any) []byte { return must(json.Marshal(v)) }

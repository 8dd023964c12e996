package http_test

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"iter"
	"regexp"
	"strconv"
	"strings"

	yaml "github.com/oasdiff/yaml3"
)

// entry is a place in a YAML document; its fields keep their sequence. The zero Node is a place that is not there.
type entry struct {
	*yaml.Node
	root *yaml.Node
}

// at is the field of this name.
func (e entry) at(name string) entry {
	for key, value := range e.fields() {
		if key == name {
			return value
		}
	}
	return entry{root: e.root}
}

func (e entry) text(name string) string {
	if v := e.at(name); v.Node != nil {
		return v.Value
	}
	return ""
}

func (e entry) fields() iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		if e.Node == nil || e.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(e.Content); i += 2 {
			if !yield(e.Content[i].Value, entry{e.Content[i+1], e.root}) {
				return
			}
		}
	}
}

func (e entry) items() iter.Seq[entry] {
	return func(yield func(entry) bool) {
		if e.Node == nil || e.Kind != yaml.SequenceNode {
			return
		}
		for _, n := range e.Content {
			if !yield(entry{n, e.root}) {
				return
			}
		}
	}
}

func (e entry) first() (entry, error) {
	for item := range e.items() {
		return item, nil
	}
	return entry{}, errors.New("an empty list")
}

// resolve follows a reference.
func (e entry) resolve() entry {
	ref := e.text("$ref")
	if ref == "" {
		return e
	}
	found := entry{e.root, e.root}
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found = found.at(name)
	}
	return found
}

var codeSpan = regexp.MustCompile("`([^`]*)`")

// inline renders a text with `code` in it.
func inline(s string) template.HTML {
	return template.HTML(codeSpan.ReplaceAllString(html.EscapeString(strings.TrimSpace(s)), "<code>$1</code>"))
}

// prose renders paragraphs and lists.
func prose(s string) template.HTML {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(s), "\n\n") {
		switch {
		case block == "":
		case strings.HasPrefix(block, "- "):
			b.WriteString("<ul>\n")
			for item := range strings.SplitSeq(strings.TrimPrefix(block, "- "), "\n- ") {
				fmt.Fprintf(&b, "<li>%s</li>\n", inline(item))
			}
			b.WriteString("</ul>\n")
		default:
			fmt.Fprintf(&b, "<p>%s</p>\n", inline(block))
		}
	}
	return template.HTML(b.String())
}

// typeOf tells in words what a schema asks for.
func typeOf(s entry) template.HTML {
	if s.Node == nil {
		return "anything"
	}
	if ref := s.text("$ref"); ref != "" {
		name := html.EscapeString(ref[strings.LastIndexByte(ref, '/')+1:])
		shown := template.HTML(name)
		if code := s.resolve().at("properties").at("code").text("const"); code != "" {
			shown = inline("`" + code + "`")
		}
		return template.HTML(`<a href="#`+name+`">`) + shown + "</a>"
	}
	if c := s.at("const"); c.Node != nil {
		return inline("`" + c.Value + "`")
	}
	var values []string
	for v := range s.at("enum").items() {
		values = append(values, "`"+v.Value+"`")
	}
	if values != nil {
		return inline(strings.Join(values, ", "))
	}
	words := []template.HTML{inline(s.text("type"))}
	var kinds []string
	for kind := range s.at("type").items() {
		kinds = append(kinds, kind.Value)
	}
	if kinds != nil {
		words[0] = inline(strings.Join(kinds, " or "))
	}
	if items := s.at("items"); items.Node != nil {
		words[0] = "list of " + typeOf(items)
	}
	if values := s.at("additionalProperties"); values.kind() == yaml.MappingNode {
		words[0] = "object of " + typeOf(values) + " by name"
	}
	if fields := s.at("properties"); fields.Node != nil {
		words[0] = "{ "
		for name, field := range fields.fields() {
			if len(words[0]) > 2 {
				words[0] += ", "
			}
			words[0] += inline("`"+name+"`: ") + typeOf(field)
		}
		words[0] += " }"
	}
	for _, bound := range []struct{ key, words string }{
		{"minimum", "from %s"},
		{"maximum", "to %s"},
		{"minLength", "at least %s long"},
		{"maxLength", "at most %s long"},
		{"minItems", "at least %s"},
		{"maxItems", "at most %s"},
		{"default", "default %s"},
		{"pattern", "as `%s`"},
	} {
		if v := s.text(bound.key); v != "" {
			words = append(words, inline(fmt.Sprintf(bound.words, v)))
		}
	}
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return template.HTML(b.String())
}

// kind is the kind of a place that may not be there.
func (e entry) kind() yaml.Kind {
	if e.Node == nil {
		return 0
	}
	return e.Kind
}

// asJSON writes an example as a client would send or read it.
func asJSON(e entry, indent string) string {
	var parts []string
	deeper := indent + "  "
	switch e.Kind {
	case yaml.MappingNode:
		for name, value := range e.fields() {
			parts = append(parts, strconv.Quote(name)+": "+asJSON(value, deeper))
		}
		return enclose("{", "}", parts, indent)
	case yaml.SequenceNode:
		for item := range e.items() {
			parts = append(parts, asJSON(item, deeper))
		}
		return enclose("[", "]", parts, indent)
	}
	if e.Tag == "!!str" || e.Tag == "!!timestamp" {
		return strconv.Quote(e.Value)
	}
	return e.Value
}

// enclose puts what is short into one line.
func enclose(begin, end string, parts []string, indent string) string {
	short := strings.Join(parts, ", ")
	if len(short)+len(indent) <= 100 && !strings.Contains(short, "\n") {
		return begin + short + end
	}
	return begin + "\n" + indent + "  " + strings.Join(parts, ",\n"+indent+"  ") + "\n" + indent + end
}

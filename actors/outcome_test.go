package actors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"boxoffice/messages"
)

// Goal: the core's outcomes and statuses are messages', number for number and name for name: the shell converts them by
// their numbers. Method: seatmap's constants are read from its source, so that none can be forgotten.

// constants of a type that seatmap declares, by name.
func constants(t *testing.T, typeName string) map[string]int32 {
	t.Helper()
	files, err := filepath.Glob("seatmap/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := map[string]int32{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != typeName {
				return true
			}
			for i, name := range spec.Names {
				literal, ok := spec.Values[i].(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s: %s is no number", file, name.Name)
				}
				value, err := strconv.ParseInt(literal.Value, 0, 32)
				if err != nil {
					t.Fatal(err)
				}
				found[name.Name] = int32(value)
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("seatmap has no constants of type %s", typeName)
	}
	return found
}

// upper writes SeatsReserved as SEATS_RESERVED.
func upper(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func TestEnumsAreTheCores(t *testing.T) {
	for _, c := range []struct {
		typeName, cut, prefix string
		values                map[string]int32
		own                   []string // that messages has beside the core's
	}{
		{"Outcome", "", "OUTCOME_", messages.Outcome_value, []string{
			"UNSPECIFIED", "READ", "EVENT_NOT_FOUND", "UNAVAILABLE", "OVERLOADED", "PAYMENT_UNKNOWN", "INTERNAL",
		}},
		{"OrderStatus", "Status", "ORDER_STATUS_", messages.OrderStatus_value, []string{"UNSPECIFIED"}},
		{"Status", "", "EVENT_STATUS_", messages.EventStatus_value, []string{"UNSPECIFIED", "SCHEDULED"}},
	} {
		want := map[string]int32{}
		for name, value := range constants(t, c.typeName) {
			want[c.prefix+upper(strings.TrimPrefix(name, c.cut))] = value
		}
		got := maps.Clone(c.values)
		for _, name := range c.own {
			if _, ok := got[c.prefix+name]; !ok {
				t.Errorf("messages has no %s%s", c.prefix, name)
			}
			delete(got, c.prefix+name)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: messages has %v, seatmap %v", c.typeName, got, want)
		}
	}
}

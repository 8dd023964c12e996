package http_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"boxoffice/http"
	"boxoffice/http/contract"
)

// Goal: the document has every endpoint that there is on its listener, and no other.
// Method: the routes as registered, against the document's paths with names for the parameters.
func TestDocumentIsComplete(t *testing.T) {
	d := must(contract.Load())
	documented := map[contract.Listener][]string{}
	for _, op := range d.Operations() {
		for _, l := range op.Listeners {
			documented[l] = append(documented[l], op.Method+" "+anonymous(op.Path))
		}
	}
	public, admin := http.Endpoints()
	for l, there := range map[contract.Listener][]string{contract.Public: public, contract.Admin: admin} {
		var endpoints []string
		for _, e := range there {
			// The document takes Go's profiles together.
			if rest, ok := strings.CutPrefix(e, "GET /debug/pprof/"); ok && rest != "" {
				e = "GET /debug/pprof/*"
			}
			endpoints = append(endpoints, e)
		}
		slices.Sort(endpoints)
		endpoints = slices.Compact(endpoints)
		slices.Sort(documented[l])
		if !slices.Equal(endpoints, documented[l]) {
			t.Errorf("listener %d has\n%s\nthe document\n%s", l, strings.Join(endpoints, "\n"), strings.Join(documented[l], "\n"))
		}
	}
}

// anonymous names each parameter *.
func anonymous(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "*" + s[strings.IndexByte(s, '}')+1:]
		}
	}
	return strings.Join(segments, "/")
}

// Goal: the document knows every code, with its status, and no other.
func TestDocumentHasAllCodes(t *testing.T) {
	d := must(contract.Load())
	documented := map[string]int{}
	for _, ref := range d.T.Components.Schemas {
		if code := contract.Code(ref.Value); code != "" {
			documented[code] = int(ref.Value.Properties["status"].Value.Const.(float64))
		}
	}
	if !maps.Equal(documented, http.Statuses()) {
		t.Errorf("documented %v\nthere are  %v", documented, http.Statuses())
	}
	// Each can be met: some answer has it.
	met := map[string]bool{}
	for _, op := range d.Operations() {
		for _, answer := range op.Responses.Map() {
			if content := answer.Value.Content["application/problem+json"]; content != nil {
				for _, ref := range append(slices.Clone(content.Schema.Value.OneOf), content.Schema) {
					met[contract.Code(ref.Value)] = true
				}
			}
		}
	}
	for code := range documented {
		if !met[code] {
			t.Errorf("%s: no operation answers with it", code)
		}
	}
}

// Goal: the examples are what they are examples of, and have no field that the document does not.
func TestExamplesFit(t *testing.T) {
	d := must(contract.Load())
	for name, ref := range d.T.Components.Schemas {
		if len(ref.Value.Examples) == 0 {
			if name != "Problem" {
				t.Errorf("%s has no example", name)
			}
			continue
		}
		for _, example := range ref.Value.Examples {
			if err := d.Check(ref, example); err != nil {
				t.Errorf("an example of %s: %v", name, err)
			}
		}
	}
}

package http_test

import (
	"bytes"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "github.com/oasdiff/yaml3"

	"boxoffice/http"
)

// Goal: the page of /docs says what openapi.yaml says.
// Method: it is rendered from the document here and compared; after a change: go test ./http -run TestDocsPage -update.
func TestDocsPage(t *testing.T) {
	page := renderDocs(t, http.OpenAPI())
	if *update {
		if err := os.WriteFile("docs.html", page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if stored := must(os.ReadFile("docs.html")); !bytes.Equal(page, stored) {
		t.Fatal("docs.html is not what openapi.yaml gives: go test ./http -run TestDocsPage -update")
	}
}

// Goal: the page needs nothing but itself, and is served as strictly as that allows.
func TestDocsServed(t *testing.T) {
	s := start(t)
	page := s.do("GET", s.public+"/docs", "")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" || page.body != string(must(os.ReadFile("docs.html"))) {
		t.Fatalf("%d %v", page.status, page.header)
	}
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", "<form", "style=", "src=", "@import", "url(", "javascript:", " on"} {
		if i := strings.Index(strings.ToLower(page.body), bad); i >= 0 && (bad != " on" || regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(page.body)) {
			t.Errorf("the page has %q: …%.60s", bad, page.body[i:])
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(page.body, -1) {
		if anchor, ok := strings.CutPrefix(m[1], "#"); m[1] != "/api/openapi.yaml" && (!ok || !strings.Contains(page.body, `id="`+anchor+`"`)) {
			t.Errorf("a link to %s, which is not there", m[1])
		}
	}
	document := s.do("GET", s.public+"/api/openapi.yaml", "")
	if document.status != 200 || document.header.Get("Content-Type") != "application/yaml" || document.body != string(http.OpenAPI()) {
		t.Fatalf("%d %v", document.status, document.header)
	}
	revalidate(t, s, "/docs", page.header.Get("ETag"))
	revalidate(t, s, "/api/openapi.yaml", document.header.Get("ETag"))
	if packed := s.do("GET", s.public+"/docs", "", "Accept-Encoding", "gzip, br"); packed.header.Get("Content-Encoding") != "br" || len(packed.body)*3 > len(page.body) {
		t.Errorf("%v, %d bytes of %d", packed.header, len(packed.body), len(page.body))
	}
}

// docs is what the template shows.
type docs struct {
	Title, Summary, OpenAPI string
	Description             template.HTML
	Tags                    []docsTag
	Schemas                 []docsSchema
}

type docsTag struct {
	Name        string
	Description template.HTML
	Operations  []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Servers, Security string
	Description                                  template.HTML
	Parameters                                   []docsField
	Body                                         *docsBody
	Answers                                      []docsAnswer
}

type docsField struct {
	Name, In, Example string
	Required          bool
	Type, Text        template.HTML
}

type docsBody struct {
	Type     template.HTML
	Required bool
	Examples []string
}

type docsAnswer struct {
	Status  string
	Bad     bool
	Types   []template.HTML
	Text    template.HTML
	Headers []string
}

type docsSchema struct {
	Name              string
	Description, Type template.HTML
	Fields            []docsField
	Examples          []string
}

func renderDocs(t *testing.T, document []byte) []byte {
	t.Helper()
	var file yaml.Node
	if err := yaml.Unmarshal(document, &file); err != nil {
		t.Fatal(err)
	}
	root := entry{root: file.Content[0], Node: file.Content[0]}
	info := root.at("info")
	d := docs{
		Title: info.text("title"), Summary: info.text("summary"), OpenAPI: root.text("openapi"), Description: prose(info.text("description")),
	}
	for tag := range root.at("tags").items() {
		d.Tags = append(d.Tags, docsTag{Name: tag.text("name"), Description: prose(tag.text("description")), Operations: operations(root, tag.text("name"))})
	}
	for name, schema := range root.at("components").at("schemas").fields() {
		d.Schemas = append(d.Schemas, schemaDocs(name, schema))
	}
	var page bytes.Buffer
	name := filepath.Join("testdata", "docs.gohtml")
	if err := template.Must(template.ParseFiles(name)).Execute(&page, d); err != nil {
		t.Fatal(err)
	}
	return page.Bytes()
}

func operations(root entry, tag string) (all []docsOperation) {
	for path, item := range root.at("paths").fields() {
		for _, method := range []string{"get", "post", "patch", "delete"} {
			op := item.at(method)
			if op.Node == nil || must(op.at("tags").first()).Value != tag {
				continue
			}
			o := docsOperation{
				ID: op.text("operationId"), Method: strings.ToUpper(method), Path: path, Summary: op.text("summary"),
				Description: prose(op.text("description")), Servers: servers(item), Security: security(op),
			}
			for _, list := range []entry{item.at("parameters"), op.at("parameters")} {
				for p := range list.items() {
					o.Parameters = append(o.Parameters, parameterDocs(p.resolve()))
				}
			}
			if body := op.at("requestBody").resolve(); body.Node != nil {
				o.Body = bodyDocs(body)
			}
			for status, answer := range op.at("responses").fields() {
				o.Answers = append(o.Answers, answerDocs(status, answer.resolve()))
			}
			all = append(all, o)
		}
	}
	return all
}

func servers(item entry) string {
	var names []string
	for server := range item.at("servers").items() {
		names = append(names, strings.TrimSuffix(server.text("description"), "."))
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return "On " + strings.ToLower(names[0]) + "."
	}
	return "On both listeners."
}

func security(op entry) string {
	for requirement := range op.at("security").items() {
		for name := range requirement.fields() {
			return map[string]string{"accessToken": "session's access token", "organiserToken": "organiser's token"}[name]
		}
	}
	return ""
}

func parameterDocs(p entry) docsField {
	return docsField{
		Name: p.text("name"), In: "in the " + p.text("in"), Required: p.text("required") == "true",
		Type: typeOf(p.at("schema")), Text: inline(p.text("description")), Example: p.text("example"),
	}
}

func bodyDocs(body entry) *docsBody {
	b := &docsBody{Required: body.text("required") == "true"}
	for _, content := range body.at("content").fields() {
		b.Type = typeOf(content.at("schema"))
		if example := content.at("example"); example.Node != nil {
			b.Examples = append(b.Examples, asJSON(example, ""))
		}
		for _, example := range content.at("examples").fields() {
			b.Examples = append(b.Examples, asJSON(example.at("value"), ""))
		}
		if b.Examples == nil {
			if first, err := content.at("schema").resolve().at("examples").first(); err == nil {
				b.Examples = append(b.Examples, asJSON(first, ""))
			}
		}
	}
	return b
}

func answerDocs(status string, answer entry) docsAnswer {
	a := docsAnswer{Status: status, Bad: status >= "4", Text: inline(answer.text("description"))}
	if status == "default" {
		a.Status = "other"
	}
	for _, content := range answer.at("content").fields() {
		schema := content.at("schema")
		if one := schema.at("oneOf"); one.Node != nil {
			for s := range one.items() {
				a.Types = append(a.Types, typeOf(s))
			}
		} else if schema.Node != nil {
			a.Types = append(a.Types, typeOf(schema))
		}
		for name, event := range content.at("x-events").fields() {
			a.Types = append(a.Types, inline("`"+name+"` with ")+typeOf(event))
		}
	}
	for name := range answer.at("headers").fields() {
		// These two are everywhere.
		if name != "X-Content-Type-Options" && name != "Cache-Control" {
			a.Headers = append(a.Headers, name)
		}
	}
	return a
}

func schemaDocs(name string, schema entry) docsSchema {
	d := docsSchema{Name: name, Description: prose(schema.text("description"))}
	required := map[string]bool{}
	for r := range schema.at("required").items() {
		required[r.Value] = true
	}
	for field, s := range schema.at("properties").fields() {
		d.Fields = append(d.Fields, docsField{Name: field, Required: required[field], Type: typeOf(s), Text: inline(s.text("description"))})
	}
	if d.Fields == nil {
		d.Type = typeOf(schema)
	}
	if schema.at("allOf").Node != nil {
		d.Type = "besides the fields of every " + typeOf(must(schema.at("allOf").first()))
	}
	for example := range schema.at("examples").items() {
		d.Examples = append(d.Examples, asJSON(example, ""))
	}
	return d
}

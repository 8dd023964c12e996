// Package contract holds HTTP traffic against http/openapi.yaml. It is for tests alone: put a Transport into the client
// that a test uses, and every exchange is judged.
//
//  1. Every answer is one that the document has for its operation: status, headers and fields, none more.
//  2. A request that the document forbids is refused before anything is done; one that it allows is not refused as
//     malformed. So the document and the parsers say the same.
//  3. The addresses and methods that the document does not have do not exist.
//
// kin-openapi reads and checks the document, and its filter judges the first exchanges of each kind. It compiles a
// schema anew for every value, which takes half a millisecond each; what comes after is judged by the same schemas
// compiled once, with the library that kin-openapi itself uses.
package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"boxoffice/http"
)

// Listener is one of the server's two.
type Listener int

// The listeners.
const (
	Public Listener = iota
	Admin
)

// Document is http/openapi.yaml, read. Several goroutines may use it.
type Document struct {
	T          *openapi3.T
	operations []*Operation
	schemas    *schemas

	mu sync.Mutex
	// judged counts the exchanges that kin-openapi's filter has seen, by operation and status.
	judged map[string]int
}

// Operation is one method under one path.
type Operation struct {
	*openapi3.Operation
	Path, Method string
	Item         *openapi3.PathItem
	Listeners    []Listener
	template     template
}

// Load reads and checks the document, once.
var Load = sync.OnceValues(func() (*Document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(http.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the document is not OpenAPI: %w", err)
	}
	schemas, err := newSchemas(doc)
	if err != nil {
		return nil, err
	}
	d := &Document{T: doc, schemas: schemas, judged: map[string]int{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Responses.Default() == nil {
				return nil, errors.New(path + ": an operation without a default response")
			}
			d.operations = append(d.operations, &Operation{
				Operation: op, Path: path, Method: method, Item: item, Listeners: listeners(item), template: parseTemplate(path),
			})
		}
	}
	slices.SortFunc(d.operations, func(a, b *Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return d, nil
})

// listeners of a path are those whose servers it names; the public one's address is relative.
func listeners(item *openapi3.PathItem) []Listener {
	if len(item.Servers) == 0 {
		return []Listener{Public}
	}
	var ls []Listener
	for _, server := range item.Servers {
		if server.URL == "/" {
			ls = append(ls, Public)
		} else {
			ls = append(ls, Admin)
		}
	}
	return ls
}

// Operations sorted by path and method.
func (d *Document) Operations() []*Operation { return d.operations }

// Code is the code that a problem's schema is about, "" where the schema is none of a problem's.
func Code(schema *openapi3.Schema) string {
	if p := schema.Properties["code"]; p != nil && p.Value != nil {
		code, _ := p.Value.Const.(string)
		return code
	}
	return ""
}

package contract

import (
	"net/http"
	"slices"
	"strings"
)

// template is a path of the document, cut at its slashes. Only the last segment may have a call: {orderId}:confirm.
type template struct {
	segments []string
	call     string
}

func parseTemplate(path string) template {
	path, call, _ := strings.Cut(path, ":")
	return template{strings.Split(path, "/"), call}
}

// match takes the path as it was sent, still encoded: ids have no character that needs it.
func (t template) match(path string) (params map[string]string, ok bool) {
	segments := strings.Split(path, "/")
	if len(segments) != len(t.segments) {
		return nil, false
	}
	last := len(segments) - 1
	if t.call != "" {
		id, call, _ := strings.Cut(segments[last], ":")
		if call != t.call {
			return nil, false
		}
		segments[last] = id
	}
	params = map[string]string{}
	for i, s := range t.segments {
		name, isParam := strings.CutPrefix(s, "{")
		switch {
		case isParam && (segments[i] != "" || t.call != ""):
			params[strings.TrimSuffix(name, "}")] = segments[i]
		case s != segments[i]:
			return nil, false
		}
	}
	return params, true
}

// route is what a request's method and path lead to.
type route struct {
	op       *Operation
	listener Listener
	params   map[string]string
	// allowed are the methods of the path; empty where there is no such path.
	allowed []string
}

// find looks a request up; op is nil where the document has no such path or method. Where calls hang on a path, a colon
// in its last segment always means one.
func (d *Document) find(l Listener, method, path string) (r route) {
	r.listener = l
	var found []*Operation
	params := map[*Operation]map[string]string{}
	called := strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ":")
	for _, op := range d.operations {
		if !slices.Contains(op.Listeners, l) {
			continue
		}
		p, ok := op.template.match(path)
		if !ok || called && op.template.call == "" && d.hasCalls(op) {
			continue
		}
		found = append(found, op)
		params[op] = p
	}
	// An address with a name in place of a parameter goes first: /debug/pprof/ before /debug/pprof/{profile}.
	slices.SortStableFunc(found, func(a, b *Operation) int { return len(params[a]) - len(params[b]) })
	for _, op := range found {
		if op.Path != found[0].Path {
			break
		}
		r.allowed = append(r.allowed, op.Method)
		if op.Method == http.MethodGet {
			r.allowed = append(r.allowed, http.MethodHead)
		}
		if op.Method == method || op.Method == http.MethodGet && method == http.MethodHead {
			r.op, r.params = op, params[op]
		}
	}
	slices.Sort(r.allowed)
	return r
}

func (d *Document) hasCalls(op *Operation) bool {
	return slices.ContainsFunc(d.operations, func(other *Operation) bool {
		return other.template.call != "" && slices.Equal(other.template.segments, op.template.segments)
	})
}

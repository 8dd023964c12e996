package http_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fuzzed is a request in the making.
type fuzzed struct {
	method, path, query string
	headers             map[string]string
	// value is what body was made of; nil where there is no body.
	value any
	body  []byte
}

func (f *fuzzed) String() string {
	return fmt.Sprintf("%s %.300s?%.300s %q %.300q", f.method, f.path, f.query, f.headers, f.body)
}

// breakage spoils a request in one way, or leaves it where it does not apply. Whether what comes out is forbidden, the
// document says, not the breakage.
type breakage struct {
	name  string
	apply func(g generator, f *fuzzed)
}

var breakages = slices.Concat(valueBreakages, textBreakages, pathBreakages, headerBreakages)

// places are pointers to all values inside one: functions that replace them.
func places(v any, set func(any), each func(v any, set func(any))) {
	each(v, set)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			places(v[name], func(inner any) { v[name] = inner }, each)
		}
	case []any:
		for i := range v {
			places(v[i], func(inner any) { v[i] = inner }, each)
		}
	}
}

// somewhere replaces one value inside the body.
func somewhere(replace func(g generator, v any) any) func(generator, *fuzzed) {
	return func(g generator, f *fuzzed) {
		if f.value == nil {
			return
		}
		// A copy, as what was drawn may share parts with the document.
		var root any
		if json.Unmarshal(g.json(f.value), &root) != nil {
			return
		}
		var all []func()
		places(root, func(v any) { root = v }, func(v any, set func(any)) {
			all = append(all, func() { set(replace(g, v)) })
		})
		all[g.IntN(len(all))]()
		f.value, f.body = root, g.json(root)
	}
}

func onObject(change func(g generator, o map[string]any)) func(generator, *fuzzed) {
	return somewhere(func(g generator, v any) any {
		if o, ok := v.(map[string]any); ok {
			change(g, o)
		}
		return v
	})
}

// field is one of an object's, "" where it has none.
func (g generator) field(o map[string]any) string {
	names := slices.Sorted(maps.Keys(o))
	if len(names) == 0 {
		return ""
	}
	return names[g.IntN(len(names))]
}

var valueBreakages = []breakage{
	{"another type", somewhere(func(g generator, _ any) any {
		return []any{"5", 5, -1, 0, 1.5, 1e30, true, nil, []any{}, map[string]any{}, "", []any{nil}}[g.IntN(12)]
	})},
	{"null", somewhere(func(generator, any) any { return nil })},
	{"an unknown field", onObject(func(g generator, o map[string]any) { o[g.letters(10)+"amount"] = g.anything(2) })},
	{"a field of another object", onObject(func(g generator, o map[string]any) {
		o[[]string{"seats", "amount", "price", "eventId", "bestAvailable", "status", "__proto__", ""}[g.IntN(8)]] = g.anything(1)
	})},
	{"a missing field", onObject(func(g generator, o map[string]any) { delete(o, g.field(o)) })},
	{"another case", onObject(func(g generator, o map[string]any) {
		if name := g.field(o); name != "" {
			v := o[name]
			delete(o, name)
			o[strings.ToUpper(name)] = v
		}
	})},
	{"nesting", somewhere(func(g generator, v any) any {
		for range 1 + g.IntN(20) {
			v = []any{v}
		}
		return v
	})},
	{"deep nesting", func(_ generator, f *fuzzed) {
		if f.value != nil {
			f.body = []byte(strings.Repeat("[", 8000) + strings.Repeat("]", 8000))
		}
	}},
	{"a long text", somewhere(func(g generator, _ any) any {
		return strings.Repeat([]string{"x", "ü", "\u2028", "😀"}[g.IntN(4)], []int{64, 128, 255, 256, 257, 5000, 20_000}[g.IntN(7)])
	})},
	{"a NUL", somewhere(func(generator, any) any { return "a\x00b" })},
	{"a long list", somewhere(func(g generator, v any) any {
		list := []any{}
		for range []int{0, 101, 1001}[g.IntN(3)] {
			list = append(list, "a")
		}
		return list
	})},
	{"a huge number", func(g generator, f *fuzzed) {
		f.body = bytes.Replace(f.body, []byte(":"), []byte(":99999999999999999999999999"), 1)
	}},
}

// at inserts into the body's text.
func at(g generator, f *fuzzed, text string) {
	if len(f.body) > 0 {
		i := g.IntN(len(f.body) + 1)
		f.body = slices.Concat(f.body[:i], []byte(text), f.body[i:])
	}
}

var textBreakages = []breakage{
	{"a repeated field", func(g generator, f *fuzzed) {
		if o, ok := f.value.(map[string]any); ok && len(o) > 0 && len(f.body) > 0 {
			name := g.field(o)
			f.body = slices.Concat([]byte("{"), g.json(name), []byte(":"), g.json(o[name]), []byte(","), f.body[1:])
		}
	}},
	{"bad UTF-8", func(g generator, f *fuzzed) {
		at(g, f, []string{"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", `\ud800`}[g.IntN(5)])
	}},
	{"a raw NUL", func(g generator, f *fuzzed) { at(g, f, "\x00") }},
	{"an escaped NUL", func(g generator, f *fuzzed) { at(g, f, `\u0000`) }},
	{"cut off", func(g generator, f *fuzzed) { f.body = f.body[:g.IntN(len(f.body)+1)] }},
	{"more after it", func(g generator, f *fuzzed) {
		f.body = append(f.body, []string{"{}", "x", ",", "\x00", "null", "//", "\ufeff"}[g.IntN(7)]...)
	}},
	{"a byte-order mark", func(_ generator, f *fuzzed) { f.body = append([]byte("\ufeff"), f.body...) }},
	{"bytes flipped", func(g generator, f *fuzzed) {
		for range 1 + g.IntN(4) {
			if len(f.body) > 0 {
				f.body[g.IntN(len(f.body))] = byte(g.IntN(256))
			}
		}
	}},
	{"space around", func(g generator, f *fuzzed) {
		if len(f.body) > 0 {
			f.body = append(f.body, bytes.Repeat([]byte(" "), []int{1, 100, 17_000, 200_000}[g.IntN(4)])...)
		}
	}},
	{"space alone", func(_ generator, f *fuzzed) { f.body = []byte(" \n") }},
	{"noise", func(g generator, f *fuzzed) {
		f.body = make([]byte, g.IntN(300))
		for i := range f.body {
			f.body[i] = byte(g.IntN(256))
		}
	}},
}

// segment changes one segment of the path.
func segment(change func(g generator, s string) string) func(generator, *fuzzed) {
	return func(g generator, f *fuzzed) {
		segments := strings.Split(f.path, "/")
		i := 1 + g.IntN(len(segments)-1)
		segments[i] = change(g, segments[i])
		f.path = strings.Join(segments, "/")
	}
}

var pathBreakages = []breakage{
	{"another id", segment(func(g generator, s string) string {
		id, call, called := strings.Cut(s, ":")
		if len(id) > 0 {
			i := g.IntN(len(id))
			id = id[:i] + string("AQgwz.-_~"[g.IntN(9)]) + id[i+1:]
		}
		if called {
			id += ":" + call
		}
		return id
	})},
	{"a long id", segment(func(g generator, s string) string { return strings.Repeat("E", 65+g.IntN(300)) + s })},
	{"a very long path", segment(func(_ generator, s string) string { return s + strings.Repeat("x", 2500) })},
	{"percent tricks", segment(func(g generator, s string) string {
		trick := []string{"%00", "%2e%2e", "%2f", "%2F..", "%5c", "%", "%zz", "%E4", "%C0%AF", "%20", "%3Aconfirm", "%0d%0a", "%25", "%u0041"}[g.IntN(14)]
		i := g.IntN(len(s) + 1)
		return s[:i] + trick + s[i:]
	})},
	{"an encoded letter", segment(func(g generator, s string) string {
		if s == "" {
			return s
		}
		i := g.IntN(len(s))
		return fmt.Sprintf("%s%%%02x%s", s[:i], s[i], s[i+1:])
	})},
	{"dots", segment(func(g generator, s string) string { return []string{"..", ".", "..;", "...", s + "/.."}[g.IntN(5)] })},
	{"a call", segment(func(g generator, s string) string {
		return s + []string{":", ":reserve", ":confirm:confirm", ":Confirm", "::cancel", ":x"}[g.IntN(6)]
	})},
	{"another case", segment(func(_ generator, s string) string { return strings.ToUpper(s) })},
	{"nothing", segment(func(generator, string) string { return "" })},
	{"signs", segment(func(g generator, s string) string {
		return s + []string{";a=b", "&", "=", "+", "*", "'", "(", "!", "$", "@", ",", "\xff", "ü", "|", "\"", "<", "{", "\\"}[g.IntN(18)]
	})},
	{"more path", func(g generator, f *fuzzed) { f.path += []string{"/", "//", "/x", "/seatmap"}[g.IntN(4)] }},
	{"less path", func(_ generator, f *fuzzed) { f.path = f.path[:max(1, strings.LastIndexByte(f.path, '/'))] }},
	{"another method", func(g generator, f *fuzzed) {
		f.method = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND", "X"}[g.IntN(12)]
	}},
	{"an unknown parameter", func(g generator, f *fuzzed) {
		f.query += []string{"&x=1", "&x", "&=", "&&", "&%00=%00", "&x=%zz", "&a[b]=c", "&;"}[g.IntN(8)]
	}},
	{"a bad parameter", func(g generator, f *fuzzed) {
		f.query = strings.TrimPrefix(f.query+"&", "&")
		f.query = []string{"limit", "status", "from", "to", "q", "cursor"}[g.IntN(6)] + "=" + []string{
			"0", "-1", "101", "1e1", "%2B5", "x", "%00", "%FF", "%C3", "ON_SALE+", "2026-01-01", "1969-12-31T23:59:59Z", "10000-01-01T00:00:00Z",
			"2026-02-30T00:00:00Z", "99999999999999999999", strings.Repeat("x", 201), strings.Repeat("%C3%BC", 101), strings.Repeat("x", 600),
		}[g.IntN(18)] + "&" + f.query
	}},
	{"a long query", func(_ generator, f *fuzzed) { f.query += "&x=" + strings.Repeat("x", 3000) }},
}

func header(name string, values ...string) func(generator, *fuzzed) {
	return func(g generator, f *fuzzed) {
		if v := values[g.IntN(len(values))]; v == "" {
			delete(f.headers, name)
		} else {
			f.headers[name] = v
		}
	}
}

var headerBreakages = []breakage{
	{"another content type", header("Content-Type", "", "text/plain", "application/jsonp", "application/json; charset=utf-8", "APPLICATION/JSON",
		"multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/problem+json", ";", "json")},
	{"a content encoding", header("Content-Encoding", "gzip", "br", "identity", "deflate, gzip")},
	{"no or a bad token", header("Authorization", "", "Bearer", "Bearer  ", "Basic QTpC", "Bearer x", "bearer "+strings.Repeat("A", 3000), "Bearer \xff", "Token x")},
	{"no or a bad key", header("Idempotency-Key", "", "k", "a b", "ü", strings.Repeat("k", 21), strings.Repeat("k", 22), strings.Repeat("k", 255), strings.Repeat("k", 256), "\x80", " ")},
	{"long headers", header("X-Long", strings.Repeat("x", 9000), strings.Repeat("x", 2000))},
	{"what to accept", header("Accept", "", "*/*", "text/html", "application/json", "image/png;q=0.5", ";;;q=x", "\xff")},
	{"what encoding", header("Accept-Encoding", "gzip", "br", "*", "identity;q=0", "gzip;q=x,,", ",")},
	{"a version", header("If-None-Match", "*", `W/"7"`, `"`, ",,,", "\xff")},
	{"proxies' headers", header("X-Forwarded-For", "127.0.0.1", "x", strings.Repeat("1.1.1.1,", 300))},
	{"another method by header", header("X-HTTP-Method-Override", "DELETE", "PATCH")},
	{"a range", header("Range", "bytes=0-1", "bytes=5-1", "x")},
	{"an expectation", header("Expect", "x")},
}

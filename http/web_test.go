package http_test

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"boxoffice/http/web"
)

var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// Goal: each address of a view brings the page, with headers that leave it nothing but what this server sends.
func TestPagesServed(t *testing.T) {
	s := start(t)
	for address, file := range map[string]string{
		s.public + "/": web.Index, s.public + "/events/E1": web.Index, s.public + orderPath("")[len("/api"):]: web.Index,
		s.admin + "/": web.Organiser,
	} {
		page := s.do("GET", address, "")
		if page.status != 200 || page.body != string(web.Files()[file]) || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %d %v", address, page.status, page.header)
		}
		for name, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
		} {
			if got := page.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", address, name, got, want)
			}
		}
		policy := page.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", address, policy)
		}
	}
	revalidate(t, s, "/events/E1", s.do("GET", s.public+"/", "").header.Get("ETag"))
	for _, nowhere := range []string{"/index.html", "/events", "/events/", "/events/E1/x", "/orders/", "/organiser.html"} {
		s.do("GET", s.public+nowhere, "").want(t, 404, "not-found")
	}
	s.do("GET", s.admin+"/events/E1", "").want(t, 404, "not-found")
	// No host begins in the address, whether or not there is one beside it.
	for _, nowhere := range []string{"//", "//E1", "//E1/", "//ticket-keys?a", "//E1?x=http://y", "//E1/?x=http://y", "/\x01", "/events/\x01", "/?\x7f"} {
		for _, rest := range []string{" HTTP/1.1\r\nHost: x\r\n\r\n", " HTTP/1.0\r\n\r\n"} {
			s.raw("GET "+nowhere+rest).want(t, 404, "not-found")
		}
	}
}

// Goal: what the pages are made of is served on both listeners, to everybody, small and revalidated; nothing else is.
func TestStaticServed(t *testing.T) {
	s := start(t)
	for name, body := range web.Files() {
		if path.Ext(name) == ".html" {
			continue
		}
		for _, listener := range []string{s.public, s.admin} {
			file := s.do("GET", listener+"/"+name, "")
			if file.status != 200 || file.body != string(body) || file.header.Get("Content-Type") != staticTypes[path.Ext(name)] {
				t.Errorf("%s: %d %v", name, file.status, file.header)
			}
		}
	}
	app := s.do("GET", s.public+"/static/base.css", "")
	revalidate(t, s, "/static/base.css", app.header.Get("ETag"))
	if packed := s.do("GET", s.public+"/static/base.css", "", "Accept-Encoding", "gzip, br"); packed.header.Get("Content-Encoding") != "br" || len(packed.body)*3 > len(app.body) {
		t.Errorf("%v, %d bytes of %d", packed.header, len(packed.body), len(app.body))
	}
	for _, nowhere := range []string{
		"/static", "/static/", "/static/js", "/static/js/", "/static/none.js", "/static/../index.html", "/static/%2e%2e/index.html", "/static/js%2Fapp.js",
		"/static/index.html", "/static/map/../base.css", "/static/js/x/app.js",
		"/static/\x01", "/static/base.css\x7f", "/static//base.css", "/static/%62ase.css", "/static/base.css%00", "/static/js/app.js/",
	} {
		s.raw("GET "+nowhere+" HTTP/1.1\r\nHost: x\r\n\r\n").want(t, 404, "not-found")
	}
}

// Goal: the pages ask for nothing that is not there, and for nothing that their policy forbids.
// Method: every address in HTML, style sheets and modules is looked up among the files.
func TestPagesAreComplete(t *testing.T) {
	files := web.Files()
	addresses := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?:src|href)="([^"#]+)"`),
		".css":  regexp.MustCompile(`(?:url\(|@import )["']?([^"')]+)`),
		".js":   regexp.MustCompile(`(?m)(?:^import |[ }]from |import\()'([^']+)'`),
	}
	forbidden := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<base|<iframe|<script>`)
	parsesText := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser`)
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		body := string(files[name])
		if path.Ext(name) == ".html" && forbidden.MatchString(body) {
			t.Errorf("%s has %q, which its policy forbids", name, forbidden.FindString(body))
		}
		if path.Ext(name) == ".js" && parsesText.MatchString(body) {
			t.Errorf("%s has %q: a name could be taken for HTML or code", name, parsesText.FindString(body))
		}
		if ending := path.Ext(name); ending != ".html" && staticTypes[ending] == "" {
			t.Errorf("%s is built in, and is nothing that is served", name)
		}
		pattern := addresses[path.Ext(name)]
		if pattern == nil {
			continue
		}
		for _, m := range pattern.FindAllStringSubmatch(body, -1) {
			target := path.Join(path.Dir(name), m[1])
			if strings.HasPrefix(m[1], "/") {
				target = strings.TrimPrefix(m[1], "/")
			}
			if target != "" && files[target] == nil {
				t.Errorf("%s asks for %s, which is not there", name, m[1])
			}
			used[target] = true
		}
	}
	for name := range files {
		if ending := path.Ext(name); (ending == ".js" || ending == ".css") && !used[name] {
			t.Errorf("nothing asks for %s", name)
		}
	}
}

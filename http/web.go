package http

import (
	"path"

	"github.com/gofiber/fiber/v2"

	"boxoffice/http/web"
)

// pagePolicy lets a page have what this server sends and nothing else: no script, style or frame of another origin, and
// none that stands in the page itself. Pictures may be made on the page.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
	"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// staticPolicy is for who opens a file by itself: a picture is a page then.
const staticPolicy = "default-src 'none'; frame-ancestors 'none'"

// pageHeaders come with each page. A link to an order carries its token after the #, which no Referer has; nothing of
// the address is anybody's business all the same.
var pageHeaders = [][2]string{
	{fiber.HeaderContentSecurityPolicy, pagePolicy},
	{fiber.HeaderReferrerPolicy, "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

// staticTypes by how a file's name ends; a file of another kind is not served.
var staticTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// pageDocuments are the pages by file name, staticDocuments what they are made of by path: "/static/js/app.js".
var pageDocuments, staticDocuments = newWebDocuments(web.Files())

func newWebDocuments(files map[string][]byte) (pages, static map[string]*document) {
	pages, static = map[string]*document{}, map[string]*document{}
	for name, body := range files {
		ending := path.Ext(name)
		if ending == ".html" {
			pages[name] = newDocument("text/html; charset=utf-8", body)
			pages[name].policy = "" // pageHeaders have it
		} else if contentType := staticTypes[ending]; contentType != "" {
			static["/"+name] = newDocument(contentType, body)
		}
	}
	return pages, static
}

// buyersPages are the addresses of buyers' views; which of them it is, the page reads from its address.
func buyersPages() []*resource {
	page := map[string]handler{"GET": servePage(web.Index)}
	return append([]*resource{
		{pattern: "/", methods: page},
		{pattern: "/events/:id", methods: page},
		{pattern: "/orders/:id", methods: page},
	}, staticFiles()...)
}

// organisersPages are open to everybody: what they show is not, and they ask for the token.
func organisersPages() []*resource {
	return append([]*resource{
		{pattern: "/", open: true, methods: map[string]handler{"GET": servePage(web.Organiser)}},
	}, staticFiles()...)
}

func staticFiles() []*resource {
	methods := map[string]handler{"GET": serveStatic}
	return []*resource{
		{pattern: "/static/:file", open: true, methods: methods},
		{pattern: "/static/:folder/:file", open: true, methods: methods},
	}
}

func servePage(name string) handler {
	return func(c *fiber.Ctx) *problem {
		page := pageDocuments[name]
		if page == nil {
			return notFound()
		}
		for _, h := range pageHeaders {
			c.Set(h[0], h[1])
		}
		return page.serve(c)
	}
}

// serveStatic takes the address as it was sent: the names of our files have no character that needs encoding.
func serveStatic(c *fiber.Ctx) *problem {
	file := staticDocuments[string(c.Context().URI().PathOriginal())]
	if file == nil {
		return notFound()
	}
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderContentSecurityPolicy, staticPolicy)
	return file.serve(c)
}

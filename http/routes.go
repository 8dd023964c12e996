package http

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// handler answers on c, or returns why it did not.
type handler func(c *fiber.Ctx) *problem

// resource is what stands under one pattern of paths.
type resource struct {
	pattern string
	// methods by name; HEAD follows GET.
	methods map[string]handler
	// calls by what follows a colon in the path's last segment, all by POST: /api/orders/{id}:confirm.
	calls map[string]handler
	// open: no authorization asked for, where the others need it.
	open bool
	// counted is Metrics'.
	counted counted
}

// routes are the resources of one listener. Fiber finds the resource; methods and calls we tell apart ourselves, as
// Fiber gives the colon another meaning.
type routes struct {
	app       *fiber.App
	resources []*resource
	// authorize is asked before every handler of a resource that is not open.
	authorize func(*fasthttp.RequestHeader) *problem
}

func (s *Server) publicRoutes() routes {
	return s.register(nil, append(buyersPages(), []*resource{
		{pattern: "/api/events", methods: map[string]handler{"GET": s.listEvents}},
		{pattern: "/api/events/:id", methods: map[string]handler{"GET": s.getEvent}},
		{pattern: "/api/events/:id/seatmap", methods: map[string]handler{"GET": s.getSeatMap}},
		{pattern: "/api/events/:id/availability", methods: map[string]handler{"GET": s.getAvailability}},
		{pattern: "/api/waiting-room/sessions", methods: map[string]handler{"POST": s.join}},
		{pattern: "/api/waiting-room/sessions/:id", methods: map[string]handler{"GET": s.getSession, "DELETE": s.leave}},
		{pattern: "/api/sse/waiting-room/sessions/:id", methods: map[string]handler{"GET": s.streamSession}},
		{pattern: "/api/sse/orders/:id", methods: map[string]handler{"GET": s.streamOrder}},
		{pattern: "/api/sse/events/:id/availability", methods: map[string]handler{"GET": s.streamAvailability}},
		{pattern: "/api/orders", methods: map[string]handler{"POST": s.createOrder}},
		{
			pattern: "/api/orders/:id", methods: map[string]handler{"GET": s.getOrder},
			calls: map[string]handler{"reserve": s.reserve, "confirm": s.confirm, "finalize": s.finalize, "cancel": s.cancel},
		},
		{pattern: "/api/ticket-keys", methods: map[string]handler{"GET": s.getTicketKeys}},
		{pattern: "/api/openapi.yaml", methods: map[string]handler{"GET": openAPIDocument.serve}},
		{pattern: "/docs", methods: map[string]handler{"GET": docsDocument.serve}},
		{pattern: "/problems/:code", methods: map[string]handler{"GET": s.explainProblem}},
		{pattern: "/livez", methods: map[string]handler{"GET": s.livez}},
		{pattern: "/readyz", methods: map[string]handler{"GET": s.readyz}},
	}...))
}

func (s *Server) adminRoutes() routes {
	return s.register(s.organiserOnly, append(append(profiles(), organisersPages()...), []*resource{
		{pattern: "/metrics", methods: map[string]handler{"GET": newScrape(s.Metrics.gatherer(), s.Logger)}},
		{pattern: "/api/admin/events", methods: map[string]handler{"POST": s.createEvent}},
		{
			pattern: "/api/admin/events/:id", methods: map[string]handler{"PATCH": s.patchEvent},
			calls: map[string]handler{"block": s.block, "unblock": s.unblock},
		},
		{pattern: "/api/admin/events/:id/report", methods: map[string]handler{"GET": s.report}},
		{pattern: "/api/admin/events/:id/curve", methods: map[string]handler{"GET": s.getCurve}},
		// The organiser's page asks no other origin.
		{pattern: "/api/events", methods: map[string]handler{"GET": s.listEvents}},
		{pattern: "/api/events/:id", methods: map[string]handler{"GET": s.getEvent}},
		{pattern: "/api/events/:id/seatmap", methods: map[string]handler{"GET": s.getSeatMap}},
		{pattern: "/api/events/:id/availability", methods: map[string]handler{"GET": s.getAvailability}},
		{pattern: "/problems/:code", open: true, methods: map[string]handler{"GET": s.explainProblem}},
		{pattern: "/livez", open: true, methods: map[string]handler{"GET": s.livez}},
		{pattern: "/readyz", open: true, methods: map[string]handler{"GET": s.readyz}},
	}...))
}

func (s *Server) register(authorize func(*fasthttp.RequestHeader) *problem, resources []*resource) routes {
	rs := routes{resources: resources, authorize: authorize}
	rs.app = newApp(func(c *fiber.Ctx, err error) error {
		var known *fiber.Error
		if errors.As(err, &known) && known.Code == fiber.StatusNotFound {
			writeProblem(c.Context(), notFound())
		} else {
			s.fail(c, "", internal(err))
		}
		return nil
	})
	for _, r := range resources {
		rs.app.All(r.pattern, s.traced(r, func(c *fiber.Ctx) error {
			s.Metrics.routed(c.Context(), r)
			if p := rs.serve(c, r); p != nil {
				s.fail(c, r.pattern, p)
			}
			if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
				c.Set(fiber.HeaderCacheControl, "no-store")
			}
			return nil
		}))
	}
	return rs
}

// serve makes the checks that come before a handler's own.
func (rs routes) serve(c *fiber.Ctx, r *resource) *problem {
	h, p := r.find(c.Method(), string(c.Context().URI().PathOriginal()))
	if p != nil {
		return p
	}
	if !readable(c.Request()) {
		return wrongMediaType()
	}
	if rs.authorize != nil && !r.open {
		if p := rs.authorize(&c.Request().Header); p != nil {
			return p
		}
	}
	return h(c)
}

// find brings the handler, or a 404 or 405.
func (r *resource) find(method, path string) (handler, *problem) {
	if _, call, ok := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ":"); ok && r.calls != nil {
		h := r.calls[call]
		if h == nil {
			return nil, notFound()
		}
		if method != fiber.MethodPost {
			return nil, methodNotAllowed(fiber.MethodPost)
		}
		return h, nil
	}
	if method == fiber.MethodHead {
		method = fiber.MethodGet
	}
	if h := r.methods[method]; h != nil {
		return h, nil
	}
	var allow []string
	for m := range r.methods {
		if allow = append(allow, m); m == fiber.MethodGet {
			allow = append(allow, fiber.MethodHead)
		}
	}
	slices.Sort(allow)
	return nil, methodNotAllowed(strings.Join(allow, ", "))
}

// missing is nil where a path exists and has the method.
func (rs routes) missing(method, path string) *problem {
	_, p := rs.match(method, path)
	return p
}

// match finds the resource of a path, and brings a 404 or 405 where there is none or not the method.
func (rs routes) match(method, path string) (*resource, *problem) {
	strict := fiber.Config{CaseSensitive: true, StrictRouting: true}
	for _, r := range rs.resources {
		if fiber.RoutePatternMatch(path, r.pattern, strict) {
			_, p := r.find(method, path)
			return r, p
		}
	}
	return nil, notFound()
}

func methodNotAllowed(allow string) *problem {
	p := newProblem(codeMethodNotAllowed, "Allowed here: "+allow+".")
	p.allow = allow
	return p
}

func wrongMediaType() *problem {
	return newProblem(codeUnsupportedMediaType, "The body must be application/json, not compressed.")
}

// readable is true of a request whose body is not looked at, is not there, or says to be plain JSON.
func readable(r *fasthttp.Request) bool {
	if !r.Header.IsPost() && string(r.Header.Method()) != fiber.MethodPatch {
		return true
	}
	if len(r.Body()) == 0 && r.Header.ContentLength() <= 0 {
		return true
	}
	if e := r.Header.ContentEncoding(); len(e) > 0 && !bytes.EqualFold(e, []byte("identity")) {
		return false
	}
	media, _, _ := bytes.Cut(r.Header.ContentType(), []byte{';'})
	return bytes.EqualFold(bytes.TrimSpace(media), []byte(typeJSON))
}

// fail answers with a problem and logs what is ours to mend.
func (s *Server) fail(c *fiber.Ctx, pattern string, p *problem) {
	if p.code == codeInternal || p.cause != nil {
		s.Logger.Error("http: a request failed", slog.String("method", c.Method()), slog.String("route", pattern),
			slog.String("code", string(p.code)), slog.String("cause", fmt.Sprint(p.cause)))
	}
	writeProblem(c.Context(), p)
}

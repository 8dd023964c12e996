package http

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// spanKey is where a request keeps its span.
type spanKey struct{}

// traced makes the span of each request for an API's resource. It is named by the route: no id, token, key or address is in
// it. Whose child it is, trusted proxies alone may say: a stranger must not choose what is sampled, nor join others' traces.
func (s *Server) traced(r *resource, next fiber.Handler) fiber.Handler {
	if s.Tracer == nil || !strings.HasPrefix(r.pattern, "/api/") {
		return next
	}
	template := pathTemplate(r.pattern)
	return func(c *fiber.Ctx) error {
		path := template
		if call := r.call(string(c.Context().URI().PathOriginal())); call != "" {
			path += ":" + call
		}
		ctx := s.base
		if parent := c.Request().Header.Peek("traceparent"); len(parent) > 0 && s.trusted(addressOf(c.Context().RemoteAddr())) {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": string(parent)})
		}
		_, span := s.Tracer.Start(ctx, c.Method()+" "+path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", strings.Clone(c.Method())), attribute.String("http.route", path),
		))
		status := fiber.StatusInternalServerError // of a handler that panics, as guard will answer
		// Not span.End itself: deferred, it would put the panic's text, which may hold a client's secrets, into the span.
		defer func() {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			if status >= fiber.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		c.Context().SetUserValue(spanKey{}, span)
		err := next(c)
		status = c.Response().StatusCode()
		return err
	}
}

// asking is the context to ask the engine in: the server's, with the request's span where it has one.
func (s *Server) asking(c *fiber.Ctx) context.Context {
	if s.Tracer == nil {
		return s.base
	}
	span, ok := c.Context().UserValue(spanKey{}).(trace.Span)
	if !ok {
		return s.base
	}
	return trace.ContextWithSpan(s.base, span)
}

// call is what follows the colon of a path, where the resource has such a call.
func (r *resource) call(path string) string {
	_, call, ok := strings.Cut(path[strings.LastIndexByte(path, '/')+1:], ":")
	if !ok || r.calls[call] == nil {
		return ""
	}
	return call
}

// pathTemplate is a pattern in the contract's words: /api/orders/:id is /api/orders/{orderId}.
func pathTemplate(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, segment := range segments {
		if segment == ":id" {
			segments[i] = "{" + strings.TrimSuffix(segments[i-1], "s") + "Id}"
		}
	}
	return strings.Join(segments, "/")
}

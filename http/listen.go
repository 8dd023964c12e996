package http

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Limits of a connection and a request, on both listeners.
const (
	publicBodyBytesMax = 16 << 10
	adminBodyBytesMax  = 64 << 20
	// headersBytesMax is memory of every open connection.
	headersBytesMax   = 8 << 10
	uriBytesMax       = 2048
	publicReadTimeMax = 10 * time.Second
	// adminReadTimeMax lets 64 MiB come over a slow line.
	adminReadTimeMax = 60 * time.Second
	writeTimeMax     = 20 * time.Second
	idleTimeMax      = 75 * time.Second
	// connectionsMax are beside the streams.
	connectionsMax = 100_000
	// A client that sends more than we read would lose our answer to a connection reset: we let it finish, up to here.
	lingerBytesMax = 16 << 20
	lingerTimeMax  = 2 * time.Second
)

func newApp(h fiber.ErrorHandler) *fiber.App {
	return fiber.New(fiber.Config{
		CaseSensitive: true, StrictRouting: true, DisableStartupMessage: true, ErrorHandler: h,
	})
}

// listenerServer puts the limits around the routes. It is fasthttp's server rather than Fiber's own, whose answers to a
// malformed request are text.
func (s *Server) listenerServer(rs routes, bodyMax int, readMax time.Duration) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      s.guard(rs),
		ErrorHandler: func(ctx *fasthttp.RequestCtx, err error) { s.malformed(ctx, rs, err) },
		// We count ourselves, and refuse before fasthttp would, in text.
		Concurrency:                  math.MaxInt32,
		MaxRequestBodySize:           bodyMax,
		ReadBufferSize:               headersBytesMax,
		ReadTimeout:                  readMax,
		WriteTimeout:                 writeTimeMax,
		IdleTimeout:                  idleTimeMax,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		// Streams take their connections over; these count no more for Concurrency, and Shutdown does not wait for them.
		KeepHijackedConns: true,
		// fasthttp's log shows pieces of requests.
		Logger: silent{},
	}
}

type silent struct{}

// Printf drops the line.
func (silent) Printf(string, ...any) {}

// guard stands around every handler: it catches panics and what Fiber would answer in its own words.
func (s *Server) guard(rs routes) fasthttp.RequestHandler {
	next := rs.app.Handler()
	return func(ctx *fasthttp.RequestCtx) {
		defer s.Metrics.answered(rs.authorize == nil, ctx, time.Now()) // the last: a panic is answered, too
		defer func() {
			if v := recover(); v != nil {
				s.panicked(ctx, v)
			}
		}()
		if c, ok := ctx.Conn().(*lingeringConn); ok {
			c.lineEnd.Store(false)
		}
		switch {
		case ambiguous(ctx.Request.Header.RawHeaders()):
			writeProblem(ctx, invalid(fault("", "ambiguous HTTP headers")))
			ctx.SetConnectionClose()
		case len(ctx.RequestURI()) > uriBytesMax:
			writeProblem(ctx, newProblem(codeURITooLong, fmt.Sprintf("The address may have %d bytes.", uriBytesMax)))
		case bytes.HasPrefix(ctx.RequestURI(), []byte("//")):
			// fasthttp takes what follows for a host at times, and would find the page under what is left of the address.
			writeProblem(ctx, notFound())
		case !knownMethod(string(ctx.Method())):
			// Fiber would answer in its own words.
			writeProblem(ctx, rs.missing(string(ctx.Method()), string(ctx.URI().PathOriginal())))
		default:
			next(ctx)
		}
	}
}

func knownMethod(m string) bool {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return true
	}
	return false
}

// harmless is of a panic's value what cannot hold a client's secrets.
func harmless(v any) string {
	var bug runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &bug) {
		return bug.Error()
	}
	return fmt.Sprintf("%T", v)
}

func (s *Server) panicked(ctx *fasthttp.RequestCtx, v any) {
	s.Metrics.panicked()
	s.Logger.Error("http: a handler panicked", slog.String("panic", harmless(v)), slog.String("stack", string(debug.Stack())))
	ctx.Response.Reset()
	ctx.Hijack(nil) // a stream that it has just been given to would not let the answer out
	ctx.HijackSetNoResponse(false)
	writeProblem(ctx, internal(nil))
}

// malformed answers what never became a request. The connection is closed after it.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, rs routes, err error) {
	defer s.Metrics.answered(rs.authorize == nil, ctx, time.Now())
	var small *fasthttp.ErrSmallBuffer
	var netErr net.Error
	p := invalid(fault("", "malformed HTTP request"))
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = tooLarge(ctx, rs)
	case errors.As(err, &small) && !lineEnded(ctx, err):
		p = newProblem(codeURITooLong, fmt.Sprintf("The address may have %d bytes.", uriBytesMax))
	case errors.As(err, &small):
		p = newProblem(codeHeadersTooLarge, fmt.Sprintf("The headers may have %d bytes.", headersBytesMax))
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, fasthttp.ErrTimeout):
		p = newProblem(codeRequestTimeout, "The request did not arrive in time.")
	}
	writeProblem(ctx, p)
	if c, ok := ctx.Conn().(*lingeringConn); ok {
		c.linger.Store(p.code != codeRequestTimeout)
	}
}

// lineEnded is false where the request line alone filled the buffer. The error quotes the buffer's beginning and end; a
// longer request line's end is in neither.
func lineEnded(ctx *fasthttp.RequestCtx, err error) bool {
	c, ok := ctx.Conn().(*lingeringConn)
	return ok && c.lineEnd.Load() || strings.Contains(err.Error(), `\n`)
}

// tooLarge keeps the contract's order of checks: the path comes before the body, and what is too large for a stranger
// alone is a matter of the token. Of a chunked request fasthttp has forgotten path and token by now.
func tooLarge(ctx *fasthttp.RequestCtx, rs routes) *problem {
	if len(ctx.Request.Header.RawHeaders()) == 0 {
		return newProblem(codeBodyTooLarge, "The body is too large.")
	}
	r, p := rs.match(string(ctx.Method()), string(ctx.URI().PathOriginal()))
	if p != nil {
		return p
	}
	h := &ctx.Request.Header
	if !readable(&ctx.Request) {
		return wrongMediaType()
	}
	if rs.authorize != nil && !r.open && h.ContentLength() <= adminBodyBytesMax {
		if p := rs.authorize(h); p != nil {
			return p
		}
	}
	return newProblem(codeBodyTooLarge, "The body is too large.")
}

package http

import (
	"context"
	"encoding/base64"
	"errors"
	"html"
	"log/slog"
	nethttp "net/http"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

const readyTimeMax = 2 * time.Second

var errDraining = errors.New("shutting down")

func (s *Server) livez(c *fiber.Ctx) *problem {
	writeJSON(c, fiber.StatusOK, []byte(`{"status":"live"}`))
	return nil
}

// readyz tells the public no more than yes or no; why not, the log knows.
func (s *Server) readyz(c *fiber.Ctx) *problem {
	ctx, cancel := context.WithTimeout(s.base, readyTimeMax)
	defer cancel()
	err := errDraining
	if !s.draining.Load() {
		err = s.Ready(ctx)
	}
	s.Metrics.ready(err)
	if err != nil {
		s.Logger.Info("http: not ready", slog.Any("cause", err))
		return newProblem(codeUnavailable, "A purchase would not succeed now.").retry(retryAfterSeconds)
	}
	writeJSON(c, fiber.StatusOK, []byte(`{"status":"ready"}`))
	return nil
}

// getTicketKeys shows what a gate needs to verify tickets offline.
func (s *Server) getTicketKeys(c *fiber.Ctx) *problem {
	b := []byte(`{"keys":[`)
	for i, k := range s.TicketKeys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"keyId":`...)
		b = appendString(b, k.KeyID)
		b = append(b, `,"algorithm":"Ed25519","publicKey":"`...)
		b = base64.RawURLEncoding.AppendEncode(b, k.PublicKey)
		b = append(b, '"', '}')
	}
	writeJSON(c, fiber.StatusOK, append(b, ']', '}'))
	return nil
}

// explainProblem is what a problem's type points to: a page for people, JSON for who asks for it.
func (s *Server) explainProblem(c *fiber.Ctx) *problem {
	k := kindOf[code(c.Params("code"))]
	if k == nil {
		return notFound()
	}
	c.Set(fiber.HeaderVary, fiber.HeaderAccept)
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	if c.Accepts("html", "json") != "html" {
		b := appendString([]byte(`{"code":`), k.code)
		b = appendInt(append(b, `,"status":`...), int64(k.status))
		b = appendString(append(b, `,"title":`...), k.title)
		b = appendString(append(b, `,"help":`...), k.help)
		writeJSON(c, fiber.StatusOK, append(b, '}'))
		return nil
	}
	page := strings.NewReplacer("{title}", html.EscapeString(k.title), "{code}", string(k.code),
		"{status}", string(appendInt(nil, int64(k.status))), "{help}", html.EscapeString(k.help)).Replace(problemPage)
	write(c.Context(), fiber.StatusOK, "text/html; charset=utf-8", []byte(page))
	return nil
}

const problemPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<h1>{title}</h1><p><code>{code}</code>, status {status}</p><p>{help}</p></html>
`

// profiles are Go's own, for the organiser's eyes.
func profiles() []*resource {
	page := func(pattern string, h handler) *resource {
		return &resource{pattern: pattern, methods: map[string]handler{"GET": h}}
	}
	index := adapt(pprof.Index)
	return []*resource{
		page("/debug/pprof/", index), page("/debug/pprof/cmdline", adapt(pprof.Cmdline)),
		page("/debug/pprof/profile", adapt(pprof.Profile)), page("/debug/pprof/symbol", adapt(pprof.Symbol)),
		page("/debug/pprof/trace", adapt(pprof.Trace)),
		page("/debug/pprof/:name", func(c *fiber.Ctx) *problem {
			if runtimepprof.Lookup(c.Params("name")) == nil {
				return notFound()
			}
			return index(c)
		}),
	}
}

func adapt(h nethttp.HandlerFunc) handler {
	adapted := fasthttpadaptor.NewFastHTTPHandlerFunc(h)
	return func(c *fiber.Ctx) *problem {
		adapted(c.Context())
		// Go answers errors in text, and 500 for an address that it cannot read.
		if c.Response().StatusCode() >= fiber.StatusBadRequest {
			return invalid(fault("", strings.TrimSpace(string(c.Response().Body()))))
		}
		return nil
	}
}

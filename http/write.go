package http

import (
	"cmp"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"boxoffice/messages"
)

const headerReplayed = "Idempotent-Replayed"

// writeProblem answers with p alone: nothing of an answer begun before stays.
func writeProblem(ctx *fasthttp.RequestCtx, p *problem) {
	ctx.Response.Reset()
	ctx.SetUserValue(problemKey{}, p)
	h := &ctx.Response.Header
	// Caches may keep a 404, 405, 410 or 414 that does not say otherwise.
	h.Set(fiber.HeaderCacheControl, "no-store")
	if p.retryAfter > 0 {
		h.Set(fiber.HeaderRetryAfter, strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set(fiber.HeaderAllow, p.allow)
	}
	if p.status() == fiber.StatusUnauthorized {
		h.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	path := cmp.Or(string(ctx.URI().PathOriginal()), "/") // an address that cannot be read has none
	write(ctx, p.status(), typeProblem, p.append(make([]byte, 0, 256+len(path)+len(p.more)), path))
}

// writeAnswer sends an answer as it was rendered, to begin with or again.
func writeAnswer(ctx *fasthttp.RequestCtx, a *messages.Answer) {
	if a.GetLocation() != "" {
		// Not SetLocation or c.Location, which would make it absolute.
		ctx.Response.Header.Set(fiber.HeaderLocation, a.GetLocation())
	}
	write(ctx, int(a.GetStatus()), a.GetContentType(), a.GetBody())
}

// write sends the body, which must not change any more, without copying it.
func write(ctx *fasthttp.RequestCtx, status int, contentType string, body []byte) {
	ctx.Response.SetStatusCode(status)
	ctx.Response.Header.SetContentType(contentType)
	ctx.Response.Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	ctx.Response.SetBodyRaw(body)
}

func writeJSON(c *fiber.Ctx, status int, body []byte) { write(c.Context(), status, typeJSON, body) }

package http

import (
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	// compressBytesMin: less than that fits a packet anyway.
	compressBytesMin = 1024
	// brotliLevel compresses seat maps as well as gzip's 9 in a fifth of the time.
	brotliLevel = 4
	gzipLevel   = fasthttp.CompressDefaultCompression
)

// encoded is a body that many clients get, compressed at most once an encoding. It never changes.
type encoded struct {
	plain  []byte
	gzip   func() []byte
	brotli func() []byte
}

func newEncoded(plain []byte) *encoded {
	return &encoded{
		plain:  plain,
		gzip:   sync.OnceValue(func() []byte { return fasthttp.AppendGzipBytesLevel(nil, plain, gzipLevel) }),
		brotli: sync.OnceValue(func() []byte { return fasthttp.AppendBrotliBytesLevel(nil, plain, brotliLevel) }),
	}
}

// write sends the body, which is JSON, in the smallest encoding that the client accepts.
func (e *encoded) write(c *fiber.Ctx) { e.writeAs(c, typeJSON) }

func (e *encoded) writeAs(c *fiber.Ctx, contentType string) {
	body, encoding := e.plain, ""
	// Fiber takes no such header for one that accepts everything.
	if c.Get(fiber.HeaderAcceptEncoding) != "" && len(body) >= compressBytesMin {
		switch {
		case c.AcceptsEncodings("br") != "":
			body, encoding = e.brotli(), "br"
		case c.AcceptsEncodings("gzip") != "":
			body, encoding = e.gzip(), "gzip"
		}
	}
	if encoding != "" {
		c.Set(fiber.HeaderContentEncoding, encoding)
	}
	write(c.Context(), fiber.StatusOK, contentType, body)
}

// fresh sets the validators, and answers 304 where the client has this version. Our ETags are weak: they name what is
// said, not its bytes, which differ by encoding.
func fresh(c *fiber.Ctx, etag, cacheControl string) bool {
	c.Set(fiber.HeaderETag, etag)
	c.Set(fiber.HeaderCacheControl, cacheControl)
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	for known := range strings.SplitSeq(c.Get(fiber.HeaderIfNoneMatch), ",") {
		known = strings.TrimSpace(known)
		if known == "*" || strings.TrimPrefix(known, "W/") == strings.TrimPrefix(etag, "W/") {
			c.Status(fiber.StatusNotModified)
			return true
		}
	}
	return false
}

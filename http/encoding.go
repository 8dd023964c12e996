package http

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

const (
	// compressBytesMin: less than that fits a packet anyway.
	compressBytesMin = 1024
	// brotliLevel compresses seat maps as well as gzip's 9 in a fifth of the time.
	brotliLevel = 4
	gzipLevel   = fasthttp.CompressDefaultCompression
	// zstdWindowBytes is less than every client takes (8 MB), so that its memory and ours are small.
	zstdWindowBytes = 1 << 20
	// qualityFull is a quality of 1, in thousandths.
	qualityFull = 1000
)

// coding is a content coding that we have, in the sequence in which we like them.
type coding int

const (
	codingZstd coding = iota
	codingBrotli
	codingGzip
	codings
	// codingNone is the body as it is.
	codingNone = codings
)

var codingNames = [codings + 1]string{"zstd", "br", "gzip", "identity"}

// encoded is a body that many clients get, compressed at most once a coding. It never changes.
type encoded struct {
	plain  []byte
	packed [codings]struct {
		once sync.Once
		body []byte
	}
}

func newEncoded(plain []byte) *encoded { return &encoded{plain: plain} }

// as brings the body in a coding.
func (e *encoded) as(c coding) []byte {
	if c == codingNone {
		return e.plain
	}
	p := &e.packed[c]
	p.once.Do(func() { p.body = pack(c, e.plain) })
	return p.body
}

func pack(c coding, plain []byte) []byte {
	switch c {
	case codingZstd:
		return zstdEncoder().EncodeAll(plain, nil)
	case codingBrotli:
		return fasthttp.AppendBrotliBytesLevel(nil, plain, brotliLevel)
	case codingGzip:
		return fasthttp.AppendGzipBytesLevel(nil, plain, gzipLevel)
	case codingNone:
	}
	return plain
}

// zstdEncoder may be used by several goroutines at once.
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(zstdWindowBytes),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are ours
	}
	return e
})

// write sends the body, which is JSON, in the coding that the client likes best.
func (e *encoded) write(c *fiber.Ctx) { e.writeAs(c, typeJSON) }

func (e *encoded) writeAs(c *fiber.Ctx, contentType string) {
	coding := codingNone
	if len(e.plain) >= compressBytesMin {
		coding = preferred(c.Request().Header.Peek(fiber.HeaderAcceptEncoding))
	}
	if coding != codingNone {
		c.Response().Header.SetContentEncoding(codingNames[coding])
	}
	write(c.Context(), fiber.StatusOK, contentType, e.as(coding))
}

// preferred is what an Accept-Encoding likes best of what we have, and of equals what we do. Who excludes everything gets
// the body as it is.
func preferred(accept []byte) coding {
	var quality [codings + 1]int
	var named [codings + 1]bool
	others := 0
	for len(accept) > 0 {
		var member []byte
		member, accept, _ = bytes.Cut(accept, []byte{','})
		name, parameters, _ := bytes.Cut(member, []byte{';'})
		name = bytes.TrimSpace(name)
		q := qualityOf(parameters)
		if string(name) == "*" {
			others = q
		}
		for c := range codingNames {
			if bytes.EqualFold(name, []byte(codingNames[c])) {
				quality[c], named[c] = q, true
			}
		}
	}
	best, most := codingNone, 0
	if named[codingNone] {
		// Whoever names it without a preference accepts it at need.
		most = quality[codingNone] - 1
	}
	for c := range codings {
		q := quality[c]
		if !named[c] {
			q = others
		}
		if q > max(most, 0) {
			best, most = c, q
		}
	}
	return best
}

// qualityOf reads "q=0.5", in thousandths. What has no such parameter is wanted, what we cannot read is not.
func qualityOf(parameters []byte) int {
	parameters = bytes.TrimSpace(parameters)
	if len(parameters) == 0 {
		return qualityFull
	}
	value, ok := bytes.CutPrefix(parameters, []byte("q="))
	if !ok {
		if value, ok = bytes.CutPrefix(parameters, []byte("Q=")); !ok {
			return 0
		}
	}
	whole, fraction, _ := bytes.Cut(value, []byte{'.'})
	switch {
	case len(whole) != 1 || len(fraction) > 3:
		return 0
	case whole[0] == '1':
		return qualityFull
	case whole[0] != '0':
		return 0
	}
	q, unit := 0, qualityFull/10
	for _, digit := range fraction {
		if digit < '0' || digit > '9' {
			return 0
		}
		q += int(digit-'0') * unit
		unit /= 10
	}
	return q
}

// fresh sets the validators, and answers 304 where the client has this version. Our ETags are weak: they name what is
// said, not its bytes, which differ by coding.
func fresh(c *fiber.Ctx, etag, cacheControl string) bool {
	h := &c.Response().Header
	h.Set(fiber.HeaderETag, etag)
	h.Set(fiber.HeaderCacheControl, cacheControl)
	h.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if !has(c.Request().Header.Peek(fiber.HeaderIfNoneMatch), etag) {
		return false
	}
	c.Status(fiber.StatusNotModified)
	return true
}

// has is true where an If-None-Match names the version.
func has(known []byte, etag string) bool {
	opaque := []byte(etag)
	opaque = bytes.TrimPrefix(opaque, []byte("W/"))
	for len(known) > 0 {
		var one []byte
		one, known, _ = bytes.Cut(known, []byte{','})
		one = bytes.TrimSpace(one)
		if string(one) == "*" || bytes.Equal(bytes.TrimPrefix(one, []byte("W/")), opaque) {
			return true
		}
	}
	return false
}

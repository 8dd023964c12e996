package http

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the documents
	"encoding/base64"
	"encoding/hex"

	"github.com/gofiber/fiber/v2"
)

// openapi.yaml is the contract; docs.html is rendered from it by TestDocsPage, so that no YAML is read in production.
var (
	//go:embed openapi.yaml
	openAPI []byte
	//go:embed docs.html
	docsHTML []byte

	openAPIDocument = newDocument("application/yaml", openAPI)
	docsDocument    = newDocument("text/html; charset=utf-8", docsHTML)
)

// OpenAPI is the document that GET /api/openapi.yaml serves. It must not be changed.
func OpenAPI() []byte { return openAPI }

// document is a body that was built in.
type document struct {
	contentType, etag, policy string
	body                      *encoded
}

func newDocument(contentType string, body []byte) *document {
	sum := sha256.Sum256(body)
	return &document{
		contentType: contentType, etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`,
		policy: contentPolicy(body), body: newEncoded(body),
	}
}

// contentPolicy lets a page have the style sheet that stands in it and nothing else: no script, no other host. It is
// empty where there is none.
func contentPolicy(page []byte) string {
	_, rest, _ := bytes.Cut(page, []byte("<style>"))
	style, _, ok := bytes.Cut(rest, []byte("</style>"))
	if !ok {
		return ""
	}
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// serve answers with the document.
func (d *document) serve(c *fiber.Ctx) *problem {
	// It changes with the next version of this program: asked for again each time, sent again seldom.
	if fresh(c, d.etag, "no-cache") {
		return nil
	}
	if d.policy != "" {
		c.Set(fiber.HeaderContentSecurityPolicy, d.policy)
	}
	d.body.writeAs(c, d.contentType)
	return nil
}

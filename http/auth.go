package http

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// bearer is the request's bearer credential, "" where it has none.
func bearer(h *fasthttp.RequestHeader) string {
	scheme, token, _ := strings.Cut(string(h.Peek(fiber.HeaderAuthorization)), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// buyer checks the access token's signature. Its expiry is judged by the event's owner.
func (s *Server) buyer(c *fiber.Ctx) (Claims, *problem) {
	token := bearer(&c.Request().Header)
	if token == "" {
		return Claims{}, newProblem(codeTokenRequired, "Send Authorization: Bearer with an access token.")
	}
	return s.verified(token)
}

func (s *Server) verified(token string) (Claims, *problem) {
	claims, ok := s.TokenKeys.Verify(token)
	if !ok {
		return Claims{}, newProblem(codeTokenInvalid, "The access token is not valid.")
	}
	return claims, nil
}

// organiserOnly checks the admin token in a time that tells nothing about it, its length included.
func (s *Server) organiserOnly(h *fasthttp.RequestHeader) *problem {
	token := bearer(h)
	if token == "" {
		return newProblem(codeTokenRequired, "Send Authorization: Bearer with the organiser's token.")
	}
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.AdminToken))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return newProblem(codeTokenInvalid, "The organiser's token is not valid.")
	}
	return nil
}

// strangersBody bounds, once a request's header is there, what is read after it: 64 MiB only from the organiser.
func (s *Server) strangersBody(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if s.organiserOnly(h) != nil {
		return fasthttp.RequestConfig{MaxRequestBodySize: publicBodyBytesMax}
	}
	return fasthttp.RequestConfig{}
}

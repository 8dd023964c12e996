package http

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/gofiber/fiber/v2"

	"boxoffice/messages"
)

const (
	headerKey   = "Idempotency-Key"
	keyBytesMax = 255
	// joinKeyBytesMin is the length of 128 random bits in base64url: a join's key is all that protects its answer.
	joinKeyBytesMin = 22
)

// orderKey reads the key that every order call needs.
func orderKey(c *fiber.Ctx) (string, *problem) {
	key := c.Get(headerKey)
	if key == "" {
		return "", newProblem(codeIdempotencyKeyRequired, "Send an Idempotency-Key of 1 to 255 visible ASCII characters.")
	}
	if !visible(key) {
		return "", invalid(keyFault())
	}
	return key, nil
}

func keyFault() *messages.Fault {
	return fault(headerKey, "must be 1 to 255 visible ASCII characters")
}

func visible(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= keyBytesMax
}

// orderIdempotency names an order call: by session, method, path as it was sent, and key.
func orderIdempotency(c *fiber.Ctx, session [16]byte, key string) *messages.Idempotency {
	scope := digest(session[:], []byte(c.Method()), c.Context().URI().PathOriginal(), []byte(key))
	body := bodyDigest(c.Request().Body())
	return &messages.Idempotency{Scope: scope[:], Body: body[:]}
}

// digest is SHA-256 over the parts, each after its length, cut to 16 bytes.
func digest(parts ...[]byte) (d [16]byte) {
	var buf [512]byte
	b := buf[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}

// bodyDigest of no body is that of {}.
func bodyDigest(body []byte) (d [16]byte) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	sum := sha256.Sum256(body)
	copy(d[:], sum[:])
	return d
}

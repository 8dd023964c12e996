// Package ticket makes and verifies tickets: a code that a gate checks offline and cannot forge.
//
// A code is one line of ASCII, fit for a QR code and an address:
//
//	base64url(payload) "." base64url(signature)
//
// base64url is RFC 4648's alphabet with - and _, without padding. The payload is bytes:
//
//	offset  length  content
//	0       1       version, 1
//	1       16      ticket id, random
//	17      1       k, the length of the key id
//	18      k       id of the key that signed
//	18+k    1       e, the length of the event id
//	19+k    e       event id
//	19+k+e  rest    seat id (the seating plan's seat_guid), UTF-8, at least one byte
//
// The signature is Ed25519's (RFC 8032, 64 bytes) over the code's ASCII text before the dot.
//
// To verify a code offline, a gate keeps the list of GET /api/ticket-keys, and
//
//  1. splits the code at its only dot and decodes both parts, refusing what is not strictly base64url;
//  2. reads version and key id, and refuses a version or key that it does not know;
//  3. verifies the signature with that key;
//  4. compares the event id with its own event, and lets each ticket id in once.
//
// Whether a ticket was voided since is not in the code. testdata/vector.json has a code with all that it is made of.
package ticket

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
)

const (
	version = 1
	// fieldBytesMax is what the length byte of a field can say. Event ids have at most 64 bytes, seat ids 255.
	fieldBytesMax = 255
	// payloadBytesMin is that of empty key and event ids and a seat id of one byte.
	payloadBytesMin = 1 + 16 + 1 + 1 + 1
	// codeCharsMax is a code of the longest ids, and stops Verify from decoding a novel.
	codeCharsMax = (1+16+3*(1+fieldBytesMax)+2)/3*4 + 1 + (ed25519.SignatureSize+2)/3*4
)

// What Verify refuses.
var (
	// ErrMalformed says that the text is not a ticket code, or one of a version to come.
	ErrMalformed = errors.New("not a ticket code")
	// ErrUnknownKey says that the key that the code names is not among those given.
	ErrUnknownKey = errors.New("the ticket's signing key is unknown")
	// ErrForged says that the signature is not the key's.
	ErrForged = errors.New("the ticket's signature is wrong")
)

// Claims are what a ticket's code says.
type Claims struct {
	TicketID [16]byte
	KeyID    string
	EventID  string
	SeatID   string
}

// PublicKey verifies the tickets that name it.
type PublicKey struct {
	ID  string
	Key ed25519.PublicKey
}

// encoding refuses stray bits behind the last byte. It still skips line breaks, which Verify refuses before.
var encoding = base64.RawURLEncoding.Strict()

// Verify returns what the code says if one of the keys signed exactly it. The only spelling of a ticket is the one that
// was issued. Errors: ErrMalformed, ErrUnknownKey, ErrForged.
func Verify(keys []PublicKey, code string) (Claims, error) {
	if len(code) > codeCharsMax || strings.ContainsAny(code, "\r\n") {
		return Claims{}, ErrMalformed
	}
	signed, signatureText, _ := strings.Cut(code, ".")
	payload, err := encoding.DecodeString(signed)
	if err != nil {
		return Claims{}, ErrMalformed
	}
	signature, err := encoding.DecodeString(signatureText)
	if err != nil || len(signature) != ed25519.SignatureSize {
		return Claims{}, ErrMalformed
	}
	claims, ok := parse(payload)
	if !ok {
		return Claims{}, ErrMalformed
	}
	for _, key := range keys {
		if key.ID != claims.KeyID {
			continue
		}
		if len(key.Key) != ed25519.PublicKeySize || !ed25519.Verify(key.Key, []byte(signed), signature) {
			return Claims{}, ErrForged
		}
		return claims, nil
	}
	return Claims{}, ErrUnknownKey
}

// payload is the bytes of the claims. The lengths have been checked.
func (c Claims) payload() []byte {
	b := make([]byte, 0, payloadBytesMin+len(c.KeyID)+len(c.EventID)+len(c.SeatID))
	b = append(b, version)
	b = append(b, c.TicketID[:]...)
	b = append(b, byte(len(c.KeyID)))
	b = append(b, c.KeyID...)
	b = append(b, byte(len(c.EventID)))
	b = append(b, c.EventID...)
	return append(b, c.SeatID...)
}

// parse reads a payload back; false where it is not one. What it returns has this very payload.
func parse(b []byte) (Claims, bool) {
	var c Claims
	if len(b) < payloadBytesMin || b[0] != version {
		return c, false
	}
	copy(c.TicketID[:], b[1:])
	b = b[17:]
	for _, field := range []*string{&c.KeyID, &c.EventID} {
		// A byte for the length, the field, and at least a byte behind it.
		if len(b) < 2 || len(b) < 2+int(b[0]) {
			return c, false
		}
		end := 1 + int(b[0])
		*field = string(b[1:end])
		b = b[end:]
	}
	if len(b) > fieldBytesMax {
		return c, false
	}
	c.SeatID = string(b)
	return c, true
}

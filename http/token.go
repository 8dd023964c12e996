package http

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"
	"sync"
)

// Claims are what an access token says: its bearer was admitted to this event as this session.
type Claims struct {
	EventID   string
	SessionID [16]byte
	// ExpiresAt in milliseconds since the Unix epoch.
	ExpiresAt int64
}

// Keys sign access tokens and verify them.
//
//  1. The first key signs; each of them verifies what it signed. To rotate, put a new key in front, and drop the old
//     one once the last token that it signed has expired and its orders have ended.
//  2. A token has one spelling: every changed bit makes it invalid.
//  3. The same claims give the same token while the first key stays.
type Keys struct{ keys []*key }

type key struct {
	id     string
	secret []byte
	// macs are HMAC states that have the secret in them already.
	macs sync.Pool
}

const (
	tokenVersion    = 1
	keysMax         = 16
	keyIDBytesMax   = 32
	secretBytesMin  = 32
	tokenBytesMax   = 1 + 1 + keyIDBytesMax + 16 + 8 + 1 + eventIDBytesMax + sha256.Size
	tokenFixedBytes = tokenBytesMax - keyIDBytesMax - eventIDBytesMax
)

// ParseKeys reads a comma-separated list of secrets, each of at least 32 bytes, in hex or base64 (standard or URL
// alphabet, padded or not; what could be both is hex), with an optional id before a colon: "2026a:Zm9v…,00ff…". A
// secret without an id is called by the first 8 hex digits of its SHA-256. The errors never show a secret.
func ParseKeys(list string) (Keys, error) {
	var ks Keys
	seen := map[string]bool{}
	for i, item := range strings.Split(list, ",") {
		id, text, named := strings.Cut(strings.TrimSpace(item), ":")
		if !named {
			id, text = "", id
		}
		secret, err := decodeSecret(text)
		if err != nil {
			return Keys{}, fmt.Errorf("token key %d: %w", i+1, err)
		}
		if !named {
			sum := sha256.Sum256(secret)
			id = hex.EncodeToString(sum[:4])
		}
		if len(id) > keyIDBytesMax || !validEventID(id) {
			return Keys{}, fmt.Errorf("token key %d: its id must be 1 to %d of A-Z a-z 0-9 _ -", i+1, keyIDBytesMax)
		}
		if seen[id] {
			return Keys{}, fmt.Errorf("token key %d: the id %q is taken by a key before it", i+1, id)
		}
		seen[id] = true
		ks.keys = append(ks.keys, newKey(id, secret))
	}
	if len(ks.keys) > keysMax {
		return Keys{}, fmt.Errorf("%d token keys: at most %d", len(ks.keys), keysMax)
	}
	return ks, nil
}

// Secrets by key id, the signing one first: what other keys are derived from.
func (ks Keys) Secrets() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, k := range ks.keys {
			if !yield(k.id, k.secret) {
				return
			}
		}
	}
}

// derive makes a secret for another purpose from the first key. It is another one after a rotation.
func (ks Keys) derive(purpose string) []byte { return ks.keys[0].sum(nil, []byte(purpose)) }

func newKey(id string, secret []byte) *key {
	return &key{id: id, secret: secret, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
}

func decodeSecret(text string) ([]byte, error) {
	secret, err := hex.DecodeString(text)
	if err != nil {
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		secret, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, errors.New("neither hex nor base64")
	}
	if len(secret) < secretBytesMin {
		return nil, fmt.Errorf("has %d bytes, needs at least %d", len(secret), secretBytesMin)
	}
	return secret, nil
}

// Sign makes the claims' token: version, key id, session, expiry and event, then their HMAC-SHA-256, in base64url.
func (ks Keys) Sign(c Claims) string {
	k := ks.keys[0]
	b := make([]byte, 0, tokenBytesMax)
	b = append(b, tokenVersion, byte(len(k.id)))
	b = append(b, k.id...)
	b = append(b, c.SessionID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.ExpiresAt))
	b = append(b, byte(len(c.EventID)))
	b = append(b, c.EventID...)
	return canonical.EncodeToString(k.sum(b, b))
}

// Verify is not ok for a token that none of the keys signed. It does not look at the expiry.
func (ks Keys) Verify(token string) (c Claims, ok bool) {
	var buf [tokenBytesMax]byte
	n := canonical.DecodedLen(len(token))
	if n < tokenFixedBytes || n > tokenBytesMax {
		return Claims{}, false
	}
	// Decoding skips line ends; then fewer bytes come out.
	if m, err := canonical.Decode(buf[:], []byte(token)); err != nil || m != n {
		return Claims{}, false
	}
	signed, mac := buf[:n-sha256.Size], buf[n-sha256.Size:n]
	k := ks.named(signed)
	if k == nil {
		return Claims{}, false
	}
	var want [tokenBytesMax]byte
	if !hmac.Equal(mac, k.sum(want[:0], signed)) {
		return Claims{}, false
	}
	return parseClaims(signed[2+len(k.id):])
}

// named finds the key that the token names; which one that is, is no secret.
func (ks Keys) named(signed []byte) *key {
	if signed[0] != tokenVersion || len(signed) < 2+int(signed[1]) {
		return nil
	}
	id := signed[2 : 2+signed[1]]
	for _, k := range ks.keys {
		if k.id == string(id) {
			return k
		}
	}
	return nil
}

func parseClaims(b []byte) (c Claims, ok bool) {
	const fixed = 16 + 8 + 1
	if len(b) < fixed || len(b) != fixed+int(b[fixed-1]) {
		return Claims{}, false
	}
	copy(c.SessionID[:], b)
	c.ExpiresAt = int64(binary.BigEndian.Uint64(b[16:]))
	c.EventID = string(b[fixed:])
	return c, validEventID(c.EventID)
}

// sum appends the HMAC of signed to b.
func (k *key) sum(b, signed []byte) []byte {
	mac := k.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(signed)
	b = mac.Sum(b)
	k.macs.Put(mac)
	return b
}

package http

import (
	"encoding/base64"
	"io"
	"strings"
)

// The text form of an id is its event's id, a dot, a mark that says what it names, and 16 random bytes in base64url
// without padding: E1.o_AAAAAAAAAAAAAAAAAAAAAA. There is exactly one text for each id.
const (
	markSession = "s_"
	markOrder   = "o_"
	markTicket  = "t_"
)

const (
	eventIDBytesMax = 64
	// idTextBytes is 16 bytes in base64url.
	idTextBytes = 22
)

// canonical refuses an encoding whose unused last bits are not zero.
var canonical = base64.RawURLEncoding.Strict()

func validEventID(s string) bool {
	if s == "" || len(s) > eventIDBytesMax {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func appendID(b []byte, eventID, mark string, id []byte) []byte {
	b = append(b, eventID...)
	b = append(b, '.')
	b = append(b, mark...)
	return canonical.AppendEncode(b, id)
}

func orderIDText(eventID string, id []byte) string {
	return string(appendID(make([]byte, 0, len(eventID)+3+idTextBytes), eventID, markOrder, id))
}

func sessionIDText(eventID string, id [16]byte) string {
	return string(appendID(make([]byte, 0, len(eventID)+3+idTextBytes), eventID, markSession, id[:]))
}

// parseID is not ok for every text that appendID would not have written. The event id is a part of s.
func parseID(s, mark string) (eventID string, id [16]byte, ok bool) {
	eventID, rest, _ := strings.Cut(s, ".")
	text, marked := strings.CutPrefix(rest, mark)
	if !marked || len(text) != idTextBytes || !validEventID(eventID) {
		return "", id, false
	}
	// Decoding skips line ends; then fewer than 16 bytes come out.
	n, err := canonical.Decode(id[:], []byte(text))
	if err != nil || n != len(id) {
		return "", [16]byte{}, false
	}
	return eventID, id, true
}

// mint draws a new id.
func mint(random io.Reader) (id [16]byte, err error) {
	_, err = io.ReadFull(random, id[:])
	return id, err
}

package payment

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Kind of an operation, as a ledger row names it.
type Kind string

// The four operations.
const (
	KindAuthorize Kind = "authorize"
	KindCapture   Kind = "capture"
	KindVoid      Kind = "void"
	KindRefund    Kind = "refund"
)

// Key is what an idempotency key of ours is made of, so that whoever holds a provider's ledger beside our journal can
// tell which order a row belongs to. Its text form, [Key.String], is what goes to the provider:
//
//	auth:<event>:<order, 32 hex digits>:<attempt>
//	cap:<event>:<order>
//	void:<event>:<order>:<attempt>
//	refund:<event>:<order>
//
// An order may be authorized again after a decline, so authorize and void carry the attempt; it is captured and
// refunded once in its life at most, and a key without the attempt makes the provider hold us to that.
//
// A key names an order: like the order's id it must not reach a log.
type Key struct {
	Kind Kind
	// Event id, never with a colon in it.
	Event string
	Order [16]byte
	// Attempt counts an order's authorizations from 1; 0 for capture and refund.
	Attempt uint32
}

// AuthorizeKey is the key of an order's attempt-th authorization.
func AuthorizeKey(event string, order [16]byte, attempt uint32) string {
	return Key{Kind: KindAuthorize, Event: event, Order: order, Attempt: attempt}.String()
}

// CaptureKey is the key of an order's only capture.
func CaptureKey(event string, order [16]byte) string {
	return Key{Kind: KindCapture, Event: event, Order: order}.String()
}

// VoidKey is the key of the void of an order's attempt-th authorization.
func VoidKey(event string, order [16]byte, attempt uint32) string {
	return Key{Kind: KindVoid, Event: event, Order: order, Attempt: attempt}.String()
}

// RefundKey is the key of an order's only refund.
func RefundKey(event string, order [16]byte) string {
	return Key{Kind: KindRefund, Event: event, Order: order}.String()
}

// String is the text form of k.
func (k Key) String() string {
	var prefix string
	attempts := false
	switch k.Kind {
	case KindAuthorize:
		prefix, attempts = "auth", true
	case KindCapture:
		prefix = "cap"
	case KindVoid:
		prefix, attempts = "void", true
	case KindRefund:
		prefix = "refund"
	default:
		panic(fmt.Sprintf("payment: no key for kind %q", k.Kind))
	}
	s := prefix + ":" + k.Event + ":" + hex.EncodeToString(k.Order[:])
	if attempts {
		s += ":" + strconv.FormatUint(uint64(k.Attempt), 10)
	}
	return s
}

// ParseKey reads the text form back; false where s is not a key that String makes.
func ParseKey(s string) (Key, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 {
		return Key{}, false
	}
	k := Key{Event: parts[1]}
	switch parts[0] {
	case "auth":
		k.Kind = KindAuthorize
	case "cap":
		k.Kind = KindCapture
	case "void":
		k.Kind = KindVoid
	case "refund":
		k.Kind = KindRefund
	default:
		return Key{}, false
	}
	order, err := hex.DecodeString(parts[2])
	if err != nil || len(order) != len(k.Order) {
		return Key{}, false
	}
	copy(k.Order[:], order)
	if len(parts) > 3 {
		attempt, err := strconv.ParseUint(parts[3], 10, 32)
		if err != nil {
			return Key{}, false
		}
		k.Attempt = uint32(attempt)
	}
	// What is left over (upper-case digits, a part too many or too few) shows in that it does not come out the same.
	return k, k.String() == s
}

package payment

import (
	"strings"
	"testing"
)

// Goal: reconciliation can read every key that we ever sent, and takes nothing else for one.

func TestKeysAreReadBack(t *testing.T) {
	order := [16]byte{0xab, 15: 0x01}
	for want, key := range map[string]string{
		"auth:E-1_x:ab000000000000000000000000000001:4294967295": AuthorizeKey("E-1_x", order, 1<<32-1),
		"cap:E1:ab000000000000000000000000000001":                CaptureKey("E1", order),
		"void:E1:ab000000000000000000000000000001:1":             VoidKey("E1", order, 1),
		"refund:E1:ab000000000000000000000000000001":             RefundKey("E1", order),
	} {
		if key != want {
			t.Errorf("key is %q, want %q", key, want)
		}
		parsed, ok := ParseKey(key)
		if !ok || parsed.String() != key || parsed.Order != order {
			t.Errorf("%q reads as %+v, %v", key, parsed, ok)
		}
	}
}

func TestOtherKeysAreNotOurs(t *testing.T) {
	for _, s := range []string{
		"", "cap", "cap:E1", "cap:E1:", "capture:E1:ab000000000000000000000000000001",
		"cap:E1:ab0000000000000000000000000001", "cap:E1:AB000000000000000000000000000001",
		"cap:E1:ab000000000000000000000000000001:1", "auth:E1:ab000000000000000000000000000001",
		"auth:E1:ab000000000000000000000000000001:", "auth:E1:ab000000000000000000000000000001:01",
		"auth:E1:ab000000000000000000000000000001:4294967296", "auth:E1:ab000000000000000000000000000001:-1",
		"auth:E1:ab000000000000000000000000000001:1:1", "auth:E:1:ab000000000000000000000000000001:1",
	} {
		if k, ok := ParseKey(s); ok {
			t.Errorf("%q reads as %+v", s, k)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(AuthorizeKey("E1", [16]byte{1}, 2))
	f.Add(CaptureKey("E1", [16]byte{1}))
	f.Fuzz(func(t *testing.T, s string) {
		if k, ok := ParseKey(s); ok && (k.String() != s || strings.Contains(k.Event, ":")) {
			t.Errorf("%q reads as %+v", s, k)
		}
	})
}

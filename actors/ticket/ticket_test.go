package ticket

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// Goal: a gate that follows the package's documentation lets in who bought, and nobody else.
// Method: a vector that never changes; every code that differs from an issued one in one place; keys that come and go.

// counter is entropy that repeats from run to run and never within one.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) (int, error) {
	for i := 0; i < len(p); i += 8 {
		c.n++
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], c.n)
		copy(p[i:], b[:])
	}
	return len(p), nil
}

func newSigner(t testing.TB, ids ...string) *Signer {
	t.Helper()
	var keys []Key
	for _, id := range ids {
		keys = append(keys, Key{ID: id, Seed: DeriveSeed([]byte("secret of " + id))})
	}
	s, err := NewSigner(keys, &counter{})
	if err != nil {
		t.Fatalf("NewSigner: %v", err)
	}
	return s
}

func TestIssue(t *testing.T) {
	s := newSigner(t, "k1")
	rows := s.Issue("E1", [16]byte{7}, []int32{4, 9}, []string{"D-14-1", "Größe 7/ß"}, 1_700_000_000_123)
	for i, row := range rows {
		claims, err := Verify(s.PublicKeys(), row.Code)
		if err != nil {
			t.Fatalf("verify: %v", err)
		}
		if want := (Claims{TicketID: row.TicketID, KeyID: "k1", EventID: "E1", SeatID: row.SeatID}); claims != want {
			t.Errorf("the code says %+v, want %+v", claims, want)
		}
		if row.OrderID != [16]byte{7} || row.IssuedAt != 1_700_000_000_123 || row.SeatIndex != []int32{4, 9}[i] {
			t.Errorf("row %d is %+v", i, row)
		}
	}
	if rows[0].TicketID == rows[1].TicketID {
		t.Error("two tickets of one id")
	}
}

func TestCodeIsSmallAndSafe(t *testing.T) {
	s := newSigner(t, "2026-11")
	usual := s.Issue("sommer-open-air-2026", [16]byte{}, []int32{0}, []string{"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, 1)[0].Code
	t.Logf("%d characters", len(usual))
	if len(usual) > 250 {
		t.Errorf("a usual code is %d characters long", len(usual))
	}
	const safe = ".-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if strings.Trim(usual, safe) != "" {
		t.Errorf("the code %q has an unsafe character", usual)
	}
	longest := s.Issue(strings.Repeat("e", fieldBytesMax), [16]byte{}, []int32{0}, []string{strings.Repeat("s", fieldBytesMax)}, 1)[0].Code
	if _, err := Verify(s.PublicKeys(), longest); err != nil {
		t.Errorf("a code of %d characters: %v", len(longest), err)
	}
}

func TestBentCodesAreRefused(t *testing.T) {
	s := newSigner(t, "k1")
	code := s.Issue("E1", [16]byte{}, []int32{0}, []string{"D-14-1"}, 1)[0].Code
	refused := func(bent string) {
		if claims, err := Verify(s.PublicKeys(), bent); err == nil {
			t.Errorf("%q passes as %+v", bent, claims)
		}
	}
	for i := range len(code) {
		refused(code[:i])              // cut
		refused(code[i+1:])            // its beginning lost
		refused(code[:i] + code[i+1:]) // one lost
		for c := range byte(128) {     // one changed, one too many
			refused(code[:i] + string(rune(c)) + code[i:])
			if c != code[i] {
				refused(code[:i] + string(rune(c)) + code[i+1:])
			}
		}
	}
	for _, suffix := range []string{"=", "==", "\n", ".", "A", "." + code} {
		refused(code + suffix)
	}
}

func TestPayloadBitsAreAllSigned(t *testing.T) {
	s := newSigner(t, "k1", "k2")
	code := s.Issue("E1", [16]byte{}, []int32{0}, []string{"D-14-1"}, 1)[0].Code
	first, signature, _ := strings.Cut(code, ".")
	payload, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(payload) * 8 {
		bent := bytes.Clone(payload)
		bent[i/8] ^= 1 << (i % 8)
		if _, err := Verify(s.PublicKeys(), base64.RawURLEncoding.EncodeToString(bent)+"."+signature); err == nil {
			t.Errorf("bit %d changed, and it passes", i)
		}
	}
}

func TestRotation(t *testing.T) {
	before, during, after := newSigner(t, "old"), newSigner(t, "new", "old"), newSigner(t, "new")
	old := before.Issue("E1", [16]byte{}, []int32{0}, []string{"A1"}, 1)[0].Code
	fresh := during.Issue("E1", [16]byte{}, []int32{0}, []string{"A1"}, 1)[0].Code
	for _, c := range []struct {
		name string
		keys []PublicKey
		code string
		want error
	}{
		{"old code, both keys", during.PublicKeys(), old, nil},
		{"new code, both keys", during.PublicKeys(), fresh, nil},
		{"new code, new key", after.PublicKeys(), fresh, nil},
		{"old code, key taken away", after.PublicKeys(), old, ErrUnknownKey},
		{"new code, gate not told", before.PublicKeys(), fresh, ErrUnknownKey},
		{"another's key of the same id", []PublicKey{{ID: "old", Key: after.PublicKeys()[0].Key}}, old, ErrForged},
		{"a key of no length", []PublicKey{{ID: "old"}}, old, ErrForged},
	} {
		if _, err := Verify(c.keys, c.code); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestNewSignerRefuses(t *testing.T) {
	for name, keys := range map[string][]Key{
		"no key": nil, "empty id": {{}}, "an id with a dot": {{ID: "a.b"}}, "a long id": {{ID: strings.Repeat("a", 33)}},
		"one id twice": {{ID: "a"}, {ID: "b"}, {ID: "a"}},
	} {
		if _, err := NewSigner(keys, &counter{}); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestNoEntropyNoTicket(t *testing.T) {
	s := newSigner(t, "k1")
	s.entropy = io.LimitReader(&counter{}, 20)
	defer func() {
		if recover() == nil {
			t.Error("a ticket was issued without entropy")
		}
	}()
	s.Issue("E1", [16]byte{}, []int32{0, 1}, []string{"A1", "A2"}, 1)
}

// vector is testdata/vector.json: what a gate's maker tests against. It never changes while version is 1.
type vector struct {
	Secret, Seed, PublicKey      string // hex
	TicketID                     string // hex
	KeyID, EventID, SeatID, Code string
	Payload                      string // hex
}

func TestVector(t *testing.T) {
	text, err := os.ReadFile("testdata/vector.json")
	if err != nil {
		t.Fatal(err)
	}
	var want vector
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	secret, _ := hex.DecodeString(want.Secret)
	id, _ := hex.DecodeString(want.TicketID)
	seed := DeriveSeed(secret)
	s, err := NewSigner([]Key{{ID: want.KeyID, Seed: seed}}, bytes.NewReader(id))
	if err != nil {
		t.Fatal(err)
	}
	got := want
	got.Seed, got.PublicKey = hex.EncodeToString(seed[:]), hex.EncodeToString(s.PublicKeys()[0].Key)
	got.Code = s.Issue(want.EventID, [16]byte{}, []int32{0}, []string{want.SeatID}, 1)[0].Code
	claims, err := Verify(s.PublicKeys(), got.Code)
	if err != nil {
		t.Fatal(err)
	}
	got.Payload = hex.EncodeToString(claims.payload())
	if got != want {
		out, _ := json.MarshalIndent(got, "", "  ")
		t.Errorf("the vector has changed; it is now\n%s", out)
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigner(f, "k1")
	code := s.Issue("E1", [16]byte{}, []int32{0}, []string{"D-14-1"}, 1)[0].Code
	f.Add(code)
	f.Add("")
	f.Add(".")
	f.Add(strings.Repeat("A", 60) + "." + strings.Repeat("A", 86))
	f.Fuzz(func(t *testing.T, other string) {
		if claims, err := Verify(s.PublicKeys(), other); err == nil && other != code {
			t.Errorf("%q passes as %+v", other, claims)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(Claims{KeyID: "k1", EventID: "E1", SeatID: "A1"}.payload())
	f.Add(bytes.Repeat([]byte{1}, 300))
	f.Add(append(make([]byte, 17), 255))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parse(b); ok && !bytes.Equal(c.payload(), b) {
			t.Errorf("%x reads as %+v", b, c)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	s := newSigner(b, "k1")
	for b.Loop() {
		s.Issue("E1", [16]byte{}, []int32{0}, []string{"D-14-1"}, 1)
	}
}

package http_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"boxoffice/http"
)

var testClaims = http.Claims{EventID: "E1", SessionID: testSession, ExpiresAt: testNow}

// Goal: a token has one spelling; whatever is changed in it, it is none.
// Method: every bit of every character flipped, every character cut, and what base64 decoders like to overlook added.
func TestBentTokens(t *testing.T) {
	keys := must(http.ParseKeys(testSecret))
	token := keys.Sign(testClaims)
	if got, ok := keys.Verify(token); !ok || got != testClaims {
		t.Fatalf("a good token brought %v, %v", got, ok)
	}
	if again := keys.Sign(testClaims); again != token {
		t.Error("the same claims gave another token")
	}
	bent := []string{"", token + "=", token + "\n", token + "A", " " + token, token + token}
	for i := range len(token) {
		for bit := range 8 {
			b := []byte(token)
			b[i] ^= 1 << bit
			bent = append(bent, string(b))
		}
		bent = append(bent, token[:i], token[i:i+1]+"\n"+token[i+1:])
	}
	raw := must(base64.RawURLEncoding.DecodeString(token))
	for i := range raw {
		for bit := range 8 {
			b := bytes.Clone(raw)
			b[i] ^= 1 << bit
			bent = append(bent, base64.RawURLEncoding.EncodeToString(b))
		}
	}
	for _, b := range bent {
		if _, ok := keys.Verify(b); ok && b != token {
			t.Errorf("%q is accepted", b)
		}
	}
}

// Goal: keys rotate: the new one signs, the old one's tokens are good until it is dropped.
func TestKeyRotation(t *testing.T) {
	const fresh = "2026b:ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
	before, both, after := must(http.ParseKeys(testSecret)), must(http.ParseKeys(fresh+", "+testSecret)), must(http.ParseKeys(fresh))
	old, signed := before.Sign(testClaims), both.Sign(testClaims)
	for _, c := range []struct {
		name  string
		keys  http.Keys
		token string
		ok    bool
	}{
		{"old token, both keys", both, old, true},
		{"new token, both keys", both, signed, true},
		{"new token, new key", after, signed, true},
		{"old token, new key", after, old, false},
		{"new token, old key", before, signed, false},
	} {
		if _, ok := c.keys.Verify(c.token); ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
	// Another secret under the same id is another key.
	if _, ok := must(http.ParseKeys("test:" + strings.Repeat("00", 32))).Verify(old); ok {
		t.Error("a key is known by its id alone")
	}
}

func TestParseKeys(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for _, c := range []struct{ list, problem string }{
		{good, ""},
		{"a:" + good + ",b:" + good, ""},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""},
		{"++//AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", ""},
		{"", "has 0 bytes"},
		{"abcd", "needs at least 32"},
		{good + ",", "token key 2: has 0 bytes"},
		{"not!base64", "neither hex nor base64"},
		{"a:" + good + ",a:" + good, `the id "a" is taken`},
		{good + "," + good, "is taken"},
		{"ä:" + good, "its id must be"},
		{":" + good, "its id must be"},
		{strings.Repeat(good+",", 16) + good, "is taken"},
	} {
		_, err := http.ParseKeys(c.list)
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %v", c.list, err)
		}
		if err != nil && strings.Contains(err.Error(), good) {
			t.Errorf("%v shows a secret", err)
		}
	}
}

// Goal: an id has one text; no other is read.
func TestOrderIDs(t *testing.T) {
	text := http.OrderIDText("E1", testOrder[:])
	if event, id, ok := http.ParseOrderID(text); !ok || event != "E1" || id != testOrder {
		t.Fatalf("%q brought %q, %v, %v", text, event, id, ok)
	}
	last := text[:len(text)-1]
	for _, bad := range []string{
		"", ".", "E1", "E1.o_", strings.Replace(text, "E1.", "E1.E1.", 1), strings.Replace(text, "o_", "s_", 1),
		strings.Replace(text, "o_", "O_", 1), strings.Replace(text, "E1", "", 1), strings.Replace(text, "E1", "Ü", 1),
		strings.Replace(text, "E1", strings.Repeat("E", 65), 1), last, text + "=", text + "A", text + "\n",
		last[:len(last)-1] + "\nQ", last + "R", last + "B", "%45" + text[1:], text + "%20", "E1%2E" + text[3:],
	} {
		if _, _, ok := http.ParseOrderID(bad); ok {
			t.Errorf("%q is read as an id", bad)
		}
	}
	s := start(t)
	for _, bad := range []string{"E1.o_short", last + "B", "E1%2Eo_" + text[5:], "x"} {
		auth := []string{"Authorization", "Bearer " + s.token(0)}
		s.do("GET", s.public+"/api/orders/"+bad, "", auth...).want(t, 400, "invalid-request")
	}
}

package http_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"boxoffice/http"
)

// Goal: no body makes a parser panic; none is accepted that a lenient parser would not take too; each fault can be told.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"eventId":"E1"}`, `{"seats":["a"],"paymentToken":"t"}`, `{"bestAvailable":{"quantity":2}}`, newEvent,
		`{"seats":[null]}`, `{"a":"\u0000"}`, `{"a":{"b":[[[[[[[[1]]]]]]]]}}`, `{"x":1,"x":2}`, "{\"\xff\":1}", `{"waitingRoom":{"enabled":null}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for i, faults := range append(http.ParseOrderBodies(body), http.ParseOrganiserBodies(body)...) {
			if len(faults) == 0 && len(body) > 0 && (!json.Valid(body) || !utf8.Valid(body)) {
				t.Errorf("parser %d accepts %q", i, body)
			}
			for _, fault := range faults {
				if fault.GetMessage() == "" {
					t.Errorf("parser %d refuses %q without a word", i, body)
				}
			}
		}
	})
}

// Goal: whatever Verify accepts, Sign wrote.
func FuzzToken(f *testing.F) {
	keys := must(http.ParseKeys(testSecret))
	f.Add(keys.Sign(testClaims))
	f.Add("")
	f.Add("AQR0ZXN0")
	f.Fuzz(func(t *testing.T, token string) {
		if claims, ok := keys.Verify(token); ok && keys.Sign(claims) != token {
			t.Errorf("%q is accepted as %+v", token, claims)
		}
	})
}

package http_test

import (
	"testing"

	"boxoffice/http"
)

// Goal: of what we have a client gets what it likes best, never what it excludes; of equals what we like best.
func TestPreferredCoding(t *testing.T) {
	for accept, want := range map[string]string{
		"":                        "identity",
		"gzip":                    "gzip",
		"GZIP":                    "gzip",
		"gzip, deflate, br":       "br",
		"gzip, deflate, br, zstd": "zstd",
		"zstd;q=0, br;q=0, gzip":  "gzip",
		"zstd;q=0":                "identity",
		"zstd;q=0.000, gzip":      "gzip",
		"br;q=0.5, gzip;q=0.9":    "gzip",
		"br;q=0.5,gzip;q=0.501":   "gzip",
		"zstd ; q=0.2 , br;Q=0.3": "br",
		"*":                       "zstd",
		"*;q=0":                   "identity",
		"*, zstd;q=0":             "br",
		"*;q=0.1, gzip":           "gzip",
		"identity":                "identity",
		"identity;q=0":            "identity",
		"identity;q=0.5, gzip":    "gzip",
		"identity, gzip;q=0.5":    "identity",
		"identity, gzip":          "gzip",
		"deflate, compress":       "identity",
		"gzip;q=2, br;q=x":        "identity",
		"gzip;q=1.5":              "gzip",
		"gzip;q=0.1234":           "identity",
		"gzip;level=9":            "identity",
		",,;,=,gzip;":             "gzip",
		"zstd;q=-1, br;q=, gzip":  "gzip",
	} {
		if got := http.Preferred(accept); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
}

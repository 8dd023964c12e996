package main

import "testing"

// Goal: an amount on the command line means what it says in its currency, to the last minor unit, or is refused.
// Method: a table. (That this test is inside the package also makes `go test` run the others anew when any part of the
// binary has changed.)
func TestMinorUnits(t *testing.T) {
	for _, c := range []struct {
		amount, currency string
		want             int64 // -1: refused
	}{
		{"49.50", "EUR", 4950},
		{"49.5", "EUR", 4950},
		{"49", "EUR", 4900},
		{"49.", "EUR", 4900},
		{"0", "EUR", 0},
		{"0.01", "EUR", 1},
		{"4900", "JPY", 4900},
		{"1.234", "KWD", 1234},
		{"1.234", "EUR", -1},
		{"49.5", "JPY", -1},
		{"", "EUR", -1},
		{".50", "EUR", -1},
		{"-1", "EUR", -1},
		{"+1", "EUR", -1},
		{"1e3", "EUR", -1},
		{"1,50", "EUR", -1},
		{"99999999999999999999", "EUR", -1},
		{"1", "XXXX", -1},
		{"1", "", -1},
	} {
		got, err := minorUnits(c.amount, c.currency)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("%s %q is %d, want %d (%v)", c.currency, c.amount, got, c.want, err)
		}
	}
}

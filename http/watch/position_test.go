package watch_test

import (
	"math"
	"testing"

	"boxoffice/http/watch"
)

// Goal: an ETA is a whole number of seconds, rounded up, a day at most, and null where there is nothing to say.
func TestAppendPosition(t *testing.T) {
	for _, c := range []struct {
		position  uint64
		perSecond float64
		want      string
	}{
		{0, 0, "null null"},
		{0, 5, "null null"},
		{1, 0, "1 null"},
		{1, 100, "1 1"},
		{100, 100, "100 1"},
		{101, 100, "101 2"},
		{7, 0.5, "7 14"},
		{1, 1e-9, "1 86400"},
		{math.MaxUint64, 1, "18446744073709551615 86400"},
		{math.MaxUint64, 5e-324, "18446744073709551615 86400"},
		{5, math.NaN(), "5 null"},
		{5, math.Inf(1), "5 null"},
		{5, math.Inf(-1), "5 null"},
		{5, -1, "5 null"},
		{1, math.MaxFloat64, "1 1"},
	} {
		var position, eta string
		got := string(watch.AppendPosition(nil, c.position, c.perSecond))
		if position, eta = split(c.want); got != `"position":`+position+`,"etaSeconds":`+eta {
			t.Errorf("%d at %g: %s, want %s", c.position, c.perSecond, got, c.want)
		}
	}
}

func split(s string) (a, b string) {
	for i := range s {
		if s[i] == ' ' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

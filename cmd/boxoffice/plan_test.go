package main_test

import (
	"strings"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: the stadium that `boxoffice plan` writes is one that `boxoffice import` takes. Method: a small one, and the
// prices that the first says the second needs.
func TestPlanStadium(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	written := tool(t, "", nil, "plan", "stadium", "--seats", "1234")
	if written.code != 0 {
		t.Fatalf("plan exits with %d: %s", written.code, written.problems)
	}
	args := []string{"import", "-", "--event", "bowl", "--starts-at", "2030-01-01T20:00:00Z"}
	for i, quoted := range strings.Split(written.problems, `"`) {
		if i%2 == 1 {
			args = append(args, "--price", strings.Replace(quoted, "AMOUNT", "15", 1))
		}
	}
	o := tool(t, database, strings.NewReader(written.output), args...)
	if o.code != 0 || !strings.Contains(o.output, "1234 seats in 5 categories") {
		t.Fatalf("import exits with %d: %s%s", o.code, o.output, o.problems)
	}
	verify(t, database)
}

// Goal: what is no stadium exits with 2 and says so. Method: some command lines.
func TestPlanUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "stadium"},
		{[]string{"theatre"}, "stadium"},
		{[]string{"stadium", "large"}, "stadium"},
		{[]string{"stadium", "--seats", "999"}, "1000 to 200000"},
		{[]string{"stadium", "--seats", "many"}, "many"},
	} {
		o := tool(t, "", nil, append([]string{"plan"}, c.args...)...)
		if o.code != 2 || !strings.Contains(o.problems, c.want) || o.output != "" {
			t.Errorf("boxoffice plan %q exits with %d: want 2 and %q:\n%s", c.args, o.code, c.want, o.problems)
		}
	}
}

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: a seating plan with a fault is refused whole, with the path of the fault, by `boxoffice import` and by the
// organiser's endpoint alike; a good one is on sale at once. Method: the same plans, both ways, with a server running.
func TestImport(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	good := hall(2, 10)
	change := func(from, to string) string {
		changed := strings.Replace(good, from, to, 1)
		if changed == good {
			t.Fatalf("the plan has no %s", from)
		}
		return changed
	}
	for i, c := range []struct {
		name, plan, price string
		field, message    string
	}{
		{"duplicate guid", change(`"seat_guid":"R2-3"`, `"seat_guid":"R1-3"`), "K=15", "zones[0].rows[1].seats[2].seat_guid", "zones[0].rows[0].seats[2]"},
		{"unknown category", change(`"category":"K"`, `"category":"X"`), "K=15", "zones[0].rows[0].seats[0].category", "X"},
		{"no position", change(`"seat_number":"2","position":{"x":25,"y":0}`, `"seat_number":"2"`), "K=15", "zones[0].rows[0].seats[1].position", ""},
		{"missing price", good, "L=15", "prices", "K"},
		{"no seats", `{"name":"H","categories":[{"name":"K","color":"#fff"}],"zones":[]}`, "K=15", "", "no seat"},
		{"no JSON", `{"name":`, "K=15", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprintf("bad%d", i)
			file := filepath.Join(t.TempDir(), "plan.json")
			must(t, os.WriteFile(file, []byte(c.plan), 0o600))
			o := tool(t, database, nil, "import", file, "--event", id, "--starts-at", "2030-01-01T20:00:00Z", "--price", c.price)
			if o.code != 1 || !strings.Contains(o.problems, c.field) || !strings.Contains(o.problems, c.message) {
				t.Errorf("import exits with %d, want 1 with %q and %q:\n%s%s", o.code, c.field, c.message, o.output, o.problems)
			}
			if c.name == "no JSON" {
				return // would not be JSON on the other way either
			}
			category, _, _ := strings.Cut(c.price, "=")
			a := s.organisePlan(newEvent(id, c.plan, map[string]any{"prices": map[string]int{category: price}}))
			must(t, a.is(400, "invalid-request"))
			if field := c.field; !strings.Contains(string(a.body), strings.TrimPrefix(field, "seatingPlan.")) || !strings.Contains(string(a.body), c.message) {
				t.Errorf("want %q and %q: %s", field, c.message, a.body)
			}
			must(t, s.get("/api/events/"+id).is(404))
		})
	}

	t.Run("good", func(t *testing.T) {
		args := []string{"import", "-", "--event", "good", "--starts-at", "2030-01-01T20:00:00Z", "--price", "K=15.00"}
		if o := tool(t, database, strings.NewReader(good), args...); o.code != 0 || !strings.Contains(o.output, "20 seats") {
			t.Fatalf("import exits with %d: %s%s", o.code, o.output, o.problems)
		}
		b, o, err := s.authorized("good", best(2), "tok_visa")
		must(t, err)
		if o.Amount != (money{"EUR", 2 * price}) {
			t.Errorf("2 seats cost %v", o.Amount)
		}
		must(t, b.call(o.OrderID, "finalize", "f", "").is(200))
		if o := tool(t, database, strings.NewReader(good), args...); o.code != 3 || !strings.Contains(o.problems, "exists") {
			t.Errorf("a second import exits with %d: %s", o.code, o.problems)
		}
		must(t, s.organise("POST", "", newEvent("good", good, nil)).is(409, "event-exists"))
		must(t, s.counts("good", 18, 0, 2))
	})
	verify(t, database)
}

// Goal: a command line that makes no sense exits with 2 and says so. Method: some.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "usage"},
		{[]string{"sell"}, `"sell"`},
		{[]string{"verify", "everything"}, `"everything"`},
		{[]string{"import"}, "one seating plan"},
		{[]string{"import", "-", "--event", "E1"}, "--starts-at"},
		{[]string{"import", "-", "--event", "E1", "--starts-at", "2030-01-01T20:00:00Z", "--price", "K"}, "CATEGORY=AMOUNT"},
		{[]string{"import", "-", "--event", "E1", "--starts-at", "2030-01-01T20:00:00Z", "--price", "K=1.234"}, "decimals"},
	} {
		if o := tool(t, "", strings.NewReader("{}"), c.args...); o.code != 2 || !strings.Contains(o.problems, c.want) {
			t.Errorf("boxoffice %q exits with %d: want 2 and %q:\n%s%s", c.args, o.code, c.want, o.output, o.problems)
		}
	}
}

package seatingplan

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// good is a plan of two zones; each line of TestFaults bends one thing in it.
const good = `{"name": "H", "size": {"width": 10, "height": 10},
 "categories": [{"name": "A", "color": "red"}, {"name": "B"}],
 "zones": [
  {"name": "Z", "position": {"x": 0, "y": 0}, "rows": [
   {"row_number": "1", "position": {"x": 0, "y": 0}, "seats": [
    {"seat_guid": "s1", "seat_number": "1", "category": "A", "position": {"x": 0, "y": 0}},
    {"seat_guid": "s2", "seat_number": "2", "category": "A", "position": {"x": 1, "y": 0}}]}]},
  {"name": "Y", "position": {"x": 0, "y": 5}, "rows": [
   {"row_number": "2", "position": {"x": 0, "y": 0}, "seats": [
    {"seat_guid": "s3", "seat_number": "1", "category": "B", "position": {"x": 0, "y": 0}}]}]}]}`

func TestFaults(t *testing.T) {
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, bent, want string }{
		// The text itself.
		{good, "", "plan: malformed JSON: ends too early, at line 1, byte 1 of the text"},
		{good, "[]", "plan: must be an object"},
		{good, "null", "plan: must be an object"},
		{good, good + "x", "plan: malformed JSON: something follows the plan, at line 10, byte 651 of the text"},
		{"\"s2\"", "s2", "zones[0].rows[0].seats[1].seat_guid: malformed JSON: invalid character 's' at start of value, at line 7, byte 357 of the text"},
		{`"width": 10`, `"width": 10, "width": 11`, "size.width: stands twice, again at line 1, byte 37 of the text"},
		{`{"name": "Y"`, `{"name": "Y`, "zones[1]: malformed JSON: invalid character 'p' after object value (expecting ',' or '}'), at line 8, byte 451 of the text"},
		// What must be there.
		{`"categories"`, `"cat"`, "categories: is missing\nzones[0].rows[0].seats[0].category: is \"A\", which is not one of the plan's categories\nzones[0].rows[0].seats[1].category: is \"A\", which is not one of the plan's categories\nzones[1].rows[0].seats[0].category: is \"B\", which is not one of the plan's categories"},
		{`"zones"`, `"zone"`, "zones: is missing"},
		{`"seat_guid": "s3", `, ``, "zones[1].rows[0].seats[0].seat_guid: is missing"},
		{`"category": "B", `, ``, "zones[1].rows[0].seats[0].category: is missing"},
		{`, "category": "B", "position": {"x": 0, "y": 0}`, ``, "zones[1].rows[0].seats[0].position: is missing\nzones[1].rows[0].seats[0].category: is missing"},
		{`{"x": 1, "y": 0}`, `{"x": 1}`, "zones[0].rows[0].seats[1].position.y: is missing"},
		{`{"x": 1, "y": 0}`, `{}`, "zones[0].rows[0].seats[1].position.x: is missing\nzones[0].rows[0].seats[1].position.y: is missing"},
		{`{"x": 1, "y": 0}`, `null`, "zones[0].rows[0].seats[1].position: must be an object"},
		{`{"x": 0, "y": 5}`, `{"y": 5}`, "zones[1].position.x: is missing"},
		{`"name": "Y", "position": {"x": 0, "y": 5}, "rows"`, `"row"`, "zones[1].rows: is missing"},
		{`"row_number": "2", "position": {"x": 0, "y": 0}, "seats"`, `"seat"`, "zones[1].rows[0].seats: is missing"},
		// Types.
		{`"rows"`, `"rows": {}, "_"`, "zones[0].rows: must be a list"},
		{`"zones": [`, `"zones": [7, null,`, "zones[0]: must be an object\nzones[1]: must be an object"},
		{`"seats": [`, `"seats": [[],`, "zones[0].rows[0].seats[0]: must be an object"},
		{`{"x": 1, "y": 0}`, `{"x": "1", "y": true}`, "zones[0].rows[0].seats[1].position.x: must be a number\nzones[0].rows[0].seats[1].position.y: must be a number"},
		{`"row_number": "2"`, `"row_number": ["2"]`, "zones[1].rows[0].row_number: must be a text"},
		{`"seat_guid": "s3"`, `"seat_guid": null`, "zones[1].rows[0].seats[0].seat_guid: must be a text"},
		// Values.
		{`"s3"`, `"s1"`, "zones[1].rows[0].seats[0].seat_guid: is that of zones[0].rows[0].seats[0] already"},
		{`"s3"`, `""`, "zones[1].rows[0].seats[0].seat_guid: is empty"},
		{`"s3"`, `"` + strings.Repeat("ß", 64) + `"`, ""},
		{`"s3"`, `"` + strings.Repeat("s", 65) + `"`, "zones[1].rows[0].seats[0].seat_guid: is 65 characters long, over 64"},
		{`"s3"`, `"` + strings.Repeat("😀", 64) + `"`, "zones[1].rows[0].seats[0].seat_guid: is 256 bytes long, over 255"},
		{`"s3"`, `"s\u0000"`, "zones[1].rows[0].seats[0].seat_guid: has a control character"},
		{`"Y"`, `"Y\u007f"`, "zones[1].name: has a control character"},
		{`"category": "B"`, `"category": "C"`, "zones[1].rows[0].seats[0].category: is \"C\", which is not one of the plan's categories"},
		{`"category": "B"`, `"category": ""`, "zones[1].rows[0].seats[0].category: is \"\", which is not one of the plan's categories"},
		{`{"x": 1, "y": 0}`, `{"x": 1e400, "y": -10000001}`, "zones[0].rows[0].seats[1].position.x: is beyond 10000000\nzones[0].rows[0].seats[1].position.y: is beyond 10000000"},
		{`"width": 10`, `"width": -10`, "size: is negative"},
		{`{"name": "B"}`, `{"name": "B"}, {"name": "A"}`, "categories[2].name: is that of categories[0] already"},
		{`{"name": "B"}`, `{"name": "B"}, {"color": "red"}, {"name": ""}, {"name": "D", "color": "red;x"}`, "categories[2].name: is missing\ncategories[3].name: is empty\ncategories[4].color: is not a color"},
		{`"s1", "seat_number": "1", "category": "A", "position": {"x": 0, "y": 0}`, `"s3"`, "zones[0].rows[0].seats[0].position: is missing\nzones[0].rows[0].seats[0].category: is missing\nzones[1].rows[0].seats[0].seat_guid: is that of zones[0].rows[0].seats[0] already"},
	} {
		input := strings.Replace(good, c.old, c.bent, 1)
		if input == good {
			t.Fatalf("%q does not stand in the plan", c.old)
		}
		_, err := Parse([]byte(input))
		if c.want == "" && err == nil {
			continue
		}
		wantFaults(t, err, c.want)
	}
	wantFaults(t, parseError([]byte(`{"zones": [{"rows": [{"seats": []}]}], "categories": []}`)), "zones: have no seat")
}

func TestFaultsAreBounded(t *testing.T) {
	input := `{"categories":[],"zones":[{"rows":[{"seats":[` + strings.Repeat(`{},`, 10_000) + `{}]}]}]}`
	faults := strings.Count(faultLines(parseError([]byte(input))), "\n")
	if faults != faultsMax {
		t.Errorf("%d faults, want %d", faults, faultsMax)
	}
	var names []string
	for i := range categoriesMax + 1 {
		names = append(names, fmt.Sprintf(`{"name":"%d"}`, i))
	}
	input = `{"categories":[` + strings.Join(names, ",") + `],"zones":[{"rows":[{"seats":[{"seat_guid":"a","category":"0","position":{"x":0,"y":0}}]}]}]}`
	wantFaults(t, parseError([]byte(input)), "categories[1000]: is one too many: over 1000")
}

func faultLines(err error) string {
	var b strings.Builder
	if invalid, ok := err.(*messages.InvalidInputError); ok { //nolint:errorlint // ours, and never wrapped
		for _, f := range invalid.Faults {
			b.WriteString(f.GetField() + "\n")
		}
	}
	return b.String()
}

func TestPrices(t *testing.T) {
	plan, err := Parse(readHall(t))
	if err != nil {
		t.Fatal(err)
	}
	prices := map[string]int64{"Kategorie I": 4950, "Kategorie II": 3950, "Kategorie III": 0, "Fanblock": 2500, "C unten": 3000, "VIP": 12000}
	got, err := CheckPrices(plan, prices)
	if want := "[4950 3950 0 2500 3000 12000]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
	delete(prices, "Kategorie II")
	prices["VIP"], prices["Fanblock"], prices["kategorie II"], prices["Balkon"] = -1, 1e18, 1, 1
	_, err = CheckPrices(plan, prices)
	wantFaults(t, err, `prices["Kategorie II"]: is missing: every category needs a price
prices["Fanblock"]: is 1000000000000000000, not 0 to 1000000000
prices["VIP"]: is -1, not 0 to 1000000000
prices["Balkon"]: is not a category of the seating plan
prices["kategorie II"]: is not a category of the seating plan`)
}

func TestEncodeIsReadBackAndNeverDiffers(t *testing.T) {
	var first []byte
	for range 3 {
		plan, err := Parse(readHall(t))
		if err != nil {
			t.Fatal(err)
		}
		encoded, hash, err := Encode(plan)
		if err != nil || hash == [32]byte{} {
			t.Fatalf("hash %x, %v", hash, err)
		}
		if first == nil {
			first = encoded
		}
		if string(first) != string(encoded) {
			t.Error("the same plan has other bytes")
		}
		back := &messages.SeatingPlan{}
		if err := proto.Unmarshal(encoded, back); err != nil || !proto.Equal(plan, back) {
			t.Errorf("the plan does not come back: %v", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(everything))
	f.Add([]byte(`{"zones":[{}],"categories":[{}]}`))
	f.Add([]byte(`{"zones":[{"rows":[{"seats":[{"seat_guid":1,"category":1,"position":{"x":1e7,"y":-1e7}}]}]}],"categories":[{"name":1}]}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		plan, err := Parse(input)
		if err == nil {
			newPlan(t, plan)
			return
		}
		if n := strings.Count(faultLines(err), "\n"); n < 1 || n > faultsMax {
			t.Errorf("%d faults: %v", n, err)
		}
	})
}

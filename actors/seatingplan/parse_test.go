package seatingplan

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// Goal: an organiser's file comes in as it is meant, or is refused with everything that is wrong with it.
// Method: the real hall; a table of files with one fault each; whatever a fuzzer finds that parses.

// The hall stands in the repository once, where the demonstration embeds it.
const hallFile = "../../cmd/dev/riethsporthalle.seatingplan.json"

func readHall(t testing.TB) []byte {
	t.Helper()
	hall, err := os.ReadFile(hallFile)
	if err != nil {
		t.Fatal(err)
	}
	return hall
}

func newPlan(t testing.TB, plan *messages.SeatingPlan) *seatmap.Plan {
	t.Helper()
	_, hash, err := Encode(plan)
	if err != nil {
		t.Fatal(err)
	}
	p, err := seatmap.NewPlan(Spec(plan, hash))
	if err != nil {
		t.Fatalf("what Parse returned, NewPlan refuses: %v", err)
	}
	if p.Hash() != hash {
		t.Error("the plan has another hash")
	}
	return p
}

func TestTheRealHall(t *testing.T) {
	plan, err := Parse(readHall(t))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(t, plan)
	if p.Seats() != 1252 || len(plan.GetCategories()) != 6 || len(plan.GetSections()) != 6 {
		t.Errorf("%d seats, %d categories, %d sections", p.Seats(), len(plan.GetCategories()), len(plan.GetSections()))
	}
	if plan.GetName() != "Riethsporthalle Erfurt" || plan.GetWidth() != 2700 || plan.GetHeight() != 1200 {
		t.Errorf("%s, %v × %v", plan.GetName(), plan.GetWidth(), plan.GetHeight())
	}
	if i, found := p.Index("D-14-1"); !found || i != 0 || p.Section(i) != "Block D" || p.Row(i) != "14" || p.Number(i) != "1" {
		t.Errorf("seat D-14-1 is the %d-th (%v)", i, found)
	}
	// Seats of a row stand 25 apart, or 50 where there is an aisle.
	aisles := 0
	for _, section := range plan.GetSections() {
		for _, row := range section.GetRows() {
			for i, seat := range row.GetSeats()[1:] {
				before := row.GetSeats()[i]
				switch dx := seat.GetX() - before.GetX(); {
				case dx == 50:
					aisles++
				case dx != 25 || seat.GetY() != before.GetY():
					t.Errorf("%s stands %v, %v from %s", seat.GetSeatId(), dx, seat.GetY()-before.GetY(), before.GetSeatId())
				}
			}
		}
	}
	if aisles == 0 {
		t.Error("the hall has lost its aisles")
	}
	// Block F begins at 1800 and its rows where they say.
	if f := plan.GetSections()[2]; f.GetName() != "Block F" || f.GetRows()[0].GetSeats()[0].GetX() < 1800 {
		t.Errorf("section 2 is %s, its first seat at %v", f.GetName(), f.GetRows()[0].GetSeats()[0].GetX())
	}
}

// everything has each key of pretix's, each in its least usual form, and the categories behind the zones.
const everything = `{
  "size": {"height": 600, "width": 800, "unit": "px"}, "uuid": "x", "version": null,
  "zones": [
    {"name": "Stage", "uuid": "s", "position": {"x": 0, "y": 0}, "rows": [], "areas": [{"shape": "circle", "position": {"x": 1}}]},
    {"rows": [{"seats": []}, {"seats": [
        {"category": "A", "position": {"y": 1.5, "x": -1}, "seat_guid": "s1", "seat_number": 1, "radius": 10, "start_direction": "<"},
        {"category": "B", "position": {"x": 24, "y": 0}, "seat_guid": 2, "seat_number": null, "uuid": "u"}
      ], "row_number": 14.0, "row_label": null, "row_number_position": "both", "rotation": 0, "position": {"x": 10, "y": 20}}],
     "position": {"x": 100, "y": 200}, "zone_id": "z1", "name": null},
    {"name": "Floor", "rows": [{"row_number": "A", "seats": [{"seat_guid": "s3", "category": "A", "position": {"x": 1e2, "y": 7}}]}]},
    {"name": "Floor", "position": null, "rows": [{"row_number": "A", "position": null, "seats": [{"seat_guid": "s4", "category": "A", "position": {"x": 1, "y": 7}}]}]}
  ],
  "categories": [{"name": "A"}, {"color": "#ff0000", "name": "B", "uuid": 7}],
  "name": "Alles"
}`

func TestEveryKeyOfPretix(t *testing.T) {
	plan, err := Parse([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(t, plan)
	var got strings.Builder
	for _, section := range plan.GetSections() {
		for _, row := range section.GetRows() {
			for _, s := range row.GetSeats() {
				c := plan.GetCategories()[s.GetCategory()]
				fmt.Fprintf(&got, "%s/%s/%s %s %s %s %v,%v\n", section.GetName(), row.GetName(), s.GetNumber(), s.GetSeatId(), c.GetName(), c.GetColor(), s.GetX(), s.GetY())
			}
		}
	}
	want := "z1/14.0/1 s1 A #808080 109,221.5\nz1/14.0/ 2 B #ff0000 134,220\nFloor/A/ s3 A #808080 100,7\nFloor/A/ s4 A #808080 1,7\n"
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	if sections := p.Sections(); len(sections) != 3 {
		t.Errorf("sections %q: two of one name are two, the stage is none", sections)
	}
	without, err := Parse([]byte(strings.Replace(everything, `"size"`, `"sise"`, 1)))
	if err != nil || without.GetWidth() != 134 || without.GetHeight() != 221.5 {
		t.Errorf("without a size: %v × %v, %v", without.GetWidth(), without.GetHeight(), err)
	}
}

func TestSpecKeepsEveryText(t *testing.T) {
	spec := Spec(&messages.SeatingPlan{
		Categories: []*messages.SeatingPlan_Category{{Name: "A", Color: "red"}},
		Sections: []*messages.SeatingPlan_Section{{Name: "s", Rows: []*messages.SeatingPlan_Row{
			{Name: "r", Seats: []*messages.SeatingPlan_Seat{{SeatId: "id", Number: "n", X: 1, Y: 2}}},
		}}},
	}, [32]byte{1})
	want := `{[1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0] [{A red}] [{s [{r [{id n 0 1 2}]}]}]}`
	if got := fmt.Sprint(spec); got != want {
		t.Errorf("got %s", got)
	}
}

func TestHugeHall(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("200,000 seats")
	}
	input := hugeHall(seatmap.SeatsMax)
	plan, err := Parse(input)
	if err != nil {
		t.Fatal(err)
	}
	if p := newPlan(t, plan); p.Seats() != seatmap.SeatsMax {
		t.Errorf("%d seats", p.Seats())
	}
	_, err = Parse(hugeHall(seatmap.SeatsMax + 1))
	wantFaults(t, err, "zones[0].rows[2000].seats[0]: is one seat too many: over 200000")
	wantFaults(t, parseError(make([]byte, inputBytesMax+1)), "plan: is 67108865 bytes long, over 67108864")
}

// hugeHall has rows of 100 seats, written with all that pretix writes.
func hugeHall(seats int) []byte {
	var b strings.Builder
	b.WriteString(`{"name":"Huge","categories":[{"name":"Kategorie I","color":"#E87722"}],"zones":[{"name":"All","position":{"x":0,"y":0},"rows":[`)
	for i := range seats {
		switch {
		case i == 0:
		case i%100 == 0:
			b.WriteString("]},")
		default:
			b.WriteString(",")
		}
		if i%100 == 0 {
			fmt.Fprintf(&b, `{"row_number":"%d","row_number_position":"both","position":{"x":0,"y":%d},"seats":[`, i/100, i/100*30)
		}
		fmt.Fprintf(&b, `{"seat_guid":"f81d4fae-7dec-11d0-a765-%012d","uuid":"f81d4fae-7dec-11d0-a765-%012d","seat_number":"%d","position":{"x":%d,"y":0},"category":"Kategorie I"}`, i, i, i%100+1, i%100*25)
	}
	b.WriteString("]}]}]}")
	return []byte(b.String())
}

func parseError(input []byte) error {
	_, err := Parse(input)
	return err
}

// wantFaults compares the faults with the lines of want, "path: message".
func wantFaults(t *testing.T, err error, want string) {
	t.Helper()
	var invalid *messages.InvalidInputError
	if !errors.As(err, &invalid) {
		t.Errorf("got %v, want faults %s", err, want)
		return
	}
	var lines []string
	for _, f := range invalid.Faults {
		lines = append(lines, f.GetField()+": "+f.GetMessage())
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.ReplaceAll(got, "\n", "\n\t"), strings.ReplaceAll(want, "\n", "\n\t"))
	}
}

func BenchmarkParse(b *testing.B) {
	for name, input := range map[string][]byte{"hall": readHall(b), "200000": hugeHall(seatmap.SeatsMax)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

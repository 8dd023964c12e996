package seatmap

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// Goal: what cannot be a hall is refused, and the error names the fault.
func TestPlanRefusals(t *testing.T) {
	seat := func(id string) SeatSpec { return SeatSpec{ID: id} }
	plan := func(seats ...SeatSpec) PlanSpec {
		return PlanSpec{Categories: []CategorySpec{{"I", ""}}, Sections: []SectionSpec{{"S", []RowSpec{{"A", seats}}}}}
	}
	many := make([]SeatSpec, SeatsMax+1)
	for i := range many {
		many[i] = seat(fmt.Sprint(i))
	}
	two := plan(seat("a"))
	two.Categories = append(two.Categories, CategorySpec{"I", "#fff"})
	for _, c := range []struct {
		spec PlanSpec
		says string
	}{
		{PlanSpec{}, "without seats"},
		{plan(seat("a"), seat("b"), seat("a")), `"a" stands in the plan twice`},
		{plan(seat("")), "seat id of 0 bytes"},
		{plan(seat(strings.Repeat("x", 256))), "seat id of 256 bytes"},
		{plan(SeatSpec{ID: "a", Category: 1}), "category 1 of 1"},
		{plan(SeatSpec{ID: "a", Category: -1}), "category -1"},
		{plan(SeatSpec{ID: "a", X: math.NaN()}), "position NaN"},
		{plan(SeatSpec{ID: "a", Y: math.Inf(1)}), "position 0, +Inf"},
		{plan(many...), "over 200000 seats"},
		{two, `category "I" stands in the plan twice`},
	} {
		if _, err := NewPlan(c.spec); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("error %v does not say %q", err, c.says)
		}
	}
	if _, err := NewPlan(plan(many[:SeatsMax]...)); err != nil {
		t.Errorf("%d seats: %v", SeatsMax, err)
	}
}

// Goal: what was put into a plan comes out of it.
func TestPlanReads(t *testing.T) {
	p := hall(t, "section Stalls\nA 12\nB 3\nsection Balcony\nC 11")
	for i, want := range []string{"Stalls A 1 0", "Stalls A 2 1", "Stalls B 1 2", "Balcony C 1 0", "Balcony C 2 0"} {
		i := int32(i)
		if got := fmt.Sprint(p.Section(i), " ", p.Row(i), " ", p.Number(i), " ", p.Category(i)); got != want {
			t.Errorf("seat %d is %q, not %q", i, got, want)
		}
		if at, ok := p.Index(p.SeatID(i)); !ok || at != i {
			t.Errorf("seat %d is found at %d", i, at)
		}
	}
	if first, end := p.SectionRange(1); first != 3 || end != 5 {
		t.Errorf("section 1 is %d to %d", first, end)
	}
	if _, ok := p.Index("D-1"); ok {
		t.Error("a seat that is not there is found")
	}
	if got := p.Sections(); len(got) != 2 || got[1] != "Balcony" {
		t.Errorf("sections %q", got)
	}
}

// Goal: an aisle is a gap of over 1.5 times the row's usual distance, whatever the direction of the row; the lower of
// two middle distances is the usual one.
func TestAisles(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want string
	}{
		{[]float64{0}, "1"},
		{[]float64{0, 100}, "2"},
		{[]float64{0, 10, 20, 30}, "4"},
		{[]float64{0, 10, 20, 35, 45}, "5"},     // just 1.5 times
		{[]float64{0, 10, 20, 35.01, 45}, "32"}, // over it
		{[]float64{0, 10, 26}, "21"},
		{[]float64{50, 40, 10, 0}, "22"},
		{[]float64{0.1, 0.2, 0.30000000000000004, 0.45, 0.55}, "5"},
		{[]float64{5, 5, 5}, "3"},
	} {
		row := RowSpec{Name: "A"}
		for i, x := range c.xs {
			row.Seats = append(row.Seats, SeatSpec{ID: fmt.Sprint(i), X: x * 3 / 5, Y: x * 4 / 5})
		}
		p, err := NewPlan(PlanSpec{Categories: []CategorySpec{{}}, Sections: []SectionSpec{{"S", []RowSpec{row}}}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range p.segments {
			got += fmt.Sprint(s.end - s.first)
		}
		if got != c.want {
			t.Errorf("%v is cut into %s, not %s", c.xs, got, c.want)
		}
	}
}

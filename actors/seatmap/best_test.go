package seatmap

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Goal: the lengths of runs lead to the same seats as trying every stretch, also where they are longer than a word has
// bits. (TestModel does the same in small halls, with aisles, sections and categories.)
// Method: rows of up to 200 seats, of which few are taken; quantities around the limits; the model tries every stretch.
func TestBestInLongRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := PlanSpec{Categories: []CategorySpec{{"I", ""}, {"II", ""}}, Sections: []SectionSpec{{Name: "Stalls"}}}
		for r := range 1 + even(t, 4, "rows") {
			row := RowSpec{Name: fmt.Sprint(r)}
			mixed := even(t, 2, "mixed") == 0
			for n := range 60 + even(t, 80, "seats") {
				category := 0
				if mixed && n >= 64 {
					category = 1
				}
				row.Seats = append(row.Seats, SeatSpec{ID: fmt.Sprintf("%d-%d", r, n), Category: category, X: float64(n)})
			}
			spec.Sections[0].Rows = append(spec.Sections[0].Rows, row)
		}
		settings := defaults()
		settings.MaxSeatsPerOrder, settings.Prices = maxSeatsPerOrderMax, []int64{5_000, 3_000}
		w := newTwin(t, spec, settings)
		for range even(t, 5, "blocks") {
			seat := w.m.Plan().SeatID(int32(even(t, w.m.Plan().Seats(), "seat")))
			w.run(t0, Block{Seats: []string{seat}}, false)
		}
		quantity := func() int { return []int{1, 58, 60, 61, 62, 63, 64, 65, 66, 70, 99, 100}[even(t, 12, "quantity")] }
		category := []string{"", "I", "II"}[even(t, 3, "category")]
		w.run(t0, CreateOrder{Session: buyer, Order: theOrder, TokenExpires: t0 + 1}, false)
		for range 3 {
			w.run(t0, Reserve{Session: buyer, Order: theOrder, Want: Want{Quantity: quantity(), Category: category}}, false)
		}
		w.restart()
	})
}

// Goal: buyers who each want two next to each other all get them, down to the last pair of the hall.
func TestBestFillsAnEmptyHall(t *testing.T) {
	m := created(hall(t, "section Stalls\nA 11111111\nB 1111.1111\nsection Balcony\nC 222222"), defaults())
	for i := range m.Plan().Seats() / 2 {
		order, session := OrderID(id16(fmt.Sprint("o", i))), SessionID(id16(fmt.Sprint("s", i)))
		do(t, m, t0, CreateOrder{Session: session, Order: order, TokenExpires: t0 + 1})
		if _, res := do(t, m, t0, Reserve{Session: session, Order: order, Want: Want{Quantity: 2}}); res.Outcome != SeatsReserved {
			t.Fatalf("buyer %d: %s: %s", i, outcomeNames[res.Outcome], m.Letters(nil))
		}
	}
	if slices.Contains(m.Letters(nil), byte(SeatAvailable)) {
		t.Errorf("%s", m.Letters(nil))
	}
}

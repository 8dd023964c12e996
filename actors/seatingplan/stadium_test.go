package seatingplan

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"boxoffice/messages"
)

// Goal: a stadium of any size is a plan like others: exactly as large as asked for, every seat at a place of its own,
// the same each time. Method: several sizes, among them those with the smallest second tier, read by Parse and by the seat map.
func TestStadium(t *testing.T) {
	for _, seats := range []int{StadiumSeatsMin, 1_001, 5_136, 5_200, 7_777, 50_000, StadiumSeatsMax} {
		t.Run(fmt.Sprint(seats), func(t *testing.T) {
			input, err := Stadium(seats)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := Stadium(seats)
			if !bytes.Equal(input, again) {
				t.Error("the second is another stadium")
			}
			plan, err := Parse(input)
			if err != nil {
				t.Fatal(err)
			}
			if n := newPlan(t, plan).Seats(); n != seats {
				t.Errorf("%d seats", n)
			}
			checkStadium(t, plan)
		})
	}
}

func checkStadium(t *testing.T, plan *messages.SeatingPlan) {
	t.Helper()
	names, categories := map[string]bool{}, map[uint32]int{}
	type cell struct{ x, y int }
	near := map[cell][]*messages.SeatingPlan_Seat{}
	for _, section := range plan.GetSections() {
		if names[section.GetName()] {
			t.Errorf("two sections are %s", section.GetName())
		}
		names[section.GetName()] = true
		for _, row := range section.GetRows() {
			for i, seat := range row.GetSeats() {
				categories[seat.GetCategory()]++
				at := cell{int(seat.GetX() / seatWidth), int(seat.GetY() / seatWidth)}
				near[at] = append(near[at], seat)
				if seat.GetX() < 0 || seat.GetY() < 0 || seat.GetX() > plan.GetWidth() || seat.GetY() > plan.GetHeight() {
					t.Errorf("%s stands outside, at %v, %v", seat.GetSeatId(), seat.GetX(), seat.GetY())
				}
				// Neighbors have nothing between them: an aisle begins at half as much again.
				if i > 0 && distance(seat, row.GetSeats()[i-1]) > 1.02*seatWidth {
					t.Errorf("%s stands %v from its neighbor", seat.GetSeatId(), distance(seat, row.GetSeats()[i-1]))
				}
			}
		}
	}
	if len(categories) != len(StadiumCategories()) {
		t.Errorf("categories have seats as %v", categories)
	}
	for at, seats := range near {
		for _, seat := range seats {
			for dx := -1; dx <= 1; dx++ {
				for dy := -1; dy <= 1; dy++ {
					for _, other := range near[cell{at.x + dx, at.y + dy}] {
						if other != seat && distance(seat, other) < 0.95*seatWidth {
							t.Fatalf("%s stands %v from %s", seat.GetSeatId(), distance(seat, other), other.GetSeatId())
						}
					}
				}
			}
		}
	}
}

func distance(a, b *messages.SeatingPlan_Seat) float64 {
	return math.Hypot(a.GetX()-b.GetX(), a.GetY()-b.GetY())
}

// Goal: what is no stadium is refused. Method: one seat over and under.
func TestStadiumSize(t *testing.T) {
	for _, seats := range []int{-1, 0, StadiumSeatsMin - 1, StadiumSeatsMax + 1} {
		if _, err := Stadium(seats); err == nil {
			t.Errorf("a stadium of %d seats", seats)
		}
	}
}

package seatingplan

import (
	"fmt"
	"math"
	"strconv"
)

const (
	// StadiumSeatsMin is what still goes around a field in whole rows.
	StadiumSeatsMin = 1_000
	// StadiumSeatsMax is the largest hall that halls are tried with: its plan takes 21 MB.
	StadiumSeatsMax = 200_000
	// stadiumSeatsUnit is the ground whose measures are given below; all others are like it, larger or smaller.
	stadiumSeatsUnit = 50_000
)

// Measures in the plan's units, of which a meter has 50, so that seats stand half a meter from each other.
const (
	seatWidth  = 25.0
	rowDepth   = 40.0
	stairWidth = 60.0
	// A section is about so wide: 26 seats, of which nobody has to pass more than half.
	sectionWidth = 650.0

	fieldWidth, fieldHeight = 5250.0, 3400.0 // 105 m × 68 m
	fieldMargin             = 500.0
	cornerRadius            = 1500.0 // of the first row
	tierGap                 = 250.0
	stadiumMargin           = 200.0
)

// tierRowsMax is where a bowl gets one tier more.
const tierRowsMax = 18

var tierNames = []string{"Lower", "Middle", "Upper", "Top", "Sky", "Roof"}

// Categories of a stadium, in the sequence of the plan. The colors keep a contrast of 3 to 1 on white.
const (
	premium = iota
	sideline
	cornering
	behind
	fans
)

var stadiumCategories = []stadiumCategory{
	{"Premium", "#8e44ad"},
	{"Category 1", "#c0392b"},
	{"Category 2", "#2471a3"},
	{"Category 3", "#1e8449"},
	{"Fan stand", "#b9770e"},
}

type stadiumCategory struct{ name, color string }

// StadiumCategories are the names of the categories, each of which needs a price.
func StadiumCategories() []string {
	names := make([]string, len(stadiumCategories))
	for i, c := range stadiumCategories {
		names[i] = c.name
	}
	return names
}

// Stadium writes a bowl of exactly so many seats as pretix's seating-plan JSON, for trials: oval tiers of sections
// around a field, rows that follow the oval, five categories. The same number gives the same bytes.
func Stadium(seats int) ([]byte, error) {
	if seats < StadiumSeatsMin || seats > StadiumSeatsMax {
		return nil, fmt.Errorf("a stadium has %d to %d seats, not %d", StadiumSeatsMin, StadiumSeatsMax, seats)
	}
	b := newBowl(seats)
	b.trim(seats)
	return b.json(), nil
}

// bowl is a stadium around 0, 0, with y downwards.
type bowl struct {
	scale    float64
	rows     int
	sections []stand
}

// stand is a section: a straight piece of a side, or a sector of a corner.
type stand struct {
	name     string
	category int
	last     bool // of the tiers
	rows     [][]spot
}

type spot struct{ x, y float64 }

// newBowl has the fewest rows that are enough.
func newBowl(seats int) *bowl {
	scale := math.Sqrt(float64(seats) / stadiumSeatsUnit)
	for rows := 2; ; rows++ {
		b := &bowl{scale: scale, rows: rows}
		b.build()
		if b.seats() >= seats {
			return b
		}
	}
}

func (b *bowl) seats() int {
	n := 0
	for _, s := range b.sections {
		for _, row := range s.rows {
			n += len(row)
		}
	}
	return n
}

// build splits the rows between the tiers; the lower ones take what does not divide.
func (b *bowl) build() {
	tiers := min((b.rows+tierRowsMax-1)/tierRowsMax, len(tierNames))
	radius := cornerRadius * b.scale
	for t := range tiers {
		rows := (b.rows + tiers - 1 - t) / tiers
		b.tier(t, tiers, rows, radius)
		radius += float64(rows)*rowDepth + tierGap
	}
}

// tier goes around once, clockwise from the left end of the upper side. Numbers of sections begin at 101, 201, ….
func (b *bowl) tier(tier, tiers, rows int, radius float64) {
	long := (fieldWidth+2*fieldMargin)*b.scale - 2*cornerRadius*b.scale
	short := (fieldHeight+2*fieldMargin)*b.scale - 2*cornerRadius*b.scale
	arc := math.Pi / 2 * (radius + float64(rows)*rowDepth/2)
	number := (tier + 1) * 100
	add := func(category int, row func(radius float64) []spot) {
		number++
		s := stand{name: tierNames[tier] + " " + strconv.Itoa(number), category: category, last: tier == tiers-1}
		for r := range rows {
			s.rows = append(s.rows, row(radius+float64(r)*rowDepth))
		}
		b.sections = append(b.sections, s)
	}
	for side := range 4 {
		length, across := long, short/2
		if side%2 == 1 {
			length, across = short, long/2
		}
		pieces := max(1, int(math.Round(length/sectionWidth)))
		width := length / float64(pieces)
		for p := range pieces {
			from := -length/2 + float64(p)*width
			add(sideCategory(tier, side, math.Abs(from+width/2)/length), func(radius float64) []spot {
				return straight(side, from, width, across+radius)
			})
		}
		pieces = max(1, int(math.Round(arc/sectionWidth)))
		angle := math.Pi / 2 / float64(pieces)
		for p := range pieces {
			add(cornerCategory(tier), func(radius float64) []spot {
				return curved(side, length/2, across, float64(p)*angle, angle, radius)
			})
		}
	}
}

// sideCategory of a section whose middle is off that of its side by a part of the side's length. The main stand is the
// upper side, the fans stand behind the goal to the right.
func sideCategory(tier, side int, off float64) int {
	switch {
	case tier > 1, side == 3:
		return behind
	case side == 1 && tier == 0:
		return fans
	case side == 1:
		return cornering
	case side == 0 && tier == 0 && off <= 0.25:
		return premium
	}
	return sideline
}

func cornerCategory(tier int) int {
	if tier > 0 {
		return behind
	}
	return cornering
}

// straight is a row along a side, from where along it begins, so far from the middle of the field.
func straight(side int, from, width, away float64) []spot {
	n := int((width - stairWidth) / seatWidth)
	row := make([]spot, max(n, 1))
	first := from + width/2 - float64(len(row)-1)*seatWidth/2
	for i := range row {
		row[i] = turn(side, first+float64(i)*seatWidth, -away)
	}
	return row
}

// curved is a row in the corner behind a side, around a center at along, across; from an angle on.
func curved(side int, along, across, from, angle, radius float64) []spot {
	n := int((angle*radius - stairWidth) / seatWidth)
	row := make([]spot, max(n, 1))
	step := seatWidth / radius
	first := from + angle/2 - float64(len(row)-1)*step/2
	for i := range row {
		sin, cos := math.Sincos(first + float64(i)*step)
		row[i] = turn(side, along+radius*sin, -across-radius*cos)
	}
	return row
}

// turn takes a spot at the upper side to another, by quarters clockwise.
func turn(side int, x, y float64) spot {
	switch side {
	case 0:
		return spot{x, y}
	case 1:
		return spot{-y, x}
	case 2:
		return spot{-x, -y}
	}
	return spot{y, -x}
}

// trim takes what is too much from the last rows: less than one of them, but where these few rows more made a tier more,
// whose rows are longer.
func (b *bowl) trim(seats int) {
	for excess := b.seats() - seats; excess > 0; {
		excess -= b.shorten(excess)
	}
}

// shorten takes so many seats from the last row, or all that it has, about alike from each of its sections, and says
// how many.
func (b *bowl) shorten(by int) int {
	top := 0
	for _, s := range b.sections {
		if s.last {
			top += len(s.rows[len(s.rows)-1])
		}
	}
	keep, before, kept := max(top-by, 0), 0, 0
	for i, s := range b.sections {
		if !s.last {
			continue
		}
		row := s.rows[len(s.rows)-1]
		before += len(row)
		n := keep*before/top - kept
		kept += n
		from := (len(row) - n) / 2
		if s.rows[len(s.rows)-1] = row[from : from+n]; n == 0 {
			b.sections[i].rows = s.rows[:len(s.rows)-1]
		}
	}
	return top - keep
}

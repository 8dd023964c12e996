package seatmap

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// SeatsMax is the largest hall: a seat state byte each, and an availability answer of that many letters.
const SeatsMax = 200_000

// Limits of a plan; seats keep their category in two bytes.
const (
	categoriesMax  = 1_000
	planNameMax    = 255 // bytes of a seat id, number, row, section or category
	aisleFactor    = 1.5 // a gap over this many times the row's usual distance is an aisle
	aisleTolerance = 1e-9
)

// PlanSpec describes a hall. Seats are numbered 0… in the sequence of sections, rows and seats.
type PlanSpec struct {
	Hash       [32]byte
	Categories []CategorySpec
	Sections   []SectionSpec
}

// CategorySpec is a price level; its name is unique.
type CategorySpec struct{ Name, Color string }

// SectionSpec is a part of the hall. Two may have the same name, and are asked for together.
type SectionSpec struct {
	Name string
	Rows []RowSpec
}

// RowSpec has its seats in the sequence in which they stand.
type RowSpec struct {
	Name  string
	Seats []SeatSpec
}

// SeatSpec has a unique id, the index of its category, and a position in any unit.
type SeatSpec struct {
	ID, Number string
	Category   int
	X, Y       float64
}

// Plan is a hall, and never changes. Texts stand in one string each, with offsets, so that the garbage collector sees a
// handful of objects and not 50,000.
type Plan struct {
	hash       [32]byte
	categories []CategorySpec
	sections   []planSection
	rows       []planRow
	segments   []segment

	ids, numbers       string
	idEnds, numberEnds []uint32 // where seat i's text ends
	category           []uint16
	segmentOf          []int32
	byID               index
}

type planSection struct {
	name          string
	first, end    int32 // seats
	firstSegment  int32
	segmentsAfter int32
}

type planRow struct {
	name    string
	section int32
}

// segment is a stretch of a row without an aisle: only seats of one segment are next to each other.
type segment struct {
	first, end int32
	row        int32
	category   int32 // of all its seats, or categoryMixed
}

const (
	categoryAny   = -1
	categoryMixed = -2
)

// NewPlan checks the description and packs it. The error names the first fault.
func NewPlan(spec PlanSpec) (*Plan, error) {
	p := &Plan{hash: spec.Hash, categories: append([]CategorySpec(nil), spec.Categories...)}
	if err := p.checkCategories(); err != nil {
		return nil, err
	}
	b := planBuilder{plan: p}
	for _, section := range spec.Sections {
		if err := b.addSection(section); err != nil {
			return nil, err
		}
	}
	if len(p.idEnds) == 0 {
		return nil, errors.New("seatmap: a plan without seats")
	}
	p.ids, p.numbers = b.ids.String(), b.numbers.String()
	for i := range p.Seats() {
		id := p.SeatID(int32(i))
		if _, found := p.Index(id); found {
			return nil, fmt.Errorf("seatmap: seat id %q stands in the plan twice", id)
		}
		p.byID.add(hashText(id), uint32(i), p.hashOf)
	}
	return p, nil
}

func (p *Plan) checkCategories() error {
	if len(p.categories) > categoriesMax {
		return fmt.Errorf("seatmap: %d categories, over %d", len(p.categories), categoriesMax)
	}
	names := make(map[string]bool, len(p.categories))
	for _, c := range p.categories {
		if names[c.Name] {
			return fmt.Errorf("seatmap: category %q stands in the plan twice", c.Name)
		}
		names[c.Name] = true
	}
	return nil
}

type planBuilder struct {
	plan         *Plan
	ids, numbers strings.Builder
}

func (b *planBuilder) addSection(spec SectionSpec) error {
	p := b.plan
	if len(spec.Name) > planNameMax {
		return fmt.Errorf("seatmap: section name of %d bytes, over %d", len(spec.Name), planNameMax)
	}
	s := planSection{name: spec.Name, first: int32(p.Seats()), firstSegment: int32(len(p.segments))}
	for _, row := range spec.Rows {
		if err := b.addRow(row); err != nil {
			return fmt.Errorf("section %q: %w", spec.Name, err)
		}
	}
	s.end, s.segmentsAfter = int32(p.Seats()), int32(len(p.segments))
	p.sections = append(p.sections, s)
	return nil
}

func (b *planBuilder) addRow(row RowSpec) error {
	p := b.plan
	if len(row.Name) > planNameMax {
		return fmt.Errorf("seatmap: row name of %d bytes, over %d", len(row.Name), planNameMax)
	}
	first := p.Seats()
	if first+len(row.Seats) > SeatsMax {
		return fmt.Errorf("seatmap: over %d seats", SeatsMax)
	}
	for _, seat := range row.Seats {
		switch {
		case seat.ID == "" || len(seat.ID) > planNameMax:
			return fmt.Errorf("seatmap: row %q: seat id of %d bytes, not 1 to %d", row.Name, len(seat.ID), planNameMax)
		case len(seat.Number) > planNameMax:
			return fmt.Errorf("seatmap: seat %q: number of %d bytes, over %d", seat.ID, len(seat.Number), planNameMax)
		case seat.Category < 0 || seat.Category >= len(p.categories):
			return fmt.Errorf("seatmap: seat %q: category %d of %d", seat.ID, seat.Category, len(p.categories))
		case !finite(seat.X) || !finite(seat.Y):
			return fmt.Errorf("seatmap: seat %q: position %v, %v", seat.ID, seat.X, seat.Y)
		}
		b.ids.WriteString(seat.ID)
		b.numbers.WriteString(seat.Number)
		p.idEnds = append(p.idEnds, uint32(b.ids.Len()))
		p.numberEnds = append(p.numberEnds, uint32(b.numbers.Len()))
		p.category = append(p.category, uint16(seat.Category))
	}
	p.addSegments(int32(first), row.Seats)
	p.rows = append(p.rows, planRow{name: row.Name, section: int32(len(p.sections))})
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

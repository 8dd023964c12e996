package seatmap

import (
	"math"
	"slices"
)

// addSegments cuts a row at its aisles: where the gap to the next seat is over aisleFactor times the row's usual
// distance, the lower median of its neighbours' distances. The row is not yet in p.rows.
func (p *Plan) addSegments(first int32, seats []SeatSpec) {
	if len(seats) == 0 {
		return
	}
	gaps := make([]float64, 0, len(seats))
	for i := 1; i < len(seats); i++ {
		gaps = append(gaps, math.Hypot(seats[i].X-seats[i-1].X, seats[i].Y-seats[i-1].Y))
	}
	aisle := 0.0
	if len(gaps) > 0 {
		sorted := slices.Sorted(slices.Values(gaps))
		aisle = sorted[(len(sorted)-1)/2] * aisleFactor * (1 + aisleTolerance)
	}
	s := segment{first: first, row: int32(len(p.rows)), category: int32(seats[0].Category)}
	for i := range seats {
		if i > 0 && gaps[i-1] > aisle {
			s.end = first + int32(i)
			p.segments = append(p.segments, s)
			s.first, s.category = s.end, int32(seats[i].Category)
		}
		if int32(seats[i].Category) != s.category {
			s.category = categoryMixed
		}
		p.segmentOf = append(p.segmentOf, int32(len(p.segments)))
	}
	s.end = first + int32(len(seats))
	p.segments = append(p.segments, s)
}

// Seats is how many there are.
func (p *Plan) Seats() int { return len(p.idEnds) }

// Hash is the description's, as it was given.
func (p *Plan) Hash() [32]byte { return p.hash }

// SeatID is the id of seat i.
func (p *Plan) SeatID(i int32) string { return textAt(p.ids, p.idEnds, i) }

// Number is what is written on seat i.
func (p *Plan) Number(i int32) string { return textAt(p.numbers, p.numberEnds, i) }

func textAt(texts string, ends []uint32, i int32) string {
	if i == 0 {
		return texts[:ends[0]]
	}
	return texts[ends[i-1]:ends[i]]
}

// Index finds a seat by its id.
func (p *Plan) Index(id string) (int32, bool) {
	h := hashText(id)
	for at := p.byID.start(h); ; at = p.byID.next(at) {
		i, ok := p.byID.get(at)
		if !ok {
			return 0, false
		}
		if p.SeatID(int32(i)) == id {
			return int32(i), true
		}
	}
}

func (p *Plan) hashOf(i uint32) uint64 { return hashText(p.SeatID(int32(i))) }

func (p *Plan) rowOf(i int32) *planRow { return &p.rows[p.segments[p.segmentOf[i]].row] }

// Row is the name of seat i's row.
func (p *Plan) Row(i int32) string { return p.rowOf(i).name }

// Section is the name of seat i's section.
func (p *Plan) Section(i int32) string { return p.sections[p.rowOf(i).section].name }

// Category is the index of seat i's category.
func (p *Plan) Category(i int32) int { return int(p.category[i]) }

// Categories are all there are; read only.
func (p *Plan) Categories() []CategorySpec { return p.categories }

// Sections are the names of all there are.
func (p *Plan) Sections() []string {
	names := make([]string, len(p.sections))
	for i := range p.sections {
		names[i] = p.sections[i].name
	}
	return names
}

// SectionRange is where the section's seats begin, and the first seat after them.
func (p *Plan) SectionRange(section int) (first, end int32) {
	return p.sections[section].first, p.sections[section].end
}

func (p *Plan) categoryByName(name string) (int32, bool) {
	for i := range p.categories {
		if p.categories[i].Name == name {
			return int32(i), true
		}
	}
	return 0, false
}

func (p *Plan) hasSection(name string) bool {
	return slices.ContainsFunc(p.sections, func(s planSection) bool { return s.name == name })
}

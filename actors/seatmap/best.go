package seatmap

import (
	"math"
	"slices"
)

// pick is a Want that has been looked up in the plan: named seats, or quantity next to each other.
type pick struct {
	seats    []int32
	quantity int
	category int32  // or categoryAny
	section  string // empty: any
}

// runsExactMax is the longest run whose length m.runs tells exactly.
const runsExactMax = 63

// recount brings the segment's runs up to date after one of its seats has changed.
func (m *Map) recount(s int32) {
	var runs uint64
	run := 0
	for _, seat := range m.seats[m.plan.segments[s].first:m.plan.segments[s].end] {
		if seat == byte(SeatAvailable) {
			run++
			continue
		}
		runs |= runBit(run)
		run = 0
	}
	m.runs[s] = runs | runBit(run)
}

func runBit(length int) uint64 {
	if length == 0 {
		return 0
	}
	return 1 << (min(length, runsExactMax+1) - 1)
}

// best finds the seats for a pick by quantity: next to each other in one segment, available or own. First come those
// that leave no single orphan seat, among them those of the lowest index; nil where nothing fits.
//
// Within a run of L available seats, q at its left end leave no orphan unless L is q+1, and then no others do either:
// the runs' lengths alone tell which segments are worth a look.
func (m *Map) best(p pick, own []int32) []int32 {
	search := search{m: m, pick: p, own: own, ownSegments: m.segmentsOf(own), orphaning: -1}
	for i := range m.plan.sections {
		section := &m.plan.sections[i]
		if p.section != "" && p.section != section.name {
			continue
		}
		if first := search.section(section.firstSegment, section.segmentsAfter); first >= 0 {
			return stretch(first, p.quantity)
		}
	}
	if search.orphaning < 0 {
		return nil
	}
	return stretch(search.orphaning, p.quantity)
}

// search is one walk over the segments in the plan's sequence.
type search struct {
	m *Map
	pick
	own         []int32
	ownSegments []int32 // those not yet passed
	orphaning   int32   // the first fit that leaves an orphan, -1: none so far
}

// section looks at some segments for a fit that leaves no orphan; -1: there is none. The runs dismiss almost all of
// them, at about a nanosecond each.
func (s *search) section(from, to int32) int32 {
	q, runs := s.quantity, s.m.runs
	least := uint64(1) << (min(q, runsExactMax+1) - 1) // runs of q seats or more are at least this
	for i := from; i < to; i++ {
		for s.ownSegments[0] < i {
			s.ownSegments = s.ownSegments[1:]
		}
		if s.ownSegments[0] != i { // else the runs do not know that its own seats count as available
			if runs[i] < least {
				continue
			}
			if s.orphaning >= 0 && s.exact(i) && runs[i]&^(1<<q) < least {
				continue
			}
		}
		if category := s.m.plan.segments[i].category; s.category != categoryAny && category >= 0 && category != s.category {
			continue
		}
		clean, lowest := s.m.fit(i, s.pick, s.own)
		if clean >= 0 {
			return clean
		}
		if s.orphaning < 0 {
			s.orphaning = lowest
		}
	}
	return -1
}

// exact: the segment's runs tell all about fits in it.
func (s *search) exact(segment int32) bool {
	return s.quantity < runsExactMax && (s.category == categoryAny || s.m.plan.segments[segment].category != categoryMixed)
}

// fit looks seat by seat for the lowest fit that leaves no orphan, and for the lowest that fits at all; -1: none.
func (m *Map) fit(s int32, p pick, own []int32) (clean, lowest int32) {
	first, end := m.plan.segments[s].first, m.plan.segments[s].end
	q := int32(p.quantity)
	lowest = -1
	for from := first; from < end; from++ {
		to := from // the run is [from, to)
		for to < end && m.isFree(to, own) {
			to++
		}
		fitting := int32(0) // how many seats before and with i are of the category
		for i := from; i < to; i++ {
			fitting++
			if p.category != categoryAny && int32(m.plan.category[i]) != p.category {
				fitting = 0
			}
			start := i - q + 1
			if fitting < q || start < from {
				continue
			}
			if lowest < 0 {
				lowest = start
			}
			if start-from != 1 && to-i-1 != 1 {
				return start, lowest
			}
		}
		from = to
	}
	return -1, lowest
}

func (m *Map) isFree(i int32, own []int32) bool {
	return m.seats[i] == byte(SeatAvailable) || m.seats[i] == byte(SeatHeld) && slices.Contains(own, i)
}

// segmentsOf lists the seats' segments in ascending order, with one after all others at the end.
func (m *Map) segmentsOf(seats []int32) []int32 {
	if len(seats) == 0 {
		return noSegments
	}
	segments := make([]int32, 0, len(seats)+1)
	for _, i := range seats {
		segments = append(segments, m.plan.segmentOf[i])
	}
	slices.Sort(segments)
	return append(segments, math.MaxInt32)
}

var noSegments = []int32{math.MaxInt32}

func stretch(first int32, quantity int) []int32 {
	seats := make([]int32, quantity)
	for i := range seats {
		seats[i] = first + int32(i)
	}
	return seats
}

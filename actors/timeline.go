package actors

import (
	"bytes"
	"container/heap"
	"iter"

	"boxoffice/actors/seatmap"
)

// timeline is a heap of moments at which something is to be done for an order. Entries are never removed before their
// time: whoever takes one checks whether it still counts. Ties are taken in the sequence of order ids, so that a run
// can be repeated.
type timeline struct{ entries moments }

type moment struct {
	at    seatmap.Time
	order seatmap.OrderID
}

func (t *timeline) add(at seatmap.Time, id seatmap.OrderID) { heap.Push(&t.entries, moment{at, id}) }

// next moment, 0 if there is none.
func (t *timeline) next() seatmap.Time {
	if len(t.entries) == 0 {
		return 0
	}
	return t.entries[0].at
}

// due takes out the moments up to now, earliest first.
func (t *timeline) due(now seatmap.Time) iter.Seq2[seatmap.OrderID, seatmap.Time] {
	return func(yield func(seatmap.OrderID, seatmap.Time) bool) {
		for len(t.entries) > 0 && t.entries[0].at <= now {
			m := heap.Pop(&t.entries).(moment)
			if !yield(m.order, m.at) {
				return
			}
		}
	}
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	if m[i].at != m[j].at {
		return m[i].at < m[j].at
	}
	return bytes.Compare(m[i].order[:], m[j].order[:]) < 0
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)   { *m = append(*m, x.(moment)) }
func (m *moments) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}

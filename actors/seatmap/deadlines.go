package seatmap

import (
	"cmp"
	"slices"
)

// deadlines is a queue of what falls due, nearest first. Holds of one TTL come in the order in which they fall due, so
// that a push is an append and a pop a step forward: a few nanoseconds where a heap takes hundreds.
//
//  1. Each ring is sorted. A due goes to the ring whose last one is nearest before it, so that a changed TTL or tokens
//     a little out of order just use another ring; what fits none goes to the heap.
//  2. A due is never taken out early: its owner tells by live whether it still counts (lazy deletion). After trim the
//     first of each ring and of the heap counts, and not many more are dead than alive.
type deadlines struct {
	rings [deadlineRings]fifo[due]
	lasts [deadlineRings]due // the last of each ring that is not empty
	heap  []due
}

// due says that slot falls due at; turn orders those that fall due together, and tells a stale due from a live one.
type due struct {
	at   Time
	turn uint64
	slot uint32
}

const (
	deadlineRings   = 4
	deadlinesSpared = 1024 // dead dues that are not worth a sweep
)

func compareDue(a, b due) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.turn, b.turn))
}

func (d *due) before(e *due) bool { return d.at < e.at || d.at == e.at && d.turn < e.turn }

func (d *deadlines) push(x due) {
	best, empty := -1, -1
	for i := range d.lasts {
		last := &d.lasts[i]
		if d.rings[i].len() == 0 {
			empty = i
		} else if !x.before(last) && (best < 0 || last.at > d.lasts[best].at) {
			best = i
		}
	}
	if best < 0 {
		best = empty
	}
	if best < 0 {
		d.heap = append(d.heap, x)
		d.up(len(d.heap) - 1)
		return
	}
	d.rings[best].push(x)
	d.lasts[best] = x
}

// peek gives the nearest; trim has been called since the last change.
func (d *deadlines) peek() (due, bool) {
	_, nearest, ok := d.nearest()
	return nearest, ok
}

// nearest finds the nearest due and its ring, or -1 for the heap.
func (d *deadlines) nearest() (ring int, nearest due, ok bool) {
	ring = -1
	if len(d.heap) > 0 {
		nearest, ok = d.heap[0], true
	}
	for i := range d.rings {
		r := &d.rings[i]
		if r.len() > 0 {
			if x := r.at(r.head); !ok || x.before(&nearest) {
				ring, nearest, ok = i, *x, true
			}
		}
	}
	return ring, nearest, ok
}

// pop takes the nearest out.
func (d *deadlines) pop() due {
	ring, nearest, ok := d.nearest()
	if !ok {
		panic("seatmap: deadlines: pop of nothing")
	}
	if ring < 0 {
		d.popHeap()
	} else {
		d.rings[ring].pop()
	}
	return nearest
}

// trim drops the dead from the front, and everywhere once they outnumber the alive.
func (d *deadlines) trim(alive int, live func(due) bool) {
	total := len(d.heap)
	for i := range d.rings {
		r := &d.rings[i]
		for r.len() > 0 && !live(*r.at(r.head)) {
			r.pop()
		}
		total += r.len()
	}
	for len(d.heap) > 0 && !live(d.heap[0]) {
		d.popHeap()
	}
	if total > 2*alive+deadlinesSpared {
		d.sweep(live)
	}
}

func (d *deadlines) sweep(live func(due) bool) {
	for i := range d.rings {
		var kept fifo[due]
		r := &d.rings[i]
		for p := r.head; p < r.tail; p++ {
			if live(*r.at(p)) {
				kept.push(*r.at(p))
				d.lasts[i] = *r.at(p)
			}
		}
		*r = kept
	}
	d.heap = slices.Clip(slices.DeleteFunc(d.heap, func(x due) bool { return !live(x) }))
	slices.SortFunc(d.heap, compareDue) // a sorted slice is a heap
}

// until appends the live dues up to now, nearest first, at most limit of them, and changes nothing.
func (d *deadlines) until(now Time, limit int, live func(due) bool, buf []due) []due {
	given := len(buf)
	for i := range d.rings {
		r := &d.rings[i]
		found := 0
		for p := r.head; p < r.tail && found < limit && r.at(p).at <= now; p++ {
			if live(*r.at(p)) {
				buf = append(buf, *r.at(p))
				found++
			}
		}
	}
	buf = d.heapUntil(0, now, live, buf)
	slices.SortFunc(buf[given:], compareDue)
	return buf[:min(len(buf), given+limit)]
}

// heapUntil goes down from i as far as anything is due: below what is not due, nothing is.
func (d *deadlines) heapUntil(i int, now Time, live func(due) bool, buf []due) []due {
	if i >= len(d.heap) || d.heap[i].at > now {
		return buf
	}
	if live(d.heap[i]) {
		buf = append(buf, d.heap[i])
	}
	buf = d.heapUntil(2*i+1, now, live, buf)
	return d.heapUntil(2*i+2, now, live, buf)
}

func (d *deadlines) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !d.heap[i].before(&d.heap[parent]) {
			return
		}
		d.heap[i], d.heap[parent] = d.heap[parent], d.heap[i]
		i = parent
	}
}

func (d *deadlines) popHeap() {
	last := len(d.heap) - 1
	d.heap[0] = d.heap[last]
	d.heap = d.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return
		}
		if child+1 < last && d.heap[child+1].before(&d.heap[child]) {
			child++
		}
		if !d.heap[child].before(&d.heap[i]) {
			return
		}
		d.heap[i], d.heap[child] = d.heap[child], d.heap[i]
		i = child
	}
}

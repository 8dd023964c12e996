package seatmap

// chunkLen is how many items stand in one piece of memory: growing copies nothing and wastes less than one chunk.
const chunkLen = 128

// slab keeps items in numbered slots that stay where they are until they are freed.
type slab[T any] struct {
	chunks []*[chunkLen]T
	free   []uint32
	end    uint32 // slots handed out so far
}

func (s *slab[T]) at(slot uint32) *T { return &s.chunks[slot/chunkLen][slot%chunkLen] }

func (s *slab[T]) len() int { return int(s.end) - len(s.free) }

func (s *slab[T]) add(item T) uint32 {
	slot := s.end
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		if s.end%chunkLen == 0 {
			s.chunks = append(s.chunks, new([chunkLen]T))
		}
		s.end++
	}
	*s.at(slot) = item
	return slot
}

// remove frees the slot; what it holds becomes the zero item, by which a scan knows it.
func (s *slab[T]) remove(slot uint32) {
	*s.at(slot) = *new(T)
	s.free = append(s.free, slot)
}

// fifo is a queue whose items can be read by their position, counted from the first item it ever had.
type fifo[T any] struct {
	chunks     []*[chunkLen]T
	spare      *[chunkLen]T
	base       uint64 // position of chunks[0][0]
	head, tail uint64 // positions: head <= p < tail
}

func (q *fifo[T]) len() int { return int(q.tail - q.head) }

func (q *fifo[T]) at(position uint64) *T {
	p := position - q.base
	return &q.chunks[p/chunkLen][p%chunkLen]
}

func (q *fifo[T]) push(item T) uint64 {
	if q.tail-q.base == uint64(len(q.chunks))*chunkLen {
		chunk := q.spare
		if chunk == nil {
			chunk = new([chunkLen]T)
		}
		q.spare = nil
		q.chunks = append(q.chunks, chunk)
	}
	position := q.tail
	q.tail++
	*q.at(position) = item
	return position
}

func (q *fifo[T]) pop() T {
	item := *q.at(q.head)
	*q.at(q.head) = *new(T)
	q.head++
	if q.head-q.base == chunkLen {
		q.spare, q.chunks[0] = q.chunks[0], nil
		q.chunks = q.chunks[1:]
		q.base += chunkLen
	}
	return item
}

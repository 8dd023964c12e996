package watch

// list keeps sessions in the sequence of when something was last done for them. A session is in one list of a kind at
// most.
type list struct {
	kind        kind
	first, last *Session
}

// kind of what is done.
type kind uint8

const (
	tellings kind = iota
	readings
	kinds
)

// links are a session's neighbours in a list.
type links struct{ before, after *Session }

func (l *list) push(s *Session) {
	s.links[l.kind] = links{before: l.last}
	if l.last == nil {
		l.first = s
	} else {
		l.last.links[l.kind].after = s
	}
	l.last = s
}

func (l *list) remove(s *Session) {
	at := s.links[l.kind]
	if at.before == nil {
		l.first = at.after
	} else {
		at.before.links[l.kind].after = at.after
	}
	if at.after == nil {
		l.last = at.before
	} else {
		at.after.links[l.kind].before = at.before
	}
	s.links[l.kind] = links{}
}

// heap has the session of the lowest rank in front: container/heap without its interfaces, as 50,000 come at once. A
// session is in one heap at most.
type heap []*Session

func (h *heap) push(s *Session) {
	*h = append(*h, s)
	s.at = len(*h) - 1
	h.up(s.at)
}

func (h *heap) remove(s *Session) {
	items, at := *h, s.at
	end := len(items) - 1
	items[at] = items[end]
	items[at].at = at
	items[end] = nil
	*h = items[:end]
	if at < end {
		h.down(at)
		h.up(at)
	}
}

func (h *heap) up(i int) {
	items := *h
	for i > 0 {
		parent := (i - 1) / 2
		if items[parent].rank <= items[i].rank {
			return
		}
		items.swap(i, parent)
		i = parent
	}
}

func (h *heap) down(i int) {
	items := *h
	for {
		child := 2*i + 1
		if child >= len(items) {
			return
		}
		if child+1 < len(items) && items[child+1].rank < items[child].rank {
			child++
		}
		if items[i].rank <= items[child].rank {
			return
		}
		items.swap(i, child)
		i = child
	}
}

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

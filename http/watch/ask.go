package watch

import (
	"bytes"
	"context"
	"slices"
	"time"

	"boxoffice/messages"
)

const (
	// visitsMax is how many sessions are read at once.
	visitsMax = 500
	// firstLookAfter has who has begun to wait read once more: what was said of them between the read that they came with
	// and their coming went by. lookAgainAfter is for what was lost, such as that they left on another node.
	firstLookAfter = time.Second
	lookAgainAfter = 45 * time.Second
)

// pick chooses who is to be read: who waits no more, whose time is over, who was not read for long.
func (r *room) pick(now time.Time) {
	for len(r.waiting) > 0 && r.waiting[0].rank <= r.now.head {
		r.question(r.waiting[0])
	}
	for clock := uint64(r.hub.Now().UnixMilli()); len(r.actives) > 0 && r.actives[0].rank <= clock; {
		r.question(r.actives[0])
	}
	if len(r.later) > 0 && !now.Before(r.laterAt) {
		for _, w := range r.later {
			r.enqueue(w)
		}
		r.later = nil
	}
	if now.Before(r.pausedUntil) {
		return
	}
	r.pickWaiting(now)
	if now.Before(r.reReadAt) {
		return
	}
	for range visitsMax {
		w := r.read.first
		if w == nil || now.Sub(w.read) < reReadEvery {
			return
		}
		r.read.remove(w)
		r.read.push(w)
		w.read = now
		r.enqueue(w)
	}
	r.reReadAt = now.Add(reReadPause)
}

// pickWaiting chooses some of those who wait and were not read for long.
func (r *room) pickWaiting(now time.Time) {
	if r.unread(now) == nil || now.Before(r.lookAt) {
		return
	}
	granted, wait := r.hub.waiters.take(chunk, now)
	r.lookAt = now.Add(wait)
	for range granted {
		w := r.unread(now)
		if w == nil {
			return
		}
		if w.fresh {
			r.fresh.remove(w)
		} else {
			r.looked.remove(w)
		}
		w.fresh, w.read = false, now
		r.looked.push(w)
		r.enqueue(w)
	}
}

// unread is who waits and is to be read; nil: nobody.
func (r *room) unread(now time.Time) *Session {
	if w := r.fresh.first; w != nil && now.Sub(w.read) >= firstLookAfter {
		return w
	}
	if w := r.looked.first; w != nil && now.Sub(w.read) >= lookAgainAfter {
		return w
	}
	return nil
}

// question takes a session out of its place until it is known what became of it.
func (r *room) question(w *Session) {
	r.unkeep(w)
	w.where = asked
	r.enqueue(w)
}

func (r *room) enqueue(w *Session) {
	if !w.asking && w.where != nowhere {
		w.asking = true
		r.next = append(r.next, w)
	}
}

// ask reads a batch of those whose turn it is and tells them; more: there are others. Where that fails, they stay.
func (r *room) ask(now time.Time) (more bool) {
	if len(r.next) == 0 || now.Before(r.pausedUntil) {
		return false
	}
	n := min(len(r.next), visitsMax)
	ids := make([][16]byte, 0, n)
	for _, w := range r.next[:n] {
		if w.where != nowhere {
			ids = append(ids, w.session.SessionID)
		}
	}
	found, err := r.visits(ids)
	if err != nil {
		r.pausedUntil = time.Now().Add(readPause)
		return false
	}
	batch := r.next[:n]
	if r.next = r.next[n:]; len(r.next) == 0 {
		r.next = nil
	}
	for _, w := range batch {
		if w.asking = false; w.where == nowhere {
			continue
		}
		s, ok := found[w.session.SessionID]
		if !ok {
			s, s.Status = w.session, messages.SessionExpired
		}
		r.show(w, r.hub.AsOfNow(s))
	}
	return len(r.next) > 0
}

func (r *room) visits(ids [][16]byte) (map[[16]byte]messages.Session, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// Several streams may look at one session.
	slices.SortFunc(ids, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	select {
	case r.hub.reads <- struct{}{}:
		defer func() { <-r.hub.reads }()
	case <-r.hub.ctx.Done():
		return nil, r.hub.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(r.hub.ctx, readTimeMax)
	defer cancel()
	sessions, err := r.hub.Sessions.Visits(ctx, r.eventID, ids)
	if r.hub.visitReads.note(r.hub, err); err != nil {
		return nil, err
	}
	found := make(map[[16]byte]messages.Session, len(sessions))
	for _, s := range sessions {
		found[s.SessionID] = s
	}
	return found, nil
}

// show tells what became of a session.
func (r *room) show(w *Session, s messages.Session) {
	now := time.Now()
	// Whose buyer has not shown up in time may be showing up: what was read is from before that was committed.
	doubtful := s.Status == messages.SessionExpired && s.ActiveUntil > r.hub.Now().UnixMilli()
	if doubtful && !w.doubted {
		w.doubted = true
		r.askLater(w, now)
		return
	}
	w.doubted = false
	switch s.Status {
	case messages.SessionActive:
		if s.ActiveUntil != w.until {
			w.tell(s)
			r.unkeep(w)
		}
		if w.where != active {
			r.keepActive(w, now)
		}
	case messages.SessionWaiting:
		switch {
		case w.where == inLine:
		case w.session.Place > r.now.head && w.until == 0:
			r.keepWaiting(w)
		default:
			// The head is past it, yet it waits: what was read is older than what was heard.
			r.askLater(w, now)
		}
	case messages.SessionCompleted, messages.SessionExpired, messages.SessionLeft:
		r.unkeep(w)
		w.end(s)
	}
}

func (r *room) askLater(w *Session, now time.Time) {
	if len(r.later) == 0 {
		r.laterAt = now.Add(readPause)
	}
	r.later = append(r.later, w)
}

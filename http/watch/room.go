package watch

import (
	"sync"
	"time"

	"boxoffice/messages"
)

const (
	// toldEvery is how often a position is told at most.
	toldEvery = time.Second
	// reReadEvery is how long an end that others have made, as by the last order, may go unnoticed.
	reReadEvery = 2 * time.Second
	// reReadPause between two batches of them bounds what they cost where very many are active.
	reReadPause = 200 * time.Millisecond
	// restMax is how long a room sleeps where nothing is due.
	restMax = time.Minute
	// looksMax is how many sessions may be pointed out between two steps; more are found later.
	looksMax = 10_000
)

// room is an event whose waiting room is watched. Its loop ends when nobody watches any more.
type room struct {
	hub     *Hub
	eventID string
	// count of the sessions that have entered and not left, under the hub's lock.
	count int
	// wake holds one.
	wake chan struct{}

	mu      sync.Mutex
	line    progress
	arrived []*Session
	left    []*Session
	looks   [][16]byte

	// What follows is the loop's own.
	now  progress
	byID map[[16]byte]*Session
	// waiting by place, and by when they were told: all of told were looked at by the line as it is now once its first
	// was, and behind are those that were told less and are not in sequence; and by when they were read: fresh are those
	// that were not since they came, looked the others. Actives by their end, and by when they were read.
	waiting, actives    heap
	told, behind        list
	fresh, looked, read list
	// next are to be read now, later after a pause.
	next, later []*Session
	// pausedUntil: reads fail. The others are when their turn comes again: of later, of actives and of those who wait to be
	// read, and of positions to be told.
	pausedUntil, laterAt, reReadAt, lookAt, toldAt time.Time
	frames                                         slab
}

func newRoom(h *Hub, eventID string) *room {
	return &room{
		hub: h, eventID: eventID, wake: make(chan struct{}, 1), byID: map[[16]byte]*Session{},
		fresh: list{kind: readings}, looked: list{kind: readings}, read: list{kind: readings},
	}
}

// learn takes progress; see progress.learn.
func (r *room) learn(p *messages.Progress, read time.Time) {
	r.mu.Lock()
	changed := r.line.learn(p, read)
	r.mu.Unlock()
	if changed {
		r.rouse()
	}
}

func (r *room) standing() progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.line
}

func (r *room) arrive(w *Session) {
	r.mu.Lock()
	r.arrived = append(r.arrived, w)
	r.mu.Unlock()
	r.rouse()
}

func (r *room) depart(w *Session) {
	r.mu.Lock()
	r.left = append(r.left, w)
	r.mu.Unlock()
	r.rouse()
}

func (r *room) pointOut(id [16]byte) {
	r.mu.Lock()
	if len(r.looks) < looksMax {
		r.looks = append(r.looks, id)
	}
	r.mu.Unlock()
	r.rouse()
}

func (r *room) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *room) run() {
	timer := time.NewTimer(restMax)
	defer timer.Stop()
	for {
		select {
		case <-r.hub.ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		for busy := true; busy; {
			if r.hub.ctx.Err() != nil || r.takeIn() {
				return
			}
			now := time.Now()
			r.pick(now)
			busy = r.ask(now)
			busy = r.tellPositions(now) || busy
		}
		timer.Reset(r.rest(time.Now()))
	}
}

// takeIn takes what others have left here; over: nobody watches any more.
func (r *room) takeIn() (over bool) {
	r.mu.Lock()
	arrived, left, looks := r.arrived, r.left, r.looks
	r.arrived, r.left, r.looks = nil, nil, nil
	r.now = r.line
	r.mu.Unlock()
	for _, w := range arrived {
		r.admit(w)
	}
	for _, w := range left {
		r.forget(w)
	}
	for _, id := range looks {
		for w := r.byID[id]; w != nil; w = w.twin {
			r.enqueue(w)
		}
	}
	return len(left) > 0 && r.hub.leave(r, len(left))
}

// admit keeps a session that has been told how it stands.
func (r *room) admit(w *Session) {
	if w.until != 0 {
		r.keepActive(w, time.Now())
	} else {
		r.keepWaiting(w)
	}
	id := w.session.SessionID
	w.twin = r.byID[id]
	r.byID[id] = w
}

func (r *room) keepWaiting(w *Session) {
	w.where, w.rank = inLine, w.session.Place
	r.waiting.push(w)
	w.fresh, w.read = true, time.Now()
	r.fresh.push(w)
	position, eta := r.now.position(w.rank)
	if w.behind = position != w.position || eta != w.eta; w.behind {
		r.behind.push(w)
		return
	}
	w.version = r.now.version
	r.told.push(w)
}

func (r *room) keepActive(w *Session, now time.Time) {
	w.where, w.rank, w.read = active, uint64(max(w.until, 0)), now
	r.actives.push(w)
	r.read.push(w)
}

// unkeep takes a session from where it is kept.
func (r *room) unkeep(w *Session) {
	switch w.where {
	case inLine:
		r.waiting.remove(w)
		if w.behind {
			r.behind.remove(w)
		} else {
			r.told.remove(w)
		}
		if w.fresh {
			r.fresh.remove(w)
		} else {
			r.looked.remove(w)
		}
	case active:
		r.actives.remove(w)
		r.read.remove(w)
	case nowhere, asked:
	}
	w.where = nowhere
}

// forget a session for good, also one that is among those to be read.
func (r *room) forget(w *Session) {
	r.unkeep(w)
	id := w.session.SessionID
	if r.byID[id] == w {
		if r.byID[id] = w.twin; w.twin == nil {
			delete(r.byID, id)
		}
		return
	}
	for other := r.byID[id]; other != nil; other = other.twin {
		if other.twin == w {
			other.twin = w.twin
		}
	}
}

// due is whose turn it is to be told; nil: nobody's.
func (r *room) due(now time.Time) *Session {
	if w := r.behind.first; w != nil && now.Sub(w.seen) >= toldEvery {
		return w
	}
	if w := r.told.first; w != nil && w.version != r.now.version && now.Sub(w.seen) >= toldEvery {
		return w
	}
	return nil
}

// tellPositions tells a chunk of those whose turn it is; more: there are others.
func (r *room) tellPositions(now time.Time) (more bool) {
	if r.due(now) == nil || now.Before(r.toldAt) {
		return false
	}
	granted, wait := r.hub.frames.take(chunk, now)
	if granted == 0 {
		r.toldAt = now.Add(wait)
		return false
	}
	for range granted {
		w := r.due(now)
		if w == nil {
			return false
		}
		if w.behind {
			r.behind.remove(w)
		} else {
			r.told.remove(w)
		}
		w.behind = false
		r.told.push(w)
		r.tellPosition(w, now)
	}
	return r.due(now) != nil
}

func (r *room) tellPosition(w *Session, now time.Time) {
	position, eta := r.now.position(w.rank)
	w.version = r.now.version
	if position == w.position && eta == w.eta {
		return
	}
	w.position, w.eta, w.seen = position, eta, now
	w.events++
	w.out.Send(r.frames.position(w.events, position, eta))
}

// rest is how long nothing is due.
func (r *room) rest(now time.Time) time.Duration {
	rest := restMax
	until := func(at time.Time) { rest = min(rest, at.Sub(now)) }
	if w := r.behind.first; w != nil {
		until(later(w.seen.Add(toldEvery), r.toldAt))
	}
	if w := r.told.first; w != nil && w.version != r.now.version {
		until(later(w.seen.Add(toldEvery), r.toldAt))
	}
	if len(r.next) > 0 {
		until(r.pausedUntil)
	}
	if len(r.later) > 0 {
		until(later(r.laterAt, r.pausedUntil))
	}
	if w := r.read.first; w != nil {
		until(later(w.read.Add(reReadEvery), later(r.reReadAt, r.pausedUntil)))
	}
	if w := r.fresh.first; w != nil {
		until(later(w.read.Add(firstLookAfter), later(r.lookAt, r.pausedUntil)))
	}
	if w := r.looked.first; w != nil {
		until(later(w.read.Add(lookAgainAfter), later(r.lookAt, r.pausedUntil)))
	}
	if len(r.actives) > 0 {
		ms := int64(r.actives[0].rank) - r.hub.Now().UnixMilli()
		rest = min(rest, time.Duration(min(ms, restMax.Milliseconds()))*time.Millisecond)
	}
	return max(rest, time.Millisecond)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

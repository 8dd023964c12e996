package watch

import (
	"time"

	"boxoffice/messages"
)

// where a watched session is kept.
type where uint8

const (
	// nowhere: not yet there, or no more.
	nowhere where = iota
	// inLine: it waits; rank is its place.
	inLine
	// active: rank is when it ends, in milliseconds since the Unix epoch.
	active
	// asked: what became of it is being read.
	asked
)

// Session is one stream's look at a session. Its room's loop owns it once it has arrived there.
type Session struct {
	hub     *Hub
	session messages.Session
	out     Stream
	events  uint32

	// room is nil where there was nothing to wait for.
	room *room

	// Of the room's loop.
	where where
	// asking: it is among those to be read next. behind and fresh: it is in the list of this name. doubted: what was read
	// last is not believed yet.
	asking, behind, fresh, doubted bool

	links [kinds]links
	// twin is another stream's look at the same session.
	twin *Session
	at   int
	rank uint64
	// until is shown as activeUntil; 0: no token was shown yet.
	until int64
	// position and eta as shown last, and version of the progress that they were looked at by, at.
	position uint64
	eta      int64
	version  uint64
	seen     time.Time
	// read is when it was last read.
	read time.Time
}

// Watch prepares a look at a session that was just read. Give Closed to its stream, then call Open.
func (h *Hub) Watch(s messages.Session) *Session {
	return &Session{hub: h, session: h.AsOfNow(s)}
}

// AsOfNow does not believe in a token whose time is over, whatever the clock of the store says.
func (h *Hub) AsOfNow(s messages.Session) messages.Session {
	if s.Status == messages.SessionActive && s.ActiveUntil <= h.Now().UnixMilli() {
		s.Status = messages.SessionExpired
	}
	return s
}

// Open tells the stream how the session stands, and goes on telling it. A session that has ended ends its stream.
func (w *Session) Open(out Stream) {
	w.out = out
	read := time.Now()
	switch w.session.Status {
	case messages.SessionWaiting, messages.SessionActive:
	case messages.SessionCompleted, messages.SessionExpired, messages.SessionLeft:
		w.end(w.session)
		return
	}
	r := w.hub.enter(w.session.EventID)
	if r == nil {
		return
	}
	w.room = r
	if w.session.Status == messages.SessionActive {
		w.tell(w.session)
	} else {
		w.greet(r, read)
	}
	r.arrive(w)
}

// Closed says that the stream has ended: once, after Open has returned. It does not block.
func (w *Session) Closed() {
	if w.room != nil {
		w.room.depart(w)
	}
}

// greet shows the first position. Whoever is behind the line's head by now is next, as far as we can say.
func (w *Session) greet(r *room, read time.Time) {
	s := w.session
	if s.Position > 0 {
		r.learn(&messages.Progress{Head: s.Place - min(s.Place, s.Position), PerSecond: s.PerSecond, OnSale: true}, read)
	}
	line := r.standing()
	w.position, w.eta = line.position(s.Place)
	w.version, w.seen = line.version, read
	var own slab
	w.events++
	w.out.Send(own.position(w.events, w.position, w.eta))
}

// tell shows the token.
func (w *Session) tell(s messages.Session) {
	w.events++
	w.until = s.ActiveUntil
	w.out.Send(appendEvent(nil, eventActive, w.events, w.hub.AppendActive(nil, s)))
}

// end says how the session ended, which is the last that is said.
func (w *Session) end(s messages.Session) {
	w.events++
	w.out.End(appendEvent([]byte(retryLong), eventEnded, w.events, w.hub.AppendEnded(nil, s)))
}

// enter brings the event's room, which stays until who entered has left it; nil where the hub is closed.
func (h *Hub) enter(eventID string) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	r := h.rooms[eventID]
	if r == nil {
		r = newRoom(h, eventID)
		h.rooms[eventID] = r
		h.attend(eventID)
		h.wg.Go(r.run)
	}
	r.count++
	return r
}

// leave is true where the room is empty after n have left it: then it is no more.
func (h *Hub) leave(r *room, n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.count -= n; r.count > 0 {
		return false
	}
	delete(h.rooms, r.eventID)
	h.abandon(r.eventID)
	return true
}

package hall

import (
	"bytes"
	"slices"
	"time"
)

const (
	// tellEvery is how often streams are told at most. What comes after a pause is told at once.
	tellEvery = 100 * time.Millisecond
	// deltaSeatsMax seats are told as a delta, which fits a stream's queue. Where more have moved in a tick, as by a block of
	// whole sections, a snapshot is shorter in most halls.
	deltaSeatsMax = 5_000
	// leadsMax is how many versions' ways to what is told now are kept for those who come; others are encoded each time.
	leadsMax = 16
)

// teller tells a hall's streams what moves, as long as there is one. All streams in its list have been told of the version
// told; what it keeps is its own goroutine's.
type teller struct {
	h    *Hall
	told uint64
	// next is when what moves may be told again.
	next time.Time
	// streams in no sequence. waiting have arrived and were told nothing; asking wait for what the journal says.
	streams, waiting, asking []*Watcher
	// For those who come: the frames that bring all seats, and lead on from a version. They are of the version told.
	// snapshotAsOf is 0 where there is no snapshot.
	snapshot     []byte
	snapshotAsOf int64
	leads        map[uint64][]byte
	// over: the hall could not be loaded, or is abandoned.
	over bool
}

func newTeller(h *Hall) *teller { return &teller{h: h, leads: map[uint64][]byte{}} }

func (t *teller) run() {
	select {
	case <-t.h.ready:
	case <-t.h.halls.ctx.Done():
		return
	}
	if t.over = t.h.err != nil; !t.over {
		t.told = t.h.follow()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if t.takeIn() {
			return
		}
		if wait := t.step(time.Now()); wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-t.h.halls.ctx.Done():
			return
		case <-t.h.wake:
		case <-timer.C:
		}
	}
}

// follow begins to note what moves for streams, from the version that it brings.
func (h *Hall) follow() (version uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moved = newMoved(len(h.seats))
	return h.version
}

// unfollow ends that.
func (h *Hall) unfollow() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moved = nil
	h.history = history{floor: h.history.floor}
}

// takeIn takes who has come and who has left; over: nobody is there any more.
func (t *teller) takeIn() (over bool) {
	h := t.h
	h.mu.Lock()
	arrived, left, looking := h.arrived, h.left, h.looking
	t.over = t.over || h.abandoned
	h.arrived, h.left = nil, nil
	h.mu.Unlock()
	t.waiting = append(t.waiting, arrived...)
	for _, w := range left {
		t.forget(w)
	}
	if len(t.asking) > 0 && !looking {
		t.lookUp()
	}
	return len(left) > 0 && h.halls.leave(h, len(left))
}

func (t *teller) forget(w *Watcher) {
	if w.at < 0 {
		w.gone = true
		return
	}
	last := len(t.streams) - 1
	t.streams[w.at] = t.streams[last]
	t.streams[w.at].at = w.at
	t.streams[last] = nil
	t.streams = t.streams[:last]
	w.at = -1
}

// step tells what has moved, then those who have come how the hall is. They wait where it is too early to tell the others,
// so that all go on from the same version. wait is how long; 0: until something happens.
func (t *teller) step(now time.Time) (wait time.Duration) {
	t.waiting = slices.DeleteFunc(t.waiting, func(w *Watcher) bool { return w.gone })
	if t.over {
		t.endAll()
		return 0
	}
	if version, _ := t.h.standing(); version != t.told {
		if wait := t.next.Sub(now); wait > 0 {
			return wait
		}
	} else if len(t.waiting) == 0 {
		return 0
	}
	took := t.h.take(t.told, len(t.waiting) > 0, t.snapshotAsOf)
	if len(took.Seats) > 0 {
		t.snapshot, t.snapshotAsOf = nil, 0 // it is of another version, or of long ago
	}
	if took.Version != t.told {
		t.tell(took)
		t.next = now.Add(tellEvery)
	}
	t.admit(took)
	return 0
}

// endAll ends who has come to a hall that is none. They come again, and where the hall was abandoned, with no version: the
// journal may have come to have another by that number.
func (t *teller) endAll() {
	var last []byte
	if t.h.err == nil {
		last = []byte(forgetFrame)
	}
	for _, w := range slices.Concat(t.streams, t.waiting, t.asking) {
		w.at = -1
		w.out.End(last)
	}
	t.streams, t.waiting, t.asking = nil, nil, nil
}

// taken is a hall as of a version, and what has moved up to there. Seats is empty where it is not needed.
type taken struct {
	View
	jumped  bool
	changes changes
	history history
}

// take brings what has moved since told. snapshots: all seats are needed too, unless nothing has moved since they were had
// a moment ago.
func (h *Hall) take(told uint64, snapshots bool, hadAsOf int64) (t taken) {
	h.mu.Lock()
	defer h.mu.Unlock()
	had := h.asOf-hadAsOf <= asOfAgeMax.Milliseconds()
	t.View = View{EventID: h.eventID, Version: h.version, AsOf: h.asOf, Sections: h.sections}
	t.history = h.history
	if h.version != told {
		t.jumped, had = h.moved.jumped, false
		t.changes = h.moved.take(h.seats)
		t.jumped = t.jumped || t.changes.count() > deltaSeatsMax
	}
	if t.jumped || snapshots && !had {
		t.Seats = bytes.Clone(h.seats)
	}
	return t
}

// tell all streams.
func (t *teller) tell(took taken) {
	previous := t.told
	t.told, t.snapshot, t.snapshotAsOf = took.Version, nil, 0
	clear(t.leads)
	if len(t.streams) == 0 {
		return
	}
	var frame []byte
	if took.jumped {
		frame = t.snapshotOf(took)
	} else {
		frame = appendDelta(nil, took.Version, previous, took.changes)
	}
	for _, w := range t.streams {
		w.out.Send(frame)
	}
}

func (t *teller) snapshotOf(took taken) []byte {
	if t.snapshot == nil {
		t.snapshot, t.snapshotAsOf = appendSnapshot(nil, took.Version, t.h.halls.Append(nil, took.View)), took.AsOf
	}
	return t.snapshot
}

// admit tells who has come how the hall is, or what they have missed.
func (t *teller) admit(took taken) {
	for _, w := range t.waiting {
		frame, known := t.lead(w, took)
		switch {
		case known:
		case !w.looked && took.history.unsure(w.last, took.Version):
			t.asking = append(t.asking, w)
			continue
		default:
			frame = t.snapshotOf(took)
		}
		w.at = int32(len(t.streams))
		t.streams = append(t.streams, w)
		if len(frame) > 0 {
			w.out.Send(frame)
		}
	}
	clear(t.waiting)
	t.waiting = t.waiting[:0]
	if len(t.asking) > 0 && !t.h.isLooking() {
		t.lookUp()
	}
}

// lead brings what leads a client on to what is told now; known: that it has.
func (t *teller) lead(w *Watcher, took taken) (frame []byte, known bool) {
	if w.last == took.Version {
		return nil, true
	}
	if frame, known = t.leads[w.last]; known {
		return frame, true
	}
	entries, known := took.history.after(w.last)
	if !known {
		return nil, false
	}
	for _, m := range entries {
		frame = appendEntry(frame, m)
	}
	if len(t.leads) < leadsMax {
		t.leads[w.last] = frame
	}
	return frame, true
}

package hall

import (
	"context"
	"strconv"
)

// lastDigitsMax is more than a version has.
const lastDigitsMax = 19

// Stream is a reader's end.
type Stream interface {
	// Send does not block, and is false once the stream is over. The frame must not change any more.
	Send(frame []byte) bool
	// End sends what is last, and closes.
	End(last []byte)
}

// Watcher is one stream's look at a hall. The hall's teller owns it once it has arrived there.
type Watcher struct {
	halls   *Halls
	eventID string
	hall    *Hall
	out     Stream
	// last is the version that the client has; 0: none.
	last uint64
	// at is where it stands among the teller's; -1: not among them.
	at int32
	// looked: the journal has been asked. gone: it has ended before it was told anything.
	looked, gone bool
}

// Watch prepares a look at an event's seats for a client that has seen lastEventID, which may be empty or garbage. Errors
// are Find's. Give Closed to its stream, then call Open.
func (hs *Halls) Watch(ctx context.Context, eventID, lastEventID string) (*Watcher, error) {
	if _, err := hs.Find(ctx, eventID); err != nil {
		return nil, err
	}
	w := &Watcher{halls: hs, eventID: eventID, at: -1}
	if len(lastEventID) <= lastDigitsMax {
		// What is no number leaves 0.
		w.last, _ = strconv.ParseUint(lastEventID, 10, 64)
	}
	return w, nil
}

// Open tells the stream how the hall is, and goes on telling it what becomes of it.
func (w *Watcher) Open(out Stream) {
	h := w.halls.enter(w.eventID)
	if h == nil {
		out.End(nil)
		return
	}
	w.out, w.hall = out, h
	h.mu.Lock()
	h.arrived = append(h.arrived, w)
	h.mu.Unlock()
	h.rouse()
}

// Closed says that the stream has ended: once, after Open has returned. It does not block.
func (w *Watcher) Closed() {
	if h := w.hall; h != nil {
		h.mu.Lock()
		h.left = append(h.left, w)
		h.mu.Unlock()
		h.rouse()
	}
}

package actors_test

import (
	"bytes"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// watcher follows the hall by what it hears from the owners, as a node does that holds no state of the event: it misses
// some of it, and then looks in the journal.
type watcher struct {
	rng     *rand.Rand // its own: that it listens changes no run
	version uint64
	letters []byte
}

// deafPercent of what is published the watcher does not hear.
const deafPercent = 10

// moved checks what an owner says has moved, and lets the watcher hear it.
func (w *world) moved(o *simOwner, m *messages.SeatsMoved, committed bool) {
	first := !o.begun
	o.begun = true
	switch {
	case first:
		if m == nil || m.GetVersion() != m.GetPrevious() || w.letters[m.GetVersion()] == "" || len(o.moving) > 0 {
			w.fail("owner %d begins with %v", o.epoch, m)
		}
	case m == nil && (!committed || len(o.moving) == 0):
		return
	case !committed:
		w.fail("owner %d says what moved before a commit: %v", o.epoch, m)
	default:
		var written messages.SeatsMoved
		if err := proto.Unmarshal(o.moving, &written); err != nil || !proto.Equal(&written, m) {
			w.fail("owner %d says that %v has moved, the journal has %v (%v)", o.epoch, m, &written, err)
		}
		w.met.Moved++
	}
	if first || w.watcher.rng.IntN(100) >= deafPercent {
		w.hearMoved(m)
		if w.watcher.version < m.GetVersion() {
			w.fail("who has heard of version %d shows version %d", m.GetVersion(), w.watcher.version)
		}
	}
	if got := string(w.watcher.letters); got != w.letters[w.watcher.version] {
		w.fail("who follows what moved shows version %d as %s; it is %s", w.watcher.version, got, w.letters[w.watcher.version])
	}
}

// hearMoved is what whoever shows a hall must do with what it hears, and no more.
func (w *world) hearMoved(m *messages.SeatsMoved) {
	s := &w.watcher
	switch {
	case m.GetVersion() <= s.version: // a repetition, or overtaken
	case m.GetPrevious() <= s.version:
		s.version, s.letters = m.GetVersion(), folded(s.letters, m)
	default:
		w.met.Repaired++
		written, err := w.db.Written(eventID, s.version)
		if err != nil {
			w.Fatal(err)
		}
		for _, e := range written {
			if len(e.Moved) == 0 {
				continue
			}
			missed := new(messages.SeatsMoved)
			if err := proto.Unmarshal(e.Moved, missed); err != nil || missed.GetPrevious() > s.version {
				w.fail("at version %d the journal goes on with %v (%v)", s.version, missed, err)
			}
			s.version, s.letters = missed.GetVersion(), folded(s.letters, missed)
		}
	}
}

// checkMoved holds an entry's Moved against the letters before it and after, in the simplest way.
func (w *world) checkMoved(e messages.Entry, before []byte, previous uint64) {
	if e.Seq == 1 || w.truth.Version() != e.Seq {
		if len(e.Moved) > 0 {
			w.fail("entry %d moved no seat, but says %x", e.Seq, e.Moved)
		}
		return
	}
	want := &messages.SeatsMoved{Version: e.Seq, Previous: previous, At: e.At}
	after := w.truth.Letters(nil)
	for i := range after {
		if after[i] == before[i] {
			continue
		}
		list := map[byte]*[]uint32{'A': &want.Available, 'H': &want.Held, 'S': &want.Sold, 'B': &want.Blocked}[after[i]]
		*list = append(*list, uint32(i)) //nolint:gosec // a dozen
	}
	if bytes.Equal(before, after) {
		w.met.Swapped++
	}
	var got messages.SeatsMoved
	if err := proto.Unmarshal(e.Moved, &got); err != nil || !proto.Equal(&got, want) {
		w.fail("entry %d says that it moved %v (%v), its facts moved %v", e.Seq, &got, err, want)
	}
}

// folded are the letters that a message leads to.
func folded(letters []byte, m *messages.SeatsMoved) []byte {
	letters = bytes.Clone(letters)
	for letter, seats := range map[byte][]uint32{'A': m.GetAvailable(), 'H': m.GetHeld(), 'S': m.GetSold(), 'B': m.GetBlocked()} {
		for _, i := range seats {
			letters[i] = letter
		}
	}
	return letters
}

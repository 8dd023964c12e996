package hall

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"boxoffice/messages"
)

// aheadMax is how many messages are kept that came before what they follow; what is beyond that is read.
const aheadMax = 64

// The states of a seat, in the sequence in which they are told.
const letters = "AHSB"

// Hall is the replica of one event's seats.
//
//  1. seats are those of version, which never goes back.
//  2. known is the latest version that was heard of: where it is after version, something is missing.
//  3. h.mu may be taken while Halls.mu is held, never the other way round.
type Hall struct {
	halls   *Halls
	eventID string
	// ready is closed once the hall is loaded or has failed to. err and sections do not change after that.
	ready    chan struct{}
	err      error
	sections []Section

	// Under Halls.mu: how many streams there are, the stay in the cache, and whether Subscriptions were asked.
	streams int
	stay    *stay
	watched bool

	// shown is what was rendered last, one at a time.
	shown     atomic.Pointer[Shown]
	rendering sync.Mutex

	// wake holds one.
	wake chan struct{}

	mu      sync.Mutex
	seats   []byte
	version uint64
	known   uint64
	asOf    int64
	movedAt int64 // see messages.Availability
	// ahead came before what they follow. Everything does while the hall is loading: seats is nil.
	ahead []*messages.SeatsMoved
	// failing: what is missing could not be read, so that nobody waits for it. reloading: it is being loaded anew.
	failing, reloading bool
	// abandoned: it is of another history than its journal.
	abandoned bool
	// progressed is closed when something came; nil: nobody waits.
	progressed chan struct{}
	// kept is the version that Source keeps, since keptAt.
	kept   uint64
	keptAt time.Time

	// moved and history are for streams; moved is nil while there is none.
	moved   *moved
	history history
	// arrived and left are streams that the teller has not seen yet. looking: the journal is being asked for some.
	arrived, left []*Watcher
	looking       bool
}

func newHall(hs *Halls, eventID string) *Hall {
	return &Hall{halls: hs, eventID: eventID, ready: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func (h *Hall) weight() uint32 {
	return hallBytes + seatBytes*uint32(len(h.seats)) // as many as there were when it was loaded
}

// loaded takes the first state.
func (h *Hall) loaded(a *messages.Availability, sections []Section, asOf int64) error {
	n := 0
	for _, s := range sections {
		n += s.Seats
	}
	if n == 0 || n != len(a.GetSeats()) || !lettersOnly(a.GetSeats()) {
		return ErrSeats
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sections, h.seats, h.asOf = sections, bytes.Clone(a.GetSeats()), asOf
	h.version, h.movedAt = a.GetVersion(), a.GetMovedAt()
	h.known = max(h.known, h.version)
	h.catchUp()
	return nil
}

func lettersOnly(seats []byte) bool {
	for _, l := range seats {
		if l != 'A' && l != 'H' && l != 'S' && l != 'B' {
			return false
		}
	}
	return true
}

// lack is what a message has shown that a hall lacks.
type lack uint8

const (
	lackNothing lack = iota
	// lackEntries: something is missing that must be read.
	lackEntries
	// lackTruth: an owner begins at an earlier version. It is late, or the journal is not the one that it was.
	lackTruth
)

// hear takes a message.
func (h *Hall) hear(m *messages.SeatsMoved, now int64) lack {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.seats == nil || m.GetVersion() > h.version:
	case m.GetVersion() == m.GetPrevious() && m.GetVersion() < h.version:
		return lackTruth
	default:
		return lackNothing
	}
	h.known = max(h.known, m.GetVersion())
	if !h.apply(m) {
		if len(h.ahead) < aheadMax && !m.GetOmitted() && m.GetPrevious() < m.GetVersion() {
			h.ahead = append(h.ahead, m)
		}
		if h.seats == nil {
			return lackNothing // it is being loaded
		}
		// Somebody has reached the journal just now: who asks waits for it again.
		h.failing = false
		return lackEntries
	}
	h.catchUp()
	if h.known <= h.version {
		h.asOf = max(h.asOf, now)
	}
	h.progress()
	return lackNothing
}

// apply is false where the message does not lead on from the version that there is. The lock is held.
func (h *Hall) apply(m *messages.SeatsMoved) bool {
	if h.seats == nil || m.GetOmitted() || m.GetPrevious() > h.version || m.GetVersion() <= h.version || !h.has(m) {
		return false
	}
	for letter, seats := range statesOf(m) {
		for _, i := range seats {
			h.seats[i] = letters[letter]
		}
		if h.moved != nil {
			h.moved.mark(seats)
		}
	}
	if h.moved != nil {
		h.history.add(m, h.version)
	}
	h.version, h.movedAt = m.GetVersion(), m.GetAt()
	h.known = max(h.known, h.version)
	return true
}

// has is true where all the message's seats exist. One that is not so is of another plan: reading says what is true.
func (h *Hall) has(m *messages.SeatsMoved) bool {
	for _, seats := range statesOf(m) {
		for _, i := range seats {
			if int(i) >= len(h.seats) {
				return false
			}
		}
	}
	return true
}

// statesOf are the message's seats in the sequence of letters.
func statesOf(m *messages.SeatsMoved) [len(letters)][]uint32 {
	return [...][]uint32{m.GetAvailable(), m.GetHeld(), m.GetSold(), m.GetBlocked()}
}

// catchUp applies what came too early and does not any more. The lock is held.
func (h *Hall) catchUp() {
	for found := true; found; {
		found = false
		rest := h.ahead[:0]
		for _, m := range h.ahead {
			switch {
			case m.GetVersion() <= h.version:
			case h.apply(m):
				found = true
			default:
				rest = append(rest, m)
			}
		}
		clear(h.ahead[len(rest):])
		if h.ahead = rest; len(rest) == 0 {
			h.ahead = nil
		}
	}
}

// learn takes what the journal has after a version, as read from begun on: all of it where complete. known is what had been
// heard of before the read. It is false where the journal does not lead on from the version that there is.
func (h *Hall) learn(entries []*messages.SeatsMoved, known uint64, begun int64, complete bool) (leads bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.progress()
	for _, m := range entries {
		if m.GetVersion() > h.version && !h.apply(m) {
			return false
		}
	}
	h.catchUp()
	h.failing = false
	if !complete {
		return true
	}
	h.asOf = max(h.asOf, begun)
	if h.known == known && h.version < known {
		// What was heard of is not in the journal: nobody need wait for it.
		h.known = h.version
	}
	return true
}

// replace takes a state that was read from begun on, where the hall was at a version. errWentBack: the two are not of one
// history.
func (h *Hall) replace(a *messages.Availability, was uint64, begun int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.progress()
	if len(a.GetSeats()) != len(h.seats) || !lettersOnly(a.GetSeats()) {
		h.failing = true
		return ErrSeats
	}
	if a.GetVersion() < was || a.GetVersion() == h.version && !bytes.Equal(a.GetSeats(), h.seats) {
		return errWentBack
	}
	h.failing = false
	h.asOf = max(h.asOf, begun)
	if a.GetVersion() <= h.version {
		return nil
	}
	copy(h.seats, a.GetSeats())
	h.version, h.movedAt = a.GetVersion(), a.GetMovedAt()
	h.known = max(h.known, h.version)
	if h.moved != nil {
		h.moved.jumped = true
		h.history.clear(h.version)
	}
	h.catchUp()
	return nil
}

// fail notes that what may be missing could not be read. known is what had been heard of before: what came since is yet to
// be read.
func (h *Hall) fail(known uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known <= known {
		h.failing = true
	}
	h.progress()
}

// progress wakes who waits for what has come. The lock is held.
func (h *Hall) progress() {
	if h.progressed != nil {
		close(h.progressed)
		h.progressed = nil
	}
	if h.moved != nil {
		h.rouse()
	}
}

func (h *Hall) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// standing is the version that there is, and the latest that was heard of.
func (h *Hall) standing() (version, known uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version, h.known
}

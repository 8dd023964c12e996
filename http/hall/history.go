package hall

import (
	"slices"
	"sort"

	"boxoffice/messages"
)

const (
	// historyMax entries at most lead a client on. Who has missed more gets a snapshot, which is shorter.
	historyMax = 1000
	// historyBytesMax of frames fit the queue of a stream, and most of them are in its socket at once.
	historyBytesMax = 64 << 10
	// An entry's frame is shorter than entryBytes and seatTextBytes for each seat.
	entryBytes    = 136
	seatTextBytes = 7
)

// history is what has led to a hall's version: each entry follows the one before.
type history struct {
	// entries are never changed, so that who has a part of them may read it: they are appended to, and cut off in front.
	entries []*messages.SeatsMoved
	bytes   int
	// floor is a version from which more leads on than may be kept. So it is with all before.
	floor uint64
}

func entrySize(m *messages.SeatsMoved) int {
	n := entryBytes
	for _, seats := range statesOf(m) {
		n += seatTextBytes * len(seats)
	}
	return n
}

// add an entry that has just been applied to a version.
func (hi *history) add(m *messages.SeatsMoved, to uint64) {
	if m.GetPrevious() != to {
		// The version that it was applied to is none that moved a seat: no client has it by an event of its own.
		hi.clear(to)
	}
	hi.entries = append(hi.entries, m)
	hi.bytes += entrySize(m)
	for len(hi.entries) > historyMax || hi.bytes > historyBytesMax {
		hi.bytes -= entrySize(hi.entries[0])
		hi.floor = hi.entries[0].GetPrevious()
		hi.entries = hi.entries[1:]
	}
}

// clear it where nothing is known of how the version came about.
func (hi *history) clear(version uint64) {
	*hi = history{floor: max(hi.floor, version-min(version, 1))}
}

// after are the entries that lead on from a version; false where it is none that they lead on from.
func (hi *history) after(version uint64) ([]*messages.SeatsMoved, bool) {
	i := sort.Search(len(hi.entries), func(i int) bool { return hi.entries[i].GetPrevious() >= version })
	if i == len(hi.entries) || hi.entries[i].GetPrevious() != version {
		return nil, false
	}
	return hi.entries[i:], true
}

// begins is the version that the history leads on from; now is the hall's.
func (hi *history) begins(now uint64) uint64 {
	if len(hi.entries) == 0 {
		return now
	}
	return hi.entries[0].GetPrevious()
}

// extend puts before it what the journal has after a version: all of it, or as much as was asked for.
func (hi *history) extend(version uint64, found []*messages.SeatsMoved, now uint64) {
	begins := hi.begins(now)
	end := slices.IndexFunc(found, func(m *messages.SeatsMoved) bool { return m.GetVersion() == begins })
	if end < 0 {
		if len(found) > historyMax {
			hi.floor = max(hi.floor, version)
		}
		return
	}
	found = found[:end+1]
	if found[0].GetPrevious() != version {
		return // nobody has that
	}
	size := 0
	for i, m := range found {
		if size += entrySize(m); i > 0 && m.GetPrevious() != found[i-1].GetVersion() {
			return
		}
	}
	if len(found)+len(hi.entries) > historyMax || size+hi.bytes > historyBytesMax {
		hi.floor = max(hi.floor, version)
		return
	}
	hi.entries = slices.Concat(found, hi.entries)
	hi.bytes += size
}

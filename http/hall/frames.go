package hall

import (
	"math/bits"
	"strconv"

	"boxoffice/http/sse"
	"boxoffice/messages"
)

// The events' names are the contract's.
const (
	eventSnapshot = "snapshot"
	eventDelta    = "delta"
	// forgetFrame is no event: the client comes back without a Last-Event-ID.
	forgetFrame = "id:\n\n"
)

// seats by their state, in the sequence of letters; ascending in each.
type changes [len(letters)][]uint32

func (c *changes) count() (n int) {
	for _, seats := range c {
		n += len(seats)
	}
	return n
}

// appendDelta appends the event that leads from previous to version. Letters of no seat are left out.
func appendDelta(b []byte, version, previous uint64, c changes) []byte {
	data := make([]byte, 0, 80+7*c.count())
	data = strconv.AppendUint(append(data, `{"version":`...), version, 10)
	data = strconv.AppendUint(append(data, `,"previous":`...), previous, 10)
	data = append(data, `,"changes":{`...)
	first := true
	for letter, seats := range c {
		if len(seats) == 0 {
			continue
		}
		if !first {
			data = append(data, ',')
		}
		first = false
		data = append(data, '"', letters[letter], '"', ':', '[')
		for i, seat := range seats {
			if i > 0 {
				data = append(data, ',')
			}
			data = strconv.AppendUint(data, uint64(seat), 10)
		}
		data = append(data, ']')
	}
	data = append(data, '}', '}')
	return sse.AppendEvent(b, eventDelta, strconv.FormatUint(version, 10), data)
}

// appendEntry is appendDelta of one entry, which is the next after the version that a client has.
func appendEntry(b []byte, m *messages.SeatsMoved) []byte {
	return appendDelta(b, m.GetVersion(), m.GetPrevious(), statesOf(m))
}

// appendSnapshot appends the event that has all seats.
func appendSnapshot(b []byte, version uint64, body []byte) []byte {
	return sse.AppendEvent(b, eventSnapshot, strconv.FormatUint(version, 10), body)
}

// moved are the seats that streams have not been told of: all that were touched, also those that are again as they were,
// so that what is told leads on from every version in between, which a client may have from elsewhere.
type moved struct {
	bits []uint64
	// jumped: how the version came about is not known.
	jumped bool
}

func newMoved(seats int) *moved { return &moved{bits: make([]uint64, (seats+63)/64)} }

func (mv *moved) mark(seats []uint32) {
	for _, i := range seats {
		mv.bits[i/64] |= 1 << (i % 64)
	}
}

// take brings what has moved, as it is now, and forgets it.
func (mv *moved) take(seats []byte) (c changes) {
	for word, b := range mv.bits {
		for ; b != 0; b &= b - 1 {
			i := word*64 + bits.TrailingZeros64(b)
			letter := letterOf(seats[i])
			c[letter] = append(c[letter], uint32(i))
		}
	}
	clear(mv.bits)
	mv.jumped = false
	return c
}

// letterOf is a letter's place in letters.
func letterOf(l byte) int {
	switch l {
	case 'A':
		return 0
	case 'H':
		return 1
	case 'S':
		return 2
	}
	return 3
}

package watch

import (
	"strconv"

	"boxoffice/http/sse"
)

// The events' names are the contract's.
const (
	eventPosition = "waiting-room-position"
	eventActive   = "waiting-room-active"
	eventEnded    = "waiting-room-expired"
	eventOrder    = "order"
)

// retryLong goes with the last event of what will not change any more: a browser connects again whatever we do, but not
// before this, in milliseconds.
const retryLong = "retry: 3600000\n"

// appendEvent's id counts the stream's events from 1: who connects again gets the state as it is then, so that nobody
// needs to say where they were.
func appendEvent(b []byte, name string, id uint32, data []byte) []byte {
	return sse.AppendEvent(b, name, strconv.FormatUint(uint64(id), 10), data)
}

// slab is what small frames are cut from, so that they do not cost an allocation each. It is small, as one frame that a
// slow reader has not taken keeps all of it.
type slab struct{ b []byte }

const (
	slabBytes = 4 << 10
	// positionFrameBytes is the longest frame of a position, and more.
	positionFrameBytes = 192
)

// position makes the frame of a position.
func (s *slab) position(id uint32, position uint64, eta int64) []byte {
	if cap(s.b)-len(s.b) < positionFrameBytes {
		s.b = make([]byte, 0, slabBytes)
	}
	var buf [96]byte
	data := append(appendPosition(append(buf[:0], '{'), position, eta), '}')
	from := len(s.b)
	s.b = appendEvent(s.b, eventPosition, id, data)
	return s.b[from:len(s.b):len(s.b)]
}

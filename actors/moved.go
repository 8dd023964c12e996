package actors

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// What a batch makes of the hall, for those who do not hold the event's state: who watches it, and who shows it.

const (
	// movedBytesMax bounds the seats that one published message names: half of what its readers take, and what one hall
	// that is blocked at once must not push in front of everybody else's messages. Beyond it the journal says which.
	movedBytesMax = 32 << 10
	// lettersChunk is compared at once, so that the seats that stay as they are, nearly all, cost next to nothing.
	lettersChunk = 128
)

// hall is all seats as the last batch sent off leaves them, two bytes a seat.
type hall struct {
	letters, spare []byte
	version        uint64
}

func newHall(state *seatmap.Map) hall {
	return hall{letters: state.Letters(nil), version: state.Version()}
}

// moved says what entry seq has made of the seats, nil where it moved none; at is the entry's time. It looks at every
// seat, 5 µs for 50,000, and so only where some seat was moved; seats that ended as they began are not named.
func (h *hall) moved(state *seatmap.Map, seq uint64, at seatmap.Time) *messages.SeatsMoved {
	if seq == 0 || state.Version() != seq {
		return nil
	}
	m := &messages.SeatsMoved{Version: seq, Previous: h.version, At: int64(at)}
	after := state.Letters(h.spare[:0])
	for first := 0; first < len(after); first += lettersChunk {
		end := min(first+lettersChunk, len(after))
		if bytes.Equal(h.letters[first:end], after[first:end]) {
			continue
		}
		for i := first; i < end; i++ {
			if h.letters[i] != after[i] {
				list := movedTo(m, seatmap.Seat(after[i]))
				*list = append(*list, uint32(i))
			}
		}
	}
	h.letters, h.spare, h.version = after, h.letters, seq
	return m
}

// movedTo is the message's list of the seats that came to be in a state.
func movedTo(m *messages.SeatsMoved, s seatmap.Seat) *[]uint32 {
	switch s {
	case seatmap.SeatAvailable:
		return &m.Available
	case seatmap.SeatHeld:
		return &m.Held
	case seatmap.SeatSold:
		return &m.Sold
	case seatmap.SeatBlocked:
		return &m.Blocked
	}
	panic("actors: a seat in no state")
}

// encodeMoved for the journal, nil where there is nothing.
func encodeMoved(m *messages.SeatsMoved) []byte {
	if m == nil {
		return nil
	}
	b, err := proto.Marshal(m)
	if err != nil {
		panic("actors: encoding moved seats: " + err.Error()) // there is nothing in it that can do this
	}
	return b
}

// seatsMoved as it is published.
func seatsMoved(eventID string, m *messages.SeatsMoved) *messages.Live {
	if proto.Size(m) > movedBytesMax {
		m = &messages.SeatsMoved{Version: m.GetVersion(), Previous: m.GetPrevious(), At: m.GetAt(), Omitted: true}
	}
	return &messages.Live{EventId: eventID, What: &messages.Live_Seats{Seats: m}}
}

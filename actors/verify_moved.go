package actors

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// compareMoved holds what an entry says that it moved, by which everybody else follows the hall, against what its facts
// have just done. It does so in another way than owners make it, and says the first seat that differs.
func (r *audit) compareMoved(e messages.Entry) {
	before, previous := r.letters, r.moved
	moved := r.state.Version() == e.Seq
	if moved {
		r.letters, r.moved = r.state.Letters(nil), e.Seq
	}
	if e.Seq <= max(r.a.MovedAfter, 1) { // creation moves every seat to where it is
		return
	}
	switch {
	case !moved && len(e.Moved) > 0:
		r.find("entry %d says that it moved seats, its facts move none", e.Seq)
		return
	case !moved:
		return
	case len(e.Moved) == 0:
		r.find("entry %d does not say which seats it moved", e.Seq)
		return
	}
	var said messages.SeatsMoved
	if err := proto.Unmarshal(e.Moved, &said); err != nil {
		r.find("what entry %d moved cannot be read: %v", e.Seq, err)
		return
	}
	if said.GetVersion() != e.Seq || said.GetPrevious() != previous || said.GetAt() != e.At || said.GetOmitted() {
		r.find("entry %d, the next after %d that moved seats, at %d, says so as %d after %d at %d, omitted: %t",
			e.Seq, previous, e.At, said.GetVersion(), said.GetPrevious(), said.GetAt(), said.GetOmitted())
	}
	after := bytes.Clone(before)
	if fault := r.follow(after, &said); fault != "" {
		r.find("what entry %d moved: %s", e.Seq, fault)
		return
	}
	for i := range after {
		if after[i] != r.letters[i] {
			r.find("what entry %d moved: seat %s is %c then, its facts say %c", e.Seq, r.seat(int32(i)), after[i], r.letters[i])
			return
		}
	}
}

// follow brings letters to where a message leads, and says what is wrong with that, if something is.
func (r *audit) follow(letters []byte, m *messages.SeatsMoved) (fault string) {
	for _, to := range []struct {
		state seatmap.Seat
		seats []uint32
	}{
		{seatmap.SeatAvailable, m.GetAvailable()},
		{seatmap.SeatHeld, m.GetHeld()},
		{seatmap.SeatSold, m.GetSold()},
		{seatmap.SeatBlocked, m.GetBlocked()},
	} {
		next := uint32(0)
		for _, i := range to.seats {
			switch {
			case int(i) >= len(letters):
				return fmt.Sprintf("there is no seat number %d", i)
			case i < next:
				return fmt.Sprintf("seat %s is out of order", r.seat(int32(i)))
			case letters[i] == byte(to.state):
				return fmt.Sprintf("seat %s was %c before", r.seat(int32(i)), to.state)
			}
			letters[i], next = byte(to.state), i+1
		}
	}
	return ""
}

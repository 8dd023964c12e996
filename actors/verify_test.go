package actors_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/messages"
)

// Goal: verify finds what an entry wrongly says that it moved. Method: a journal in memory, one entry changed.
func TestVerifyFindsWhatIsWronglyMoved(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.settle() // entry 2 moves none
	r.ask("", reserve("s", "o", "1-3", "2-1"))
	r.settle() // entry 3 moves two
	r.ask("", cancel("s", "o"))
	r.settle() // entry 4
	r.now += actors.ProjectPauseMillis
	verify(t, r.projected())
	of := func(m *messages.SeatsMoved) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	at := int64(t0)
	for name, c := range map[string]struct {
		seq   int
		moved []byte
		want  string
	}{
		"none did":         {2, of(&messages.SeatsMoved{Version: 2, Previous: 1, At: at}), "entry 2 says that it moved seats, its facts move none"},
		"silent":           {3, nil, "entry 3 does not say which seats it moved"},
		"unreadable":       {3, []byte{0xff}, "what entry 3 moved cannot be read"},
		"another version":  {3, of(&messages.SeatsMoved{Version: 4, Previous: 1, At: at, Held: []uint32{2, 10}}), "as 4 after 1"},
		"another previous": {4, of(&messages.SeatsMoved{Version: 4, Previous: 2, At: at, Available: []uint32{2, 10}}), "as 4 after 2"},
		"another time":     {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at + 1, Held: []uint32{2, 10}}), fmt.Sprintf("at %d, omitted: false", at+1)},
		"omitted":          {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Omitted: true}), "omitted: true"},
		"one too few":      {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Held: []uint32{2}}), "what entry 3 moved: seat 2-1 is A then, its facts say H"},
		"one too many":     {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Held: []uint32{2, 3, 10}}), "what entry 3 moved: seat 1-4 is H then, its facts say A"},
		"another state":    {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Sold: []uint32{2, 10}}), "what entry 3 moved: seat 1-3 is S then, its facts say H"},
		"nowhere":          {4, of(&messages.SeatsMoved{Version: 4, Previous: 3, At: at, Available: []uint32{2, 3, 10}}), "what entry 4 moved: seat 1-4 was A before"},
		"twice":            {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Held: []uint32{2, 2, 10}}), "what entry 3 moved: seat 1-3 is out of order"},
		"no such seat":     {3, of(&messages.SeatsMoved{Version: 3, Previous: 1, At: at, Held: []uint32{2, 20}}), "what entry 3 moved: there is no seat number 20"},
	} {
		a := r.projected()
		a.Entries[c.seq-1].Moved = c.moved
		v := actors.Verify(a)
		if len(v.Findings) == 0 || !strings.Contains(strings.Join(v.Findings, "\n"), c.want) {
			t.Errorf("%s: verify finds %q, want %q", name, v.Findings, c.want)
		}
		// What is from before entries said it may be silent, and is not looked at.
		a.MovedAfter = 4
		if v := actors.Verify(a); len(v.Findings) > 0 {
			t.Errorf("%s: verify finds %q in entries that do not count", name, v.Findings)
		}
	}
}

// Goal: verify finds a wrong word about how an event sells. Method: as above.
func TestVerifyFindsWrongSale(t *testing.T) {
	r := newRig(t)
	r.ask("", createOrder("s", "o", t0+tokenTTL))
	r.ask("", reserve("s", "o", "1-3", "2-1"))
	r.settle()
	r.now += actors.ProjectPauseMillis
	for name, sale := range map[string]*messages.Sale{
		"available": {Available: 19, Held: 2, PriceFrom: 4950},
		"held":      {Available: 18, Held: 1, PriceFrom: 4950},
		"price":     {Available: 18, Held: 2, PriceFrom: 4949},
	} {
		a := r.projected()
		verify(t, a)
		a.Sale = sale
		if v := actors.Verify(a); len(v.Findings) != 1 || !strings.Contains(v.Findings[0], "sale: the journal says {") {
			t.Errorf("%s: verify finds %q", name, v.Findings)
		}
		a.MovedAfter = a.LastSeq
		if v := actors.Verify(a); (len(v.Findings) == 0) != (name == "price") {
			t.Errorf("%s: after a migration verify finds %q", name, v.Findings)
		}
	}
}

package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"boxoffice/messages"
)

// Goal: events spread evenly, and few of them move. Method: 10,000 events over as many members as there may be, of names
// that differ by a digit, over many draws of their ids.

func members(ids ...string) []messages.Member {
	var all []messages.Member
	for i, id := range ids {
		all = append(all, messages.Member{ID: id, Joined: uint64(i)})
	}
	return all
}

const placed = 10_000

func placements(v *view) map[string]string {
	at := make(map[string]string, placed)
	for i := range placed {
		id := fmt.Sprint("E", i)
		at[id] = v.place(name{owner, id}).ID
	}
	return at
}

func TestSpread(t *testing.T) {
	t.Parallel()
	worst := map[int]float64{}
	for _, n := range []int{3, 5, 8} {
		for draw := range 100 {
			rng := rand.New(rand.NewPCG(uint64(n), uint64(draw)))
			var ids []string
			for i := range n {
				ids = append(ids, fmt.Sprintf("boxoffice-%d.%08x", i, rng.Uint32()))
			}
			counts := map[string]int{}
			for _, id := range placements(newView(ids[0], members(ids...), nil)) {
				counts[id]++
			}
			for _, c := range counts {
				worst[n] = max(worst[n], float64(c*n)/placed)
			}
		}
		if worst[n] > 1.25 {
			t.Errorf("over %d members the fullest holds %.3f times the mean", n, worst[n])
		}
		t.Logf("%d members: the fullest of 100 draws holds %.3f times the mean", n, worst[n])
	}
}

func TestPlacementMovesLittle(t *testing.T) {
	t.Parallel()
	before := placements(newView("a.1", members("a.1", "b.2", "c.3"), nil))
	after := placements(newView("c.3", members("c.3", "d.4", "a.1", "b.2"), nil))
	moved := 0
	for event, at := range before {
		if after[event] != at {
			moved++
			if after[event] != "d.4" {
				t.Fatalf("%s moves from %s to %s, though both stay", event, at, after[event])
			}
		}
	}
	if moved < placed/5 || moved > placed/3 {
		t.Errorf("%d of %d events move to the fourth", moved, placed)
	}
	// An event's two actors are placed apart from each other.
	v := newView("a.1", members("a.1", "b.2", "c.3"), nil)
	apart := 0
	for i := range placed {
		id := fmt.Sprint("E", i)
		if v.place(name{owner, id}) != v.place(name{admitter, id}) {
			apart++
		}
	}
	if apart < placed/2 {
		t.Errorf("%d of %d events have owner and admission on two nodes", apart, placed)
	}
}

func TestLeavingOwnNothing(t *testing.T) {
	t.Parallel()
	all := members("a.1", "b.2", "c.3")
	all[1].Leaving = true
	for event, at := range placements(newView("b.2", all, nil)) {
		if at == "b.2" {
			t.Fatalf("%s is placed on a member that leaves", event)
		}
	}
	all[0].Leaving, all[2].Leaving = true, true
	on := map[string]bool{}
	for _, at := range placements(newView("b.2", all, nil)) {
		on[at] = true
	}
	if len(on) != 3 {
		t.Errorf("where all leave, %v own", on)
	}
	if newView("a.1", nil, nil).place(name{owner, "E1"}) != nil {
		t.Error("an event is placed where nobody is")
	}
}

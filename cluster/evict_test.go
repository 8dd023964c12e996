package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"boxoffice/messages"
)

// Goal: leavers names those who must go for the rest to be fully connected, and all members name the same. Method: a table,
// and a property over random memberships.

func TestLeavers(t *testing.T) {
	member := func(id string, joined uint64, unreachable ...string) messages.Member {
		return messages.Member{ID: id, Joined: joined, Unreachable: unreachable}
	}
	expired := func(m messages.Member) messages.Member { m.Expired = true; return m }
	for name, c := range map[string]struct {
		members []messages.Member
		want    []string
	}{
		"nobody":                   {nil, nil},
		"all is well":              {[]messages.Member{member("a", 1), member("b", 2)}, nil},
		"two: the younger goes":    {[]messages.Member{member("a", 1, "b"), member("b", 2, "a")}, []string{"b"}},
		"one end is enough":        {[]messages.Member{member("a", 1), member("b", 2, "a")}, []string{"b"}},
		"the isolated one goes":    {[]messages.Member{member("a", 1, "b", "c"), member("b", 2, "a"), member("c", 3, "a")}, []string{"a"}},
		"as the others say":        {[]messages.Member{member("a", 1), member("b", 2, "a"), member("c", 3, "a")}, []string{"a"}},
		"a link: its younger goes": {[]messages.Member{member("a", 1, "b"), member("b", 2, "a"), member("c", 3)}, []string{"b"}},
		"two and three": {[]messages.Member{
			member("a", 1, "c", "d", "e"), member("b", 2, "c", "d", "e"), member("c", 3, "a", "b"), member("d", 4, "a", "b"), member("e", 5, "a", "b"),
		}, []string{"b", "a"}},
		"two and two": {[]messages.Member{
			member("a", 1, "c", "d"), member("b", 2, "c", "d"), member("c", 3, "a", "b"), member("d", 4, "a", "b"),
		}, []string{"d", "c"}},
		"who has gone does not count":           {[]messages.Member{member("a", 1, "z"), member("b", 2)}, nil},
		"whose lease is over has no say":        {[]messages.Member{member("a", 1), expired(member("b", 2, "a"))}, nil},
		"whose lease is over goes by that":      {[]messages.Member{member("a", 1, "b"), expired(member("b", 2))}, nil},
		"who cannot reach itself is of no harm": {[]messages.Member{member("a", 1, "a")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := leavers(c.members); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestLeaversLeaveARestThatIsConnected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "members")
		members := make([]messages.Member, n)
		for i := range members {
			members[i] = messages.Member{ID: fmt.Sprint("m", i), Joined: uint64(i + 1), Expired: rapid.Float64Range(0, 1).Draw(t, "expired") < 0.1} //nolint:gosec // small
			for j := range n {
				if rapid.Float64Range(0, 1).Draw(t, "broken") < 0.15 {
					members[i].Unreachable = append(members[i].Unreachable, fmt.Sprint("m", j))
				}
			}
		}
		gone := leavers(members)
		if got := leavers(rapid.Permutation(members).Draw(t, "order")); !slices.Equal(got, gone) {
			t.Fatalf("%v, and in another sequence %v", gone, got)
		}
		broken := func(a, b messages.Member) bool {
			return slices.Contains(a.Unreachable, b.ID) || slices.Contains(b.Unreachable, a.ID)
		}
		stay := slices.DeleteFunc(slices.Clone(members), func(m messages.Member) bool { return m.Expired || slices.Contains(gone, m.ID) })
		for i, a := range stay {
			for _, b := range stay[i+1:] {
				if broken(a, b) {
					t.Fatalf("%s and %s stay, and cannot reach each other", a.ID, b.ID)
				}
			}
		}
		for _, id := range gone {
			m := *find(members, id)
			if m.Expired || !slices.ContainsFunc(members, func(o messages.Member) bool { return o.ID != id && !o.Expired && broken(m, o) }) {
				t.Fatalf("%s goes without a broken link", id)
			}
		}
	})
}

// One that is cut off from all others, however the links among these are, goes alone.
func TestLeaversOfOneThatIsIsolated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 20).Draw(t, "members")
		alone := rapid.IntRange(0, n-1).Draw(t, "alone")
		members := make([]messages.Member, n)
		for i := range members {
			members[i] = messages.Member{ID: fmt.Sprint("m", i), Joined: uint64(i + 1)} //nolint:gosec // small
		}
		for i := range members {
			if i == alone {
				continue
			}
			side := rapid.IntRange(1, 3).Draw(t, "who says so") // a bit for each end
			if side&1 != 0 {
				members[i].Unreachable = []string{members[alone].ID}
			}
			if side&2 != 0 {
				members[alone].Unreachable = append(members[alone].Unreachable, members[i].ID)
			}
		}
		if got := leavers(members); !slices.Equal(got, []string{members[alone].ID}) {
			t.Fatalf("%v, want %s", got, members[alone].ID)
		}
	})
}

// A decision counts for the membership that it was made on: of all that see the dead at once one takes it out, and nobody
// takes out who has come since.
func TestEvictionIsOfOneView(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b", "c", "d", "e")
		l.with(func() { l.slow = func() time.Duration { return 20 * time.Millisecond } })
		all[4].kill()
		for _, p := range all[:4] {
			p.leases.Unreachable("e:7000")
		}
		l.within(500*time.Millisecond, "four are left", agree(all[:4]...))
		if got := l.evictions(); len(got) != 1 || got[0].why != whyRefused {
			t.Errorf("taken out: %v", got)
		}
	})
}

// A process that was stopped while its answer was under way decides nothing on it.
func TestEvictionNeedsAFreshView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		all := l.cluster("a", "b")
		a := all[0].leases
		_ = a.Shutdown(false) // no beat: what follows is told by hand
		a.state, a.ctx, a.evicting = member, t.Context(), false
		dead := messages.Membership{View: 2, Members: []messages.Member{
			{ID: all[0].id, Address: "a:7000", Joined: 1, Renewals: 100}, {ID: all[1].id, Address: "b:7000", Joined: 2, Expired: true},
		}}
		now := time.Now()
		for _, c := range []struct {
			steady streak
			moved  time.Duration
			goes   bool
		}{
			{streak{now.Add(-leaseDefault), now, now}, leaseDefault, true},
			{streak{now.Add(-leaseDefault + 1), now, now}, leaseDefault, false},                    // not for a whole lease
			{streak{now.Add(-leaseDefault), now, now}, leaseDefault/2 - 1, false},                  // it has just renewed
			{streak{now.Add(-leaseDefault), now, now.Add(-15 * time.Second)}, leaseDefault, false}, // asked 15 s ago
		} {
			a.mu.Lock()
			a.steady, a.seen, a.evicting = c.steady, dead, false
			a.others[all[1].id] = &contact{Member: dead.Members[1], moved: now.Add(-c.moved)}
			a.decide()
			if a.evicting != c.goes {
				t.Errorf("%+v: takes it out: %v", c, a.evicting)
			}
			a.mu.Unlock()
			synctest.Wait()
		}
		a.mu.Lock()
		a.end()
		a.mu.Unlock()
		l.end()
	})
}

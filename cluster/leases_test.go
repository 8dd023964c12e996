package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

// Goal: membership is as Leases and its config promise, whatever befalls the database, the network and the processes.
// Method: processes with the roster in memory and a network with faults, in a synctest bubble: see leases_lab_test.go.

func inLab(t *testing.T, f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		f(l)
		l.end()
	})
}

func TestLeasesJoinAndLeave(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.start("a")
		l.within(10*time.Millisecond, "the first is alone", agree(a))
		<-a.leases.Joined()
		b := l.start("b")
		l.within(leaseDefault/beatsPerLease+10*time.Millisecond, "both know each other", agree(a, b))
		if err := b.leases.Ready(); err != nil {
			t.Error(err)
		}
		if err := b.leases.Leaving(t.Context()); err != nil {
			t.Fatal(err)
		}
		leaving := func() bool { m := find(a.leases.Members(), b.id); return m != nil && m.Leaving }
		l.within(leaseDefault/beatsPerLease+10*time.Millisecond, "a knows that b is leaving", leaving)
		if err := b.leases.Ready(); err == nil || !b.leases.Alive() {
			t.Errorf("a member that leaves: ready %v, alive %v", err, b.leases.Alive())
		}
		if err := b.leases.Shutdown(true); err != nil {
			t.Fatal(err)
		}
		if got := l.members(); !slices.Equal(got, []string{a.id}) {
			t.Errorf("after b has left: %v", got)
		}
		l.within(leaseDefault/beatsPerLease+10*time.Millisecond, "a is alone again", agree(a))
		synctest.Wait()
		var heard []int
		for _, members := range a.heard {
			heard = append(heard, len(members))
		}
		if !slices.Equal(heard, []int{1, 2, 2, 1}) {
			t.Errorf("a heard of %v members", heard)
		}
		if b.leases.Alive() || b.leases.Err() != nil {
			t.Errorf("after leaving: alive %v, lost: %v", b.leases.Alive(), b.leases.Err())
		}
	})
}

func TestLeasesRefuseClientsAndSecondStarts(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.start("a")
		if a.leases.StartClient(nil) == nil || a.leases.StartMember(nil) == nil {
			t.Error("not refused")
		}
	})
}

// A farewell that the database does not hear takes no longer than it may.
func TestLeasesLeaveIsBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.cluster("a")[0]
		l.freeze()
		began := time.Now()
		if err := a.leases.Shutdown(true); err == nil || time.Since(began) != leaveTimeout {
			t.Errorf("left after %v: %v", time.Since(began), err)
		}
	})
}

// A Join whose answer is lost took effect: there is one row, and one member.
func TestLeasesJoinAnswerLost(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.cluster("a")[0]
		b := l.start("b", func(c *LeaseConfig) { c.Roster.(*process).loseJoin = true })
		l.within(time.Second, "both know each other", agree(a, b))
		if seen, _ := l.roster.Members(t.Context()); seen.View != 2 {
			t.Errorf("view %d after two joined", seen.View)
		}
	})
}

// A process that comes back at its address is in at once, and its row of before is out.
func TestLeasesRestartAtTheSameAddress(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b", "c")
		before := all[0]
		before.kill()
		again := l.start("a")
		l.within(leaseDefault/beatsPerLease+10*time.Millisecond, "three again", agree(again, all[1], all[2]))
		if len(l.evictions()) != 0 {
			t.Errorf("taken out: %v", l.evictions())
		}
	})
}

// To a newcomer behind a firewall that rejects, or whose machine has other processes at those addresses or none, all members
// seem to be dead: nobody goes for that, and it says what is the matter.
func TestLeasesNewcomerBehindAFirewall(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b")
		c := l.start("c", func(c *LeaseConfig) { c.Roster.(*process).walled = true })
		pass(20 * time.Second)
		if got := l.evictions(); len(got) != 0 || !agree(all...)() {
			t.Errorf("taken out: %v", got)
		}
		if err := c.leases.Ready(); err == nil || !strings.Contains(err.Error(), "a.1 (a:7000) renews its lease, but refuses connections from here") {
			t.Errorf("not told what is the matter: %v", err)
		}
		l.with(func() { c.walled = false })
		l.within(time.Second, "three are members", agree(append(all, c)...))
	})
}

// All were killed; the one that comes back elsewhere needs not wait for their leases.
func TestLeasesNewcomerTakesOutTheDead(t *testing.T) {
	inLab(t, func(l *lab) {
		for _, p := range l.cluster("a", "b", "c") {
			p.kill()
		}
		d := l.start("d")
		l.within(leaseDefault/2, "the newcomer is alone", agree(d))
	})
}

// Where the machines are gone, nothing says that the processes are: the newcomer waits for their leases, and then some.
func TestLeasesNewcomerWaitsForLeases(t *testing.T) {
	inLab(t, func(l *lab) {
		for _, p := range l.cluster("a", "b") {
			p.vanish()
		}
		c := l.start("c")
		pass(time.Second)
		if err := c.leases.Ready(); err == nil || !strings.Contains(err.Error(), "a.1 (a:7000)") || !strings.Contains(err.Error(), "b.2 (b:7000)") {
			t.Errorf("not told whom it waits for: %v", err)
		}
		l.within(2*leaseDefault, "the newcomer is alone", agree(c))
	})
}

func TestLeasesKeysMustAgree(t *testing.T) {
	for name, c := range map[string]struct {
		theirs, ours []string
		why          string
	}{
		"same":            {[]string{"k1"}, []string{"k1"}, ""},
		"rotation begins": {[]string{"k1"}, []string{"k1", "k2"}, ""},
		"rotation ends":   {[]string{"k1", "k2"}, []string{"k2", "k1"}, ""},
		"they sign with an unknown one": {
			[]string{"k1", "k2"},
			[]string{"k2"},
			"a.1 (a:7000) signs tokens with key k1, which this node does not know: to rotate, first add the new key as the last one",
		},
		"we do": {[]string{"k1"}, []string{"k2", "k1"}, "this node signs tokens with key k2, which a.1 (a:7000) does not know: to rotate"},
		"they sign tickets with an unknown one": {
			[]string{"k1", "tickets/t1"},
			[]string{"k1", "tickets/t2"},
			"a.1 (a:7000) signs tickets with key tickets/t1, which this node does not know: to rotate",
		},
		"tickets rotate": {[]string{"k1", "tickets/t1", "tickets/t2"}, []string{"k1", "tickets/t2", "tickets/t1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				keys := func(k []string) func(*LeaseConfig) { return func(c *LeaseConfig) { c.Self.Keys = k } }
				a := l.start("a", keys(c.theirs))
				l.within(time.Second, "a is alone", agree(a))
				b := l.start("b", keys(c.ours))
				if c.why == "" {
					l.within(time.Second, "both are members", agree(a, b))
					return
				}
				<-b.leases.Lost()
				if got := b.leases.Err().Error(); !strings.Contains(got, c.why) {
					t.Errorf("%q, want %q", got, c.why)
				}
				if !agree(a)() {
					t.Errorf("a sees %v", a.leases.Members())
				}
			})
		})
	}
}

// A dead process with other keys keeps nobody out.
func TestLeasesKeysOfTheDead(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.cluster("a")[0]
		a.kill()
		b := l.start("b", func(c *LeaseConfig) { c.Self.Keys = []string{"k2"} })
		l.within(time.Second, "b is a member", agree(b))
	})
}

// Two that begin at once, before either is there, find out as they join.
func TestLeasesKeysOfTwoAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.slow = func() time.Duration { return 10 * time.Millisecond }
		a, b := l.start("a"), l.start("b", func(c *LeaseConfig) { c.Self.Keys = []string{"k2"} })
		lost := func() bool { return a.leases.Err() != nil != (b.leases.Err() != nil) }
		l.within(time.Second, "one of them is refused", lost)
	})
}

// A database that was restored knows less than we do: nobody can say what has become of our row.
func TestLeasesDatabaseGoesBack(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.start("a")
		l.within(time.Second, "a is a member", agree(a))
		a.leases.mu.Lock()
		a.leases.seen.View += 5
		a.leases.mu.Unlock()
		<-a.leases.Lost()
		if !strings.Contains(a.leases.Err().Error(), "restored") {
			t.Error(a.leases.Err())
		}
	})
}

// A standby that took over may lack the last renewals. Who knows of them goes on watching all the same.
func TestLeasesDatabaseLacksRenewals(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b")
		a := all[0].leases
		a.mu.Lock()
		for i := range a.seen.Members {
			a.seen.Members[i].Renewals += 1_000
		}
		for _, c := range a.others {
			c.Renewals += 1_000
		}
		a.mu.Unlock()
		pass(leaseDefault)
		all[1].vanish()
		l.within(2*leaseDefault, "b is out", agree(all[0]))
		if got := l.evictions(); len(got) != 1 || got[0].why != whyExpired {
			t.Errorf("taken out: %v", got)
		}
	})
}

// Whoever looks sees it without waiting for the next beat.
func TestLeasesRefresh(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b")
		if _, err := l.roster.Leaving(t.Context(), all[1].id); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			all[0].leases.Refresh()
		}
		synctest.Wait()
		if m := find(all[0].leases.Members(), all[1].id); m == nil || !m.Leaving {
			t.Errorf("a sees %v", all[0].leases.Members())
		}
	})
}

// The row of a process that is a member no more says why; the process is over.
func TestLeasesLost(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.cluster("a")[0]
		seen, _ := l.roster.Members(t.Context())
		if _, err := l.roster.Evict(t.Context(), messages.Member{ID: "x.1", Name: "x"}, seen.View, []string{a.id}, "of a whim"); err != nil {
			t.Fatal(err)
		}
		l.within(leaseDefault/beatsPerLease, "a knows", func() bool { return a.leases.Err() != nil })
		<-a.leases.Lost()
		var none *messages.NotMemberError
		if err := a.leases.Err(); !errors.As(err, &none) || none.By != "x" || none.Why != "of a whim" || a.leases.Alive() || a.leases.Ready() == nil {
			t.Errorf("lost: %v, alive %v, ready %v", err, a.leases.Alive(), a.leases.Ready())
		}
	})
}

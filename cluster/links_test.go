package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Goal: a member that dies, hangs or is cut off is out in time, others never. Method: as in leases_test.go, at phases of the
// beat that chance chooses.

// phasesTried is few enough for the race detector, and finds what has been found by more.
const phasesTried = 8

// phases runs f with clusters whose members beat at different times.
func phases(t *testing.T, names []string, f func(t *testing.T, l *lab, all []*process)) {
	t.Helper()
	for seed := range uint64(phasesTried) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t)
			chance := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it is for tests
			var all []*process
			for _, name := range names {
				p := l.start(name)
				l.within(time.Second, name+" has joined", p.leases.Alive)
				all = append(all, p)
				pass(time.Duration(chance.Int64N(int64(leaseDefault))))
			}
			pass(2 * leaseDefault)
			l.with(func() {
				l.slow = func() time.Duration { return time.Duration(rand.Int64N(int64(5 * time.Millisecond))) } //nolint:gosec // it is for tests
			})
			pass(time.Duration(chance.Int64N(int64(leaseDefault))))
			f(t, l, all)
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
			l.end()
		})
	}
}

func TestKilledIsOutWithinASecond(t *testing.T) {
	var worst time.Duration
	phases(t, []string{"a", "b", "c"}, func(_ *testing.T, l *lab, all []*process) {
		all[0].kill()
		worst = max(worst, l.within(time.Second, "two are left", agree(all[1], all[2])))
	})
	t.Logf("worst: %v", worst)
}

// Where remoting says that the connection broke, it takes no time.
func TestKilledIsOutAtOnceWithAHint(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(_ *testing.T, l *lab, all []*process) {
		all[0].kill()
		all[1].leases.Unreachable("a:7000")
		l.within(50*time.Millisecond, "b knows", func() bool { return find(all[1].leases.Members(), all[0].id) == nil })
	})
}

func TestVanishedIsOutWithItsLease(t *testing.T) {
	var worst time.Duration
	limit := leaseDefault + 2*leaseDefault/beatsPerLease
	phases(t, []string{"a", "b", "c"}, func(_ *testing.T, l *lab, all []*process) {
		all[0].vanish()
		gone := func() bool { return find(all[1].leases.Members(), all[0].id) == nil }
		worst = max(worst, l.within(limit, "a is out", gone))
	})
	t.Logf("worst: %v of %v", worst, limit)
}

// The whole cut, or one way of it: the node that is cut off goes, though it may be the oldest, stays out, and is back after.
func TestCutOffGoesAndComesBackWhenHealed(t *testing.T) {
	for name, cut := range map[string]struct{ from, to bool }{"both ways": {true, true}, "it is not heard": {true, false}, "it does not hear": {false, true}} {
		t.Run(name, func(t *testing.T) {
			var worst, back time.Duration
			phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
				l.isolate(all[0].machine, cut.from, cut.to)
				lost := func() bool { return all[0].leases.Err() != nil && agree(all[1], all[2])() }
				worst = max(worst, l.within(5*time.Second, "a is out", lost))
				again := l.start("a")
				pass(20 * time.Second)
				if got := l.evictions(); len(got) != 1 || got[0].why != whyCut {
					t.Errorf("taken out: %v", got)
				}
				if err := again.leases.Ready(); err == nil || !strings.Contains(err.Error(), "b:7000") {
					t.Errorf("while cut off it is ready: %v", err)
				}
				l.heal()
				back = max(back, l.within(5*time.Second, "three again", agree(again, all[1], all[2])))
			})
			t.Logf("out after %v, back after %v at worst", worst, back)
		})
	}
}

// A firewall comes up around a member that rejects what it opens, or what others open to it, or both. To that member all others
// seem to be dead, and they are more than it.
func TestFirewallAroundAMember(t *testing.T) {
	for name, walled := range map[string]struct{ out, in bool }{"both ways": {true, true}, "what it opens": {true, false}, "what others open": {false, true}} {
		t.Run(name, func(t *testing.T) {
			var worst time.Duration
			phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
				l.with(func() { all[0].walled, all[0].walledIn = walled.out, walled.in })
				lost := func() bool { return all[0].leases.Err() != nil && agree(all[1], all[2])() }
				worst = max(worst, l.within(5*time.Second, "a is out", lost))
				if got := l.evictions(); len(got) != 1 {
					t.Errorf("taken out: %v", got)
				}
			})
			t.Logf("out after %v at worst", worst)
		})
	}
}

// Two members on one machine, around which a firewall comes up: they reach each other, and the three elsewhere are more. They go
// for their broken links.
func TestFirewallAroundAMachineOfTwo(t *testing.T) {
	phases(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, l *lab, all []*process) {
		l.with(func() {
			for _, p := range all[:2] {
				p.host, p.walled = "one", true
			}
		})
		l.within(6*time.Second, "three are left", agree(all[2:]...))
		if got := l.evictions(); len(got) != 2 {
			t.Errorf("taken out: %v", got)
		}
	})
}

// A firewall that rejects new connections and lets those be that stand; then another member answers late. Nobody is cut off.
func TestFirewallForNewConnections(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		l.with(func() { all[0].walled, all[0].stateful, l.slowPing = true, true, 600*time.Millisecond })
		pass(time.Minute)
		if got := l.evictions(); len(got) != 0 || !agree(all...)() {
			t.Errorf("taken out: %v", got)
		}
	})
}

// Of two it is the younger that goes, whoever has the firewall.
func TestFirewallBetweenTwo(t *testing.T) {
	for walled := range 2 {
		phases(t, []string{"a", "b"}, func(t *testing.T, l *lab, all []*process) {
			l.with(func() { all[walled].walled, all[walled].walledIn = true, true })
			l.within(5*time.Second, "b is out", func() bool { return all[1].leases.Err() != nil && agree(all[0])() })
			if got := l.evictions(); len(got) != 1 {
				t.Errorf("taken out: %v", got)
			}
		})
	}
}

// Those that are left of many that were killed at once do not wait for leases.
func TestTheLastOneTakesOutTheDead(t *testing.T) {
	var worst time.Duration
	phases(t, []string{"a", "b", "c", "d"}, func(_ *testing.T, l *lab, all []*process) {
		for _, p := range all[1:] {
			p.kill()
		}
		worst = max(worst, l.within(leaseDefault/2+leaseDefault/beatsPerLease, "one is left", agree(all[0])))
	})
	t.Logf("worst: %v", worst)
}

// Two that cannot reach each other, while all others reach both: one goes, the rest stays.
func TestBrokenLinkTakesTheYounger(t *testing.T) {
	phases(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, l *lab, all []*process) {
		l.with(func() { l.cut[[2]*machine{all[1].machine, all[3].machine}] = struct{}{} })
		l.within(5*time.Second, "d is out", agree(all[0], all[1], all[2], all[4]))
		if got := l.evictions(); len(got) != 1 {
			t.Errorf("taken out: %v", got)
		}
	})
}

func TestCutOffFromTheDatabaseGoesWithItsLease(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		l.with(func() { all[0].noRoster = true })
		l.within(leaseDefault, "a is in doubt", func() bool { return !all[0].leases.Alive() })
		if slices.Contains(l.members(), all[0].id) == false {
			t.Error("a was taken out before it was in doubt")
		}
		l.within(leaseDefault, "two are left", agree(all[1], all[2]))
		l.with(func() { all[0].noRoster = false })
		l.within(time.Second, "a knows", func() bool { return all[0].leases.Err() != nil })
	})
}

// Few pings to a member at a time, and slow ones to one hold up neither renewals nor pings to others.
func TestPingsDoNotPileUp(t *testing.T) {
	inLab(t, func(l *lab) {
		all := l.cluster("a", "b", "c")
		all[2].stop()
		pass(leaseDefault - 100*time.Millisecond)
		if !agree(all...)() && all[0].leases.Alive() {
			t.Error("out before its lease was over")
		}
		all[2].goOn()
		l.with(func() { l.slowPing = time.Second })
		pass(time.Minute)
		if !agree(all...)() || len(l.evictions()) != 0 {
			t.Errorf("with pings of a second: %v", l.evictions())
		}
		for _, p := range all {
			if p.pings != pingsMax {
				t.Errorf("%s: %d pings at once to one member", p.id, p.pings)
			}
		}
	})
}

func TestKnockAtARealPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := knock(ctx, address); err != nil {
		t.Errorf("a port that listens: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := knock(ctx, address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port that is closed: %v", err)
	}
	cancel()
	if err := knock(ctx, address); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("who was not asked: %v", err)
	}
}

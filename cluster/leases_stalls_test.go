package cluster

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Goal: the database's and the processes' pauses cost time, and nobody else's place. Method: as in leases_test.go.

func TestFrozenDatabaseCostsNobodyHisPlace(t *testing.T) {
	for _, frozen := range []time.Duration{500 * time.Millisecond, 1900 * time.Millisecond, 2300 * time.Millisecond, 8 * time.Second} {
		var worst time.Duration
		phases(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, l *lab, all []*process) {
			l.freeze()
			pass(frozen)
			if frozen > leaseDefault {
				for _, p := range all {
					if p.leases.Alive() || p.leases.Ready() == nil {
						t.Errorf("%s is not in doubt: %v", p.id, p.leases.Ready())
					}
				}
			}
			l.unfreeze()
			worst = max(worst, l.within(400*time.Millisecond, "all are alive", agree(all...)))
			pass(10 * time.Second)
			if got := l.evictions(); len(got) != 0 || !agree(all...)() {
				t.Errorf("frozen for %v: taken out: %v", frozen, got)
			}
		})
		t.Logf("frozen for %v: alive again after %v at worst", frozen, worst)
	}
}

// One that refuses at once is noticed no later.
func TestBrokenDatabaseCostsNobodyHisPlace(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		l.with(func() { l.broken = errAway })
		pass(8 * time.Second)
		l.with(func() { l.broken = nil })
		l.within(400*time.Millisecond, "all are alive", agree(all...))
		pass(10 * time.Second)
		if got := l.evictions(); len(got) != 0 {
			t.Errorf("taken out: %v", got)
		}
	})
}

// With a long lease the beat is slow, but a database that is there again is not waited for.
func TestLongLeaseIsTriedAgainSoon(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.start("a", func(c *LeaseConfig) { c.Lease = 30 * time.Second })
		l.within(time.Second, "a is a member", agree(a))
		l.with(func() { l.broken = errAway })
		pass(time.Minute)
		l.with(func() { l.broken = nil })
		l.within(400*time.Millisecond, "a is alive", agree(a))
	})
}

// A newcomer that comes while all leases seem over, because the database was away, takes nobody out.
func TestNewcomerAfterAFreeze(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		l.freeze()
		d := l.start("d")
		pass(8 * time.Second)
		if d.leases.Ready() == nil {
			t.Error("ready without a database")
		}
		l.unfreeze()
		l.within(2*time.Second, "four", agree(append(all, d)...))
		if got := l.evictions(); len(got) != 0 {
			t.Errorf("taken out: %v", got)
		}
	})
}

// A process that was stopped is in doubt at once, by the clock; it has lost its place, and takes nobody else's.
func TestStoppedProcess(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		a := all[0]
		a.stop()
		l.within(leaseDefault+2*leaseDefault/beatsPerLease, "two are left", agree(all[1], all[2]))
		pass(15 * time.Second)
		if a.leases.Alive() {
			t.Error("alive after 15 s")
		}
		a.goOn()
		if a.leases.Alive() {
			t.Error("alive as it goes on")
		}
		l.within(500*time.Millisecond, "it knows", func() bool { return a.leases.Err() != nil })
		again := l.start("a")
		l.within(time.Second, "three again", agree(again, all[1], all[2]))
		if got := l.evictions(); len(got) != 1 || got[0].id != a.id {
			t.Errorf("taken out: %v", got)
		}
	})
}

// Alive asks the clock: no timer has to fire for it.
func TestAliveEndsToTheNanosecond(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.cluster("a")[0]
		a.stop()
		synctest.Wait()
		left := time.Until(a.leases.begun.Load().Add(leaseDefault))
		pass(left - 1)
		if !a.leases.Alive() {
			t.Error("in doubt before its lease was over")
		}
		pass(1)
		if a.leases.Alive() {
			t.Error("alive when its lease was over")
		}
		a.goOn()
		l.within(100*time.Millisecond, "a renewal that was under way does not count, the next does", a.leases.Alive)
	})
}

// The same while the database was frozen: nobody could take out who was stopped, and nobody is.
func TestStoppedWhileTheDatabaseIsFrozen(t *testing.T) {
	phases(t, []string{"a", "b", "c"}, func(t *testing.T, l *lab, all []*process) {
		l.freeze()
		all[0].stop()
		pass(15 * time.Second)
		l.unfreeze()
		all[0].goOn()
		l.within(time.Second, "three", agree(all...))
		pass(10 * time.Second)
		if got := l.evictions(); len(got) != 0 || !agree(all...)() {
			t.Errorf("taken out: %v", got)
		}
	})
}

// A lease that was renewed after a stall in which all were in doubt is good for both sides: nobody goes over a network that
// was away together with the database.
func TestEverythingIsAway(t *testing.T) {
	phases(t, []string{"a", "b", "c", "d", "e"}, func(t *testing.T, l *lab, all []*process) {
		l.freeze()
		for _, p := range all {
			l.isolate(p.machine, true, true)
		}
		pass(10 * time.Second)
		l.heal()
		l.unfreeze()
		l.within(time.Second, "five", agree(all...))
		pass(10 * time.Second)
		if got := l.evictions(); len(got) != 0 || !slices.Equal(l.members(), ids(all[0].leases.Members())) {
			t.Errorf("taken out: %v", got)
		}
	})
}

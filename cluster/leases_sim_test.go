package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Goal: whatever faults come, one after the other or two at once, nobody is taken out without a cause of his own, all agree
// soon after the last is healed, and whoever lost his place comes back. Method: minutes of a bubble's time with faults by
// chance; the seed of a run that fails is printed.

const (
	// graceAfter a fault is healed its traces may still cost the place of those that it befell.
	graceAfter = 3 * time.Second
	// agreeWithin all are members again, whatever was.
	agreeWithin = 10 * time.Second
)

// sim runs machines whose processes are started again when they end.
type sim struct {
	*lab
	*rand.Rand
	names []string
	// guilty until then: a fault befalls, or has befallen, the process.
	guilty map[string]time.Time
	hurt   map[string]bool // machines with a fault
	twice  bool            // two faults at once
}

func TestFaultsByChance(t *testing.T) {
	for _, n := range []int{3, 5, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			seeds, rounds := 3, 8
			if n == 20 {
				seeds, rounds = 1, 4
			}
			for range seeds {
				seed := rand.Uint64() //nolint:gosec // it is for tests
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("seed %d", seed)
						}
					}()
					runSim(t, n, seed, rounds)
				})
			}
		})
	}
}

func runSim(t *testing.T, n int, seed uint64, rounds int) {
	s := &sim{
		lab: newLab(t), Rand: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // it is for tests
		guilty: map[string]time.Time{}, hurt: map[string]bool{},
	}
	s.slow = func() time.Duration { return time.Duration(1 + rand.Int64N(int64(30*time.Millisecond))) } //nolint:gosec // it is for tests
	for i := range n {
		s.names = append(s.names, fmt.Sprint("m", i))
		s.start(s.names[i])
		pass(time.Duration(1 + s.Int64N(int64(500*time.Millisecond))))
	}
	s.settled("the start")
	for range rounds {
		// Time for all to be past the first lease after what was before: until then they take nobody out.
		s.tend(time.Duration(1 + s.Int64N(int64(5*time.Second))))
		told, heal := s.fault()
		if s.twice = s.IntN(3) == 0; s.twice {
			also, healToo := s.fault()
			first := heal
			told, heal = told+", "+also, func() { first(); healToo() }
		}
		s.tend(time.Duration(1 + s.Int64N(int64(12*time.Second))))
		heal()
		for id, until := range s.guilty {
			if until.After(time.Now()) {
				s.guilty[id] = time.Now().Add(graceAfter)
			}
		}
		clear(s.hurt)
		s.settled(told)
		s.tend(graceAfter)
		s.settled(told)
		s.judge(told)
		if t.Failed() {
			break
		}
	}
	s.end()
}

// fault befalls machines; heal ends it.
func (s *sim) fault() (told string, heal func()) {
	free := slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return s.hurt[name] })
	name := free[s.IntN(len(free))]
	p := s.machines[name].process
	if p == nil {
		return "nothing", func() {}
	}
	blame := func(p *process) {
		s.hurt[p.leases.cfg.Self.Name] = true
		s.guilty[p.id] = time.Now().Add(time.Hour)
	}
	nothing := func() {}
	switch s.IntN(7) {
	case 0:
		blame(p)
		p.kill()
		return name + " is killed", nothing
	case 1:
		blame(p)
		p.vanish()
		return name + " vanishes", func() { s.with(func() { p.machine.off = false }) }
	case 2:
		blame(p)
		p.stop()
		return name + " is stopped", p.goOn
	case 3:
		blame(p)
		s.with(func() { p.noRoster = true })
		return name + " does not reach the database", func() { s.with(func() { p.noRoster = false }) }
	case 4:
		blame(p)
		way := s.IntN(3)
		s.isolate(p.machine, way != 1, way != 2)
		return name + " is cut off", s.heal
	case 5:
		other := s.machines[free[s.IntN(len(free))]].process
		if other == nil || other == p {
			return "nothing", nothing
		}
		blame(p)
		blame(other)
		s.with(func() { s.cut[[2]*machine{p.machine, other.machine}] = struct{}{} })
		return "a link is broken", s.heal
	default:
		if s.thaw != nil {
			return "nothing", nothing
		}
		s.freeze()
		return "the database is frozen", s.unfreeze
	}
}

// tend the machines: a process that has ended, or was killed, comes back as another.
func (s *sim) tend(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); pass(50 * time.Millisecond) {
		for _, name := range s.names {
			m := s.machines[name]
			if p := m.process; p != nil && p.leases.Err() != nil {
				_ = p.leases.Shutdown(false)
				s.restart(name)
			} else if p == nil && !m.off && s.IntN(40) == 0 {
				s.restart(name)
			}
		}
	}
}

// restart: the fault that befalls a machine befalls what is started on it.
func (s *sim) restart(name string) {
	p := s.start(name)
	if s.hurt[name] {
		s.guilty[p.id] = time.Now().Add(time.Hour)
	}
}

// settled waits until all machines run members that agree.
func (s *sim) settled(after string) {
	s.Helper()
	began := time.Now()
	for _, name := range s.names {
		if s.machines[name].process == nil {
			s.start(name)
		}
	}
	for {
		s.tend(50 * time.Millisecond)
		var all []*process
		for _, name := range s.names {
			if p := s.machines[name].process; p != nil {
				all = append(all, p)
			}
		}
		if len(all) == len(s.names) && agree(all...)() {
			return
		}
		if time.Since(began) > agreeWithin {
			for _, p := range all {
				s.Logf("%s: ready: %v, sees %v", p.id, p.leases.Ready(), ids(p.leases.Members()))
			}
			s.Fatalf("%v after %s not all are members", agreeWithin, after)
		}
	}
}

// judge who was taken out.
func (s *sim) judge(told string) {
	s.Helper()
	for _, e := range s.evictions() {
		if s.twice && len(s.names) == 3 && e.why == whyCut {
			continue // one of two that are left: nobody can say which of them is cut off
		}
		if until, ok := s.guilty[e.id]; !ok || e.at.After(until) {
			s.Errorf("%s: %s was taken out by %s without a cause: %s", told, e.id, e.by, e.why)
		}
	}
	s.with(func() { s.out = nil })
}

// An hour in which nothing happens but slow messages: pings of up to a second, now and then a database of half a second.
func TestNobodyGoesWithoutACause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		all := l.cluster("a", "b", "c")
		l.with(func() {
			l.slow = func() time.Duration {
				if rand.IntN(10) > 0 { //nolint:gosec // it is for tests
					return 2 * time.Millisecond
				}
				return time.Duration(1 + rand.Int64N(int64(200*time.Millisecond))) //nolint:gosec // it is for tests
			}
			l.slowPing = 600 * time.Millisecond
		})
		for range 60 {
			pass(time.Minute)
			if got := l.evictions(); len(got) != 0 || !agree(all...)() {
				t.Fatalf("taken out: %v", got)
			}
		}
		l.end()
	})
}

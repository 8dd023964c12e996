package journaltest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"boxoffice/messages"
)

// A race of members that join, renew, begin to leave, leave and evict each other, all at random.
const (
	racersMax     = 50
	racerStepsMax = 40
	addressesMax  = 30 // fewer than racers: some take others' addresses
)

// race collects what all of them saw.
type race struct {
	mu    sync.Mutex
	views map[uint64]messages.Membership
	// changes are the views that a change of a racer's own made, each with what it was.
	changes map[uint64]string
	leaves  int
	// evicted are those whose eviction was answered.
	evicted map[string]bool
	faults  []string
}

func rosterRace(t *testing.T, f RosterFixture) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := &race{views: map[uint64]messages.Membership{}, changes: map[uint64]string{}, evicted: map[string]bool{}}
	rosters := make([]Roster, 10)
	for i := range rosters {
		rosters[i] = f.Roster()
	}
	errs := make([]error, racersMax)
	var wg sync.WaitGroup
	for n := range racersMax {
		wg.Go(func() {
			p := &racer{race: r, roster: rosters[n%len(rosters)], rand: rand.New(rand.NewPCG(seed, uint64(n))), n: n} //nolint:gosec // small
			for range racerStepsMax {
				if errs[n] = p.step(t.Context()); errs[n] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	r.check(t, must(t)(f.Roster().Members(t.Context())))
}

// racer is one process after the other.
type racer struct {
	*race
	roster Roster
	rand   *rand.Rand
	n      int
	life   int
	self   messages.Member // zero: not joined
	seen   messages.Membership
}

func (p *racer) step(ctx context.Context) error {
	if p.self.ID == "" {
		p.life++
		m := Member(fmt.Sprintf("m%d-%d", p.n, p.life))
		m.Address = fmt.Sprint("address ", p.rand.IntN(addressesMax))
		s, err := p.roster.Join(ctx, m, rosterLease)
		if err != nil {
			return err
		}
		p.self = m
		p.saw(s, "join "+m.ID)
		return nil
	}
	if p.isEvicted(p.self.ID) {
		return p.provedGone(ctx)
	}
	var s messages.Membership
	var err error
	id := p.self.ID
	switch p.rand.IntN(12) {
	case 0:
		before := p.seen
		if s, err = p.roster.Leaving(ctx, id); err == nil && !isLeaving(before, id) {
			p.saw(s, "leaving "+id)
			return nil
		}
	case 1:
		p.self.ID = ""
		p.left()
		return p.roster.Leave(ctx, id)
	case 2, 3:
		if len(p.seen.Members) == 0 {
			return nil
		}
		victim := p.seen.Members[p.rand.IntN(len(p.seen.Members))].ID
		if victim == id {
			return nil
		}
		if s, err = p.roster.Evict(ctx, p.self, p.seen.View, []string{victim}, "race"); err == nil {
			p.noteEvicted(victim)
			p.saw(s, "evict "+victim)
			return nil
		}
	case 4:
		s, err = p.roster.Members(ctx)
	default:
		s, err = p.roster.Renew(ctx, id, rosterLease, nil)
	}
	var not *messages.NotMemberError
	switch {
	case errors.As(err, &not):
		p.self.ID = ""
		return nil
	case errors.Is(err, messages.ErrViewChanged):
		s, err = p.roster.Members(ctx)
	}
	if err == nil {
		p.saw(s, "")
	}
	return err
}

// provedGone: whoever was evicted before the call renews nothing and evicts nobody.
func (p *racer) provedGone(ctx context.Context) error {
	var not *messages.NotMemberError
	if _, err := p.roster.Renew(ctx, p.self.ID, rosterLease, nil); !errors.As(err, &not) {
		return fmt.Errorf("%s was evicted, and renewed: %w", p.self.ID, err)
	}
	s, err := p.roster.Members(ctx)
	if err != nil {
		return err
	}
	if _, err := p.roster.Evict(ctx, p.self, s.View, []string{"nobody"}, "race"); !errors.As(err, &not) {
		return fmt.Errorf("%s was evicted, and evicted others: %w", p.self.ID, err)
	}
	p.self.ID = ""
	return nil
}

func isLeaving(s messages.Membership, id string) bool {
	return slices.ContainsFunc(s.Members, func(m messages.Member) bool { return m.ID == id && m.Leaving })
}

func (r *race) isEvicted(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.evicted[id]
}

func (r *race) noteEvicted(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.evicted[id] = true
}

func (r *race) left() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaves++
}

// saw a membership, after a change of its own or, where change is empty, of others.
func (p *racer) saw(s messages.Membership, change string) {
	if s.View < p.seen.View {
		p.fault("view %d after %d", s.View, p.seen.View)
	}
	p.seen = s
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.views[s.View]; ok && Shape(known) != Shape(s) {
		p.faults = append(p.faults, fmt.Sprintf("one view: %q and %q", Shape(known), Shape(s)))
	}
	p.views[s.View] = s
	if change == "" {
		return
	}
	if other, ok := p.changes[s.View]; ok {
		p.faults = append(p.faults, fmt.Sprintf("view %d is of two changes: %s, %s", s.View, other, change))
	}
	p.changes[s.View] = change
}

func (r *race) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// check that the views are the changes one by one, of which those that left have told nobody.
func (r *race) check(t *testing.T, last messages.Membership) {
	t.Helper()
	for _, fault := range r.faults {
		t.Error(fault)
	}
	r.views[last.View] = last
	untold := 0
	for view := uint64(1); view <= last.View; view++ {
		if _, told := r.changes[view]; !told {
			untold++
		}
		s, seen := r.views[view]
		before, seenBefore := r.views[view-1]
		if view == 1 {
			seenBefore = true
		}
		if seen && seenBefore {
			checkChange(t, before, s, r.changes[view])
		}
	}
	t.Logf("%d changes, %d of %d that left", last.View, untold, r.leaves)
	if untold > r.leaves || len(r.changes) < racersMax {
		t.Errorf("of %d views nobody made %d, and %d have left", last.View, untold, r.leaves)
	}
}

// checkChange that one change made after of before; an empty one is of somebody who left.
func checkChange(t *testing.T, before, after messages.Membership, change string) {
	t.Helper()
	var came, went, changed []string
	addresses, joined := map[string]bool{}, uint64(0)
	for _, m := range after.Members {
		i := slices.IndexFunc(before.Members, func(b messages.Member) bool { return b.ID == m.ID })
		switch {
		case i < 0:
			came = append(came, m.ID)
		case before.Members[i].Leaving != m.Leaving || before.Members[i].Joined != m.Joined:
			changed = append(changed, m.ID)
		}
		if addresses[m.Address] || m.Joined <= joined || m.Joined > after.View {
			t.Errorf("view %d: %+v has another's address, or joined out of turn", after.View, m)
		}
		addresses[m.Address], joined = true, m.Joined
	}
	for _, b := range before.Members {
		if !slices.ContainsFunc(after.Members, func(m messages.Member) bool { return b.ID == m.ID }) {
			went = append(went, b.ID)
		}
	}
	var kind, id string
	_, _ = fmt.Sscan(change, &kind, &id)
	ok := false
	switch kind {
	case "join":
		ok = slices.Equal(came, []string{id}) && len(went) <= 1 && len(changed) == 0
	case "leaving":
		ok = len(came) == 0 && len(went) == 0 && slices.Equal(changed, []string{id})
	case "evict":
		ok = len(came) == 0 && slices.Equal(went, []string{id}) && len(changed) == 0
	default:
		ok = len(came) == 0 && len(went) == 1 && len(changed) == 0
	}
	if !ok {
		t.Errorf("%q: from %q to %q", change, Shape(before), Shape(after))
	}
}

package journaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"boxoffice/messages"
)

// Roster is cluster.Roster.
type Roster interface {
	Join(ctx context.Context, m messages.Member, lease time.Duration) (messages.Membership, error)
	Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error)
	Members(ctx context.Context) (messages.Membership, error)
	Leaving(ctx context.Context, id string) (messages.Membership, error)
	Leave(ctx context.Context, id string) error
	Evict(ctx context.Context, by messages.Member, view uint64, ids []string, why string) (messages.Membership, error)
	Owner(ctx context.Context, eventID string) (string, error)
}

// RosterFixture is one cluster that nobody has joined.
type RosterFixture struct {
	// Roster as another process has it.
	Roster func() Roster
	// Pass makes leases, and what else is kept for a time, so much older.
	Pass func(t testing.TB, d time.Duration)
	// Journal and Catalogue of the same database.
	Journal   func(node string) Journal
	Catalogue Catalogue
}

// RunRoster holds a roster to what all members trust: one order of changes, each a view of its own, and that nobody who was
// taken out goes on.
func RunRoster(t *testing.T, open func(t *testing.T) RosterFixture) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, f RosterFixture)
	}{
		{"members come in their order", rosterJoin},
		{"a join may be repeated", rosterJoinAgain},
		{"an address is one member's", rosterAddress},
		{"a renewal changes no view", rosterRenew},
		{"a lease that is over is renewed", rosterExpiry},
		{"who is leaving is a member yet", rosterLeaving},
		{"who has left is gone", rosterLeave},
		{"evictions are of one view", rosterEvict},
		{"a newcomer may evict", rosterEvictByNewcomer},
		{"of two that evict each other one succeeds", rosterDuel},
		{"the gone are forgotten", rosterForgets},
		{"the owner is who claimed last", rosterOwner},
		{"an ended context is an error", rosterContext},
		{"members that race see one order", rosterRace},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

const rosterLease = time.Hour

// Member with all that one says of itself when it joins.
func Member(id string) messages.Member {
	return messages.Member{ID: id, Name: "node " + id, Address: id + ":1", Version: "v1", Keys: []string{"k, {1}", "\"2\""}}
}

func join(t *testing.T, r Roster, ids ...string) (s messages.Membership) {
	t.Helper()
	for _, id := range ids {
		s = must(t)(r.Join(t.Context(), Member(id), rosterLease))
	}
	return s
}

func must(t *testing.T) func(messages.Membership, error) messages.Membership {
	t.Helper()
	return func(s messages.Membership, err error) messages.Membership {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// Shape of a membership: its view and its members' ids, those of who is leaving in brackets.
func Shape(s messages.Membership) string {
	shape := []string{fmt.Sprint(s.View)}
	for _, m := range s.Members {
		if m.Leaving {
			m.ID = "(" + m.ID + ")"
		}
		shape = append(shape, m.ID)
	}
	return strings.Join(shape, " ")
}

func shaped(t *testing.T, s messages.Membership, want string) {
	t.Helper()
	if got := Shape(s); got != want {
		t.Errorf("the cluster is %q, want %q", got, want)
	}
}

func gone(t *testing.T, err error, id, by, why string) {
	t.Helper()
	var e *messages.NotMemberError
	if !errors.As(err, &e) || e.ID != id || e.By != by || !strings.Contains(e.Why, why) || (why == "") != (e.Why == "") {
		t.Errorf("%v, want that %s is no member: taken out by %s: %s", err, id, by, why)
	}
}

func rosterJoin(t *testing.T, f RosterFixture) {
	a, b := f.Roster(), f.Roster()
	shaped(t, must(t)(a.Members(t.Context())), "0")
	shaped(t, join(t, a, "b"), "1 b")
	shaped(t, join(t, b, "a", "c"), "3 b a c")
	s := must(t)(a.Members(t.Context()))
	shaped(t, s, "3 b a c")
	for i, id := range []string{"b", "a", "c"} {
		want := Member(id)
		want.Joined = uint64(i) + 1 //nolint:gosec // small
		if got := s.Members[i]; len(got.Unreachable) != 0 {
			t.Errorf("%s cannot reach %q", id, got.Unreachable)
		} else if got.Unreachable = nil; !reflect.DeepEqual(got, want) {
			t.Errorf("member %+v, want %+v", got, want)
		}
	}
	for _, bad := range []messages.Member{{ID: "d"}, {Address: "d:1"}} {
		if _, err := a.Join(t.Context(), bad, rosterLease); err == nil {
			t.Errorf("%+v could join", bad)
		}
	}
	shaped(t, must(t)(b.Members(t.Context())), "3 b a c")
}

func rosterJoinAgain(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	f.Pass(t, 2*rosterLease)
	s := join(t, r, "a")
	shaped(t, s, "2 a b")
	if s.Members[0].Expired || !s.Members[1].Expired {
		t.Errorf("after another join of a: %+v", s.Members)
	}
	must(t)(r.Evict(ctx, Member("b"), 2, []string{"a"}, "test"))
	_, err := r.Join(ctx, Member("a"), rosterLease)
	gone(t, err, "a", "node b", "test")
	shaped(t, must(t)(r.Members(ctx)), "3 b")
}

func rosterAddress(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	again := Member("a2")
	again.Address = Member("a").Address
	shaped(t, must(t)(r.Join(ctx, again, rosterLease)), "3 b a2")
	_, err := r.Renew(ctx, "a", rosterLease, nil)
	gone(t, err, "a", "node a2", "a new process listens on a:1")
}

func rosterRenew(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	for i, cut := range [][]string{{"b", "x \"y\""}, {"b"}, nil} {
		s := must(t)(r.Renew(ctx, "a", rosterLease, cut))
		shaped(t, s, "2 a b")
		if m := s.Members[0]; m.Renewals != uint64(i)+1 || !slices.Equal(m.Unreachable, cut) { //nolint:gosec // small
			t.Errorf("renewed for the %d. time: %+v", i+1, m)
		}
		if m := s.Members[1]; m.Renewals != 0 || len(m.Unreachable) != 0 {
			t.Errorf("who was not renewed: %+v", m)
		}
	}
	_, err := r.Renew(ctx, "c", rosterLease, nil)
	gone(t, err, "c", "", "")
}

func rosterExpiry(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	expired := func(s messages.Membership) (ids []string) {
		for _, m := range s.Members {
			if m.Expired {
				ids = append(ids, m.ID)
			}
		}
		return ids
	}
	f.Pass(t, rosterLease/2)
	if got := expired(must(t)(r.Renew(ctx, "a", rosterLease, nil))); len(got) != 0 {
		t.Errorf("after half a lease, expired are %q", got)
	}
	f.Pass(t, rosterLease/2)
	if got := expired(must(t)(r.Members(ctx))); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after a lease, expired are %q", got)
	}
	f.Pass(t, 10*rosterLease)
	if got := expired(must(t)(r.Renew(ctx, "b", rosterLease, nil))); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after many and a renewal of b's, expired are %q", got)
	}
	shaped(t, must(t)(r.Renew(ctx, "a", rosterLease, nil)), "2 a b")
}

func rosterLeaving(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	shaped(t, must(t)(r.Leaving(ctx, "a")), "3 (a) b")
	shaped(t, must(t)(r.Leaving(ctx, "a")), "3 (a) b")
	shaped(t, must(t)(r.Renew(ctx, "a", rosterLease, nil)), "3 (a) b")
	shaped(t, must(t)(r.Evict(ctx, Member("a"), 3, []string{"b"}, "test")), "4 (a)")
	_, err := r.Leaving(ctx, "b")
	gone(t, err, "b", "node a", "test")
	_, err = r.Leaving(ctx, "c")
	gone(t, err, "c", "", "")
}

func rosterLeave(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	for _, id := range []string{"a", "a", "c"} {
		if err := r.Leave(ctx, id); err != nil {
			t.Fatal(err)
		}
		shaped(t, must(t)(r.Members(ctx)), "3 b")
	}
	_, err := r.Renew(ctx, "a", rosterLease, nil)
	gone(t, err, "a", "node a", "left")
}

func rosterEvict(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b", "c", "d")
	for _, view := range []uint64{0, 3, 5} {
		if _, err := r.Evict(ctx, Member("a"), view, []string{"b"}, "test"); !errors.Is(err, messages.ErrViewChanged) {
			t.Errorf("as of view %d: %v", view, err)
		}
	}
	shaped(t, must(t)(r.Evict(ctx, Member("a"), 4, []string{"x"}, "test")), "4 a b c d")
	shaped(t, must(t)(r.Evict(ctx, Member("a"), 4, nil, "test")), "4 a b c d")
	shaped(t, must(t)(r.Evict(ctx, Member("a"), 4, []string{"b", "x", "d"}, "it is 'dead'")), "5 a c")
	for _, view := range []uint64{4, 5} {
		_, err := r.Evict(ctx, Member("b"), view, []string{"a"}, "revenge")
		gone(t, err, "b", "node a", "it is 'dead'")
	}
	_, err := r.Renew(ctx, "d", rosterLease, nil)
	gone(t, err, "d", "node a", "it is 'dead'")
	shaped(t, must(t)(r.Evict(ctx, Member("c"), 5, []string{"b"}, "again")), "5 a c")
	_, err = r.Renew(ctx, "b", rosterLease, nil)
	gone(t, err, "b", "node a", "it is 'dead'")
}

func rosterEvictByNewcomer(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	shaped(t, must(t)(r.Evict(ctx, Member("c"), 2, []string{"a"}, "refused a connection")), "3 b")
	shaped(t, join(t, r, "c"), "4 b c")
	_, err := r.Renew(ctx, "a", rosterLease, nil)
	gone(t, err, "a", "node c", "refused a connection")
}

func rosterDuel(t *testing.T, f RosterFixture) {
	ctx := t.Context()
	rosters := [2]Roster{f.Roster(), f.Roster()}
	for n := range 50 {
		ids := [2]string{fmt.Sprint("a", n), fmt.Sprint("b", n)}
		s := join(t, rosters[0], ids[0], ids[1])
		var errs [2]error
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { _, errs[i] = rosters[i].Evict(ctx, Member(ids[i]), s.View, []string{ids[1-i]}, "duel") })
		}
		wg.Wait()
		won := slices.Index(errs[:], nil)
		if won < 0 || errs[1-won] == nil {
			t.Fatalf("round %d: %v", n, errs)
		}
		gone(t, errs[1-won], ids[1-won], "node "+ids[won], "duel")
		shaped(t, must(t)(rosters[0].Members(ctx)), fmt.Sprint(s.View+1, " ", ids[won]))
		if err := rosters[0].Leave(ctx, ids[won]); err != nil {
			t.Fatal(err)
		}
	}
}

func rosterForgets(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	join(t, r, "a", "b")
	must(t)(r.Evict(ctx, Member("b"), 2, []string{"a"}, "test"))
	f.Pass(t, time.Hour-time.Minute)
	join(t, r, "c")
	_, err := r.Renew(ctx, "a", rosterLease, nil)
	gone(t, err, "a", "node b", "test")
	f.Pass(t, 2*time.Minute)
	shaped(t, join(t, r, "d"), "5 b c d")
	_, err = r.Renew(ctx, "a", rosterLease, nil)
	gone(t, err, "a", "", "")
}

func rosterOwner(t *testing.T, f RosterFixture) {
	ctx, r := t.Context(), f.Roster()
	owner := func(want string) {
		t.Helper()
		if got, err := r.Owner(ctx, eventID); err != nil || got != want {
			t.Errorf("the owner is %q, %v; want %q", got, err, want)
		}
	}
	owner("")
	if err := f.Catalogue.CreateEvent(ctx, NewEvent(eventID, 10)); err != nil {
		t.Fatal(err)
	}
	owner("")
	for _, node := range []string{"a", "b"} {
		claim(t, f.Journal(node))
		owner(node)
	}
}

func rosterContext(t *testing.T, f RosterFixture) {
	r := f.Roster()
	join(t, r, "a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, joinErr := r.Join(ctx, Member("c"), rosterLease)
	_, renewErr := r.Renew(ctx, "a", rosterLease, nil)
	_, membersErr := r.Members(ctx)
	_, leavingErr := r.Leaving(ctx, "a")
	_, evictErr := r.Evict(ctx, Member("a"), 2, []string{"b"}, "test")
	_, ownerErr := r.Owner(ctx, eventID)
	for _, err := range []error{joinErr, renewErr, membersErr, leavingErr, evictErr, ownerErr, r.Leave(ctx, "a")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want that the context has ended", err)
		}
	}
	shaped(t, must(t)(r.Renew(t.Context(), "a", rosterLease, nil)), "2 a b")
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// Goal: who is no member with a good lease claims nothing, whatever it waits for meanwhile, so that its successor's claim
// stands. Method: claims of events and of admissions, by members that expire, leave and are evicted at every point.

// memberClaims are the two things that a member claims, and the table that says who has.
var memberClaims = map[string]func(ctx context.Context, db *DB, member, eventID string) (epoch uint64, err error){
	"event_owner": func(ctx context.Context, db *DB, member, eventID string) (uint64, error) {
		c, err := db.MemberJournal(member).Claim(ctx, eventID)
		return c.Epoch, err
	},
	"admission": func(ctx context.Context, db *DB, member, eventID string) (uint64, error) {
		c, err := db.MemberAdmissions(member).Claim(ctx, eventID)
		return c.Epoch, err
	},
}

func TestClaimsNeedALease(t *testing.T) {
	for table, claim := range memberClaims {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, url := open(t)
			admin := outsider(t, url)
			create(t, db, "E1", 10)
			refused := func(member string) {
				t.Helper()
				epoch, err := claim(ctx, db, member, "E1")
				notMember(t, err, member)
				if epoch != 0 {
					t.Errorf("a claim that was refused gave epoch %d", epoch)
				}
			}
			var last uint64
			claimed := func(member string) {
				t.Helper()
				epoch, err := claim(ctx, db, member, "E1")
				if err != nil || epoch != last+1 && last != 0 {
					t.Fatalf("%s: epoch %d after %d, %v", member, epoch, last, err)
				}
				last = epoch
				if owner := valueOf[string](t, admin, "select node_id from "+table); owner != member {
					t.Errorf("claimed by %q, want %q", owner, member)
				}
			}
			refused("a")
			joined(t, db, time.Hour, "a", "b", "c")
			claimed("a")
			claimed("b")
			var unknown *messages.EventNotFoundError
			if _, err := claim(ctx, db, "a", "E9"); !errors.As(err, &unknown) || unknown.EventID != "E9" {
				t.Errorf("%v, want that there is no E9", err)
			}
			execute(t, admin, "update member set lease_until = now_ms() where member_id = 'a'")
			refused("a")
			renewed(t, db, "a", "3 a b c")
			claimed("a")
			if _, err := db.Roster().Leaving(ctx, "a"); err != nil {
				t.Fatal(err)
			}
			claimed("a")
			if err := db.Roster().Leave(ctx, "a"); err != nil {
				t.Fatal(err)
			}
			refused("a")
			if _, err := db.Roster().Evict(ctx, journaltest.Member("b"), 5, []string{"c"}, "test"); err != nil {
				t.Fatal(err)
			}
			refused("c")
			claimed("b")
		})
	}
}

// A claimant that is no member waits for no row, and so ends nobody's connection.
func TestClaimOfStrangerWaitsForNobody(t *testing.T) {
	for table, claim := range memberClaims {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			db, url := open(t)
			create(t, db, "E1", 10)
			unblock := block(t, outsider(t, url), "select from "+table+" for update")
			defer unblock()
			began := time.Now()
			_, err := claim(t.Context(), db, "a", "E1")
			notMember(t, err, "a")
			if took := time.Since(began); took > claimWithin {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A member goes, or its lease is over, while its claim waits for the row.
func TestClaimOutlivesItsLease(t *testing.T) {
	for table, claim := range memberClaims {
		for how, end := range map[string]func(t *testing.T, db *DB) error{
			"evicted": func(t *testing.T, db *DB) error {
				_, err := db.Roster().Evict(t.Context(), journaltest.Member("b"), 2, []string{"a"}, "test")
				return err
			},
			"left": func(t *testing.T, db *DB) error { return db.Roster().Leave(t.Context(), "a") },
			"expired": func(t *testing.T, db *DB) error {
				_, err := db.Roster().Renew(t.Context(), "a", 0, nil)
				return err
			},
		} {
			t.Run(table+" "+how, func(t *testing.T) {
				t.Parallel()
				db, url := open(t)
				create(t, db, "E1", 10)
				joined(t, db, time.Hour, "a", "b")
				admin, other := outsider(t, url), outsider(t, url)
				first, err := claim(t.Context(), db, "b", "E1")
				if err != nil {
					t.Fatal(err)
				}
				unblock := block(t, other, "select from "+table+" for update")
				done := make(chan error, 1)
				go func() {
					_, err := claim(t.Context(), db, "a", "E1")
					done <- err
				}()
				waitForWaiting(t, other)
				if err := end(t, db); err != nil {
					t.Fatal(err)
				}
				unblock()
				notMember(t, <-done, "a")
				got := valueOf[string](t, admin, "select epoch || ' ' || node_id from "+table)
				if want := fmt.Sprint(first, " b"); got != want {
					t.Errorf("claimed: %q, want %q", got, want)
				}
			})
		}
	}
}

// The deposed one claims all the time, and so does whoever evicts it, once: from its claim on nobody else has one.
func TestClaimsOfDeposedRace(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	rival, admin := openAt(t, url, Options{Name: "rival"}), outsider(t, url)
	create(t, db, "E1", 10)
	joined(t, db, time.Hour, "b")
	deposed := 0
	for n := range 50 {
		id := fmt.Sprint("a", n)
		s := joined(t, rival, time.Hour, id)
		var wg sync.WaitGroup
		begun := make(chan struct{})
		var last messages.Claim
		wg.Go(func() {
			var once sync.Once
			for {
				c, err := rival.MemberJournal(id).Claim(t.Context(), "E1")
				once.Do(func() { close(begun) })
				if err != nil {
					notMember(t, err, id)
					return
				}
				last = c
				deposed++
			}
		})
		<-begun
		if _, err := db.Roster().Evict(t.Context(), journaltest.Member("b"), s.View, []string{id}, "test"); err != nil {
			t.Fatal(err)
		}
		c, err := db.MemberJournal("b").Claim(t.Context(), "E1")
		if err != nil {
			t.Fatal(err)
		}
		if err := db.MemberJournal("b").Commit(t.Context(), messages.Batch{EventID: "E1", Epoch: c.Epoch}); err != nil {
			t.Fatalf("round %d: the successor at once: %v", n, err)
		}
		wg.Wait()
		if got, want := valueOf[string](t, admin, "select epoch || ' ' || node_id from event_owner"), fmt.Sprint(c.Epoch, " b"); got != want || last.Epoch >= c.Epoch {
			t.Fatalf("round %d: the owner is %q, want %q; the deposed one claimed epoch %d", n, got, want, last.Epoch)
		}
	}
	t.Logf("%d claims of those deposed, before", deposed)
}

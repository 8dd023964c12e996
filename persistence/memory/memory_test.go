package memory_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
	"boxoffice/persistence/memory"
)

// Goal: the journal in memory is held to the same rules as Postgres'. Method: the conformance suite.
func TestJournal(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journaltest.Fixture {
		db := memory.New(func() int64 { return journaltest.Base - 1 })
		return journaltest.Fixture{
			Journal:   func(node string) journaltest.Journal { return db.Journal(node) },
			ReadModel: db.ReadModel(),
			Catalogue: db.Catalogue(),
			State: func(t testing.TB, eventID string) journaltest.State {
				v, err := db.View(eventID)
				if err != nil {
					t.Fatal(err)
				}
				written, err := db.Written(eventID, 0)
				if err != nil {
					t.Fatal(err)
				}
				return journaltest.State{
					Moved:   journaltest.MovedOf(written),
					LastSeq: v.LastSeq, ProjectedSeq: v.ProjectedSeq, SnapshotSeq: v.SnapshotSeq, NextDue: v.NextDue,
					Tickets: v.Tickets, Seats: v.Seats, Orders: v.Orders, Payments: v.Payments,
				}
			},
			LoseReply: func(commit func() error) error {
				db.OnCommit(func(context.Context, messages.Batch) memory.Fault { return memory.LoseReply })
				defer db.OnCommit(nil)
				return commit()
			},
			IsDoubleSale: func(err error) bool {
				var d *messages.DoubleSaleError
				return errors.As(err, &d)
			},
		}
	})
}

// Goal: the roster in memory is held to the same rules as Postgres'. Method: the conformance suite.
func TestRoster(t *testing.T) {
	journaltest.RunRoster(t, func(*testing.T) journaltest.RosterFixture {
		var now atomic.Int64
		now.Store(journaltest.Base)
		db := memory.New(now.Load)
		roster := memory.NewRoster(db)
		return journaltest.RosterFixture{
			Roster:    func() journaltest.Roster { return roster },
			Pass:      func(_ testing.TB, d time.Duration) { now.Add(d.Milliseconds()) },
			Journal:   func(node string) journaltest.Journal { return db.Journal(node) },
			Catalogue: db.Catalogue(),
		}
	})
}

// Goal: a commit that is frozen while a successor claims writes nothing when it thaws. Method: a hook that blocks.
func TestFrozenCommit(t *testing.T) {
	db := memory.New(func() int64 { return journaltest.Base - 1 })
	if err := db.Catalogue().CreateEvent(t.Context(), journaltest.NewEvent("E1", 10)); err != nil {
		t.Fatal(err)
	}
	a, b := db.Journal("a"), db.Journal("b")
	old, err := a.Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	frozen, thaw, done := make(chan struct{}), make(chan struct{}), make(chan error)
	db.OnCommit(func(context.Context, messages.Batch) memory.Fault {
		close(frozen)
		<-thaw
		return memory.None
	})
	go func() { done <- a.Commit(t.Context(), journaltest.Batch("E1", old.Epoch, 2)) }()
	<-frozen
	if _, err := b.Claim(t.Context(), "E1"); err != nil {
		t.Fatal(err)
	}
	close(thaw)
	if err := <-done; !errors.Is(err, messages.ErrFenced) {
		t.Errorf("the thawed commit: %v, want ErrFenced", err)
	}
}

package persistence

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

const ttl = 600_000

func join(t testing.TB, db *DB, j messages.Join) messages.Session {
	t.Helper()
	s, again, err := db.Sessions().Join(t.Context(), j)
	if err != nil || again {
		t.Fatalf("join: again %v, %v", again, err)
	}
	return s
}

// Goal: places are dense and unique, and each joiner gets his own, however many join events at once. Method: 600
// goroutines join three events through two processes' batchers.
func TestJoinPlaces(t *testing.T) {
	t.Parallel()
	one, url := open(t)
	two := openAt(t, url, Options{})
	const events, joins = 3, 600
	for e := range events {
		create(t, one, fmt.Sprint("E", e), 10)
	}
	joined := make([]messages.Session, joins)
	failures := make([]error, joins)
	var wg sync.WaitGroup
	for i := range joins {
		wg.Go(func() {
			db := []*DB{one, two}[i%2]
			joined[i], _, failures[i] = db.Sessions().Join(t.Context(), messages.Join{
				EventID: fmt.Sprint("E", i%events), SessionID: journaltest.ID("session", i), ActiveTTL: ttl,
			})
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	places := map[string][]uint64{}
	for i, s := range joined {
		if s.Status != messages.SessionActive || s.ActiveUntil != s.JoinedAt+ttl || s.SessionID != journaltest.ID("session", i) {
			t.Fatalf("joined as %+v", s)
		}
		places[s.EventID] = append(places[s.EventID], s.Place)
		found, err := one.Sessions().Session(t.Context(), s.EventID, s.SessionID)
		if err != nil || found != s {
			t.Fatalf("session %+v, %v; joined as %+v", found, err, s)
		}
	}
	for id, p := range places {
		slices.Sort(p)
		for i := range p {
			if p[i] != uint64(i)+1 { //nolint:gosec // small
				t.Fatalf("event %s: places %v", id, p)
			}
		}
		if counts, err := one.Sessions().Counts(t.Context(), id); err != nil || counts[messages.SessionActive] != joins/events {
			t.Errorf("event %s: counts %v, %v", id, counts, err)
		}
	}
}

// Goal: one key is one session. Method: the same key many times at once, then again, then with another body.
func TestJoinKeys(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	create(t, db, "E1", 10)
	create(t, db, "E2", 10)
	key := messages.Join{EventID: "E1", Key: journaltest.ID("key", 1), Body: journaltest.ID("body", 1), ActiveTTL: ttl}
	const calls = 50
	sessions := make([]messages.Session, calls)
	fresh := make([]bool, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			j := key
			j.SessionID = journaltest.ID("session", i)
			s, again, err := db.Sessions().Join(t.Context(), j)
			if err != nil {
				t.Error(err)
			}
			sessions[i], fresh[i] = s, !again
		})
	}
	wg.Wait()
	made := 0
	for i := range calls {
		if sessions[i] != sessions[0] {
			t.Fatalf("one key made %+v and %+v", sessions[0], sessions[i])
		}
		if fresh[i] {
			made++
		}
	}
	if made != 1 || sessions[0].Place != 1 {
		t.Errorf("%d calls say that they made it, place %d", made, sessions[0].Place)
	}
	other := key
	other.Body = journaltest.ID("body", 2)
	if _, _, err := db.Sessions().Join(t.Context(), other); !errors.Is(err, messages.ErrKeyReused) {
		t.Errorf("another body: %v, want ErrKeyReused", err)
	}
	elsewhere := key
	elsewhere.EventID, elsewhere.SessionID = "E2", journaltest.ID("session", 100)
	if s := join(t, db, elsewhere); s.EventID != "E2" || s.Place != 1 {
		t.Errorf("the key in another event: %+v", s)
	}
	var unknown *messages.EventNotFoundError
	if _, _, err := db.Sessions().Join(t.Context(), messages.Join{EventID: "E9"}); !errors.As(err, &unknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

// Goal: one call that breaks a constraint fails alone, and takes no place. Method: a batch with a session id used before.
func TestJoinFailsAlone(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	create(t, db, "E1", 10)
	join(t, db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 0), ActiveTTL: ttl})
	var batch []waiter[*joinCall]
	for i := range 3 { // the first is the one above
		call := &joinCall{join: messages.Join{EventID: "E1", SessionID: journaltest.ID("session", i), ActiveTTL: ttl}}
		batch = append(batch, waiter[*joinCall]{call, make(chan error, 1)})
	}
	db.joins.write(t.Context(), batch)
	if err := <-batch[0].done; !breaksConstraint(err) {
		t.Errorf("a session made twice: %v", err)
	}
	for i := 1; i < 3; i++ {
		if err := <-batch[i].done; err != nil || batch[i].item.session.Place != uint64(i)+1 { //nolint:gosec // small
			t.Errorf("beside it: %v, place %d", err, batch[i].item.session.Place)
		}
	}
}

// Goal: a session ends once, as it ended first. Method: the three ends, by the database's clock, the buyer and the journal.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	create(t, db, "E1", 10)
	ctx, sessions := t.Context(), db.Sessions()
	id := func(n int) [16]byte { return journaltest.ID("session", n) }
	for n := range 5 {
		until := int64(ttl)
		if n == 0 {
			until = 0 // over at once
		}
		join(t, db, messages.Join{EventID: "E1", SessionID: id(n), ActiveTTL: until})
	}
	for _, n := range []int{0, 1, 1} {
		if err := sessions.Leave(ctx, "E1", id(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sessions.Leave(ctx, "E1", id(9)); !errors.Is(err, messages.ErrSessionNotFound) {
		t.Errorf("an unknown one leaves: %v", err)
	}
	j := db.Journal("a")
	c, err := j.Claim(ctx, "E1")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(ctx, journaltest.Batch("E1", c.Epoch, 2)); err != nil {
		t.Fatal(err)
	}
	err = db.ReadModel().Project(ctx, messages.Projection{EventID: "E1", From: 1, To: 2, Sessions: []messages.SessionRow{
		{SessionID: id(1), Completed: 4, Done: true},
		{SessionID: id(2), Completed: 4, Done: true},
		{SessionID: id(3), Completed: 1, Left: true},
		{SessionID: id(4), Completed: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []messages.SessionStatus{
		messages.SessionExpired, messages.SessionLeft, messages.SessionCompleted, messages.SessionLeft, messages.SessionActive,
	} {
		if s, err := sessions.Session(ctx, "E1", id(n)); err != nil || s.Status != want {
			t.Errorf("session %d is %s, want %s (%v)", n, s.Status, want, err)
		}
	}
	if _, err := sessions.Session(ctx, "E1", id(9)); !errors.Is(err, messages.ErrSessionNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	var completed int
	query := "select sum(completed) from session"
	if err := outsider(t, url).QueryRow(ctx, query).Scan(&completed); err != nil || completed != 11 {
		t.Errorf("%d orders completed, want 11 (%v)", completed, err)
	}
}

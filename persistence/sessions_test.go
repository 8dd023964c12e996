package persistence

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
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
				EventID: fmt.Sprint("E", i%events), SessionID: journaltest.ID("session", i),
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
		found, err := one.Sessions().Visit(t.Context(), s.EventID, s.SessionID)
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
	key := messages.Join{EventID: "E1", Key: journaltest.ID("key", 1), Body: journaltest.ID("body", 1)}
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
	join(t, db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 0)})
	var batch []waiter[*joinCall]
	for i := range 3 { // the first is the one above
		call := &joinCall{join: messages.Join{EventID: "E1", SessionID: journaltest.ID("session", i)}}
		batch = append(batch, waiter[*joinCall]{call, make(chan error, 1)})
	}
	db.joins.write(t.Context(), "E1", batch)
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
	conn := outsider(t, url)
	for n := range 5 {
		join(t, db, messages.Join{EventID: "E1", SessionID: id(n)})
	}
	execute(t, conn, "update session set ends_at = joined_at where place = 1")
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
		if s, err := sessions.Visit(ctx, "E1", id(n)); err != nil || s.Status != want {
			t.Errorf("session %d is %s, want %s (%v)", n, s.Status, want, err)
		}
	}
	if _, err := sessions.Visit(ctx, "E1", id(9)); !errors.Is(err, messages.ErrSessionNotFound) {
		t.Errorf("an unknown one: %v", err)
	}
	var completed int
	query := "select sum(completed) from session"
	if err := conn.QueryRow(ctx, query).Scan(&completed); err != nil || completed != 11 {
		t.Errorf("%d orders completed, want 11 (%v)", completed, err)
	}
}

// Goal: a join that is repeated gets the answer that it got, whatever has become of its session since. Method: one that
// waited and one that was let in, repeated after both have moved on; also in one batch with strangers and itself.
func TestJoinAgain(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 100)
	keyed := func(n int) messages.Join {
		return messages.Join{EventID: "E1", SessionID: journaltest.ID("session", n), Key: journaltest.ID("key", n), Body: journaltest.ID("body", 1)}
	}
	in, waits := join(t, r.db, keyed(1)), join(t, r.db, keyed(2))
	if in.Status != messages.SessionActive || in.ActiveUntil != in.JoinedAt+ttl || waits.Status != messages.SessionWaiting || waits.Position != 1 {
		t.Fatalf("joined as %+v and %+v", in, waits)
	}
	if err := r.db.Sessions().Leave(t.Context(), "E1", in.SessionID); err != nil {
		t.Fatal(err)
	}
	r.admit(t)
	var batch []*joinCall
	for i, n := range []int{3, 2, 1, 3, 3, 2, 4} {
		c := &joinCall{join: keyed(n)}
		c.join.SessionID = journaltest.ID("again", i)
		batch = append(batch, c)
	}
	batch[4].join.Body, batch[5].join.Body = journaltest.ID("body", 2), journaltest.ID("body", 2)
	if err := r.db.flushJoins(t.Context(), "E1", batch); err != nil {
		t.Fatal(err)
	}
	for i, want := range []messages.Session{batch[0].session, waits, in, batch[0].session} {
		if c := batch[i]; c.err != nil || c.again != (i > 0) || c.session != want {
			t.Errorf("call %d: %+v, %v, %v, want %+v", i, c.session, c.again, c.err, want)
		}
	}
	if s := batch[0].session; s.Place != 3 || s.Position != 1 || s.SessionID != journaltest.ID("again", 0) {
		t.Errorf("a new key: %+v", s)
	}
	for _, c := range batch[4:6] {
		if !errors.Is(c.err, messages.ErrKeyReused) {
			t.Errorf("another body: %v, want ErrKeyReused", c.err)
		}
	}
	if c := batch[6]; c.err != nil || c.session.Place != 4 {
		t.Errorf("the last: %+v, %v", c.session, c.err)
	}
}

// Goal: a client has as many sessions at once as it may, and no more. Method: many joins at once by two processes; then
// one of its sessions ends in each way.
func TestJoinCap(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	dbs := []*DB{openAt(t, url, Options{}), openAt(t, url, Options{})}
	createRoom(t, dbs[0], "E1", 2, 100)
	create(t, dbs[0], "E2", 10)
	const capped, joins = 4, 60
	made := make([]messages.Session, joins)
	of := func(n int, client string) (messages.Session, error) {
		s, _, err := dbs[n%2].Sessions().Join(t.Context(), messages.Join{
			EventID: "E1", SessionID: journaltest.ID("session", n), Client: journaltest.ID(client, 1), ClientMax: capped,
		})
		if err != nil && !errors.Is(err, messages.ErrTooManySessions) {
			t.Error(err)
		}
		return s, err
	}
	var wg sync.WaitGroup
	for n := range joins {
		wg.Go(func() { made[n], _ = of(n, "client") })
	}
	wg.Wait()
	made = slices.DeleteFunc(made, func(s messages.Session) bool { return s.Place == 0 })
	slices.SortFunc(made, func(a, b messages.Session) int { return int(a.Place) - int(b.Place) }) //nolint:gosec // small
	if len(made) != capped || made[capped-1].Place != capped {
		t.Fatalf("made %+v", made)
	}
	conn := outsider(t, url)
	for n, end := range []func() error{
		func() error { return dbs[0].Sessions().Leave(t.Context(), "E1", made[2].SessionID) }, // while it waits
		func() error { // not shown up, and nobody has looked since
			_, err := conn.Exec(t.Context(), "update session set ends_at = joined_at where place = 1")
			return err
		},
		func() error {
			_, err := conn.Exec(t.Context(), projectSessionsStatement, "E1", [][]byte{made[1].SessionID[:]}, "COMPLETED", 4)
			return err
		},
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if s, err := of(joins+2*n, "client"); err != nil || s.Place != uint64(capped+n+1) { //nolint:gosec // small
			t.Errorf("%d. after one has ended: %+v, %v", n, s, err)
		}
		if _, err := of(joins+2*n+1, "client"); !errors.Is(err, messages.ErrTooManySessions) {
			t.Errorf("%d. after another has joined: %v, want ErrTooManySessions", n, err)
		}
	}
	if s, err := of(2*joins, "another"); err != nil || s.Place != capped+4 {
		t.Errorf("another client: %+v, %v", s, err)
	}
	join(t, dbs[0], messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 3*joins)})
	elsewhere := messages.Join{EventID: "E2", SessionID: journaltest.ID("session", 1), Client: journaltest.ID("client", 1), ClientMax: capped}
	join(t, dbs[0], elsewhere)
}

// Goal: events do not wait for each other's joins, however one of them is held up, and a claim that ends a batch ends that
// event's alone. Method: a join of E1 that holds the admission row waits for an outsider; buyers join other events, and one
// that does not exist, until E1 is claimed.
func TestJoinBesideStuckEvent(t *testing.T) {
	t.Parallel()
	url, heard := pgtest.New(t), &demand{}
	db := openAt(t, url, Options{Demand: heard, CommitConns: 4})
	const others = 20
	for e := range others {
		createRoom(t, db, fmt.Sprint("E", e+1), 1, 100)
	}
	other := outsider(t, url)
	unblock := block(t, other, `
insert into session (event_id, session_id, place, status, joined_at)
values ('E1', substr(sha256('session 1'), 1, 16), 1000, 'LEFT', 1)`)
	stuck := make(chan error, 1)
	go func() {
		_, _, err := db.Sessions().Join(t.Context(), messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 1)})
		stuck <- err
	}()
	waitForWaiting(t, other)
	for n := range 3 {
		var wg sync.WaitGroup
		for e := 1; e <= others; e++ {
			wg.Go(func() {
				id := fmt.Sprint("E", e+1) // the last is none
				s, _, err := db.Sessions().Join(t.Context(), messages.Join{EventID: id, SessionID: journaltest.ID("session", n)})
				var unknown *messages.EventNotFoundError
				switch {
				case e == others:
					if !errors.As(err, &unknown) || unknown.EventID != id {
						t.Errorf("an unknown event: %v", err)
					}
				case err != nil || s.Place != uint64(n+1) || (s.Status == messages.SessionWaiting) != (n > 0): //nolint:gosec // small
					t.Errorf("event %s: %+v, %v", id, s, err)
				}
			})
		}
		wg.Wait()
	}
	select {
	case err := <-stuck:
		t.Fatalf("the stuck one is done: %v", err)
	default:
	}
	if announced := heard.take(); announced != 2*(others-1) {
		t.Errorf("%d announced, want %d", announced, 2*(others-1))
	}
	if _, err := db.Admissions("a").Claim(t.Context(), "E1"); err != nil {
		t.Error(err)
	}
	if err := <-stuck; err == nil {
		t.Error("the stuck one has joined")
	}
	unblock()
	if s := join(t, db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 1)}); s.Place != 1 {
		t.Errorf("after it: %+v", s)
	}
}

package persistence

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// createRoom makes an event with a waiting room.
func createRoom(t testing.TB, db *DB, eventID string, activeLimit, perSecond uint32) {
	t.Helper()
	e := journaltest.NewEvent(eventID, 10)
	e.Event.WaitingRoom = &messages.WaitingRoom{
		Enabled: true, ActiveLimit: activeLimit, ActiveTtlSeconds: ttl / 1000, AdmitPerSecond: perSecond,
	}
	if err := db.Catalogue().CreateEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// demand writes down the events that are announced.
type demand struct {
	mu    sync.Mutex
	heard []string
}

func (d *demand) Announce(eventIDs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, eventIDs...)
}

// take is how often something was announced since the last take.
func (d *demand) take() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.heard)
	d.heard = nil
	return n
}

// room is an event E1 with a waiting room, and the admission to it.
type room struct {
	db     *DB
	conn   *pgx.Conn
	demand *demand
	epoch  uint64
}

func openRoom(t *testing.T, activeLimit, perSecond uint32) *room {
	t.Helper()
	url, d := pgtest.New(t), &demand{}
	r := &room{db: openAt(t, url, Options{Demand: d}), conn: outsider(t, url), demand: d}
	createRoom(t, r.db, "E1", activeLimit, perSecond)
	c, err := r.db.Admissions("a").Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	r.epoch = c.Epoch
	return r
}

func (r *room) admit(t *testing.T) messages.Admitted {
	t.Helper()
	a, err := r.db.Admissions("a").Admit(t.Context(), messages.Admit{EventID: "E1", Epoch: r.epoch, PerSecond: 2.5})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// join makes sessions from up to to.
func (r *room) join(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		join(t, r.db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", n)})
	}
}

// statuses by place, with the positions of those who wait. They are read without a visit.
func (r *room) statuses(t *testing.T) string {
	t.Helper()
	const query = `
select coalesce(string_agg(lower(left(s.status, 1)) || case when s.status = 'WAITING' then (s.place - a.head)::text else '' end, ' ' order by place), '')
from session_now s join admission a using (event_id)`
	var found string
	if err := r.conn.QueryRow(t.Context(), query).Scan(&found); err != nil {
		t.Fatal(err)
	}
	return found
}

func (r *room) want(t *testing.T, when, want string) {
	t.Helper()
	if found := r.statuses(t); found != want {
		t.Errorf("%s: %s, want %s", when, found, want)
	}
}

// Goal: each end of a session frees its place, the line moves up in order, and who admits hears of it. Method: a room of
// two; time passes by moving the rows' times.
func TestRoomMovesUp(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 2, 100)
	sessions := r.db.Sessions()
	id := func(n int) [16]byte { return journaltest.ID("session", n) }
	r.join(t, 1, 2)
	if n := r.demand.take(); n != 0 {
		t.Errorf("%d announced where nobody waits", n)
	}
	r.join(t, 3, 8)
	r.want(t, "joined", "a a w1 w2 w3 w4 w5 w6")
	if n := r.demand.take(); n != 6 {
		t.Errorf("%d announced, want 6", n)
	}
	if a := r.admit(t); a.Count != 0 || !a.Waiting || a.Head != 2 || !a.OnSale || a.Due > a.At+1000 || a.Due < a.At+500 {
		t.Errorf("a full room: %+v", a)
	}
	if s, err := sessions.Visit(t.Context(), "E1", id(3)); err != nil || s.Position != 1 || s.PerSecond != 2.5 || s.Status != messages.SessionWaiting {
		t.Errorf("visit of the first in line: %+v, %v", s, err)
	}

	if err := sessions.Leave(t.Context(), "E1", id(1)); err != nil {
		t.Fatal(err)
	}
	if n := r.demand.take(); n != 1 {
		t.Errorf("%d announced, want 1", n)
	}
	if a := r.admit(t); a.Count != 1 || a.Head != 3 || a.Due != a.At+100 {
		t.Errorf("one has left: %+v", a)
	}
	r.want(t, "one has left", "l a a w1 w2 w3 w4 w5")

	// One shows up, and one does not.
	if s, err := sessions.Visit(t.Context(), "E1", id(3)); err != nil || s.Status != messages.SessionActive || s.ActiveUntil == 0 || s.Position != 0 {
		t.Errorf("shows up: %+v, %v", s, err)
	}
	execute(t, r.conn, "update session set ends_at = ends_at - 61000 where status = 'ACTIVE'")
	r.want(t, "a minute later", "l a a w1 w2 w3 w4 w5")
	if s, err := sessions.LeaveLine(t.Context(), "E1", id(4)); err != nil || s.Status != messages.SessionLeft {
		t.Errorf("leaves the line: %+v, %v", s, err)
	}
	if s, err := sessions.LeaveLine(t.Context(), "E1", id(3)); err != nil || s.Status != messages.SessionActive {
		t.Errorf("is no longer in line: %+v, %v", s, err)
	}
	execute(t, r.conn, "update session set ends_at = ends_at - 540000 where place = 2")
	r.want(t, "later", "l e a l w2 w3 w4 w5")
	r.admit(t)
	r.want(t, "one is over", "l e a l a w1 w2 w3")
	execute(t, r.conn, "update session set ends_at = ends_at - 61000 where place = 5")
	if s, err := sessions.Visit(t.Context(), "E1", id(5)); err != nil || s.Status != messages.SessionExpired {
		t.Errorf("comes too late: %+v, %v", s, err)
	}
	r.admit(t)
	r.want(t, "one has not shown up", "l e a l e a w1 w2")

	r.project(t, messages.Projection{Sessions: []messages.SessionRow{
		{SessionID: id(3), Completed: 4, Done: true}, {SessionID: id(5), Completed: 4, Done: true},
	}})
	if n := r.demand.take(); n != 1 {
		t.Errorf("a session has ended by its orders: %d announced, want 1", n)
	}
	if a := r.admit(t); a.Count != 1 || a.Head != 7 {
		t.Errorf("one has completed: %+v", a)
	}
	r.want(t, "one has completed", "l e c l e a a w1")
	if err := sessions.Leave(t.Context(), "E1", id(8)); err != nil {
		t.Fatal(err)
	}
	if a := r.admit(t); a.Waiting || a.Due != 0 || a.Head != 8 {
		t.Errorf("nobody waits: %+v", a)
	}
	r.demand.take()
	if err := sessions.Leave(t.Context(), "E1", id(7)); err != nil || r.demand.take() != 0 {
		t.Errorf("a place that nobody waits for is announced (%v)", err)
	}
	r.join(t, 9, 10)
	r.want(t, "joined where nobody waits", "l e c l e a l l a w1")
}

// project commits an entry and projects what it did.
func (r *room) project(t *testing.T, p messages.Projection) {
	t.Helper()
	j := r.db.Journal("a")
	c, err := j.Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(t.Context(), journaltest.Batch("E1", c.Epoch, c.LastSeq+1)); err != nil {
		t.Fatal(err)
	}
	p.EventID, p.From, p.To = "E1", c.LastSeq, c.LastSeq+1
	if err := r.db.ReadModel().Project(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// Goal: settings count from the moment they are stored. Method: one line, and each setting changed by itself.
func TestRoomSettings(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 3)
	limit := func(name string, n int) {
		t.Helper()
		execute(t, r.conn, "update event set settings = jsonb_set(settings, array['waitingRoom', $1], to_jsonb($2::int))", name, n)
	}
	r.join(t, 1, 12)
	r.want(t, "joined", "a w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11")
	execute(t, r.conn, "update event set status = 'PAUSED'")
	limit("activeLimit", 100)
	if a := r.admit(t); a.Count != 0 || !a.Waiting {
		t.Errorf("paused: %+v", a)
	}
	execute(t, r.conn, "update event set status = 'CLOSED'")
	if a := r.admit(t); a.Count != 0 || !a.Waiting {
		t.Errorf("closed: %+v", a)
	}
	r.join(t, 13, 13)
	r.want(t, "closed: the line stays", "a w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12")
	execute(t, r.conn, "update event set status = 'ON_SALE', on_sale_at = now_ms() + 60000")
	if a := r.admit(t); a.Count != 0 || a.OnSale {
		t.Errorf("not on sale yet: %+v", a)
	}
	j := join(t, r.db, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", 14)})
	s, err := r.db.Sessions().Visit(t.Context(), "E1", j.SessionID)
	if err != nil || s != j || j.Status != messages.SessionWaiting || j.Position != 0 {
		t.Errorf("before the event is on sale: joined as %+v, visited as %+v, %v", j, s, err)
	}
	execute(t, r.conn, "update event set on_sale_at = now_ms()")
	// Three a second, in steps of one; the second of the first is over.
	execute(t, r.conn, "update session set admitted_at = admitted_at - 2000 where place = 1")
	for range 4 {
		r.admit(t)
	}
	r.want(t, "three a second", "a a a a w1 w2 w3 w4 w5 w6 w7 w8 w9 w10")
	if a := r.admit(t); a.Count != 0 || a.Due > a.At+1001 {
		t.Errorf("the second is full: %+v", a)
	}
	limit("activeLimit", 2)
	execute(t, r.conn, "update session set admitted_at = admitted_at - 2000 where status = 'ACTIVE'")
	if a := r.admit(t); a.Count != 0 {
		t.Errorf("more are in than may be: %+v", a)
	}
	limit("activeLimit", 5)
	limit("admitPerSecond", 100)
	r.admit(t)
	r.want(t, "a higher limit", "a a a a a w1 w2 w3 w4 w5 w6 w7 w8 w9")
	execute(t, r.conn, "update event set settings = settings #- '{waitingRoom,enabled}'")
	r.join(t, 15, 15)
	r.want(t, "no waiting room: the line goes first", "a a a a a w1 w2 w3 w4 w5 w6 w7 w8 w9 w10")
	r.admit(t)
	r.join(t, 16, 16)
	r.want(t, "no waiting room", "a a a a a a a a a a a a a a a a")
	execute(t, r.conn, "update event set settings = jsonb_set(settings, '{waitingRoom,enabled}', 'true'), status = 'CANCELLED'")
	r.join(t, 17, 18)
	if a := r.admit(t); a.Count != 0 || a.Waiting || a.Head != 18 {
		t.Errorf("cancelled: %+v", a)
	}
	r.want(t, "cancelled", "a a a a a a a a a a a a a a a a e e")
}

// Goal: an admission that another has followed admits nobody, also where it froze in the middle: it holds up its successor
// for no longer than a second. Method: an outsider holds the row of the first in line.
func TestAdmissionFence(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	old, fresh := openAt(t, url, Options{Name: "old"}), openAt(t, url, Options{Name: "fresh"})
	createRoom(t, old, "E1", 1, 10)
	ctx := t.Context()
	c, err := old.Admissions("a").Claim(ctx, "E1")
	if err != nil || c.Epoch != 1 {
		t.Fatalf("claimed %+v, %v", c, err)
	}
	for n := range 2 {
		join(t, old, messages.Join{EventID: "E1", SessionID: journaltest.ID("session", n)})
	}
	if err := old.Sessions().Leave(ctx, "E1", journaltest.ID("session", 0)); err != nil {
		t.Fatal(err)
	}
	other := outsider(t, url)
	unblock := block(t, other, "select from session where place = 2 for update")
	done := make(chan error, 1)
	mine := messages.Admit{EventID: "E1", Epoch: c.Epoch, PerSecond: 7}
	go func() {
		_, err := old.Admissions("a").Admit(ctx, mine)
		done <- err
	}()
	waitForWaiting(t, other)

	began := time.Now()
	second, err := fresh.Admissions("b").Claim(ctx, "E1")
	if took := time.Since(began); err != nil || took > claimWithin || took < claimPatience {
		t.Errorf("the claim took %v: %v", took, err)
	}
	unblock()
	if err := <-done; err == nil {
		t.Error("the stuck one has admitted")
	}
	if _, err := old.Admissions("a").Admit(ctx, mine); !errors.Is(err, messages.ErrFenced) {
		t.Errorf("its next: %v, want ErrFenced", err)
	}
	mine.Epoch = second.Epoch
	if a, err := fresh.Admissions("b").Admit(ctx, mine); err != nil || a.Count != 1 {
		t.Errorf("its successor's: %+v, %v", a, err)
	}
	if third, err := old.Admissions("a").Claim(ctx, "E1"); err != nil || third != (messages.AdmissionClaim{Epoch: 3, PerSecond: 7}) {
		t.Errorf("the third claim: %+v, %v", third, err)
	}
	var unknown *messages.EventNotFoundError
	if _, err := old.Admissions("a").Claim(ctx, "E9"); !errors.As(err, &unknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

// Goal: a line to which nobody is let in for long keeps nobody awake, and is looked at again when its sale begins, when
// somebody joins, and as soon as its settings change. Method: each of what it may wait for, and each change, projected.
func TestRoomSleeps(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 100)
	r.join(t, 1, 3)
	r.admit(t)
	event := journaltest.NewEvent("E1", 10).Event
	event.WaitingRoom = &messages.WaitingRoom{Enabled: true, ActiveLimit: 1, ActiveTtlSeconds: ttl / 1000, AdmitPerSecond: 100}
	now := func() (ms int64) {
		if err := r.conn.QueryRow(t.Context(), "select now_ms()").Scan(&ms); err != nil {
			t.Fatal(err)
		}
		return ms
	}
	// sleeps until three seconds before due, which is so far away.
	sleeps := func(when string, far int64) {
		t.Helper()
		before := now()
		a := r.admit(t)
		var next int64
		if err := r.conn.QueryRow(t.Context(), "select next_due from admission").Scan(&next); err != nil {
			t.Fatal(err)
		}
		if a.Count != 0 || !a.Waiting || a.Due < before+far-1000 || a.Due > a.At+far || next != a.Due-3000 {
			t.Errorf("%s: %+v, next due %d", when, a, next)
		}
	}
	// changes wakes whoever is to admit.
	changes := func(what string, change func()) {
		t.Helper()
		change()
		r.demand.take()
		r.project(t, messages.Projection{Event: event})
		if due, err := r.db.AdmissionsDue(t.Context()); err != nil || len(due) != 1 || r.demand.take() != 1 {
			t.Errorf("%s: due is %v, %v; or it was not announced once", what, due, err)
		}
	}
	const hour = 3_600_000
	changes("paused", func() { event.Status = messages.EventStatus_EVENT_STATUS_PAUSED })
	sleeps("paused", hour)
	changes("closed", func() { event.Status = messages.EventStatus_EVENT_STATUS_CLOSED })
	sleeps("closed", hour)
	changes("opened, for a later sale", func() {
		event.Status, event.OnSaleAt = messages.EventStatus_EVENT_STATUS_ON_SALE, now()+24*hour
	})
	sleeps("before the sale", 24*hour)
	r.join(t, 4, 4)
	var within int64
	if err := r.conn.QueryRow(t.Context(), "select next_due - now_ms() from admission").Scan(&within); err != nil || within > 15_000 {
		t.Errorf("somebody has joined, and is seen to in %d ms (%v)", within, err)
	}
	r.admit(t)
	changes("the sale begins earlier", func() { event.OnSaleAt = now() + 5_000 })
	var near bool
	if a := r.admit(t); a.Due != event.GetOnSaleAt() {
		t.Errorf("shortly before the sale: %+v", a)
	}
	query := "select next_due = $1::bigint + 2000 from admission"
	if err := r.conn.QueryRow(t.Context(), query, event.GetOnSaleAt()).Scan(&near); err != nil || !near {
		t.Errorf("shortly before the sale nobody stays awake (%v)", err)
	}
	changes("a higher limit, at once", func() { event.OnSaleAt, event.WaitingRoom.ActiveLimit = 0, 3 })
	if a := r.admit(t); a.Count != 2 {
		t.Errorf("a higher limit: %+v", a)
	}
	changes("cancelled", func() { event.Status = messages.EventStatus_EVENT_STATUS_CANCELLED })
	r.admit(t)
	r.want(t, "cancelled", "a a a e")
	r.project(t, messages.Projection{Event: event})
	if due, err := r.db.AdmissionsDue(t.Context()); err != nil || len(due) != 0 || r.demand.take() != 0 {
		t.Errorf("nobody waits: due is %v, %v; or it was announced", due, err)
	}
}

// Goal: a change of settings waits for an admission that may have read those of before, and the two do not lock each other
// out. Method: the admission, which has its event's row, waits for an outsider; meanwhile a change is projected, with the
// end of a session that the admission wants next.
func TestSettingsBesideAdmit(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 100)
	r.join(t, 1, 4)
	if err := r.db.Sessions().Leave(t.Context(), "E1", journaltest.ID("session", 1)); err != nil {
		t.Fatal(err)
	}
	event := journaltest.NewEvent("E1", 10).Event // of no waiting room
	execute(t, r.conn, "update event set settings = settings #- '{waitingRoom,enabled}'")
	watcher := outsider(t, r.conn.Config().ConnString())
	unblock := block(t, r.conn, "select from session where place = 2 for update")
	var both sync.WaitGroup
	both.Go(func() {
		if a := r.admit(t); a.Count != 3 {
			t.Errorf("admitted %+v", a)
		}
	})
	waitForWaiting(t, r.conn)
	var projected atomic.Bool
	both.Go(func() {
		defer projected.Store(true)
		r.project(t, messages.Projection{Event: event, Sessions: []messages.SessionRow{{SessionID: journaltest.ID("session", 3), Left: true}}})
	})
	const query = `
select count(*) from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`
	for waiting := 0; waiting < 2 && !projected.Load(); {
		if err := watcher.QueryRow(t.Context(), query).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	if projected.Load() {
		t.Error("the change did not wait for the admission")
	}
	unblock()
	both.Wait()
	r.want(t, "both", "l a l a")
}

// Goal: a clock that steps back does not make the line stand. Method: the rows' times are moved into the future, and so is
// when somebody is to be woken.
func TestRoomClockStepsBack(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 100, 2)
	r.join(t, 1, 6)
	r.want(t, "joined", "a a w1 w2 w3 w4")
	execute(t, r.conn, `
update session set joined_at = joined_at + 3600000, admitted_at = admitted_at + 3600000,
    ends_at = ends_at + 3600000, active_until = active_until + 3600000`)
	execute(t, r.conn, "update admission set next_due = next_due + 3600000")
	r.join(t, 7, 7)
	var within int64
	if err := r.conn.QueryRow(t.Context(), "select next_due - now_ms() from admission").Scan(&within); err != nil || within > 15_000 {
		t.Errorf("somebody has joined, and is seen to in %d ms (%v)", within, err)
	}
	if a := r.admit(t); a.Count != 1 || a.Due != a.At+100 {
		t.Errorf("the clock has stepped back: %+v", a)
	}
	r.want(t, "the clock has stepped back", "a a a w1 w2 w3 w4")
}

// Goal: a session whose time is over, and whose row somebody has, is not looked at again and again in a hurry.
func TestRoomOfHeldRow(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 100)
	r.join(t, 1, 2)
	execute(t, r.conn, "update session set ends_at = ends_at - 660000 where place = 1")
	unblock := block(t, r.conn, "select from session where place = 1 for update")
	if a := r.admit(t); a.Count != 0 || a.Due < a.At-500 || a.Due > a.At+100 {
		t.Errorf("somebody has the row: %+v", a)
	}
	unblock()
	if a := r.admit(t); a.Count != 1 {
		t.Errorf("nobody has the row: %+v", a)
	}
}

// Goal: who looks for sleepers finds each event where somebody waits and nobody is awake, and no other.
func TestAdmissionsDue(t *testing.T) {
	t.Parallel()
	r := openRoom(t, 1, 10)
	createRoom(t, r.db, "E2", 1, 10)
	due := func(when string, want ...string) {
		t.Helper()
		ids, err := r.db.AdmissionsDue(t.Context())
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%s: due are %v, %v, want %v", when, ids, err, want)
		}
	}
	r.join(t, 1, 1)
	due("nobody waits")
	r.join(t, 2, 2)
	due("one waits", "E1")
	r.admit(t)
	due("somebody is awake")
	r.join(t, 3, 3)
	due("another waits")
	execute(t, r.conn, "update admission set next_due = next_due - 5000")
	due("he has fallen asleep", "E1")
	for n := 1; n <= 3; n++ {
		if err := r.db.Sessions().Leave(t.Context(), "E1", journaltest.ID("session", n)); err != nil {
			t.Fatal(err)
		}
	}
	r.admit(t)
	due("all have left")
	p, err := r.db.Sessions().Progress(t.Context(), []string{"E1", "E2", "E9"})
	if err != nil || len(p) != 2 || p["E1"].GetHead() != 3 || p["E1"].GetPerSecond() != 2.5 || !p["E1"].GetOnSale() || p["E2"].GetHead() != 0 {
		t.Errorf("progress %v, %v", p, err)
	}
}

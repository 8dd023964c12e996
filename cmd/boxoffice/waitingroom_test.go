package main_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The tests of the waiting room judge what has happened from the table of sessions alone, and from a history that a
// trigger of theirs keeps of it: not from what the server says.

// TestCrowds runs, one after the other, what keeps both the server and this process busy for long: two of them at once would
// measure each other. Each says its goal and method.
func TestCrowds(t *testing.T) {
	t.Parallel()
	t.Run("rush", rushIn)
	t.Run("killed", killedWhileTheyWait)
	t.Run("doors", doorsOpen)
	t.Run("two admit", twoAdmit)
}

// seedEnv replays a test's random choices.
const seedEnv = "BOXOFFICE_TEST_SEED"

// seeded is where a test's random choices come from.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedEnv); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		must(t, err)
	}
	t.Logf("%s=%d", seedEnv, seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// waitingRoom are an event's settings, with so many orders a session.
func waitingRoom(limit, ttlSeconds, perSecond, orders int) map[string]any {
	return map[string]any{
		"maxOrdersPerSession": orders,
		"waitingRoom":         map[string]any{"enabled": true, "activeLimit": limit, "activeTtlSeconds": ttlSeconds, "admitPerSecond": perSecond},
	}
}

// notYet adds an on-sale time that is far away to settings.
func notYet(settings map[string]any) map[string]any {
	settings["onSaleAt"] = "2029-01-01T00:00:00Z"
	return settings
}

// openDoors puts the event on sale.
func (s *server) openDoors(event string) error {
	return s.organise("PATCH", "/"+event, `{"onSaleAt":"`+time.Now().UTC().Format("2006-01-02T15:04:05.000Z")+`"}`).is(200)
}

// historyStatement notes each status that a session ever has.
const historyStatement = `
create table history (n bigserial primary key, event_id text, session_id bytea, was text, status text, at bigint);
create function note_session() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into history (event_id, session_id, was, status, at) values (new.event_id, new.session_id, '', new.status, now_ms());
    elsif old.status <> new.status then
        insert into history (event_id, session_id, was, status, at) values (new.event_id, new.session_id, old.status, new.status, now_ms());
    end if;
    return null;
end $$;
create trigger note_session after insert or update on session for each row execute function note_session();`

// keepHistory of the sessions of a database, from now on.
func keepHistory(t testing.TB, database string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, database)
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, historyStatement)
	must(t, err)
}

// table reads rows into structs, field by field.
func table[T any](t testing.TB, database, sql string, args ...any) []T {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, database)
	must(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, args...)
	must(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	must(t, err)
	return all
}

// stay is one session as its row tells it. Times are milliseconds since the Unix epoch.
type stay struct {
	Place             int64
	Status            string
	Joined            int64
	Admitted, Over    int64 // 0: never
	Left              int64 // when a session left the line, else 0
	Steps, Admissions int64 // in its history
}

const staysStatement = `
select s.place, n.status, s.joined_at, coalesce(s.admitted_at, 0),
    case when s.admitted_at is null then 0 else least(s.ended_at, s.ends_at) end,
    case when s.admitted_at is null then coalesce(s.ended_at, 0) else 0 end,
    h.steps, h.admissions
from session s
join session_now n using (event_id, session_id)
cross join lateral (
    select count(*) as steps, count(*) filter (where status = 'ACTIVE') as admissions
    from history where event_id = s.event_id and session_id = s.session_id) h
where s.event_id = $1
order by s.place`

// judge what the rows of an event's sessions tell of its waiting room, and returns them by place:
//
//  1. Places are dense: 1, 2, 3 …
//  2. Nobody was admitted twice, and nobody came back who had ended.
//  3. Nobody was passed over: who had the lower place was let in before, unless gone from the line by then.
//  4. At every instant at most limit were ACTIVE.
//  5. In any second at most perSecond were admitted.
func judge(t testing.TB, database, event string, limit, perSecond int) []stay {
	t.Helper()
	index(t, database)
	stays := table[stay](t, database, staysStatement, event)
	last := query[int64](t, database, `select last_place from admission where event_id = $1`, event)[0]
	if int64(len(stays)) != last {
		t.Errorf("event %s: %d sessions, the last place is %d", event, len(stays), last)
	}
	latest := int64(0)
	var admitted, ended []int64
	for i, s := range stays {
		if s.Place != int64(i)+1 {
			t.Fatalf("event %s: place %d follows place %d", event, s.Place, i)
		}
		if s.Steps > 3 || s.Admissions > 1 || (s.Admitted != 0) != (s.Admissions == 1) {
			t.Errorf("event %s: the session of place %d was admitted %d times: %+v", event, s.Place, s.Admissions, s)
		}
		if s.Admitted == 0 {
			continue
		}
		if s.Admitted < latest {
			t.Errorf("event %s: place %d was admitted at %d, one before it only at %d", event, s.Place, s.Admitted, latest)
		}
		latest = max(latest, s.Admitted)
		admitted, ended = append(admitted, s.Admitted), append(ended, s.Over)
	}
	passedOver(t, event, stays)
	odd := query[string](t, database, `
select distinct was || ' to ' || status from history
where event_id = $1 and was || ' to ' || status not in (' to WAITING', ' to ACTIVE', 'WAITING to ACTIVE', 'WAITING to LEFT',
    'WAITING to EXPIRED', 'ACTIVE to COMPLETED', 'ACTIVE to EXPIRED', 'ACTIVE to LEFT')`, event)
	if len(odd) > 0 {
		t.Errorf("event %s: sessions went from %v", event, odd)
	}
	slices.Sort(admitted)
	slices.Sort(ended)
	if most := mostAtOnce(admitted, ended); most > limit {
		t.Errorf("event %s: %d sessions were active at once, the limit is %d", event, most, limit)
	}
	if most := mostInASecond(admitted); most > perSecond {
		t.Errorf("event %s: %d sessions were admitted in a second, the limit is %d", event, most, perSecond)
	}
	return stays
}

// passedOver fails the test where somebody was let in although one with a lower place waited.
func passedOver(t testing.TB, event string, stays []stay) {
	t.Helper()
	// An admission's time is taken before it looks who waits: who leaves meanwhile has left it a moment later.
	const moment = 1000
	const never = math.MaxInt64 - moment
	next := int64(never) // when the first of those behind was let in
	for _, s := range slices.Backward(stays) {
		switch {
		case s.Admitted != 0:
			next = min(next, s.Admitted)
		case s.Left == 0 && next != never, s.Left > next+moment:
			t.Errorf("event %s: place %d was passed over: somebody behind was let in at %d: %+v", event, s.Place, next, s)
		}
	}
}

// index the history: while it is written it costs the server as little as can be.
func index(t testing.TB, database string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, database)
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `create index if not exists history_of on history (event_id, session_id); analyze history; analyze session`)
	must(t, err)
}

// mostAtOnce is how many intervals [begun, ended) overlap at most; both are sorted, and an end frees its place at once.
func mostAtOnce(begun, ended []int64) (most int) {
	gone := 0
	for i, at := range begun {
		for gone < len(ended) && ended[gone] <= at {
			gone++
		}
		most = max(most, i+1-gone)
	}
	return most
}

// mostInASecond is how many of the sorted times lie within (t - 1 s, t] at most.
func mostInASecond(times []int64) (most int) {
	first := 0
	for i, at := range times {
		for times[first] <= at-1000 {
			first++
		}
		most = max(most, i+1-first)
	}
	return most
}

// noneLeft is nil once nobody waits or is active any more.
func noneLeft(t testing.TB, database, event string) error {
	t.Helper()
	left := query[string](t, database, `select status || ' ' || count(*) from session_now where event_id = $1 and status in ('WAITING', 'ACTIVE') group by status`, event)
	if len(left) > 0 {
		return fmt.Errorf("event %s: still there: %v", event, left)
	}
	return nil
}

// Goal: the judge sees what it must see. Method: made-up times.
func TestMostAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		begun, ended []int64
		want         int
	}{
		{nil, nil, 0},
		{[]int64{1}, []int64{2}, 1},
		{[]int64{1, 2}, []int64{2, 3}, 1},
		{[]int64{1, 1, 2}, []int64{2, 3, 3}, 2},
		{[]int64{1, 1, 1}, []int64{2, 3, 4}, 3},
		{[]int64{1, 5, 6}, []int64{1, 6, 7}, 1},
	} {
		if got := mostAtOnce(c.begun, c.ended); got != c.want {
			t.Errorf("%v to %v: %d at once, not %d", c.begun, c.ended, got, c.want)
		}
	}
	if got := mostInASecond([]int64{0, 0, 999, 1000, 1001}); got != 3 {
		t.Errorf("%d in a second", got)
	}
}

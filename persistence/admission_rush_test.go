package persistence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// Goal: whatever happens at once, at no instant are more ACTIVE than the limit, in no second more admitted than the rate,
// nobody twice or before those ahead of him, and nobody's position grows. Method: buyers that join, poll, leave, complete
// and vanish, through two processes; two admissions that take the event from each other and hurry; settings that change.
// The rows' times are judged afterwards.

const (
	rushJoins  = 900
	rushBuyers = 12
	// Between reading the settings and admitting by them.
	rushLagMillis = 500
)

// rushSettings were in force at most from since to until, in milliseconds of the database's clock.
type rushSettings struct {
	limit, rate  int
	since, until int64
}

type rush struct {
	t        *testing.T
	dbs      [2]*DB
	pool     *pgxpool.Pool
	left     atomic.Int64 // sessions that have not ended
	settings []rushSettings
}

func TestRush(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64() //nolint:gosec // a test's
	t.Logf("seed %d", seed)
	url := pgtest.New(t)
	r := &rush{t: t, dbs: [2]*DB{openAt(t, url, Options{}), openAt(t, url, Options{})}}
	r.pool = r.dbs[0].queries
	createRoom(t, r.dbs[0], "E1", 20, 300)
	r.left.Store(rushJoins)
	r.change(20, 300)
	var wg sync.WaitGroup
	for n := range rushBuyers {
		wg.Go(func() { r.buyers(n, rand.New(rand.NewPCG(seed, uint64(n)))) }) //nolint:gosec // a test's
	}
	for n := range 2 {
		wg.Go(func() { r.admission(n, rand.New(rand.NewPCG(seed, uint64(100+n)))) }) //nolint:gosec // a test's
	}
	wg.Go(func() { r.organiser(rand.New(rand.NewPCG(seed, 200))) }) //nolint:gosec // a test's
	wg.Wait()
	if !t.Failed() {
		r.judge()
	}
}

// change stores settings: sessions last for a second, so that those who vanish end meanwhile.
func (r *rush) change(limit, rate int) {
	var before, after int64
	const statement = `
update event set settings = settings || jsonb_build_object('waitingRoom', jsonb_build_object(
    'enabled', true, 'activeTtlSeconds', 1, 'activeLimit', $1::int, 'admitPerSecond', $2::int))`
	err := pgx.BeginFunc(context.WithoutCancel(r.t.Context()), r.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(r.t.Context(), "select now_ms()").Scan(&before); err != nil {
			return err
		}
		_, err := tx.Exec(r.t.Context(), statement, limit, rate)
		return err
	})
	if err == nil {
		err = r.pool.QueryRow(r.t.Context(), "select now_ms()").Scan(&after)
	}
	if err != nil {
		r.t.Error(err)
	}
	if n := len(r.settings); n > 0 {
		r.settings[n-1].until = after
	}
	r.settings = append(r.settings, rushSettings{limit, rate, before, 1 << 60})
}

func (r *rush) organiser(random *rand.Rand) {
	for last := r.left.Load(); last > 0 && !r.t.Failed(); {
		if left := r.left.Load(); left == 0 || left < last-rushJoins/10 {
			last = left
			r.change(5+random.IntN(30), 50+random.IntN(500))
		}
		var now int64 // gives the others a turn
		if err := r.pool.QueryRow(r.t.Context(), "select now_ms()").Scan(&now); err != nil {
			r.t.Error(err)
		}
	}
}

// admission admits as fast as it can, and claims when it is fenced and now and then without need.
func (r *rush) admission(n int, random *rand.Rand) {
	a := r.dbs[n].Admissions(fmt.Sprint("node ", n))
	var epoch, head uint64
	for r.left.Load() > 0 && !r.t.Failed() {
		done, err := a.Admit(r.t.Context(), messages.Admit{EventID: "E1", Epoch: epoch})
		switch {
		case errors.Is(err, messages.ErrFenced) || err == nil && random.IntN(50) == 0:
			c, err := a.Claim(r.t.Context(), "E1")
			if err != nil {
				r.t.Error(err)
			}
			epoch = c.Epoch
		case err != nil:
			r.t.Error(err)
		case done.Head < head:
			r.t.Errorf("the head fell from %d to %d", head, done.Head)
		default:
			head = done.Head
		}
	}
}

// rushBuyer is a session as its buyer sees it.
type rushBuyer struct {
	id       [16]byte
	position uint64
	vanished bool
}

// buyers are some buyers, one of whom does something at a time.
func (r *rush) buyers(n int, random *rand.Rand) {
	sessions := r.dbs[n%2].Sessions()
	var here []*rushBuyer
	joined := 0
	for (joined < rushJoins/rushBuyers || len(here) > 0) && !r.t.Failed() {
		if joined < rushJoins/rushBuyers && random.IntN(4) == 0 {
			b := &rushBuyer{id: journaltest.ID("session", n*rushJoins+joined)}
			joined++
			s, _, err := sessions.Join(r.t.Context(), messages.Join{EventID: "E1", SessionID: b.id})
			if err != nil {
				r.t.Error(err)
			}
			b.position = s.Position
			here = append(here, b)
		}
		if len(here) == 0 {
			continue
		}
		i := random.IntN(len(here))
		if r.step(sessions, here[i], random) {
			here = slices.Delete(here, i, i+1)
			r.left.Add(-1)
		}
	}
}

// step is one thing that a buyer does; he has ended when it says so.
func (r *rush) step(sessions *Sessions, b *rushBuyer, random *rand.Rand) (ended bool) {
	ctx := r.t.Context()
	s, err := r.look(sessions, b, random)
	if err != nil {
		r.t.Error(err)
		return true
	}
	if s.Position > b.position && b.position > 0 {
		r.t.Errorf("place %d: position %d after %d", s.Place, s.Position, b.position)
	}
	b.position = s.Position
	switch s.Status {
	case messages.SessionWaiting:
		if random.IntN(200) == 0 {
			if s, err = sessions.LeaveLine(ctx, "E1", b.id); err != nil || s.Status == messages.SessionWaiting {
				r.t.Errorf("left the line: %+v, %v", s, err)
			}
		}
	case messages.SessionActive:
		switch random.IntN(4) {
		case 0:
			err = sessions.Leave(ctx, "E1", b.id)
		case 1:
			_, err = r.pool.Exec(ctx, projectSessionsStatement, "E1", [][]byte{b.id[:]}, "COMPLETED", 4)
		case 2:
			b.vanished = true
		}
		if err != nil {
			r.t.Error(err)
		}
	default:
		return true
	}
	return false
}

func (r *rush) look(sessions *Sessions, b *rushBuyer, random *rand.Rand) (messages.Session, error) {
	switch {
	case b.vanished: // shows up no more
		s, _, err := sessions.read(r.t.Context(), "E1", b.id)
		return s, err
	case random.IntN(2) == 0:
		all, err := sessions.Visits(r.t.Context(), "E1", [][16]byte{b.id, {}})
		if err != nil || len(all) != 1 {
			return messages.Session{}, fmt.Errorf("%d sessions: %w", len(all), err)
		}
		return all[0], nil
	}
	return sessions.Visit(r.t.Context(), "E1", b.id)
}

// rushRow is a session as it is stored in the end; times are 0 where they are null.
type rushRow struct {
	Place                 int
	Status                string
	JoinedAt, AdmittedAt  int64
	EndedAt, EndsAt       int64
	Head, LastPlace, Rows int
}

func (r *rush) judge() {
	const query = `
select place, status, joined_at, coalesce(admitted_at, 0), coalesce(ended_at, ends_at, 0), coalesce(ends_at, 0), head, last_place,
    count(*) over ()
from session_now join admission using (event_id) order by place`
	rows, err := r.pool.Query(r.t.Context(), query)
	if err != nil {
		r.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rushRow])
	if err != nil || len(all) != rushJoins || all[0].LastPlace != rushJoins || all[0].Head > rushJoins {
		r.t.Fatalf("%d sessions, %v", len(all), err)
	}
	var in []rushRow // in the line's order
	leftLine := int64(0)
	for i, s := range all {
		switch {
		case s.Place != i+1:
			r.t.Fatalf("place %d follows %d", s.Place, i)
		case s.AdmittedAt == 0 && s.Status != "LEFT":
			r.t.Errorf("place %d was passed over: %+v", s.Place, s)
		case s.AdmittedAt == 0:
			leftLine = max(leftLine, s.EndedAt)
		case s.AdmittedAt < leftLine || len(in) > 0 && s.AdmittedAt < in[len(in)-1].AdmittedAt:
			r.t.Errorf("place %d came in before somebody ahead of it: %+v", s.Place, s)
		default:
			in = append(in, s)
		}
	}
	r.judgeLimits(in)
}

// judgeLimits looks at each admission, as only then more are in than before.
func (r *rush) judgeLimits(in []rushRow) {
	most, fastest := 0, 0
	for i := range in {
		at := in[i].AdmittedAt
		if i+1 < len(in) && in[i+1].AdmittedAt == at {
			continue // judged with the last of the same time
		}
		limit, rate := 0, 0
		for _, s := range r.settings {
			if s.since <= at && s.until >= at-rushLagMillis {
				limit, rate = max(limit, s.limit), max(rate, s.rate)
			}
		}
		active, admitted := 0, 0
		for _, s := range in[:i+1] {
			if s.EndedAt > at {
				active++
			}
			if s.AdmittedAt >= at-1000 {
				admitted++
			}
		}
		if active > limit || admitted > rate {
			r.t.Errorf("at %d %d are active of %d, and %d were admitted within a second of %d", at, active, limit, admitted, rate)
		}
		most, fastest = max(most, active), max(fastest, admitted)
	}
	r.t.Logf("%d of %d admitted, at most %d at once, %d in a second, %d settings", len(in), rushJoins, most, fastest, len(r.settings))
}

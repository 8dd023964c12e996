package main_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

// backWithin is a second on a machine of one's own, from the database's return to the first purchase that goes on: the log
// has what it was. What is held here is that nobody waits for a time-out, on a machine that does much else.
const backWithin = 4 * time.Second

// Goal: while Postgres is away, buyers are told to come again; when it is back they are served at once, and
// nothing that was acknowledged is lost. Method: buyers on a Postgres that is restarted, that crashes, and that is
// frozen for less and for more time than a commit may take. A 503 must say Retry-After, every other answer must be the
// one that the contract promises; the time to the first acknowledged call is taken from Postgres' return.
func TestPostgresGoesAway(t *testing.T) {
	t.Parallel()
	postgres := pgtest.Private(t)
	s := start(t, postgres.URL())
	l := startLoad(s, "E1", false)
	untilFurther := func(n int) {
		t.Helper()
		from := l.purchases()
		until(t, patience, func() error {
			if l.purchases() < from+n {
				return errors.New("the sale does not go on")
			}
			return nil
		})
	}
	for _, c := range []struct {
		name string
		away func(*testing.T, *embedded.Postgres)
		// refused: somebody must have been answered 503.
		refused bool
	}{
		{"restarted", func(t *testing.T, p *embedded.Postgres) { must(t, p.Restart(t.Context())) }, true},
		{"killed", func(t *testing.T, p *embedded.Postgres) {
			must(t, p.Kill())
			must(t, p.Restart(t.Context()))
		}, true},
		{"connections ended", func(t *testing.T, p *embedded.Postgres) {
			query[bool](t, p.URL(), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'boxoffice-server%'`)
		}, false},
		{"frozen for 2 s", func(t *testing.T, p *embedded.Postgres) { freeze(t, p, 2*time.Second) }, false},
		{"frozen for 7 s", func(t *testing.T, p *embedded.Postgres) { freeze(t, p, 7*time.Second) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			untilFurther(10)
			before := l.refusals()
			c.away(t, postgres)
			back := time.Now()
			took := l.after(t, back)
			refused := l.refusals() - before
			t.Logf("served again after %v; %d answers 503", took, refused)
			s.ready(t)
			if took > backWithin {
				t.Errorf("served again only after %v", took)
			}
			if c.refused && refused == 0 {
				t.Error("nobody was answered 503")
			}
			untilFurther(10)
		})
	}
	l.end(t)
	l.audit(t)
	must(t, awaitSettled(t, postgres.URL()))

	t.Run("frozen at the end", func(t *testing.T) {
		must(t, postgres.Freeze())
		asked := make(chan answer, 1)
		go func() { asked <- s.organise("GET", "/E1/report", "") }() // from the owner
		took, code := s.terminate()
		must(t, postgres.Thaw())
		if took > drainMax || code != 0 {
			t.Errorf("SIGTERM: exit code %d after %v", code, took)
		}
		<-asked
	})
	verify(t, postgres.URL())
}

func freeze(t *testing.T, p *embedded.Postgres, d time.Duration) {
	t.Helper()
	must(t, p.Freeze())
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	must(t, p.Thaw())
}

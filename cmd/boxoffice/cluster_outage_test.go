package main_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/migrations"
	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

const (
	postgresFrozen = 8 * time.Second
	redisKilled    = 8 * time.Second
	redisAround    = 6 * time.Second // before and after it

	lineLimit, linePerSecond = 20, 12
	lineVisitors             = 40
	lineLook                 = 150 * time.Millisecond
)

// Goal: while Postgres hangs, buyers are told to come again, no node is taken out, and all goes on when it is back.
// Method: all its processes are stopped for 8 s under load.
func TestClusterOnFrozenPostgres(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	postgres := privatePostgres(t)
	c := newCell(t, postgres.URL(), 3)
	c.start()
	l := startTrade(c, patronPause)
	o := watchOwners(t, c.database)
	p := newProbe(t, c.nodes[0], l.events[0])
	l.goesOn(3)
	members := func() []string {
		return query[string](t, c.database, `
select 'view ' || view from membership union all select member_id from member where gone_at is null order by 1`)
	}
	before, refused := members(), l.refusals()
	begun := time.Now()
	freeze(t, postgres, postgresFrozen)
	thawed := time.Now()
	one, all := p.answered(t, thawed, c.nodes...)
	l.goesOn(3)
	c.allUp(patience)
	served := time.Since(thawed)
	if now := members(); !slices.Equal(now, before) {
		t.Errorf("the members were %v, now they are %v", before, now)
	}
	if n := l.refusals() - refused; n == 0 {
		t.Error("nobody was answered 503")
	}
	for _, m := range []measured{
		{"Postgres frozen for 8 s: from its return until a node answers", []time.Duration{one}},
		{"Postgres frozen for 8 s: from its return until all nodes answer", []time.Duration{all}},
		{"Postgres frozen for 8 s: from its return until three more are sold and all nodes are ready", []time.Duration{served}},
	} {
		m.log(t)
	}
	o.calm(t, "Postgres frozen", begun, claimsCutMax)
	l.end(t)
	o.judge(t)
}

// privatePostgres has room for the connections of three nodes.
func privatePostgres(t *testing.T) *embedded.Postgres {
	t.Helper()
	postgres, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{Settings: map[string]string{"max_connections": "200"}})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := postgres.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	must(t, migrations.Up(t.Context(), postgres.URL()))
	return postgres
}

// refusals are the answers 503 until now.
func (l *trade) refusals() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally.refused
}

// Goal: without Redis, who was admitted buys, and the line moves on in its order. Method: visitors stand in line before an
// event on all nodes, buy and come again, while Redis is killed, is away for 8 s, and comes back empty. What has happened
// to the line is judged from the table of sessions.
func TestClusterWithoutRedis(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	database := pgtest.New(t)
	keepHistory(t, database)
	c := newCell(t, database, 3)
	c.start()
	c.nodes[0].create("R1", hall(clusterHallRows, clusterHallSeats), waitingRoom(lineLimit, 600, linePerSecond, 1))
	l := &trade{c: c, events: []string{"R1"}, stop: make(chan struct{})}
	var visitors lineUp
	for i := range lineVisitors {
		p := &patron{trade: l, at: c.nodes[i%len(c.nodes)]}
		l.wg.Go(func() { visitors.come(p) })
	}
	lasts(t, redisAround)
	killed := time.Now()
	must(t, c.redis.Kill())
	lasts(t, redisKilled)
	away := visitors.bought.Load()
	must(t, c.redis.Restart(t.Context()))
	lasts(t, redisAround)
	if visitors.bought.Load() == away {
		t.Error("nobody buys any more since Redis is back")
	}
	close(l.stop)
	l.wg.Wait()
	admitted, bought := visitors.admitted.Load(), visitors.bought.Load()
	t.Logf("load: %s", l.tally)
	t.Logf("| Redis killed for 8 s: %d admitted, of these completed | %d | %.2f %% | |", admitted, bought, 100*float64(bought)/float64(admitted))
	if len(l.faults) > 0 {
		t.Errorf("%d faults, the first: %v", len(l.faults), errors.Join(l.faults[:min(3, len(l.faults))]...))
	}
	if float64(bought) < 0.999*float64(admitted) {
		t.Errorf("of %d who were admitted %d have bought", admitted, bought)
	}
	until(t, patience, func() error { return noneLeft(t, database, "R1") })
	stays := judge(t, database, "R1", lineLimit, linePerSecond)
	gaps := measured{name: "Redis killed for 8 s: pauses between two admissions, from then on"}
	for i := 1; i < len(stays); i++ {
		if stays[i].Admitted == 0 {
			t.Errorf("place %d was not let in: %+v", stays[i].Place, stays[i])
		}
		if stays[i].Admitted > killed.UnixMilli() {
			gaps.add(time.Duration(stays[i].Admitted-stays[i-1].Admitted) * time.Millisecond)
		}
	}
	gaps.log(t)
	if gaps.worst() > faultMax {
		t.Errorf("the line stood for %v", gaps.worst())
	}
	must(t, awaitSettled(t, database))
	verify(t, database)
}

// lineUp counts visitors.
type lineUp struct {
	admitted, bought atomic.Int64
}

// come as one visitor after the other, until the trade stops: all who are in line then are still let in.
func (v *lineUp) come(p *patron) {
	for {
		err := v.visit(p)
		if err != nil {
			p.mu.Lock()
			p.faults = append(p.faults, err)
			p.mu.Unlock()
		}
		if !after(p.stop, lineLook) {
			return
		}
	}
}

func (v *lineUp) visit(p *patron) error {
	key := rand.Text()
	a, err := p.ask(201, "", func(s *server) answer {
		b, _ := s.enter("R1", key)
		return b.joined
	})
	if err != nil {
		return err
	}
	now := a.session()
	for deadline := time.Now().Add(askedMax); now.Status == "WAITING"; after(nil, lineLook) {
		if time.Now().After(deadline) {
			return fmt.Errorf("not let in: %s", a.body)
		}
		before, id := now, now.SessionID
		if a, err = p.ask(200, "", func(s *server) answer { return buyer{s: s, sessionID: id}.look() }); err != nil {
			return err
		}
		now = a.session()
		if err := now.sound(); err != nil {
			return err
		}
		if now.Position != nil && before.Position != nil && *now.Position > *before.Position {
			return fmt.Errorf("a position grew from %d to %d", *before.Position, *now.Position)
		}
	}
	if now.AccessToken == "" {
		return fmt.Errorf("the session is shown as %s", a.body)
	}
	v.admitted.Add(1)
	p.buyer = buyer{event: "R1", sessionID: now.SessionID, token: now.AccessToken}
	if err := p.buy(1); err != nil {
		return err
	}
	v.bought.Add(1)
	return nil
}

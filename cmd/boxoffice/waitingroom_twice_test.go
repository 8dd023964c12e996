package main_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/messages"
	"boxoffice/persistence"
	"boxoffice/persistence/embedded/pgtest"
)

const (
	twiceSessions  = 900
	twiceLimit     = 15
	twicePerSecond = 120
	twiceGuests    = 40 // at once
	twicePokeEvery = 20 * time.Millisecond
	twiceMax       = time.Minute
	twiceIdle      = 10
)

// twins are two nodes in this process that both admit to one event.
type twins struct {
	db    [2]*persistence.DB
	redis [2]*persistence.Redis
	node  [2]*cluster.Node
}

// Goal: two who admit to one event at once let in as few as one, each once and in order, and neither keeps the other from
// it. Method: two nodes, each with connections of its own, are both poked all the while, so that each claims the event from
// the other again and again; 900 sessions come, look, leave and stay away by a seed. The table is judged.
func twoAdmit(t *testing.T) {
	random := seeded(t)
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(2, 10), waitingRoom(twiceLimit, 1, twicePerSecond, 1))
	s.kill() // it was for making the event
	w := newTwins(t, database, redis.URL())

	poking, stop := context.WithCancel(t.Context())
	var pokers sync.WaitGroup
	for _, node := range w.node {
		pokers.Go(func() { pokeAlways(poking, node) })
	}
	stays, stayed := make([]bool, twiceSessions), 0
	for i := range stays {
		if stays[i] = random.IntN(10) > 0; stays[i] {
			stayed++
		}
	}
	each(t, twiceGuests, func(n int) error {
		for i := n; i < twiceSessions; i += twiceGuests {
			if err := w.guest(t.Context(), i, stays[i]); err != nil {
				return err
			}
		}
		return nil
	})
	until(t, patience, func() error { return noneLeft(t, database, "E1") })
	stop()
	pokers.Wait()
	judged := judge(t, database, "E1", twiceLimit, twicePerSecond)
	if len(judged) != twiceSessions {
		t.Errorf("%d sessions of %d", len(judged), twiceSessions)
	}
	in := 0
	for _, stay := range judged {
		if stay.Admitted != 0 {
			in++
		}
	}
	if in < stayed {
		t.Errorf("%d stayed, %d were let in", stayed, in)
	}
	epoch := query[int64](t, database, `select epoch from admission where event_id = 'E1'`)[0]
	t.Logf("%d claims", epoch)
	if epoch < 10 {
		t.Errorf("the event was claimed %d times: the two did not disturb each other", epoch)
	}
}

func newTwins(t *testing.T, database, redis string) *twins {
	t.Helper()
	w := &twins{}
	log := slog.New(slog.DiscardHandler)
	clock := cluster.NewClock()
	for i := range w.node {
		var err error
		w.redis[i], err = persistence.OpenRedis(t.Context(), redis, log)
		must(t, err)
		w.db[i], err = persistence.Open(t.Context(), database, persistence.Options{Name: "twin" + strconv.Itoa(i), Demand: w.redis[i]})
		must(t, err)
		w.node[i] = cluster.NewNode(
			actors.Env{Log: log, Clock: clock},
			admission.Env{
				Rooms: w.db[i].Admissions("twin" + strconv.Itoa(i)), Demand: w.redis[i], Live: w.redis[i], Clock: clock,
				Claims: cluster.NewPool(1, 10), Admissions: cluster.NewPool(1, 10), Pulls: cluster.NewPool(2, 10), Log: log,
			},
			func() bool { return true },
		)
		t.Cleanup(func() {
			draining, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
			defer cancel()
			w.node[i].Drain(draining)
			w.redis[i].Close()
			w.db[i].Close()
		})
	}
	return w
}

func pokeAlways(ctx context.Context, node *cluster.Node) {
	tick := time.NewTicker(twicePokeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			node.Poke("E1")
		}
	}
}

// guest joins by one node and looks by the other. One who does not stay leaves the line at once; of the others, one in
// twiceIdle lets the time run out once let in, and the rest leave then.
func (w *twins) guest(ctx context.Context, i int, stays bool) error {
	ctx, cancel := context.WithTimeout(ctx, twiceMax)
	defer cancel()
	join := messages.Join{EventID: "E1"}
	if _, err := rand.Read(join.SessionID[:]); err != nil {
		return err
	}
	here, there := w.db[i%2].Sessions(), w.db[(i+1)%2].Sessions()
	if _, _, err := here.Join(ctx, join); err != nil {
		return err
	}
	if !stays {
		_, err := there.LeaveLine(ctx, "E1", join.SessionID)
		return err
	}
	tick := time.NewTicker(10 * pollEvery)
	defer tick.Stop()
	position := uint64(0)
	for {
		v, err := there.Visit(ctx, "E1", join.SessionID)
		switch {
		case err != nil:
			return err
		case v.Status != messages.SessionWaiting && i%twiceIdle == 0:
			return nil
		case v.Status != messages.SessionWaiting:
			return here.Leave(ctx, "E1", join.SessionID)
		case v.Position == 0 || (position != 0 && v.Position > position):
			return errors.New("the position grew from " + strconv.FormatUint(position, 10) + " to " + strconv.FormatUint(v.Position, 10))
		}
		position = v.Position
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

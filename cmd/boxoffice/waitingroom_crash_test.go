package main_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	crashDeaths = 50
	// More visitors than places, so that somebody waits at all times, however slow the machine is: a server at which nobody
	// waits passes none of the points.
	crashVisitors  = 30
	crashLimit     = 12
	crashPerSecond = 300
	// crashPassedMax is how often a point is passed at most before the server dies there.
	crashPassedMax = 4
	// crashLookEvery is the pause of one who waits between two looks.
	crashLookEvery = 40 * time.Millisecond
)

// crashPoints are where a server dies; "" is a random moment.
var crashPoints = []string{"before-announce", "after-announce", "before-admit", "after-admit", ""}

// tide is visitors who come and go over everything that happens to the server.
type tide struct {
	s     *server
	event string
	stop  chan struct{}
	wg    sync.WaitGroup
	// answers counts what was answered definitely; seats those that were asked for.
	answers, seats atomic.Int64

	mu     sync.Mutex
	joins  []acknowledged
	stay   map[string]bool // the sessions that do not leave the line
	bought int
	faults []error
}

// Goal: wherever a server dies, no session is lost, nobody is admitted twice, places become free in time and who stays is
// let in. Method: it is killed 50 times, between the insert and its announcement, before and after an admission's commit,
// before its acknowledgement, and at random, while visitors join under keys, look, leave, buy and vanish by a seed, and ask
// again what was not answered. Every join is asked for again at the end.
func killedWhileTheyWait(t *testing.T) {
	random := seeded(t)
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := newServer(t, &failing, database, "REDIS_URL="+redis.URL())
	s.run()
	s.create("E1", hall(100, 100), waitingRoom(crashLimit, 1, crashPerSecond, 1))
	f := &tide{s: s, event: "E1", stop: make(chan struct{}), stay: map[string]bool{}}
	for range crashVisitors {
		own := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		f.wg.Go(func() { f.come(own) })
	}
	s.kill() // the first life was for making the event
	for n := range crashDeaths {
		f.die(t, crashPoints[n%len(crashPoints)], 1+random.IntN(crashPassedMax), random.IntN(60))
	}
	s.run()
	f.further(t, 50)
	close(f.stop)
	f.wg.Wait()
	if len(f.faults) > 0 {
		t.Fatalf("%d faults, the first: %v", len(f.faults), errors.Join(f.faults[:min(3, len(f.faults))]...))
	}
	until(t, 2*patience, func() error { return noneLeft(t, database, "E1") })
	t.Logf("%d sessions, %d bought, %d deaths", len(f.joins), f.bought, crashDeaths)
	f.judge(t, database)
}

// die once, when a point is passed for the nth time, or at a random moment: after so many answers.
func (f *tide) die(t *testing.T, point string, nth, answers int) {
	t.Helper()
	if point == "" {
		f.s.run()
		f.further(t, answers)
		f.s.kill()
		return
	}
	if err := f.s.tryRun(fmt.Sprintf("BOXOFFICE_FAILPOINT=%s#%d", point, nth)); err != nil {
		select {
		case <-f.s.done(): // before it could say that it serves
		default:
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-f.s.done():
		f.s.ended()
	case <-ctx.Done():
		t.Errorf("the server passes %s and lives", point)
		f.s.kill()
	}
}

// further waits for so many answers more.
func (f *tide) further(t *testing.T, answers int) {
	t.Helper()
	from := f.answers.Load()
	until(t, patience, func() error {
		if f.answers.Load() < from+int64(answers) {
			return errors.New("nobody is answered any more")
		}
		return nil
	})
}

// come as one visitor after the other.
func (f *tide) come(random *rand.Rand) {
	for {
		select {
		case <-f.stop:
			return
		default:
		}
		if err := f.visit(random); err != nil {
			f.mu.Lock()
			f.faults = append(f.faults, err)
			f.mu.Unlock()
			return
		}
	}
}

// visit once: join, and wait, leave the line or vanish.
func (f *tide) visit(random *rand.Rand) error {
	var b buyer
	key := fmt.Sprintf("a-key-of-22-characters-%x", random.Uint64())
	join := func() (a answer) {
		b, _ = f.s.enter(f.event, key)
		return b.joined
	}
	a := f.insist(join)
	if err := a.is(201); err != nil {
		return err
	}
	if random.IntN(10) == 0 {
		if err := a.same(f.insist(join)); err != nil {
			return err
		}
	}
	what := random.IntN(100)
	f.mu.Lock()
	f.joins = append(f.joins, acknowledged{a, func() answer { return insist(join) }})
	f.stay[b.sessionID] = what >= 20
	f.mu.Unlock()
	switch {
	case what < 20: // leaves the line
		return f.insist(b.leave).is(204)
	case what < 35: // vanishes
		return nil
	}
	status, err := f.await(&b)
	if err != nil || status != "ACTIVE" {
		return err
	}
	switch {
	case what < 65:
		return f.insist(b.leave).is(204)
	case what < 95:
		return f.buy(b)
	}
	return nil // stalls
}

// await the end of the waiting; the positions must not grow.
func (f *tide) await(b *buyer) (string, error) {
	tick := time.NewTicker(crashLookEvery)
	defer tick.Stop()
	position := int64(0)
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); <-tick.C {
		a := f.insist(b.look)
		if err := a.is(200); err != nil {
			return "", err
		}
		v := a.session()
		if err := v.sound(); err != nil {
			return "", err
		}
		if v.Status != "WAITING" {
			b.token = v.AccessToken
			return v.Status, nil
		}
		if v.Position == nil || (position != 0 && *v.Position > position) {
			return "", fmt.Errorf("the position was %d, now the session is %s", position, a.body)
		}
		position = *v.Position
	}
	return "", fmt.Errorf("not let in: %s", b.look().body)
}

// buy a seat of its own, as far as the time lasts.
func (f *tide) buy(b buyer) error {
	n := int(f.seats.Add(1)) - 1
	a := f.insist(func() answer { return b.create("create") })
	if a.is(201) == nil {
		id := a.order().OrderID
		if a = f.insist(func() answer {
			return b.call(id, "confirm", "confirm", pay(named(seatID(n/100%100+1, n%100+1)), "tok_visa"))
		}); a.is(202) == nil {
			a = f.insist(func() answer { return b.call(id, "finalize", "finalize", "") })
		}
	}
	switch a.code() {
	case "token-expired", "order-expired", "token-invalid": // the server was away for too long
		return nil
	}
	if err := a.is(200); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bought++
	return nil
}

// insist, and count.
func (f *tide) insist(call func() answer) answer {
	a := insist(call)
	f.answers.Add(1)
	return a
}

func (f *tide) judge(t *testing.T, database string) {
	t.Helper()
	stays := judge(t, database, f.event, crashLimit, crashPerSecond)
	places := placesOf(t, database, f.event)
	if len(stays) != len(f.joins) || len(f.stay) != len(f.joins) {
		t.Errorf("%d sessions of %d keys; the answers name %d", len(stays), len(f.joins), len(f.stay))
	}
	for id, stayed := range f.stay {
		place := places[id]
		if place == 0 {
			t.Errorf("the session %s is lost", id)
		} else if stayed && stays[place-1].Admitted == 0 {
			t.Errorf("who had place %d and stayed was not let in: %+v", place, stays[place-1])
		}
	}
	each(t, crashVisitors, func(i int) error {
		for n := i; n < len(f.joins); n += crashVisitors {
			if err := f.joins[n].same(f.joins[n].again()); err != nil {
				return err
			}
		}
		return nil
	})
	if f.bought == 0 {
		t.Error("nobody has bought")
	}
	must(t, awaitSettled(t, database))
	must(t, f.s.counts(f.event, 10_000-f.bought, 0, f.bought))
	verify(t, database)
}

package main_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

const (
	flowWaiting   = 500 // in line, at any time
	flowLimit     = 100
	flowTTL       = 1 // s; with the limit, 100 a second are let in
	flowPerSecond = 200
	flowBuyers    = 10
	flowJoiners   = 16 // at once
	// flowEvery is how often those who were let in are followed by as many who join.
	flowEvery = 100 * time.Millisecond
	// flowStep is a time in which everything must have gone on.
	flowStep = 5 * time.Second
)

// redisAway is what the waiting room must bear: a minute, of which the race detector needs a part.
func redisAway() time.Duration {
	if raceDetector {
		return 15 * time.Second
	}
	return time.Minute
}

// flow keeps a line of 500 before an event, whoever is let in; some of them listen and buy.
type flow struct {
	s        *server
	database string
	event    string
	crowd    *crowd
	stop     chan struct{}
	wg       sync.WaitGroup

	joined, bought, positions atomic.Int64
	seats                     atomic.Int64 // asked for: each buyer wants one of its own

	mu     sync.Mutex
	faults []error
}

// Goal: Redis only makes the waiting room faster. Method: with 500 waiting and a steady flow, Redis is emptied, shut down
// and started anew, frozen, and away for a minute; all the while people join, are let in, listen and buy.
func TestRedisIsOnlyACache(t *testing.T) {
	t.Parallel()
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(100, 100), waitingRoom(flowLimit, flowTTL, flowPerSecond, 1))
	f := &flow{s: s, database: database, event: "E1", crowd: newCrowd(t, s), stop: make(chan struct{})}
	f.begin(t)
	for _, c := range []struct {
		name  string
		fault func(t *testing.T)
		steps int
	}{
		{"there", func(*testing.T) {}, 1},
		{"flushed", func(t *testing.T) { tell(t, redis, "FLUSHALL") }, 1},
		{"shut down and started anew", func(t *testing.T) {
			tell(t, redis, "SHUTDOWN NOSAVE")
			<-redis.Done()
			must(t, redis.Restart(t.Context()))
		}, 1},
		{"away", func(t *testing.T) { must(t, redis.Kill()) }, int(redisAway() / flowStep)},
		{"back", func(t *testing.T) { must(t, redis.Restart(t.Context())) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.fault(t)
			for range c.steps {
				f.goesOn(t, flowStep)
			}
		})
	}
	close(f.stop)
	f.wg.Wait()
	if len(f.faults) > 0 {
		t.Fatalf("%d faults, the first: %v", len(f.faults), errors.Join(f.faults[:min(3, len(f.faults))]...))
	}
	until(t, 2*patience, func() error { return noneLeft(t, database, "E1") })
	stays := judge(t, database, "E1", flowLimit, flowPerSecond)
	if int64(len(stays)) != f.joined.Load() {
		t.Errorf("%d sessions of %d joins", len(stays), f.joined.Load())
	}
	for _, stay := range stays {
		if stay.Admitted == 0 {
			t.Errorf("place %d was not let in: %+v", stay.Place, stay)
		}
	}
	must(t, awaitSettled(t, database))
	must(t, s.counts("E1", 10_000-int(f.bought.Load()), 0, int(f.bought.Load())))
	verify(t, database)
}

// begin with a full line, and wait for the first who has come through it.
func (f *flow) begin(t *testing.T) {
	t.Helper()
	f.crowd.joinAll(t, f.event, flowWaiting+flowLimit, func(int) string { return "" })
	f.joined.Add(flowWaiting + flowLimit)
	f.wg.Go(f.fill)
	for n := range flowBuyers {
		f.wg.Go(func() {
			for more, i := true, 0; more; i++ {
				more = f.buy(fmt.Sprintf("buyer-%d-%d", n, i))
			}
		})
	}
	until(t, patience, func() error {
		if f.bought.Load() == 0 {
			return errors.New("nobody has bought yet")
		}
		return nil
	})
}

// goesOn is nil where, within a time, as many were let in as there was room for, and positions and purchases went on.
func (f *flow) goesOn(t *testing.T, d time.Duration) {
	t.Helper()
	admissions := func() int64 {
		return query[int64](t, f.database, `select count(*) from session where event_id = $1 and admitted_at is not null`, f.event)[0]
	}
	admitted, before, positions, joined := admissions(), f.bought.Load(), f.positions.Load(), f.joined.Load()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	admitted, bought := admissions()-admitted, f.bought.Load()-before
	positions, joined = f.positions.Load()-positions, f.joined.Load()-joined
	t.Logf("in %v: %d joined, %d let in, %d bought, %d positions told", d, joined, admitted, bought, positions)
	// Half of what there is room for: the machine may be busy.
	if least := int64(d.Seconds()) * flowLimit / flowTTL / 2; admitted < least || joined < least {
		t.Errorf("%d joined and %d were let in within %v: want %d", joined, admitted, d, least)
	}
	if positions < int64(d.Seconds()) {
		t.Errorf("%d positions were told within %v", positions, d)
	}
	// The buyers go through the line together, which takes about as long: the next of them may buy a moment later.
	until(t, d, func() error {
		if f.bought.Load() == before {
			return errors.New("nobody buys any more")
		}
		return nil
	})
}

// fill the line up again as it is let in.
func (f *flow) fill() {
	tick := time.NewTicker(flowEvery)
	defer tick.Stop()
	newest := ""
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		missing := int64(flowWaiting)
		if newest != "" {
			a := f.crowd.look(newest)
			if err := a.is(200); err != nil {
				f.wrong(err)
				return
			}
			if v := a.session(); v.Position != nil {
				missing = flowWaiting - *v.Position
			}
		}
		sessions := make([]session, max(0, min(missing, flowPerSecond)))
		var together errgroup.Group
		together.SetLimit(flowJoiners)
		for i := range sessions {
			together.Go(func() error {
				a := f.crowd.join(f.event, "")
				if err := a.is(201); err != nil {
					return err
				}
				f.joined.Add(1)
				sessions[i] = a.session()
				return nil
			})
		}
		if err := together.Wait(); err != nil {
			f.wrong(err)
			return
		}
		for _, v := range sessions {
			newest = v.SessionID
		}
	}
}

// buy as one who waits by listening; false once there is no more to do.
func (f *flow) buy(key string) bool {
	b, err := f.s.enter(f.event, rand.Text())
	if err != nil {
		f.wrong(err)
		return false
	}
	f.joined.Add(1)
	active := make(chan string, 1)
	position := int64(0)
	st, err := f.s.listen("/api/sse/waiting-room/sessions/"+b.sessionID, "", func(event told) {
		v := (answer{call: event.name, body: event.data}).session()
		switch {
		case event.name == "waiting-room-active":
			select {
			case active <- v.AccessToken:
			default:
			}
		case v.Position != nil:
			if position != 0 && *v.Position > position {
				f.wrong(fmt.Errorf("a position grew from %d to %d", position, *v.Position))
			}
			position = *v.Position
			f.positions.Add(1)
		}
	})
	if err != nil {
		f.wrong(err)
		return false
	}
	defer st.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case token := <-active:
		n := int(f.seats.Add(1)) - 1
		err := f.crowd.buy(f.event, token, key, seatID(n/100+1, n%100+1))
		switch {
		case err == nil:
			f.bought.Add(1)
		case !tooLate(err):
			f.wrong(err)
		}
		return true
	case <-f.stop:
	case <-st.ended:
		f.wrong(fmt.Errorf("a stream has ended: %w", st.err))
	case <-ctx.Done():
		f.wrong(errors.New("who listens was not let in within a minute"))
	}
	return false
}

func (f *flow) wrong(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, err)
}

// tell Redis a command.
func tell(t testing.TB, redis *embedded.Redis, command string) {
	t.Helper()
	conn, err := net.DialTimeout("unix", redis.Socket(), patience)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(conn, "%s\r\n", command)
	must(t, err)
	said, err := bufio.NewReader(conn).ReadString('\n')
	if strings.HasPrefix(said, "-") || (err != nil && !strings.HasPrefix(command, "SHUTDOWN")) {
		t.Fatalf("redis answers %s with %q: %v", command, said, err)
	}
}

// Goal: a Redis that may forget streams is refused, one that is not there is not waited for. Method: both.
func TestRedisAtStart(t *testing.T) {
	t.Parallel()
	t.Run("may evict", func(t *testing.T) {
		redis, err := embedded.StartRedis(t.Context(), embedded.RedisConfig{
			Settings: map[string]string{"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"},
		})
		must(t, err)
		defer func() { must(t, redis.Stop(context.WithoutCancel(t.Context()))) }()
		s := newServer(t, &shipped, pgtest.New(t), "REDIS_URL="+redis.URL())
		err = s.tryRun()
		if err == nil {
			t.Fatal("it starts")
		}
		for _, want := range []string{"REDIS_URL", "maxmemory-policy", "noeviction", "allkeys-lru"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("it does not say %q: %v", want, err)
			}
		}
		if code := exitCode(s.child); code != 1 {
			t.Errorf("it exits with %d", code)
		}
	})
	t.Run("away", func(t *testing.T) {
		database := pgtest.New(t)
		begun := time.Now()
		s := start(t, database, "REDIS_URL=unix://"+filepath.Join(t.TempDir(), "nobody")+"?db=0")
		t.Logf("serves after %v", time.Since(begun))
		s.ready(t)
		s.create("E1", hall(2, 10), waitingRoom(1, 600, 100, 1))
		in, err := s.join("E1")
		must(t, err)
		next, err := s.enter("E1", rand.Text())
		must(t, err)
		hears := next.hear(t)
		a := in.create(rand.Text())
		must(t, a.is(201))
		must(t, in.call(a.order().OrderID, "confirm", "c", pay(best(1), "tok_visa")).is(202))
		must(t, in.call(a.order().OrderID, "finalize", "f", "").is(200))
		hears.untilTold(t, "waiting-room-active", anything)
		must(t, next.becomes("ACTIVE"))
		verify(t, database)
	})
	t.Run("no address", func(t *testing.T) {
		s := newServer(t, &shipped, pgtest.New(t), "REDIS_URL=localhost:6379")
		if err := s.tryRun(); err == nil || !strings.Contains(err.Error(), "REDIS_URL") {
			t.Errorf("it says %v", err)
		}
	})
}

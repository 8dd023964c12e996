package persistence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"boxoffice/messages"
	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

// redisOutage says what a node must go on doing while its Redis is away.
func redisOutage(t *testing.T, r *Redis) {
	t.Helper()
	r.Watch("E1")
	for range 2 * liveQueueMax {
		r.Publish(redisLive("E1", 1))
	}
	for i := range announcedEventsMax + 10 {
		r.Announce(fmt.Sprintf("E%d", i))
	}
	r.Unwatch("E1")
	redisUntil(t, "messages are dropped", func() bool { return r.Stats().LiveDropped >= liveQueueMax })
	if _, err := r.Pull(t.Context(), "E1"); err == nil {
		t.Error("a Pull found Redis")
	}
	if _, err := r.Take(t.Context(), "x", [16]byte{}, time.Second, time.Minute); err == nil {
		t.Error("a rate was counted")
	}
	if _, err := r.Take(t.Context(), "x", [16]byte{}, time.Second, time.Minute); !errors.Is(err, errRatesAway) {
		t.Errorf("the next Take asked again: %v", err)
	}
}

// redisAllWorks says that everything does, soon.
func redisAllWorks(t *testing.T, r *Redis, server *embedded.Redis) {
	t.Helper()
	begun := time.Now()
	redisDemandWorks(t, r, "F1")
	t.Logf("demand works after %v", time.Since(begun))
	heard := redisHeard(t, r)
	r.Watch("F1")
	redisHears(t, r, heard, "F1")
	t.Logf("live works after %v", time.Since(begun))
	redisUntil(t, "rates are counted", func() bool {
		_, err := r.Take(t.Context(), "x", [16]byte{}, time.Second, time.Minute)
		return err == nil
	})
	t.Logf("rates work after %v", time.Since(begun))
	if n := redisRaw(t, server.URL()).Exists(t.Context(), rateKey("x", [16]byte{})).Val(); n != 1 {
		t.Errorf("%d keys of the rate", n)
	}
}

// Goal: a Redis that ends with all it had, and one that hangs, cost nothing that comes back with it.
func TestRedisOutages(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		begin, end func(t *testing.T, s *embedded.Redis) error
	}{
		"killed": {
			begin: func(_ *testing.T, s *embedded.Redis) error { return s.Kill() },
			end:   func(t *testing.T, s *embedded.Redis) error { return s.Restart(t.Context()) },
		},
		"shutdown nosave": {
			begin: func(t *testing.T, s *embedded.Redis) error {
				_ = redisRaw(t, s.URL()).ShutdownNoSave(t.Context()).Err()
				<-s.Done()
				return nil
			},
			end: func(t *testing.T, s *embedded.Redis) error { return s.Restart(t.Context()) },
		},
		"frozen": {
			begin: func(_ *testing.T, s *embedded.Redis) error { return s.Freeze() },
			end:   func(_ *testing.T, s *embedded.Redis) error { return s.Thaw() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Redis(t)
			r := redisAt(t, server.URL())
			redisAllWorks(t, r, server)
			if err := outage.begin(t, server); err != nil {
				t.Fatal(err)
			}
			redisOutage(t, r)
			if err := outage.end(t, server); err != nil {
				t.Fatal(err)
			}
			redisAllWorks(t, r, server)
		})
	}
}

// redisDialer leads to whichever server it is set to, as a name that moves, and counts.
type redisDialer struct {
	socket atomic.Value
	dials  atomic.Int64
}

func (d *redisDialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d.dials.Add(1)
	return new(net.Dialer).DialContext(ctx, "unix", d.socket.Load().(string))
}

func redisThrough(t *testing.T, d *redisDialer, log *slog.Logger) *Redis {
	t.Helper()
	o, err := redisOptions("redis://redis.example/0")
	if err != nil {
		t.Fatal(err)
	}
	o.Dialer = d.dial
	r, err := openRedis(t.Context(), *o, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// Goal: nothing spins while Redis is away. Method: every loop runs and fails; what they dial is counted over seconds.
func TestRedisAwayIsNotHammered(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	var d redisDialer
	d.socket.Store(server.Socket())
	var log redisLog
	r := redisThrough(t, &d, log.logger())
	heard := redisHeard(t, r)
	r.Watch("E1")
	redisHears(t, r, heard, "E1")
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	defer loops.Wait()
	defer cancel()
	for _, loop := range []func(){
		func() { r.Announce("E1"); pause(ctx, time.Millisecond) },
		func() { r.Publish(redisLive("E1", 1)); pause(ctx, time.Millisecond) },
		func() { _, _ = r.Pull(ctx, "E1") },
		func() { _, _ = r.Take(ctx, "x", [16]byte{}, time.Second, time.Minute); pause(ctx, time.Millisecond) },
	} {
		loops.Go(func() {
			for ctx.Err() == nil {
				loop()
			}
		})
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	d.dials.Store(0)
	begun := time.Now()
	const dials = 200 // a loop without a pause makes thousands
	redisUntil(t, "it has been tried some times or some seconds have passed", func() bool {
		return d.dials.Load() >= dials || time.Since(begun) > 4*time.Second
	})
	n, took := d.dials.Load(), time.Since(begun)
	t.Logf("%d dials in %v", n, took)
	if n >= dials {
		t.Errorf("%d dials in %v", n, took)
	}
	if lines := strings.Count(log.String(), "\n"); lines > 6 {
		t.Errorf("%d lines were logged:\n%s", lines, &log)
	}
}

// Goal: a failover's READONLY is retried on a new connection. Method: a replica becomes the primary, the old primary a
// replica, and some time later the name leads to the new one.
func TestRedisFailover(t *testing.T) {
	t.Parallel()
	port := redisPort(t)
	old := redisServer(t, map[string]string{"port": port, "repl-diskless-sync-delay": "0"})
	replica := redisServer(t, nil)
	raw := redisRaw(t, replica.URL())
	redisDo(t, raw, "replicaof", "127.0.0.1", port)
	redisUntil(t, "the replica follows", func() bool {
		return strings.Contains(raw.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	var d redisDialer
	d.socket.Store(old.Socket())
	r := redisThrough(t, &d, slog.New(slog.DiscardHandler))
	redisDemandWorks(t, r, "E1")

	redisDo(t, raw, "replicaof", "no", "one")
	redisDo(t, redisRaw(t, old.URL()), "replicaof", "127.0.0.1", "1")
	if _, err := r.Recover(t.Context(), "E2"); !redis.IsReadOnlyError(err) {
		t.Errorf("a replica wrote: %v", err)
	}
	r.Announce("E2")
	d.socket.Store(replica.Socket())
	redisUntil(t, "the new primary has the entry", func() bool { return raw.XLen(t.Context(), streamKey("E2")).Val() == 1 })
	redisDemandWorks(t, r, "E1")
	redisUntil(t, "rates are counted", func() bool {
		_, err := r.Take(t.Context(), "x", [16]byte{}, time.Second, time.Minute)
		return err == nil
	})
}

// redisPort is free a moment ago.
func redisPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Goal: a server that is loading is waited for. Method: a real one, slowed down, loads its own dump.
func TestRedisLoading(t *testing.T) {
	t.Parallel()
	server := redisServer(t, map[string]string{"enable-debug-command": "yes", "loading-process-events-interval-bytes": "1024"})
	raw := redisRaw(t, server.URL())
	r := redisAt(t, server.URL())
	redisDemandWorks(t, r, "E1")
	for i := range 200 {
		redisDo(t, raw, "set", fmt.Sprint(i), strings.Repeat("x", 1024))
	}
	redisDo(t, raw, "config", "set", "rdbcompression", "no")
	redisDo(t, raw, "config", "set", "key-load-delay", "5000") // µs
	o := *raw.Options()
	o.MaxRetries, o.ReadTimeout = -1, redisTestMax
	slow := redis.NewClient(&o)
	defer func() { _ = slow.Close() }()
	var loading sync.WaitGroup
	loading.Go(func() {
		if err := slow.Do(t.Context(), "debug", "reload").Err(); err != nil {
			t.Error(err)
		}
	})
	asked := redis.NewClient(&o)
	defer func() { _ = asked.Close() }()
	redisUntil(t, "it loads", func() bool { return redis.IsLoadingError(asked.Get(t.Context(), "x").Err()) })
	other := redisAt(t, server.URL()) // is no error
	if _, err := other.Recover(t.Context(), "E2"); err != nil && !redis.IsLoadingError(err) {
		t.Errorf("while it loads: %v", err)
	}
	other.Announce("E2")
	loading.Wait()
	redisUntil(t, "the entry is there", func() bool { return raw.XLen(t.Context(), streamKey("E2")).Val() == 1 })
	redisDemandWorks(t, r, "E1")
}

// Goal: after Close nothing is left, whatever was going on, with Redis there, away or hanging.
func TestRedisCloseLeavesNothing(t *testing.T) {
	for name, begin := range map[string]func(*embedded.Redis) error{
		"there":  func(*embedded.Redis) error { return nil },
		"killed": (*embedded.Redis).Kill,
		"frozen": (*embedded.Redis).Freeze,
	} {
		t.Run(name, func(t *testing.T) {
			server := pgtest.Redis(t)
			before := goleak.IgnoreCurrent()
			r, err := OpenRedis(t.Context(), server.URL(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var users sync.WaitGroup
			users.Go(func() { r.Listen(ctx, func(*messages.Live) {}) })
			for i := range 8 {
				id := fmt.Sprintf("E%d", i)
				users.Go(func() {
					for ctx.Err() == nil {
						_, _ = r.Pull(ctx, id)
						pause(ctx, time.Millisecond)
					}
				})
				users.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						r.Announce(id)
						r.Publish(redisLive(id, uint64(n)))
						r.Watch(id)
						_, _ = r.Take(ctx, "x", [16]byte{}, time.Second, time.Minute)
						r.Unwatch(id)
						pause(ctx, time.Millisecond)
					}
				})
			}
			raw := redisRaw(t, server.URL())
			redisUntil(t, "it runs", func() bool { return raw.Exists(t.Context(), streamKey("E1")).Val() == 1 })
			_ = raw.Close()
			if err := begin(server); err != nil {
				t.Fatal(err)
			}
			if name != "there" { // it is noticed
				redisUntil(t, "a call fails", func() bool { _, err := r.Recover(ctx, "E1"); return err != nil })
			}
			begun := time.Now()
			r.Close()
			r.Close()
			t.Logf("closed in %v", time.Since(begun))
			if _, err := r.Pull(t.Context(), "E1"); err == nil {
				t.Error("a Pull after Close")
			}
			cancel()
			users.Wait()
			redisUntil(t, "no goroutine is left", func() bool { err = goleak.Find(before); return err == nil })
			if name == "frozen" {
				if err := server.Thaw(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Goal: what stands in where a machine has no Redis will do.
func TestRedisOnMiniredis(t *testing.T) {
	t.Parallel()
	m, err := embedded.StartMiniredis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	r := redisAt(t, m.URL())
	redisDemandWorks(t, r, "E1")
	heard := redisHeard(t, r)
	r.Watch("E1")
	redisHears(t, r, heard, "E1")
	redisUntil(t, "a rate is used up", func() bool {
		wait, err := r.Take(t.Context(), "x", [16]byte{}, time.Hour, 3*time.Hour)
		return err == nil && wait > 0
	})
}

package persistence

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"boxoffice/persistence/embedded"
)

// redisTestMax bounds what a test waits for.
const redisTestMax = 30 * time.Second

// redisUntil looks again and again.
func redisUntil(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(redisTestMax)
	for !condition() {
		if time.Now().After(deadline) || !pause(t.Context(), 5*time.Millisecond) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func redisServer(t testing.TB, settings map[string]string) *embedded.Redis {
	t.Helper()
	server, err := embedded.StartRedis(t.Context(), embedded.RedisConfig{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), redisTestMax)
		defer done()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

// redisAt is a node's.
func redisAt(t testing.TB, url string) *Redis {
	t.Helper()
	r, err := OpenRedis(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// redisRaw is a client that is not ours.
func redisRaw(t testing.TB, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func redisDo(t testing.TB, c *redis.Client, words ...any) {
	t.Helper()
	if err := c.Do(t.Context(), words...).Err(); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}

// redisLog keeps what is logged.
type redisLog struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *redisLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *redisLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *redisLog) has(what string) bool { return strings.Contains(l.String(), what) }

func (l *redisLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Goal: a server that may evict streams is refused with what to change. Method: each policy, one of them set at start.
func TestRedisThatEvictsIsRefused(t *testing.T) {
	t.Parallel()
	server := redisServer(t, map[string]string{"maxmemory-policy": "allkeys-lru"})
	raw := redisRaw(t, server.URL())
	for _, policy := range []string{
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		if policy != "allkeys-lru" {
			redisDo(t, raw, "config", "set", "maxmemory-policy", policy)
		}
		_, err := OpenRedis(t.Context(), server.URL(), slog.New(slog.DiscardHandler))
		var evicts *RedisEvictsError
		if !errors.As(err, &evicts) || evicts.Policy != policy {
			t.Fatalf("%s: %v", policy, err)
		}
		want := "redis may evict the waiting rooms' streams: its maxmemory-policy is " + policy +
			"; set it to noeviction (redis-cli config set maxmemory-policy noeviction, and in redis.conf)"
		if err.Error() != want {
			t.Errorf("it says %q, want %q", err, want)
		}
	}
	redisDo(t, raw, "config", "set", "maxmemory-policy", "noeviction")
	redisAt(t, server.URL())
}

// Goal: a server that is away at the start is no error, and its policy is judged once it is there.
func TestRedisAwayAtStart(t *testing.T) {
	t.Parallel()
	server := redisServer(t, map[string]string{"maxmemory-policy": "allkeys-lru"})
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	var log redisLog
	r, err := OpenRedis(t.Context(), server.URL(), log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if !log.has("level=WARN") {
		t.Errorf("nothing was said of a Redis that is away: %s", &log)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	redisUntil(t, "the policy is complained of", func() bool {
		return log.has("level=ERROR") && log.has("maxmemory-policy is allkeys-lru")
	})
	redisDemandWorks(t, r, "E1")
}

// Goal: passwords reach neither logs nor errors. Method: addresses that cannot be parsed, and a server that wants another
// password.
func TestRedisPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://:swordfish/x@localhost:6379", "redis://u:swordfish#1@localhost", "redis://u:sword%fish@localhost/0",
		"http://u:swordfish@localhost", "redis://u:p@localhost/swordfish", "redis://localhost?password=swordfish",
	} {
		_, err := OpenRedis(t.Context(), url, slog.New(slog.DiscardHandler))
		if err == nil || strings.Contains(err.Error(), "fish") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := OpenRedis(t.Context(), "redis://localhost/x", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("what is wrong is not said: %v", err)
	}
	server := redisServer(t, nil)
	redisDo(t, redisRaw(t, server.URL()), "config", "set", "requirepass", "herring")
	var log redisLog
	r, err := OpenRedis(t.Context(), "unix://:swordfish@"+server.Socket(), log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	_, err = r.Recover(t.Context(), "E1")
	if err == nil || strings.Contains(err.Error(), "swordfish") || log.has("swordfish") || !log.has("WRONGPASS") {
		t.Errorf("error %v, log %s", err, &log)
	}
}

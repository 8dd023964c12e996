package embedded_test

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded"

	"github.com/redis/go-redis/v9"
)

func contains(err error, what string) bool { return strings.Contains(err.Error(), what) }

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries, options.DialerRetries = -1, 1 // a refusal is what some tests look for
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func startRedis(t *testing.T) *embedded.Redis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testMax)
	defer cancel()
	r, err := embedded.StartRedis(ctx, embedded.RedisConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRedisStartKillRestartStop(t *testing.T) {
	r := startRedis(t)
	c := client(t, r.URL())
	if err := c.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.Done()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("after a restart it holds %d keys (%v), want none", n, err)
	}
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := client(t, r.URL()+"&read_timeout=50ms").Ping(ctx).Err(); err == nil {
		t.Error("a frozen server answers")
	}
	if err := r.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Socket()); err == nil {
		t.Error("the socket is left after Stop")
	}
}

func TestRedisParentKilled(t *testing.T) {
	parent := startParent(t, helperRedis+"=1")
	pid, url := parent.ready(t)
	parent.kill()
	until(t, "Redis is gone", func() bool { return gone([]int{pid}) })
	startRedis(t) // sweeps
	socket := strings.TrimSuffix(strings.TrimPrefix(url, "unix://"), "?db=0")
	if _, err := os.Stat(socket); err == nil {
		t.Error("the next start left the dead one's folder")
	}
}

func TestMiniredisExpires(t *testing.T) {
	m, err := embedded.StartMiniredis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Stop)
	c := client(t, m.URL())
	if err := c.Set(t.Context(), "key", "value", 10*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	until(t, "the key has expired", func() bool { return c.Exists(t.Context(), "key").Val() == 0 })
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"boxoffice/persistence/embedded/pgtest"
)

// redisPulls pulls until there is something.
func redisPulls(t testing.TB, r *Redis, eventID string) (ids []string) {
	t.Helper()
	redisUntil(t, "an entry of "+eventID+" comes", func() bool {
		ids, _ = r.Pull(t.Context(), eventID)
		return len(ids) > 0
	})
	return ids
}

// redisDemandWorks announces, pulls and acknowledges, trying again while Redis is away.
func redisDemandWorks(t testing.TB, r *Redis, eventID string) {
	t.Helper()
	redisUntil(t, "the group is made", func() bool {
		_, err := r.Recover(t.Context(), eventID)
		return err == nil
	})
	var ids []string
	redisUntil(t, "an entry comes", func() bool {
		r.Announce(eventID) // it may be one too many just now
		ids, _ = r.Pull(t.Context(), eventID)
		return len(ids) > 0
	})
	if err := r.Ack(t.Context(), eventID, ids); err != nil {
		t.Fatal(err)
	}
}

// Goal: a wake is written, read once, and gone when it is acknowledged; a group of nobody's is no hindrance.
func TestRedisDemand(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	r, raw := redisAt(t, server.URL()), redisRaw(t, server.URL())
	// Before there is a group: what was announced counts.
	r.Announce("E1", "E2", "E1")
	redisUntil(t, "both are announced", func() bool {
		return raw.XLen(t.Context(), streamKey("E1")).Val() == 1 && raw.XLen(t.Context(), streamKey("E2")).Val() == 1
	})
	ids := redisPulls(t, r, "E1")
	if n := raw.XPending(t.Context(), "waiting-room:E1", "admission").Val().Count; len(ids) != 1 || n != 1 {
		t.Errorf("%v pulled, %d pending", ids, n)
	}
	if again, err := r.Recover(t.Context(), "E1"); err != nil || !slices.Equal(again, ids) {
		t.Errorf("recovered %v (%v), want %v", again, err, ids)
	}
	if err := errors.Join(r.Ack(t.Context(), "E1", ids), r.Ack(t.Context(), "E1", ids), r.Ack(t.Context(), "E1", nil)); err != nil {
		t.Fatal(err)
	}
	pending := raw.XPending(t.Context(), streamKey("E1"), admissionGroup).Val().Count
	if n := raw.XLen(t.Context(), streamKey("E1")).Val(); n != 0 || pending != 0 {
		t.Errorf("after the Ack there are %d entries, %d pending", n, pending)
	}
	if ids, err := r.Pull(t.Context(), "E1"); err != nil || len(ids) != 0 {
		t.Errorf("pulled %v (%v) where nothing was announced", ids, err)
	}
	for _, id := range []string{"E1", "E2"} {
		if ttl := raw.TTL(t.Context(), streamKey(id)).Val(); ttl <= 0 {
			t.Errorf("%s stays for ever: %v", id, ttl)
		}
	}
	if ids := redisPulls(t, r, "E2"); len(ids) != 1 {
		t.Errorf("pulled %v", ids)
	}
}

// Goal: a stream that nobody reads stays small, and a burst of announcements is few entries.
func TestRedisStreamIsBounded(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	r, raw := redisAt(t, server.URL()), redisRaw(t, server.URL())
	for range 10 * streamEntriesMax {
		if _, err := r.addEntries([]string{"E1"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := raw.XLen(t.Context(), streamKey("E1")).Val(); n > pullEntriesMax {
		t.Errorf("%d entries", n)
	}
	ids := redisPulls(t, r, "E1")
	if n := raw.XLen(t.Context(), streamKey("E1")).Val(); int(n) != len(ids) {
		t.Errorf("pulled %d of %d at once", len(ids), n)
	}
	const burst = 10_000
	for range burst {
		r.Announce("E2")
	}
	redisPulls(t, r, "E2")
	if n := raw.XInfoStream(t.Context(), streamKey("E2")).Val().EntriesAdded; n > burst/10 {
		t.Errorf("%d announcements were %d entries", burst, n)
	}
}

// Goal: what a dead node read and did not acknowledge comes again. Method: one node reads and ends, another recovers.
func TestRedisRecover(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	dead, r, raw := redisAt(t, server.URL()), redisAt(t, server.URL()), redisRaw(t, server.URL())
	for range pullEntriesMax {
		redisDo(t, raw, "xadd", streamKey("E1"), "*", "at", "1")
	}
	ids := redisPulls(t, dead, "E1")
	dead.Close()
	redisDo(t, raw, "xdel", streamKey("E1"), ids[0]) // trimmed meanwhile
	if again, err := r.Recover(t.Context(), "E1"); err != nil || len(again) < len(ids)-1 {
		t.Fatalf("recovered %d of %d (%v)", len(again), len(ids), err)
	}
	if err := r.Ack(t.Context(), "E1", ids); err != nil {
		t.Fatal(err)
	}
	if again, err := r.Recover(t.Context(), "E1"); err != nil || len(again) != 0 {
		t.Errorf("after the Ack %d came again (%v)", len(again), err)
	}
	// A consumer of another name, as other versions may have had.
	redisDo(t, raw, "xadd", streamKey("E1"), "*", "at", "1")
	redisDo(t, raw, "xreadgroup", "group", admissionGroup, "somebody", "streams", streamKey("E1"), ">")
	if again, err := r.Recover(t.Context(), "E1"); err != nil || len(again) != 1 {
		t.Errorf("recovered %v (%v)", again, err)
	}
}

// Goal: FLUSHALL at any point costs no more than the wakes that it took.
func TestRedisFlush(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	r, raw := redisAt(t, server.URL()), redisRaw(t, server.URL())
	flush := func() { redisDo(t, raw, "flushall") }
	redisDemandWorks(t, r, "E1")

	flush() // before a Pull
	if ids, err := r.Pull(t.Context(), "E1"); err != nil || len(ids) != 0 {
		t.Fatalf("pulled %v (%v)", ids, err)
	}
	flush() // between the announcement and the Pull that finds no group
	r.Announce("E1")
	redisUntil(t, "it is announced", func() bool { return raw.XLen(t.Context(), streamKey("E1")).Val() == 1 })
	ids, err := r.Pull(t.Context(), "E1")
	if err != nil || len(ids) != 1 {
		t.Fatalf("pulled %v (%v)", ids, err)
	}
	flush() // between the Pull and the Ack
	if err := r.Ack(t.Context(), "E1", ids); err != nil {
		t.Fatal(err)
	}
	if ids, err := r.Recover(t.Context(), "E1"); err != nil || len(ids) != 0 {
		t.Fatalf("recovered %v (%v)", ids, err)
	}
	// While a Pull waits.
	for _, again := range []func(){flush, func() { flush(); r.Announce("E1") }, func() { redisDo(t, raw, "del", streamKey("E1")) }} {
		var pulling sync.WaitGroup
		pulling.Go(func() {
			if _, err := r.Pull(t.Context(), "E1"); err != nil {
				t.Errorf("a Pull that waited: %v", err)
			}
		})
		redisUntil(t, "it waits", func() bool { return redisBlocked(t, raw) == 1 })
		again()
		pulling.Wait()
		redisDemandWorks(t, r, "E1")
	}
	redisDo(t, raw, "script", "flush")
	if _, err := r.Take(t.Context(), "x", [16]byte{}, time.Second, time.Minute); err != nil {
		t.Logf("a rate: %v", err)
	}
}

// redisBlocked counts the clients that wait for entries.
func redisBlocked(t testing.TB, raw *redis.Client) (n int) {
	t.Helper()
	for _, line := range slices.Collect(lines(raw.Info(t.Context(), "clients").Val())) {
		if _, err := fmt.Sscanf(line, "blocked_clients:%d", &n); err == nil {
			return n
		}
	}
	return 0
}

// Goal: a Pull ends with its context, and those that wait keep no connection from anybody. Method: more of them than there
// are connections.
func TestRedisPullsDoNotStarve(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	r, raw := redisAt(t, server.URL()), redisRaw(t, server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	var pulling sync.WaitGroup
	defer pulling.Wait()
	defer cancel()
	for i := range redisPullsMax + 50 {
		pulling.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Pull(ctx, fmt.Sprintf("F%d", i)); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	redisUntil(t, "all turns are taken", func() bool { return redisBlocked(t, raw) > redisPullsMax*3/4 })
	if _, err := r.Recover(t.Context(), "E1"); err != nil {
		t.Error(err)
	}
	r.Announce("E1")
	redisUntil(t, "it is announced", func() bool { return raw.XLen(t.Context(), streamKey("E1")).Val() == 1 })
	begun := time.Now()
	cancel()
	pulling.Wait()
	t.Logf("ended in %v", time.Since(begun))
}

// Goal: a key that cannot be written to keeps nothing else from being written.
func TestRedisAnnounceWithAWrongKey(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	r, raw := redisAt(t, server.URL()), redisRaw(t, server.URL())
	redisDo(t, raw, "set", streamKey("E1"), "not a stream")
	r.Announce("E1", "E2")
	redisUntil(t, "the other is announced", func() bool { return raw.XLen(t.Context(), streamKey("E2")).Val() > 0 })
	redisUntil(t, "the wrong one is dropped", func() bool { return r.Stats().AnnouncementsDropped == 1 })
}

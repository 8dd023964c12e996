package persistence

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
)

func lines(s string) iter.Seq[string] { return strings.Lines(s) }

func redisLive(eventID string, head uint64) *messages.Live {
	return &messages.Live{EventId: eventID, What: &messages.Live_Progress{Progress: &messages.Progress{Head: head, OnSale: true}}}
}

// redisEars keep what was heard.
type redisEars struct {
	mu    sync.Mutex
	heads map[string]uint64
	count map[string]int
	// highest head of all
	highest uint64
}

func (e *redisEars) hear(m *messages.Live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heads[m.GetEventId()] = m.GetProgress().GetHead()
	e.count[m.GetEventId()]++
	e.highest = max(e.highest, m.GetProgress().GetHead())
}

func (e *redisEars) of(eventID string) (head uint64, count int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heads[eventID], e.count[eventID]
}

// redisHeard listens until the test ends.
func redisHeard(t testing.TB, r *Redis) *redisEars {
	t.Helper()
	e := &redisEars{heads: map[string]uint64{}, count: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	listening.Go(func() { r.Listen(ctx, e.hear) })
	t.Cleanup(func() { cancel(); listening.Wait() })
	return e
}

// redisHears publishes until something is heard.
func redisHears(t testing.TB, r *Redis, e *redisEars, eventID string) {
	t.Helper()
	_, before := e.of(eventID)
	redisUntil(t, "something is heard of "+eventID, func() bool {
		r.Publish(redisLive(eventID, 1))
		_, n := e.of(eventID)
		return n > before
	})
}

// redisSubscribers of an event's channel.
func redisSubscribers(t testing.TB, url, eventID string) int64 {
	t.Helper()
	return redisRaw(t, url).PubSubNumSub(t.Context(), liveChannel(0, eventID)).Val()[liveChannel(0, eventID)]
}

// Goal: what one node publishes is heard by those that watch the event, in order, and by no others, also after Redis was
// started anew.
func TestRedisLive(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	one, other := redisAt(t, server.URL()), redisAt(t, server.URL())
	other.Watch("E1") // before it listens
	other.Watch("E1")
	other.Watch("E2")
	other.Unwatch("E2")
	other.Unwatch("E2") // one too many is none
	ears := redisHeard(t, other)
	const watched = 2000
	for i := range watched {
		other.Watch(fmt.Sprintf("F%d", i))
	}
	subscribed := func(eventID string, n int64) {
		t.Helper()
		redisUntil(t, fmt.Sprintf("%d are subscribed to %s", n, eventID), func() bool {
			return redisSubscribers(t, server.URL(), eventID) == n
		})
	}
	subscribed("E1", 1)
	subscribed(fmt.Sprintf("F%d", watched-1), 1)
	subscribed("E2", 0)
	for i := range uint64(1000) {
		one.Publish(redisLive("E1", i+1))
	}
	one.Publish(redisLive("E2", 1))
	redisUntil(t, "all is heard", func() bool { head, n := ears.of("E1"); return head == 1000 && n == 1000 })

	other.Unwatch("E1")
	one.Publish(redisLive("E1", 1001))
	redisUntil(t, "it is heard still", func() bool { head, _ := ears.of("E1"); return head == 1001 })
	other.Unwatch("E1")
	subscribed("E1", 0)
	other.Watch("E1")
	subscribed("E1", 1)

	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	other.Watch("E3")
	other.Unwatch("F0")
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	redisHears(t, one, ears, "E1")
	redisHears(t, one, ears, "E3")
	redisHears(t, one, ears, fmt.Sprintf("F%d", watched-1))
	subscribed("F0", 0)
	if _, n := ears.of("E2"); n != 0 {
		t.Errorf("%d were heard that nobody watches", n)
	}
}

// Goal: who uses another database of the same server hears nothing of ours. Method: both watch one event; what was
// published in the one before has come by when the other hears its own.
func TestRedisLiveOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	other := strings.Replace(server.URL(), "db=0", "db=1", 1)
	ours, theirs := redisAt(t, server.URL()), redisAt(t, other)
	if ours.db != 0 || theirs.db != 1 {
		t.Fatalf("databases %d and %d", ours.db, theirs.db)
	}
	ears, theirEars := redisHeard(t, ours), redisHeard(t, theirs)
	ours.Watch("E1")
	theirs.Watch("E1")
	redisHears(t, ours, ears, "E1")
	redisHears(t, theirs, theirEars, "E1")
	ours.Publish(redisLive("E1", 100))
	redisUntil(t, "ours is heard", func() bool { head, _ := ears.of("E1"); return head == 100 })
	redisHears(t, theirs, theirEars, "E1")
	redisHears(t, ours, ears, "E1")
	theirEars.mu.Lock()
	defer theirEars.mu.Unlock()
	if theirEars.highest != 1 {
		t.Errorf("another database's message was heard: head %d", theirEars.highest)
	}
}

// Goal: what is no message of ours is dropped, and what follows is heard.
func TestRedisLiveUnreadable(t *testing.T) {
	t.Parallel()
	server := pgtest.Redis(t)
	var log redisLog
	r, err := OpenRedis(t.Context(), server.URL(), log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	ears := redisHeard(t, r)
	r.Watch("E1")
	redisHears(t, r, ears, "E1")
	wrongEvent, err := proto.Marshal(redisLive("E2", 1))
	if err != nil {
		t.Fatal(err)
	}
	raw := redisRaw(t, server.URL())
	bad := []any{"\xff\x00 no protobuf", "", wrongEvent, strings.Repeat("\x00", liveBytesMax+1)}
	for _, b := range bad {
		redisDo(t, raw, "publish", liveChannel(0, "E1"), b)
	}
	redisUntil(t, "all are dropped", func() bool { return r.Stats().LiveUnreadable == uint64(len(bad)) })
	redisHears(t, r, ears, "E1")
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, &log)
	}
	if _, n := ears.of("E2"); n != 0 {
		t.Error("another event's message was heard")
	}
}

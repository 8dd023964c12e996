package persistence

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

func hallBytes(t testing.TB, version uint64, seats string) []byte {
	t.Helper()
	a := &messages.Availability{Version: version, AsOf: 1, Seats: []byte(seats)}
	if version > 1 {
		a.MovedAt = journaltest.Batch("E1", 1, version).Entry.At
	}
	return encodedHall(t, a)
}

func encodedHall(t testing.TB, a *messages.Availability) []byte {
	t.Helper()
	b, err := proto.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Goal: nothing that stands in Redis, whoever wrote it, is shown unless it is the journal's; and a snapshot that is kept
// after it counts again. Method: keys set by hand.
func TestHallsWithALyingRedis(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := newStage(t, db, 8)
	s.commit(0) // 2
	s.commit(8) // 3, which moves some
	s.commit(-1)
	s.commit(3) // 5
	s.commit(3) // 6
	s.project()
	three, five := s.versions[3], s.versions[5]
	if three == "AAAAAAAA" || s.latest.Load() != 6 {
		t.Fatalf("version 3 is %s", three)
	}
	server := pgtest.Redis(t)
	raw := redisRaw(t, server.URL())
	r := redisAt(t, server.URL())
	pointer := hallPointerKey("E1")
	for name, c := range map[string]struct {
		set   [][]any
		stays bool // until its time is over
	}{
		"a list":            {set: [][]any{{"lpush", pointer, "x"}}},
		"no number":         {set: [][]any{{"set", pointer, "five"}}},
		"negative":          {set: [][]any{{"set", pointer, "-5"}}},
		"too large":         {set: [][]any{{"set", pointer, "99999999999999999999999"}}},
		"for ever":          {set: [][]any{{"set", pointer, "9007199254740993"}}},
		"long":              {set: [][]any{{"set", pointer, strings.Repeat("5", 1<<20)}}},
		"not there":         {set: [][]any{{"set", pointer, "5"}}},
		"snapshot is a set": {set: [][]any{{"set", pointer, "5"}, {"sadd", pointer + ":5", "x"}}},
		"garbage":           {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", "\xff\xff"}}},
		"empty message":     {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 0, "")}}},
		"huge":              {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 5, strings.Repeat("A", 2*hallBytesMax))}}},
		"too few seats":     {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 5, five[1:])}}},
		"too many seats":    {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 5, five+"A")}}},
		"no state":          {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 5, "X"+five[1:])}}},
		"another version":   {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 3, three)}}},
		"not the entry's":   {set: [][]any{{"set", pointer, "3"}, {"set", pointer + ":3", hallBytes(t, 3, "AAAAAAAA")}}},
		"another journal's": {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", encodedHall(t, &messages.Availability{
			Version: 5, AsOf: 1, Seats: []byte(five), MovedAt: 1,
		})}}},
		"no version":       {set: [][]any{{"set", pointer, "4"}, {"set", pointer + ":4", hallBytes(t, 4, three)}}},
		"does not lead on": {set: [][]any{{"set", pointer, "2"}, {"set", pointer + ":2", hallBytes(t, 2, three)}}},
		"beyond":           {set: [][]any{{"set", pointer, "7"}, {"set", pointer + ":7", hallBytes(t, 7, five)}}, stays: true},
		"sound":            {set: [][]any{{"set", pointer, "5"}, {"set", pointer + ":5", hallBytes(t, 5, five)}}},
		"sound, the first": {set: [][]any{{"set", pointer, "1"}, {"set", pointer + ":1", hallBytes(t, 1, "AAAAAAAA")}}},
	} {
		h := db.Halls(r)
		redisDo(t, raw, "flushall")
		for _, words := range c.set {
			redisDo(t, raw, words...)
		}
		if a := h.kept(t.Context(), "E1"); (a != nil) != strings.HasPrefix(name, "sound") {
			t.Errorf("%s: from Redis comes %v", name, a)
		}
		if h.away.now() {
			t.Errorf("%s: Redis counts as away", name)
		}
		a := s.shows(h)
		if err := h.Keep(t.Context(), "E1", a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := raw.Get(t.Context(), pointer).Val(); (got == "6") == c.stays {
			t.Errorf("%s: after a Keep of version 6 the latest is %s", name, got)
		}
		if a := h.kept(t.Context(), "E1"); (a != nil) == c.stays {
			t.Errorf("%s: after a Keep %v comes from Redis", name, a)
		}
	}
	if n := len(s.versions); n != 5 {
		t.Errorf("%d versions", n)
	}
}

// Goal: what is kept goes forward only, stays for its time, and does not pile up.
func TestHallsKeepTheLatest(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	mini, err := embedded.StartMiniredis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mini.Stop)
	for name, url := range map[string]string{"redis": pgtest.Redis(t).URL(), "miniredis": mini.URL()} {
		raw, h := redisRaw(t, url), db.Halls(redisAt(t, url))
		for _, version := range []uint64{5, 3, 5, 9, 8} {
			a := &messages.Availability{Version: version, Seats: []byte("AHSB")}
			if err := h.Keep(t.Context(), "E1", a); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		keys := raw.Keys(t.Context(), "*").Val()
		if got := raw.Get(t.Context(), "availability:E1").Val(); got != "9" || len(keys) != 3 {
			t.Errorf("%s: the latest is %s of %q", name, got, keys)
		}
		for key, most := range map[string]time.Duration{
			"availability:E1": hallTTL, "availability:E1:9": hallTTL, "availability:E1:5": hallReplacedTTL,
		} {
			if ttl := raw.TTL(t.Context(), key).Val(); ttl <= most/2 || ttl > most {
				t.Errorf("%s: %s stays %v", name, key, ttl)
			}
		}
		for _, bad := range []*messages.Availability{
			{Seats: []byte("AHSB")}, {Version: 10, Seats: bytes.Repeat([]byte{'A'}, hallBytesMax)},
		} {
			if err := h.Keep(t.Context(), "E1", bad); err == nil {
				t.Errorf("%s: kept version %d of %d seats", name, bad.GetVersion(), len(bad.GetSeats()))
			}
		}
	}
}

// Goal: a snapshot that lags far behind is passed over, and no more of the journal is read for it than that takes to see.
func TestHallsPassOverAnOldSnapshot(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := newStage(t, db, 20)
	h := db.Halls(redisAt(t, pgtest.Redis(t).URL()))
	s.commit(3)
	if err := h.Keep(t.Context(), "E1", s.shows(h)); err != nil {
		t.Fatal(err)
	}
	for range hallTailMax - 1 {
		s.commit(1)
	}
	if h.kept(t.Context(), "E1") == nil {
		t.Errorf("a snapshot %d entries behind is no good", hallTailMax-1)
	}
	s.commit(1)
	if a := h.kept(t.Context(), "E1"); a != nil {
		t.Errorf("a snapshot %d entries behind leads to version %d", hallTailMax, a.GetVersion())
	}
	s.shows(h)
}

// Goal: without its Redis a hall is read as before, nobody waits long for it, and only the first one at all.
func TestHallsWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := newStage(t, db, 20)
	for name, outage := range map[string]struct{ begin, end func(s *embedded.Redis) error }{
		"killed": {(*embedded.Redis).Kill, func(s *embedded.Redis) error { return s.Restart(t.Context()) }},
		"frozen": {(*embedded.Redis).Freeze, (*embedded.Redis).Thaw},
	} {
		server := redisServer(t, nil)
		h := db.Halls(redisAt(t, server.URL()))
		s.commit(3)
		if err := h.Keep(t.Context(), "E1", s.shows(h)); err != nil || h.kept(t.Context(), "E1") == nil {
			t.Fatal(err)
		}
		if err := outage.begin(server); err != nil {
			t.Fatal(err)
		}
		s.commit(3)
		begun := time.Now()
		s.shows(h)
		if took := time.Since(begun); took > 4*time.Second || !h.away.now() {
			t.Errorf("%s: the first read took %v, Redis counts as away: %t", name, took, h.away.now())
		}
		begun = time.Now()
		if err := h.Keep(t.Context(), "E1", s.shows(h)); err == nil {
			t.Errorf("%s: kept", name)
		}
		if took := time.Since(begun); took > 2*redisStepMax {
			t.Errorf("%s: a Keep took %v", name, took)
		}
		if err := outage.end(server); err != nil {
			t.Fatal(err)
		}
		redisUntil(t, "snapshots are kept and read again", func() bool {
			return h.Keep(t.Context(), "E1", s.shows(h)) == nil && h.kept(t.Context(), "E1") != nil
		})
	}
}

// BenchmarkHalls: one hall read, from the read model and the tail of the journal after it, and from a snapshot in Redis
// and the same tail.
func BenchmarkHalls(b *testing.B) {
	for _, seats := range []int{1_252, 50_000} {
		db, _ := open(b)
		s := newStage(b, db, seats)
		s.commit(seats)
		s.project()
		plain, cached := db.Halls(nil), db.Halls(redisAt(b, pgtest.Redis(b).URL()))
		if err := cached.Keep(b.Context(), "E1", s.shows(plain)); err != nil {
			b.Fatal(err)
		}
		for range 50 {
			s.commit(20)
		}
		for name, h := range map[string]*Halls{"postgres": plain, "redis": cached} {
			b.Run(fmt.Sprint(seats, " seats from ", name), func(b *testing.B) {
				for b.Loop() {
					if _, err := h.Availability(b.Context(), "E1"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprint(seats, " seats, keep"), func(b *testing.B) {
			a := s.shows(plain)
			for b.Loop() {
				a.Version++
				if err := cached.Keep(b.Context(), "E1", a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSince: the poll of a node that shows so many halls, of which nothing is new in most.
func BenchmarkSince(b *testing.B) {
	db, _ := open(b)
	after := map[string]uint64{}
	for n := range 1_000 {
		id := fmt.Sprint("E", n)
		create(b, db, id, 10)
		after[id] = 1
	}
	h := db.Halls(nil)
	for b.Loop() {
		if since, err := h.Since(b.Context(), after, 100); err != nil || len(since) > 0 {
			b.Fatal(since, err)
		}
	}
}

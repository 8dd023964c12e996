package main_test

import (
	"crypto/rand"
	"strconv"
	"testing"

	"boxoffice/persistence/embedded/pgtest"
)

// benchJoinConns is how many join at once.
const benchJoinConns = 256

// BenchmarkJoin: joins of one event whose sale has not begun, with and without an Idempotency-Key, on 256 keep-alive
// connections, beside a bare Fiber POST by the same client on as many. Client, server, Postgres and Redis share the
// machine's cores; fsync is off but in the sub-benchmarks that say so. Run it with -benchtime=100000x. Reported: joins a
// second, and what part of the bare posts that is.
func BenchmarkJoin(b *testing.B) {
	bare := startBareFiber(b)
	redis := pgtest.Redis(b)
	unsafe := start(b, pgtest.New(b), "REDIS_URL="+redis.URL())
	durable := start(b, durablePostgres(b), "REDIS_URL="+pgtest.Redis(b).URL())
	posts := 0.0
	b.Run("fiber", func(b *testing.B) {
		posts = bare.posts(b, benchJoinConns)
		b.ReportMetric(posts, "posts/s")
		b.ReportMetric(0, "ns/op")
	})
	for _, c := range []struct {
		name  string
		s     *server
		keyed bool
	}{{"join", unsafe, false}, {"join-keyed", unsafe, true}, {"join-fsync", durable, false}, {"join-keyed-fsync", durable, true}} {
		b.Run(c.name, func(b *testing.B) {
			rate := c.s.joins(b, c.keyed)
			b.ReportMetric(rate, "joins/s")
			b.ReportMetric(0, "ns/op")
			if posts > 0 {
				b.ReportMetric(100*rate/posts, "%-of-bare-posts")
			}
		})
	}
}

// joins makes b.N of them and says how many a second; places must be dense and unique.
func (s *server) joins(b *testing.B, keyed bool) float64 {
	event := "J-" + rand.Text()[:8]
	must(b, s.organise("POST", "", newEvent(event, hall(2, 10), notYet(waitingRoom(500, 600, 100, 4)))).is(201))
	public, _ := s.at()
	client := benchClient(public, benchJoinConns)
	body := `{"eventId":"` + event + `"}`
	rate := inParallel(b, benchJoinConns, func(_, n int) error {
		key := ""
		if keyed {
			key = "a-key-of-22-characters-" + strconv.Itoa(n)
		}
		_, err := post(client, "/api/waiting-room/sessions", "", key, body, 201)
		return err
	}, client)
	type counts struct{ Sessions, Places, First, Last, Counter int64 }
	c := table[counts](b, s.database, `
select count(*), count(distinct place), min(place), max(place), (select last_place from admission where event_id = $1)
from session where event_id = $1`, event)[0]
	if n := int64(b.N); c != (counts{n, n, 1, n, n}) {
		b.Errorf("of %d joins there are %+v", n, c)
	}
	return rate
}

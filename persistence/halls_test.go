package persistence

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pressly/goose/v3"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
	"boxoffice/migrations"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// Goal: whatever the read model's lag and whatever Redis says, a hall is shown as it is committed, and the steps between
// two of its versions lead from one to the other. Method: a stage, which commits random moves as an owner does, projects
// when it likes, and knows every version's letters.

type stage struct {
	testing.TB
	db        *DB
	epoch     uint64
	rng       *rand.Rand
	seq       uint64
	projected []byte // the read model's letters
	letters   []byte

	mu       sync.Mutex
	versions map[uint64]string
	latest   atomic.Uint64 // version committed
}

func newStage(t testing.TB, db *DB, seats int) *stage {
	t.Helper()
	create(t, db, "E1", seats)
	c, err := db.Journal("a").Claim(t.Context(), "E1")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{
		TB: t, db: db, epoch: c.Epoch, rng: rand.New(rand.NewPCG(uint64(seats), 4)), seq: 1,
		projected: bytes.Repeat([]byte{'A'}, seats), letters: bytes.Repeat([]byte{'A'}, seats), versions: map[uint64]string{},
	}
	s.note(1)
	return s
}

func (s *stage) note(version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[version] = string(s.letters)
	s.latest.Store(version)
}

func (s *stage) at(version uint64) (letters string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	letters, ok = s.versions[version]
	return letters, ok
}

// commit an entry that moves so many seats; with -1 it is no version.
func (s *stage) commit(move int) {
	s.Helper()
	s.seq++
	b := journaltest.Batch("E1", s.epoch, s.seq)
	if move >= 0 {
		m := &messages.SeatsMoved{Version: s.seq, Previous: s.latest.Load(), At: b.Entry.At}
		some := s.rng.Perm(len(s.letters))[:min(move, len(s.letters))]
		slices.Sort(some)
		for _, i := range some {
			to := "AHSB"[s.rng.IntN(4)]
			if to == s.letters[i] {
				continue
			}
			s.letters[i] = to
			list := map[byte]*[]uint32{'A': &m.Available, 'H': &m.Held, 'S': &m.Sold, 'B': &m.Blocked}[to]
			*list = append(*list, uint32(i)) //nolint:gosec // a seat
		}
		var err error
		if b.Entry.Moved, err = proto.Marshal(m); err != nil {
			s.Fatal(err)
		}
		s.mu.Lock()
		s.versions[s.seq] = string(s.letters) // it may be seen before the commit returns
		s.mu.Unlock()
	}
	if err := s.db.Journal("a").Commit(s.Context(), b); err != nil {
		s.Fatal(err)
	}
	if move >= 0 {
		s.latest.Store(s.seq)
	}
}

// project the read model to the journal's end.
func (s *stage) project() {
	s.Helper()
	from, err := s.db.ReadModel().Projected(s.Context(), "E1")
	if err != nil {
		s.Fatal(err)
	}
	if from == s.seq {
		return
	}
	p := messages.Projection{EventID: "E1", From: from, To: s.seq}
	for i, to := range s.letters {
		if s.projected[i] == to {
			continue
		}
		row := messages.SeatRow{Index: int32(i), State: to} //nolint:gosec // a seat
		if to == 'H' || to == 'S' {
			row.OrderID = journaltest.ID("order", i)
		}
		p.Seats = append(p.Seats, row)
	}
	if err := s.db.ReadModel().Project(s.Context(), p); err != nil {
		s.Fatal(err)
	}
	copy(s.projected, s.letters)
}

// shows fails the test unless the hall is as it is.
func (s *stage) shows(h *Halls) *messages.Availability {
	s.Helper()
	least := s.latest.Load()
	a, err := h.Availability(s.Context(), "E1")
	if err != nil {
		s.Fatal(err)
	}
	if want, ok := s.at(a.GetVersion()); !ok || a.GetVersion() < least || string(a.GetSeats()) != want || a.GetAsOf() <= 0 {
		s.Fatalf("at version %d, %d is shown as %s, want %s", least, a.GetVersion(), a.GetSeats(), want)
	}
	return a
}

// follows fails the test unless what moved since leads from there to now.
func (s *stage) follows(h *Halls, from uint64, most int) {
	s.Helper()
	letters, _ := s.at(from)
	a := &messages.Availability{Version: from, Seats: []byte(letters)}
	for a.GetVersion() < s.latest.Load() {
		since, err := h.Since(s.Context(), map[string]uint64{"E1": a.GetVersion(), "nobody's": 0}, most)
		if err != nil || len(since) != 1 || len(since["E1"]) == 0 || len(since["E1"]) > most {
			s.Fatalf("since %d: %v (%v)", a.GetVersion(), since, err)
		}
		for _, m := range since["E1"] {
			b, _ := proto.Marshal(m)
			if err := foldMoved(a, b); err != nil {
				s.Fatal(err)
			}
			if want, _ := s.at(a.GetVersion()); string(a.GetSeats()) != want {
				s.Fatalf("from version %d: %d is %s, want %s", from, a.GetVersion(), a.GetSeats(), want)
			}
		}
	}
	if since, err := h.Since(s.Context(), map[string]uint64{"E1": a.GetVersion()}, most); err != nil || len(since) > 0 {
		s.Fatalf("since the last version: %v (%v)", since, err)
	}
}

func TestHallsAreAsCommitted(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	server := pgtest.Redis(t)
	s := newStage(t, db, 37)
	raw := redisRaw(t, server.URL())
	plain, cached := db.Halls(nil), db.Halls(redisAt(t, server.URL()))
	if a := s.shows(plain); a.GetVersion() != 1 {
		t.Errorf("a fresh hall is of version %d", a.GetVersion())
	}
	for range 400 {
		switch s.rng.IntN(8) {
		case 0, 1:
			s.commit(s.rng.IntN(5))
		case 2:
			s.commit(-1)
		case 3:
			s.project()
		case 4:
			if err := cached.Keep(t.Context(), "E1", s.shows(cached)); err != nil {
				t.Fatal(err)
			}
		case 5:
			if s.rng.IntN(5) == 0 {
				redisDo(t, raw, "flushall")
			}
		case 6:
			from := 1 + s.rng.Uint64N(s.latest.Load())
			if _, ok := s.at(from); ok {
				s.follows(plain, from, 1+s.rng.IntN(20))
			}
		}
		s.shows(plain)
		s.shows(cached)
	}
	var missing *messages.EventNotFoundError
	if _, err := cached.Availability(t.Context(), "E9"); !errors.As(err, &missing) || missing.EventID != "E9" {
		t.Errorf("of no event: %v", err)
	}
	if err := plain.Keep(t.Context(), "E1", s.shows(plain)); err != nil {
		t.Errorf("without Redis: %v", err)
	}
}

// Goal: nobody who reads beside an owner sees a state that was not, or an older one than was committed before. Method:
// readers with and without Redis, one that keeps what it reads, an owner and a projector, all at once.
func TestHallsBesideACommitter(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := newStage(t, db, 200)
	redis := redisAt(t, pgtest.Redis(t).URL())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	var reads atomic.Int64
	for i := range 4 {
		h := db.Halls(nil)
		if i > 0 {
			h = db.Halls(redis)
		}
		readers.Go(func() {
			for ctx.Err() == nil {
				least := s.latest.Load()
				a, err := h.Availability(t.Context(), "E1")
				if err != nil {
					t.Error(err)
					return
				}
				if want, ok := s.at(a.GetVersion()); !ok || a.GetVersion() < least || string(a.GetSeats()) != want {
					t.Errorf("at version %d, %d is shown as %s, want %s", least, a.GetVersion(), a.GetSeats(), want)
					return
				}
				if reads.Add(1)%8 == 0 && i > 0 {
					if err := h.Keep(t.Context(), "E1", a); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for n := 0; n < 600 || reads.Load() < 400 && !t.Failed(); n++ {
		s.commit(s.rng.IntN(6) - 1)
		if s.rng.IntN(20) == 0 {
			s.project()
		}
	}
	stop()
	readers.Wait()
	t.Logf("%d reads", reads.Load())
}

// Goal: what a database from before has not written down is not made up. Method: entries as they were, and the migration.
func TestHallsOfOldEntries(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn := outsider(t, url)
	execute(t, conn, "drop schema public cascade")
	execute(t, conn, "create schema public")
	migrateTo(t, url, 5)
	// E1 has five entries, some of which moved seats, and none says so; on E2 nothing ever happened.
	for _, statement := range []string{
		`insert into event (event_id, name, venue, city, performers, starts_at, status, seats_total, currency, settings, search, plan, plan_hash)
		select 'E' || n, 'E' || n, 'Hall', '', '{}', 1, 'ON_SALE', 10, 'EUR', '{}', '', '', sha256('') from generate_series(1, 2) n`,
		"insert into event_owner (event_id, epoch, last_seq, node_id) values ('E1', 1, 5, ''), ('E2', 1, 1, '')",
		"insert into projection (event_id, projected_seq) values ('E1', 3), ('E2', 1)",
		"insert into journal select 'E1', n, 1, n, 'x', '' from generate_series(1, 5) n",
		"insert into journal values ('E2', 1, 1, 1, 'x', '')",
		`insert into seat (event_id, seat_index, seat_id, state)
		select event_id, n, n::text, case when event_id = 'E1' and n = 4 then 'B' else 'A' end from event, generate_series(0, 9) n`,
	} {
		execute(t, conn, statement)
	}
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, url, Options{})
	s := &stage{TB: t, db: db, epoch: 1, seq: 5, rng: rand.New(rand.NewPCG(1, 2)), versions: map[uint64]string{}}
	h := db.Halls(redisAt(t, pgtest.Redis(t).URL()))

	if _, err := h.Availability(t.Context(), "E1"); !errors.Is(err, errHallBehind) {
		t.Errorf("before the read model follows: %v", err)
	}
	if err := db.ReadModel().Project(t.Context(), messages.Projection{
		EventID: "E1", From: 3, To: 5, Seats: []messages.SeatRow{{Index: 5, State: 'B'}},
	}); err != nil {
		t.Fatal(err)
	}
	since := func(after uint64, want ...string) {
		t.Helper()
		got, err := h.Since(t.Context(), map[string]uint64{"E1": after}, 10)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, m := range got["E1"] {
			said = append(said, fmt.Sprintf("%d after %d", m.GetVersion(), m.GetPrevious()))
		}
		if !slices.Equal(said, want) {
			t.Errorf("since %d: %q, want %q", after, said, want)
		}
	}
	s.letters = []byte("AAAABBAAAA")
	s.note(5)
	s.shows(h)
	since(1, "5 after 5") // something was missed, nobody knows what
	since(5)
	if err := h.Keep(t.Context(), "E1", s.shows(h)); err != nil {
		t.Fatal(err)
	}
	s.latest.Store(4) // the owner knows which entry it was
	s.commit(3)
	s.shows(h)
	s.shows(db.Halls(nil))
	since(1, "6 after 4")
	since(5, "6 after 4")
	since(6)
	if a, err := h.Availability(t.Context(), "E2"); err != nil || a.GetVersion() != 1 || string(a.GetSeats()) != "AAAAAAAAAA" {
		t.Errorf("E2: %v (%v)", a, err)
	}
	var movedAfter int
	if err := conn.QueryRow(t.Context(), "select moved_after from event_owner where event_id = 'E1'").Scan(&movedAfter); err != nil || movedAfter != 5 {
		t.Errorf("entries say what they moved after %d (%v)", movedAfter, err)
	}
}

// migrateTo a version of old.
func migrateTo(t *testing.T, url string, version int64) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("../migrations"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// Goal: a read model that somebody has broken is not shown. Method: changes behind the journal's back.
func TestHallsThatAreBroken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a seat is gone":     "delete from seat where seat_index = 4",
		"a seat was there":   "update seat set state = 'B' where seat_index = 1",
		"unreadable":         `update journal set moved = '\xff' where seq = 2`,
		"an entry is silent": "update journal set moved = null where seq = 2",
		"another is silent":  "update journal set moved = null where seq = 3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, url := open(t)
			s := newStage(t, db, 10)
			for seq, m := range []*messages.SeatsMoved{
				{Version: 2, Previous: 1, Blocked: []uint32{1}},
				{Version: 3, Previous: 2, Available: []uint32{1}},
				{Version: 4, Previous: 3, Held: []uint32{2}},
			} {
				b := journaltest.Batch("E1", s.epoch, uint64(seq)+2) //nolint:gosec // a few
				b.Entry.Moved, _ = proto.Marshal(m)
				if err := db.Journal("a").Commit(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			if a, err := db.Halls(nil).Availability(t.Context(), "E1"); err != nil || string(a.GetSeats()) != "AAHAAAAAAA" {
				t.Fatalf("%v (%v)", a, err)
			}
			execute(t, outsider(t, url), change)
			if a, err := db.Halls(nil).Availability(t.Context(), "E1"); err == nil {
				t.Errorf("shown as %v", a)
			}
		})
	}
}

// Goal: whoever has a version that the journal has not come to, as from a database that was restored since, is told so; one
// that the journal has, though no seat moved in it, is none of that.
func TestSinceBeyondTheJournal(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	s := newStage(t, db, 10)
	s.commit(3)  // 2
	s.commit(-1) // 3
	for after, want := range map[uint64]uint64{2: 0, 3: 0, 4: 3, 1 << 63: 3, math.MaxUint64: 3} {
		since, err := db.Halls(nil).Since(t.Context(), map[string]uint64{"E1": after}, 10)
		switch got := since["E1"]; {
		case err != nil:
			t.Fatal(err)
		case want == 0 && len(got) == 0:
		case len(got) != 1 || got[0].GetVersion() != want || got[0].GetPrevious() != want:
			t.Errorf("since %d: %v, want the end, %d", after, got, want)
		}
	}
}

// Goal: what Since and a read cost does not hang on how long the journals are, nor on how many events there are. Method:
// Postgres counts the rows that the statements look at, with statistics or without.
func TestHallsReadNoJournal(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	s := newStage(t, db, 100)
	s.project()
	conn := outsider(t, url)
	for _, table := range []string{"event", "event_owner", "projection"} {
		execute(t, conn, fmt.Sprintf(`
insert into %[1]s select (jsonb_populate_record(t, jsonb_build_object('event_id', 'X' || n))).* from %[1]s t, generate_series(1, 300) n`, table))
	}
	execute(t, conn, `
insert into journal (event_id, seq, epoch, at, facts, answers, moved)
select 'X' || n, s, 1, 1, 'x', '', case when s % 10 = 0 then '\x0801'::bytea end
from generate_series(1, 300) n, generate_series(1, 100) s`)
	after := map[string]uint64{"E1": 1}
	for n := range 300 {
		after[fmt.Sprint("X", n+1)] = 85
	}
	h := db.Halls(nil)
	queries, err := db.queries.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer queries.Release()
	var ids []string
	var versions []int64
	for id, version := range after {
		ids, versions = append(ids, id), append(versions, int64(version)) //nolint:gosec // small
	}
	for _, statistics := range []string{"without", "with"} {
		for n := range 8 {
			if rows := rowsRead(t, queries.Conn(), "journal", sinceStatement, ids, versions, 100); rows > 3*2*300 {
				t.Errorf("%s statistics, %d. since: %d rows read", statistics, n, rows)
			}
			if rows := rowsRead(t, queries.Conn(), "journal", hallStatement, "X7"); rows > 50 {
				t.Errorf("%s statistics, %d. hall: %d rows read", statistics, n, rows)
			}
			if rows := rowsRead(t, queries.Conn(), "journal", catchUpStatement, "X7", 85, hallTailMax); rows > 50 {
				t.Errorf("%s statistics, %d. catching up: %d rows read", statistics, n, rows)
			}
		}
		execute(t, conn, "analyze")
	}
	since, err := h.Since(t.Context(), after, 1)
	if err != nil || len(since) != 300 {
		t.Errorf("%d events have something new (%v)", len(since), err)
	}
}

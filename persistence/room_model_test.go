package persistence

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"boxoffice/messages"
	"boxoffice/persistence/embedded/pgtest"
	"boxoffice/persistence/journaltest"
)

// Goal: the waiting room does what its rules say, also with joins that repeat keys and clients that come too often.
// Method: a naive model of one event in plain Go judges every step. The database's clock is a row that the test sets, and it
// steps back, too.

// modelPerson is a session; times are 0 where there is none.
type modelPerson struct {
	join                          messages.Join
	answer                        messages.Session // the join's
	status                        messages.SessionStatus
	admittedAt, endsAt, until, at int64
}

type modelRoom struct {
	now, onSaleAt    int64
	status           string
	enabled          bool
	limit, rate, ttl int
	head             int
	line             []*modelPerson // by place, from 1
	measured         float64
	nextDue          int64 // 0: none
	announced        int   // at the least: who has just left the line may still be counted on
}

// status as of now, as session_now has it.
func (m *modelRoom) statusOf(p *modelPerson) messages.SessionStatus {
	if p.status == messages.SessionActive && p.endsAt <= m.now {
		return messages.SessionExpired
	}
	return p.status
}

// expire writes down who is over: he stays so, whatever the clock does.
func (m *modelRoom) expire() {
	for _, p := range m.line {
		p.status = m.statusOf(p)
	}
}

func (m *modelRoom) waiting() (n int) {
	for _, p := range m.line {
		if p.status == messages.SessionWaiting {
			n++
		}
	}
	return n
}

func (m *modelRoom) room() int {
	active, admitted := 0, 0
	for _, p := range m.line {
		if m.statusOf(p) == messages.SessionActive {
			active++
		}
		if p.admittedAt > 0 && p.admittedAt >= m.now-1000 && p.admittedAt <= m.now {
			admitted++
		}
	}
	switch {
	case !m.enabled:
		return 1 << 30
	case m.status != "ON_SALE" || m.onSaleAt > m.now:
		return 0
	}
	return max(0, min(m.limit-active, m.rate-admitted))
}

// position in line of who is at the place and waits; 0 before the event is on sale.
func (m *modelRoom) position(place int) uint64 {
	if m.onSaleAt > m.now {
		return 0
	}
	return uint64(place - m.head) //nolint:gosec // who waits is behind the head
}

// join is what becomes of a call; the calls of a batch are made one after another, as of one moment: waits and room are
// what the batch found.
func (m *modelRoom) join(j messages.Join, waits bool, room *int) (messages.Session, bool, error) {
	held := 0
	for _, p := range m.line {
		if p.join.Key == j.Key && j.Key != [16]byte{} {
			if p.join.Body != j.Body {
				return messages.Session{}, false, messages.ErrKeyReused
			}
			return p.answer, true, nil
		}
		if s := m.statusOf(p); p.join.Client == j.Client && (s == messages.SessionActive || s == messages.SessionWaiting) {
			held++
		}
	}
	if j.Client != [16]byte{} && held >= j.ClientMax {
		return messages.Session{}, false, messages.ErrTooManySessions
	}
	p := &modelPerson{join: j, status: messages.SessionWaiting, at: m.now}
	m.line = append(m.line, p)
	place := len(m.line)
	if !waits && *room > 0 {
		*room--
		m.head = place
		p.status, p.admittedAt, p.until = messages.SessionActive, m.now, m.now+int64(m.ttl)*1000
		p.endsAt = p.until
	} else if !waits && *room == 0 && m.waiting() == 1 {
		m.head = place - 1
	}
	p.answer = messages.Session{
		EventID: j.EventID, SessionID: j.SessionID, Place: uint64(place), Status: p.status, ActiveUntil: p.until, JoinedAt: m.now, //nolint:gosec // small
	}
	if p.status == messages.SessionWaiting {
		if p.answer.Position = m.position(place); p.answer.Position > 0 {
			p.answer.PerSecond = m.measured
		}
	}
	return p.answer, false, nil
}

func (m *modelRoom) admit(measured float64) (count int, waits bool) {
	m.expire()
	over := m.status == "CANCELLED"
	n, pace := m.room(), 1000
	if m.enabled && m.status == "ON_SALE" && m.onSaleAt <= m.now {
		pace = max(1, (m.rate+7)/8)
	}
	n = min(n, pace)
	for i, p := range m.line {
		switch {
		case p.status != messages.SessionWaiting:
			continue
		case over:
			p.status = messages.SessionExpired
			continue
		case n == 0:
			m.head, m.measured = i, measured
			return count, true
		}
		n--
		count++
		p.status, p.admittedAt, p.until = messages.SessionActive, m.now, m.now+int64(m.ttl)*1000
		p.endsAt = m.now + min(int64(m.ttl), 60)*1000
	}
	m.head, m.measured = len(m.line), measured
	return count, false
}

// end makes a session that has not ended end as status.
func (m *modelRoom) end(p *modelPerson, status messages.SessionStatus) {
	if s := m.statusOf(p); s == messages.SessionActive || s == messages.SessionWaiting {
		if s == messages.SessionActive && m.waiting() > 0 {
			m.announced++
		}
		p.status = status
	}
}

// trial is the model beside the database.
type trial struct {
	modelRoom
	id    string
	t     *testing.T
	db    *DB
	conn  *pgx.Conn
	heard *demand
	epoch uint64
	calls int
}

func (r *trial) set(rt *rapid.T, statement string, args ...any) {
	if _, err := r.conn.Exec(r.t.Context(), statement, args...); err != nil {
		rt.Fatal(err)
	}
}

func (r *trial) store(rt *rapid.T) {
	const statement = `
update event set status = $2, on_sale_at = $3, settings = settings || jsonb_build_object('waitingRoom', jsonb_build_object(
    'enabled', $4::boolean, 'activeTtlSeconds', $5::int, 'activeLimit', $6::int, 'admitPerSecond', $7::int))
where event_id = $1`
	r.set(rt, statement, r.id, r.status, r.onSaleAt, r.enabled, r.ttl, r.limit, r.rate)
}

func (r *trial) someone(rt *rapid.T) (int, *modelPerson) {
	if len(r.line) == 0 {
		rt.Skip("nobody has joined")
	}
	i := rapid.IntRange(max(0, len(r.line)-12), len(r.line)-1).Draw(rt, "who")
	return i + 1, r.line[i]
}

// Joins are a batch.
func (r *trial) Joins(rt *rapid.T) {
	calls := make([]*joinCall, rapid.IntRange(1, 8).Draw(rt, "joins"))
	for i := range calls {
		r.calls++
		j := messages.Join{EventID: r.id, SessionID: journaltest.ID(r.id, r.calls), ClientMax: 2}
		if key := rapid.IntRange(-6, 6).Draw(rt, "key"); key > 0 {
			j.Key, j.Body = journaltest.ID("key", key), journaltest.ID("body", rapid.IntRange(1, 8).Draw(rt, "body")/8)
		}
		if client := rapid.IntRange(-1, 4).Draw(rt, "client"); client > 0 {
			j.Client = journaltest.ID("client", client)
		}
		calls[i] = &joinCall{join: j}
	}
	if err := r.db.flushJoins(r.t.Context(), r.id, calls); err != nil {
		rt.Fatal(err)
	}
	waits, room, waited, before := r.waiting() > 0, r.room(), r.waiting(), len(r.line)
	for _, first := range []bool{true, false} { // those that follow another get what that got
		for _, c := range calls {
			if (c.follows == nil) != first {
				continue
			}
			s, again, err := messages.Session{}, false, error(nil)
			if c.follows != nil && c.follows.err == messages.ErrTooManySessions { //nolint:errorlint // as it is
				err = messages.ErrTooManySessions
			} else {
				s, again, err = r.join(c.join, waits, &room)
			}
			if err != c.err || err == nil && (s != c.session || again != c.again) { //nolint:errorlint // as it is
				rt.Fatalf("joined as %+v, %v, %v; want %+v, %v, %v", c.session, c.again, c.err, s, again, err)
			}
		}
	}
	if !waits && len(r.line) > before {
		r.expire()
	}
	if r.waiting() > waited {
		r.announced++
		if r.nextDue == 0 {
			r.nextDue = r.now
		}
		r.nextDue = min(r.nextDue, r.now+15_000)
	}
}

func (r *trial) Admit(rt *rapid.T) {
	measured := float64(rapid.IntRange(0, 9).Draw(rt, "measured"))
	a, err := r.db.Admissions("a").Admit(r.t.Context(), messages.Admit{EventID: r.id, Epoch: r.epoch, PerSecond: measured})
	if err != nil {
		rt.Fatal(err)
	}
	count, waits := r.admit(measured)
	if a.Count != count || a.Waiting != waits || a.Head != uint64(r.head) || a.At != r.now || a.OnSale != (r.onSaleAt <= r.now) || (a.Due > 0) != waits { //nolint:gosec // small
		rt.Fatalf("admitted %+v; want %d, head %d, waiting %v", a, count, r.head, waits)
	}
	r.nextDue = 0
	if waits {
		r.checkDue(rt, a)
		r.nextDue = a.Due + 2000
		if a.Due > r.now+10_000 {
			r.nextDue = a.Due - 3000
		}
	}
}

func (r *trial) checkDue(rt *rapid.T, a messages.Admitted) {
	from, to := r.now+1, r.now+1001
	switch {
	case a.Count > 0:
		from, to = r.now+100, r.now+100
	case r.enabled && r.onSaleAt > r.now:
		from, to = r.onSaleAt, r.onSaleAt
	case r.enabled && r.status != "ON_SALE":
		from, to = r.now+3_600_000, r.now+3_600_000
	}
	if a.Due < from || a.Due > to {
		rt.Fatalf("due in %d ms, want from %d to %d: %+v", a.Due-r.now, from-r.now, to-r.now, r.modelRoom)
	}
}

func (r *trial) Visit(rt *rapid.T) {
	place, p := r.someone(rt)
	if r.statusOf(p) == messages.SessionActive {
		p.endsAt = p.until
	}
	s, err := r.db.Sessions().Visit(r.t.Context(), r.id, p.join.SessionID)
	r.compare(rt, place, p, s, err)
}

func (r *trial) Visits(rt *rapid.T) {
	var ids [][16]byte
	for range rapid.IntRange(1, 5).Draw(rt, "visits") {
		if _, p := r.someone(rt); !slices.Contains(ids, p.join.SessionID) {
			ids = append(ids, p.join.SessionID)
			if r.statusOf(p) == messages.SessionActive {
				p.endsAt = p.until
			}
		}
	}
	all, err := r.db.Sessions().Visits(r.t.Context(), r.id, append(ids, [16]byte{1}))
	if err != nil || len(all) != len(ids) {
		rt.Fatalf("%d of %d sessions, %v", len(all), len(ids), err)
	}
	for _, s := range all {
		r.compare(rt, int(s.Place), r.line[s.Place-1], s, nil) //nolint:gosec // small
	}
}

func (r *trial) compare(rt *rapid.T, place int, p *modelPerson, s messages.Session, err error) {
	want := messages.Session{
		EventID: r.id, SessionID: p.join.SessionID, Place: uint64(place), Status: r.statusOf(p), ActiveUntil: p.until, JoinedAt: p.at, //nolint:gosec // small
	}
	if want.Status == messages.SessionWaiting {
		if want.Position = r.position(place); want.Position > 0 {
			want.PerSecond = r.measured
		}
	}
	if err != nil || s != want {
		rt.Fatalf("visited as %+v, %v; want %+v", s, err, want)
	}
}

func (r *trial) Leave(rt *rapid.T) {
	_, p := r.someone(rt)
	if err := r.db.Sessions().Leave(r.t.Context(), r.id, p.join.SessionID); err != nil {
		rt.Fatal(err)
	}
	r.end(p, messages.SessionLeft)
}

func (r *trial) LeaveLine(rt *rapid.T) {
	place, p := r.someone(rt)
	s, err := r.db.Sessions().LeaveLine(r.t.Context(), r.id, p.join.SessionID)
	if p.status == messages.SessionWaiting {
		p.status = messages.SessionLeft
	}
	r.compare(rt, place, p, s, err)
}

func (r *trial) Complete(rt *rapid.T) {
	_, p := r.someone(rt)
	r.set(rt, projectSessionsStatement, r.id, [][]byte{p.join.SessionID[:]}, "COMPLETED", 1)
	if p.status = r.statusOf(p); p.status == messages.SessionActive || p.status == messages.SessionWaiting {
		p.status = messages.SessionCompleted
	}
}

func (r *trial) TimePasses(rt *rapid.T) {
	r.now += rapid.SampledFrom([]int64{1, 99, 999, 1000, 1001, 5000, 59_999, 60_000, 300_000}).Draw(rt, "ms")
	r.set(rt, "update test_clock set ms = $1", r.now)
}

func (r *trial) ClockStepsBack(rt *rapid.T) {
	r.now -= rapid.SampledFrom([]int64{1, 500, 1001, 70_000, 3_600_000}).Draw(rt, "ms")
	r.set(rt, "update test_clock set ms = $1", r.now)
}

func (r *trial) Organiser(rt *rapid.T) {
	r.limit, r.rate = rapid.IntRange(1, 8).Draw(rt, "limit"), rapid.IntRange(1, 30).Draw(rt, "rate")
	r.ttl = rapid.SampledFrom([]int{30, 90}).Draw(rt, "ttl")
	r.status = rapid.SampledFrom([]string{"ON_SALE", "ON_SALE", "ON_SALE", "ON_SALE", "PAUSED", "CLOSED", "CANCELLED"}).Draw(rt, "status")
	r.enabled = rapid.IntRange(0, 5).Draw(rt, "enabled") > 0
	if rapid.IntRange(0, 9).Draw(rt, "later") == 0 {
		r.onSaleAt = r.now + 5000
	}
	r.store(rt)
}

// check compares all sessions, and that whoever admits hears what he should.
func (r *trial) check(rt *rapid.T) {
	const query = `
select s.place, s.status, coalesce(s.admitted_at, 0), coalesce(s.ends_at, 0), a.head, a.last_place,
    coalesce(a.next_due, 0), not exists (select from session w where w.event_id = s.event_id and w.status = 'WAITING')
from session_now s join admission a using (event_id) where event_id = $1 order by place`
	rows, err := r.conn.Query(r.t.Context(), query, r.id)
	if err != nil {
		rt.Fatal(err)
	}
	var place, last int
	var head int
	var status messages.SessionStatus
	var admittedAt, endsAt, nextDue int64
	var empty bool
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&place, &status, &admittedAt, &endsAt, &head, &last, &nextDue, &empty}, func() error {
		if n++; place != n || n > len(r.line) || last != len(r.line) || nextDue != r.nextDue || nextDue == 0 && !empty {
			return fmt.Errorf("place %d is the %d. of %d, counted %d, next due %d; want next due %d", place, n, len(r.line), last, nextDue, r.nextDue)
		}
		p := r.line[n-1]
		if status != r.statusOf(p) || admittedAt != p.admittedAt || endsAt != p.endsAt || head != r.head {
			return fmt.Errorf("place %d is %s, admitted at %d, ends at %d, head %d; want %+v, head %d", n, status, admittedAt, endsAt, head, *p, r.head)
		}
		return nil
	})
	if err != nil || n != len(r.line) {
		rt.Fatalf("%d sessions: %v", n, err)
	}
	if heard := r.heard.take(); heard < r.announced {
		rt.Fatalf("%d announced, want at least %d", heard, r.announced)
	}
	r.announced = 0
}

func TestRoomModel(t *testing.T) {
	t.Parallel()
	url, heard := pgtest.New(t), &demand{}
	conn := outsider(t, url)
	execute(t, conn, "create table test_clock (ms bigint not null)")
	execute(t, conn, "insert into test_clock values (1)")
	execute(t, conn, "create or replace function now_ms() returns bigint language plpgsql as 'begin return (select ms from test_clock); end'")
	db := openAt(t, url, Options{Demand: heard})
	events := 0
	rapid.Check(t, func(rt *rapid.T) {
		events++
		r := &trial{id: fmt.Sprint("E", events), t: t, db: db, conn: conn, heard: heard}
		r.modelRoom = modelRoom{now: 1_800_000_000_000, onSaleAt: 1, status: "ON_SALE", enabled: true, limit: 3, rate: 8, ttl: 90}
		createRoom(t, db, r.id, 3, 8)
		r.set(rt, "update test_clock set ms = $1", r.now)
		r.store(rt)
		c, err := db.Admissions("a").Claim(t.Context(), r.id)
		if err != nil {
			rt.Fatal(err)
		}
		r.epoch = c.Epoch
		rt.Repeat(map[string]func(*rapid.T){
			"joins": r.Joins, "admit": r.Admit, "admit again": r.Admit, "visit": r.Visit, "visits": r.Visits, "leave": r.Leave,
			"leave line": r.LeaveLine, "complete": r.Complete, "time": r.TimePasses, "step back": r.ClockStepsBack, "organiser": r.Organiser, "": r.check,
		})
	})
}

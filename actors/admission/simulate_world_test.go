package admission_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"boxoffice/messages"
)

const (
	// t0 is when runs begin by the database's clock.
	t0 = int64(1_700_000_000_000)
	// simShowMillis is how long a buyer has to show up: shorter than it is, for shorter runs.
	simShowMillis = 10_000
	traceMax      = 80
)

// world is everything there is in a run. One goroutine, one virtual clock, one source of chance.
type world struct {
	testing.TB
	seed    uint64
	rng     *rand.Rand
	elapsed time.Duration
	rooms   rooms
	demand  *stream // nil: there is none
	healed  bool
	crowd   int // how many come, in percent of those who could

	actors []*simActor
	tasks  []task
	wakeAt time.Duration // when the waker looks next
	// dealtWith are entries that actors have read which then ended in peace, all without a fault.
	dealtWith []string
	trace     []string
	met       simTotals
}

// task is something that was begun and has not happened yet.
type task struct {
	name  string
	actor *simActor
	ready func() bool // nil: at any time
	run   func()
}

func (w *world) fail(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d (BOXOFFICE_SIM_SEED=%d): %s\nlast steps:\n%s", w.seed, w.seed, fmt.Sprintf(format, args...), strings.Join(w.trace, "\n"))
}

func (w *world) note(format string, args ...any) {
	if len(w.trace) == traceMax {
		w.trace = w.trace[1:]
	}
	w.trace = append(w.trace, fmt.Sprintf("%10v  ", w.elapsed)+fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// fault is a number below 100; 0 once the world is healed.
func (w *world) fault() int {
	if w.healed {
		return 0
	}
	return w.rng.IntN(100)
}

func (w *world) dbNow() int64 { return t0 + w.elapsed.Milliseconds() }

func (w *world) later(name string, a *simActor, ready func() bool, run func()) {
	w.tasks = append(w.tasks, task{name, a, ready, run})
}

// runTask lets one thing happen that was begun, if any can.
func (w *world) runTask() bool {
	var able []int
	for i, t := range w.tasks {
		if t.ready == nil || t.ready() {
			able = append(able, i)
		}
	}
	if len(able) == 0 {
		return false
	}
	i := able[w.rng.IntN(len(able))]
	t := w.tasks[i]
	w.tasks = slices.Delete(w.tasks, i, i+1)
	w.note("%s of %d", t.name, t.actor.number)
	t.run()
	return true
}

// session is one buyer's.
type session struct {
	place                uint64
	status               messages.SessionStatus
	joinedAt, admittedAt int64
	endsAt, until        int64
}

// rooms is the naive model of one event's waiting room in the database.
type rooms struct {
	limit, perSecond, ttl int64
	onSaleAt              int64
	epoch, head           uint64
	rate                  float64
	due                   int64 // 0: nobody has to be awake
	sessions              []*session
}

func (r *rooms) having(s messages.SessionStatus) (found []*session) {
	for _, each := range r.sessions {
		if each.status == s {
			found = append(found, each)
		}
	}
	return found
}

func (r *rooms) expire(now int64) {
	for _, s := range r.having(messages.SessionActive) {
		if s.endsAt <= now {
			s.status = messages.SessionExpired
		}
	}
}

// room is how many may come in, and when to look again.
func (r *rooms) room(now int64) (room, due int64) {
	r.expire(now)
	due = now + 1000
	if now < r.onSaleAt {
		return 0, r.onSaleAt
	}
	active := r.having(messages.SessionActive)
	admitted := int64(0)
	first := due
	for _, s := range r.sessions {
		if s.admittedAt > now-1000 {
			admitted++
			first = min(first, s.admittedAt+1000)
		}
	}
	room = max(0, min(r.limit-int64(len(active)), r.perSecond-admitted))
	if int64(len(active)) >= r.limit {
		for _, s := range active {
			due = min(due, s.endsAt)
		}
	} else if room == 0 {
		due = first
	}
	return room, due
}

func (r *rooms) let(s *session, now int64) {
	s.status, s.admittedAt = messages.SessionActive, now
	s.until = now + r.ttl
	s.endsAt = min(s.until, now+simShowMillis)
}

// join says whether the buyer has to wait.
func (r *rooms) join(now int64) (waits bool) {
	s := &session{place: uint64(len(r.sessions) + 1), status: messages.SessionWaiting, joinedAt: now}
	room, _ := r.room(now)
	waits = room == 0 || len(r.having(messages.SessionWaiting)) > 0
	r.sessions = append(r.sessions, s)
	if !waits {
		r.let(s, now)
		if r.head == s.place-1 {
			r.head = s.place
		}
	} else if r.due == 0 || r.due > now+15_000 {
		r.due = now
	}
	return waits
}

func (r *rooms) admit(now int64, m messages.Admit) (messages.Admitted, error) {
	if m.Epoch != r.epoch {
		return messages.Admitted{}, messages.ErrFenced
	}
	room, due := r.room(now)
	out := messages.Admitted{At: now, OnSale: now >= r.onSaleAt}
	for _, s := range r.having(messages.SessionWaiting) {
		if int64(out.Count) == min(room, (r.perSecond+7)/8) {
			break
		}
		r.let(s, now)
		out.Count++
	}
	r.head, r.due, r.rate = uint64(len(r.sessions)), 0, m.PerSecond
	if waiting := r.having(messages.SessionWaiting); len(waiting) > 0 {
		out.Waiting = true
		r.head = waiting[0].place - 1
		out.Due = due
		if out.Count > 0 {
			out.Due = now + 100
		}
		if r.due = out.Due + 2000; out.Due-now > 10_000 {
			r.due = out.Due - 3000 // nobody stays awake for it
		}
	}
	out.Head = r.head
	return out, nil
}

// check what must hold at every instant.
func (w *world) check() {
	r := &w.rooms
	active, second := int64(0), int64(0)
	waiting := false
	for _, s := range r.sessions {
		if s.status == messages.SessionActive && s.endsAt > w.dbNow() {
			active++
		}
		if s.admittedAt > w.dbNow()-1000 {
			second++
		}
		waiting = waiting || s.status == messages.SessionWaiting
		if waiting && s.admittedAt != 0 && s.status == messages.SessionActive {
			w.fail("place %d was passed over", s.place)
		}
	}
	if active > r.limit || second > r.perSecond {
		w.fail("%d are active of %d; %d were admitted in a second, not %d", active, r.limit, second, r.perSecond)
	}
}

// stream is a Demand that loses, repeats and reorders.
type stream struct {
	w       *world
	last    int
	unread  []string
	pending []string // read and not acknowledged
	old     []string // acknowledged
	away    bool
}

var errAway = errors.New("redis is away")

func (d *stream) announce() {
	if d == nil || d.away || d.w.fault() >= 90 {
		return
	}
	d.last++
	d.unread = append(d.unread, fmt.Sprint("e", d.last))
}

func (d *stream) pull() ([]string, error) {
	fault := d.w.fault()
	if d.away || fault >= 97 {
		return nil, errAway
	}
	d.w.rng.Shuffle(len(d.unread), func(i, k int) { d.unread[i], d.unread[k] = d.unread[k], d.unread[i] })
	n := len(d.unread)
	if n > 0 && fault >= 50 {
		n = 1 + d.w.rng.IntN(n)
	}
	ids := slices.Clone(d.unread[:n])
	d.pending = append(d.pending, ids...)
	d.unread = d.unread[n:]
	switch {
	case fault >= 94:
		return nil, errAway // the reply is lost
	case fault >= 90 && n > 0:
		ids = append(ids, ids[0])
	case fault >= 87 && len(d.old) > 0:
		ids = append(ids, d.old[d.w.rng.IntN(len(d.old))])
	}
	return ids, nil
}

func (d *stream) recover() ([]string, error) {
	if d.away || d.w.fault() >= 95 {
		return nil, errAway
	}
	return slices.Clone(d.pending), nil
}

func (d *stream) ack(ids []string) {
	if d.away || d.w.fault() >= 95 {
		return
	}
	d.old = append(d.old, ids...)
	d.pending = slices.DeleteFunc(d.pending, func(id string) bool { return slices.Contains(ids, id) })
}

// flush forgets everything.
func (d *stream) flush() { d.unread, d.pending = nil, nil }

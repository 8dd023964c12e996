package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	rushLimit     = 100
	rushPerSecond = 2_000
	rushMax       = 3 * time.Minute
	// rushLookMin and rushLookMax bound the pause between two looks of one who waits.
	rushLookMin, rushLookMax = 60 * time.Millisecond, 10 * time.Second
)

// intent is what a visitor will do.
type intent int

const (
	buys       intent = iota
	leaves            // once let in
	leavesLine        // before that
	stalls            // looks, and lets the token run out
	vanishes          // never looks
)

// rushIntents in percent. Who stalls or vanishes keeps one of 100 places for a second, and so sets the pace.
var rushIntents = []struct {
	intent
	percent int
}{{buys, 12}, {leaves, 36}, {leavesLine, 50}, {stalls, 1}, {vanishes, 1}}

func pickIntent(random *rand.Rand) intent {
	n := random.IntN(100)
	for _, i := range rushIntents {
		if n -= i.percent; n < 0 {
			return i.intent
		}
	}
	panic("the intents are not 100 %")
}

// rush is many who want in at once.
type rush struct {
	s      *server
	crowd  *crowd
	event  string
	agenda *agenda
	opened time.Time

	head                      atomic.Int64
	looks, bought, left, late atomic.Int64
	seats                     atomic.Int64 // asked for: each buyer wants one of its own

	mu     sync.Mutex
	faults []error
}

// visitor is one of them; one goroutine at a time has it.
type visitor struct {
	*rush
	intent
	n        int
	id       string
	place    int64
	leaveAt  int64 // the position at which it leaves the line
	position int64 // seen last; 0: none yet
	stream   *stream
}

// Goal: 20,000 who come at once are let in in order, at most 100 at a time, whatever they do then. Method: they join before
// the sale begins; then they buy, leave, leave the line, stall and vanish by a seed, some hundred of them listening and the
// others looking as often as their position suggests. The table of sessions is judged, and what each has seen.
func rushIn(t *testing.T) {
	random := seeded(t)
	database, redis := pgtest.New(t), pgtest.Redis(t)
	keepHistory(t, database)
	s := start(t, database, "REDIS_URL="+redis.URL())
	s.create("E1", hall(100, 100), notYet(waitingRoom(rushLimit, 1, rushPerSecond, 1)))
	rushJoins, rushListeners := many(20_000), many(8_000) // the others ask
	r := &rush{s: s, crowd: newCrowd(t, s), event: "E1", agenda: newAgenda()}

	begun := time.Now()
	ids := r.crowd.joinAll(t, "E1", rushJoins, func(i int) string {
		if i%2 == 0 {
			return ""
		}
		return fmt.Sprintf("a-key-of-22-characters-%d", i)
	})
	t.Logf("%.0f joins/s", float64(rushJoins)/time.Since(begun).Seconds())
	places := placesOf(t, database, "E1")
	for i := 0; i < rushJoins; i += 100 {
		a := r.crowd.look(ids[i])
		must(t, a.is(200))
		if v := a.session(); v.Status != "WAITING" || v.Position != nil || v.ETASeconds != nil {
			t.Fatalf("before the sale a session is shown as %s", a.body)
		}
	}
	visitors := make([]*visitor, rushJoins)
	for i, id := range ids {
		visitors[i] = &visitor{rush: r, intent: pickIntent(random), n: i, id: id, place: places[id]}
		visitors[i].leaveAt = 1 + random.Int64N(places[id])
	}
	listeners := random.Perm(rushJoins)[:rushListeners]
	each(t, crowdConns, func(n int) error {
		for n < rushListeners {
			if v := visitors[listeners[n]]; v.intent != vanishes {
				if err := v.listen(); err != nil {
					return err
				}
			}
			n += crowdConns
		}
		return nil
	})
	if t.Failed() {
		return
	}
	r.opened = time.Now()
	must(t, s.openDoors("E1"))
	for _, v := range visitors {
		if v.intent != vanishes && v.stream == nil {
			r.agenda.put(time.Duration(random.Int64N(int64(time.Second))), v.look)
		}
	}
	err := r.agenda.work(crowdConns, rushMax)
	t.Logf("%d looks, %d bought, %d left, %d came too late, in %v", r.looks.Load(), r.bought.Load(), r.left.Load(), r.late.Load(), time.Since(r.opened))
	must(t, errors.Join(err, r.fault()))
	for _, v := range visitors {
		if v.stream != nil {
			v.stream.close()
		}
	}
	until(t, patience, func() error { return noneLeft(t, database, "E1") })
	r.judge(t, database, visitors)
}

func (r *rush) judge(t *testing.T, database string, visitors []*visitor) {
	t.Helper()
	must(t, r.fault())
	stays := judge(t, database, "E1", rushLimit, rushPerSecond)
	if len(stays) != len(visitors) {
		t.Fatalf("%d sessions of %d joins", len(stays), len(visitors))
	}
	for _, v := range visitors {
		if v.intent != leavesLine && stays[v.place-1].Admitted == 0 {
			t.Errorf("who had place %d and stayed was not let in: %+v", v.place, stays[v.place-1])
		}
	}
	if r.bought.Load() == 0 {
		t.Error("nobody has bought")
	}
	must(t, awaitSettled(t, database))
	must(t, r.s.counts("E1", 10_000-int(r.bought.Load()), 0, int(r.bought.Load())))
	verify(t, database)
}

func (r *rush) wrong(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, err)
}

func (r *rush) fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%d faults, the first: %w", len(r.faults), errors.Join(r.faults[:min(3, len(r.faults))]...))
}

// look once, and do what is to be done then; the pause until the next look, or negative where there is none.
func (v *visitor) look() time.Duration {
	v.looks.Add(1)
	a := v.crowd.look(v.id)
	if err := a.is(200); err != nil {
		v.wrong(err)
		return -1
	}
	session := a.session()
	if err := session.sound(); err != nil {
		v.wrong(err)
		return -1
	}
	switch session.Status {
	case "WAITING":
		if session.Position == nil {
			return rushLookMax / 10 // nobody has noticed yet that the sale has begun
		}
		return v.waits(*session.Position)
	case "ACTIVE":
		return v.act(session.AccessToken)
	case "EXPIRED":
		v.late.Add(1)
	default:
		v.wrong(fmt.Errorf("place %d: %s", v.place, a.body))
	}
	return -1
}

// waits takes note of a position.
func (v *visitor) waits(position int64) time.Duration {
	if v.position != 0 && position > v.position {
		v.wrong(fmt.Errorf("place %d: the position grew from %d to %d", v.place, v.position, position))
	}
	v.position = position
	if v.intent == leavesLine && position <= v.leaveAt {
		return v.leave()
	}
	if position <= 2*rushLimit {
		return rushLookMin // any moment now
	}
	v.head.Store(v.place - position) // give or take
	perSecond := float64(v.head.Load()+1) / time.Since(v.opened).Seconds()
	return min(max(time.Duration(0.3*float64(position)/perSecond*float64(time.Second)), rushLookMin), rushLookMax)
}

// act does what was intended, once let in.
func (v *visitor) act(token string) time.Duration {
	switch v.intent {
	case buys:
		n := int(v.seats.Add(1)) - 1
		err := v.crowd.buy(v.event, token, strconv.Itoa(v.n), seatID(n/100+1, n%100+1))
		switch {
		case err == nil:
			v.bought.Add(1)
		case tooLate(err):
			v.late.Add(1)
		default:
			v.wrong(err)
		}
	case leaves, leavesLine:
		return v.leave()
	case stalls, vanishes:
	}
	return -1
}

func (v *visitor) leave() time.Duration {
	if err := v.crowd.leave(v.id).is(204); err != nil {
		v.wrong(err)
	}
	v.left.Add(1)
	return -1
}

// listen instead of looking.
func (v *visitor) listen() (err error) {
	v.agenda.expect()
	done := func() time.Duration { return -1 }
	// acted: what it has on the agenda is under way. Only the stream's goroutine has these.
	var acted, admitted, over bool
	act := func(do func() time.Duration) {
		if !acted {
			acted = true
			v.agenda.push(0, do)
		}
	}
	v.stream, err = v.s.listen("/api/sse/waiting-room/sessions/"+v.id, "", func(event told) {
		var heard session
		if err := json.Unmarshal(event.data, &heard); err != nil || over {
			v.wrong(fmt.Errorf("place %d: told %s %s, after the end: %v: %w", v.place, event.name, event.data, over, err))
			return
		}
		switch event.name {
		case "waiting-room-position":
			switch {
			case admitted:
				v.wrong(fmt.Errorf("place %d: told %s once let in", v.place, event.data))
			case heard.Position != nil && !acted && v.waits(*heard.Position) < 0:
				act(done)
			}
		case "waiting-room-active":
			admitted = true
			act(func() time.Duration { return v.act(heard.AccessToken) })
		case "waiting-room-expired":
			over = true
			if !acted {
				v.late.Add(1)
			}
			act(done)
		}
	})
	return err
}

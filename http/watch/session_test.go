package watch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

const minute = time.Minute

// Goal: who comes late is told at once how things stand, and what has ended ends its stream.
func TestLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for n := 1; n <= 6; n++ {
			w.wait(n)
		}
		early := w.open(6)
		w.admit(1, minute)
		w.become(2, messages.SessionExpired)
		w.become(3, messages.SessionLeft)
		w.become(4, messages.SessionCompleted)
		for n, want := range map[int]string{1: "+0s active until:", 2: "+0s expired EXPIRED", 3: "+0s expired LEFT", 4: "+0s expired COMPLETED", 5: "+0s position 4 1"} {
			got := w.open(n)
			synctest.Wait()
			if told := got.told(true); len(told) != 1 || !strings.HasPrefix(told[0], want) {
				t.Errorf("%d was told %q, want %q", n, told, want)
			}
			if got.ended != (n >= 2 && n <= 4) {
				t.Errorf("%d: ended %v", n, got.ended)
			}
			if got.ended && !strings.HasPrefix(got.frames[0], "retry: 3600000\n") {
				t.Errorf("%q", got.frames)
			}
			got.hangUp()
		}
		early.hangUp()
	})
}

// Goal: an admission is told at once, an end of the line moves positions, each once a second at most and where it changed.
func TestLineMoves(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.wait(30)
		w.admit(0, minute)
		first, second, last := w.open(1), w.open(2), w.open(30)
		after(1500 * time.Millisecond)
		w.admit(1, minute)
		w.say(1, 10)
		after(100 * time.Millisecond)
		for head := 3; head <= 6; head++ {
			w.admit(head, minute)
			w.say(head, 10)
			after(100 * time.Millisecond)
		}
		after(5 * time.Second)
		if got := first.told(true); len(got) != 2 || got[0] != "+0s position 1 1" || !strings.HasPrefix(got[1], "+1.5s active until:") {
			t.Errorf("%q", got)
		}
		if got := second.told(true); len(got) != 3 || got[1] != "+1.5s position 1 1" || !strings.HasPrefix(got[2], "+1.6s active") {
			t.Errorf("%q", got)
		}
		last.want(t, "+0s position 30 3", "+1.5s position 29 3", "+2.5s position 24 3")
		if n := w.visited[id(30)]; n != 1 {
			t.Errorf("who waits was read %d times", n)
		}
	})
}

// Goal: what is lost is found by the poll; what is doubled, late or out of order moves nobody back.
func TestUnreliableMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for n := 1; n <= 100; n++ {
			w.wait(n)
		}
		w.admit(0, minute)
		var tapes []*tape
		for n := 1; n <= 100; n++ {
			tapes = append(tapes, w.open(n))
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for head := 1; head <= 60; head++ {
			w.admit(head, minute)
			for range rng.IntN(4) {
				w.say(rng.IntN(head+1), 10)
			}
			after(time.Duration(rng.IntN(300)) * time.Millisecond)
		}
		after(2500 * time.Millisecond)
		for i, tape := range tapes {
			told, before := tape.told(false), 1000
			for j, e := range told {
				var position, eta int
				if n, _ := fmt.Sscanf(e, "position %d %d", &position, &eta); n == 0 {
					if j != len(told)-1 || !strings.HasPrefix(e, "active") || i >= 60 {
						t.Errorf("%d: %q", i+1, told)
					}
					continue
				}
				if position >= before && j > 0 {
					t.Errorf("%d: %q", i+1, told)
				}
				before = position
				if j > 0 && tape.at[j].Sub(tape.at[j-1]) < time.Second {
					t.Errorf("%d: told twice within a second: %q", i+1, tape.told(true))
				}
			}
			if i >= 60 && before != i+1-60 || i < 60 && !strings.HasPrefix(told[len(told)-1], "active") {
				t.Errorf("%d: %q", i+1, told)
			}
		}
	})
}

// Goal: before the sale nobody has a position, then everybody; a message from before the sale changes nothing any more,
// but what is read later does.
func TestOnSale(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.progress["E1"] = &messages.Progress{}
		tape := w.open(2)
		after(10 * time.Second)
		w.admit(0, minute)
		w.say(0, 10)
		synctest.Wait()
		w.hub.Heard(&messages.Live{EventId: "E1", What: &messages.Live_Progress{Progress: &messages.Progress{}}})
		after(5500 * time.Millisecond)
		w.mu.Lock()
		w.progress["E1"] = &messages.Progress{}
		w.mu.Unlock()
		after(5 * time.Second)
		tape.want(t, "+0s position null null", "+10s position 2 1", "+16s position null null")
	})
}

// Goal: while nothing can be read, streams stay; a second after that is over, all is told.
func TestReadsFail(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.wait(9)
		w.admit(1, 20*time.Second)
		active, next, last := w.open(1), w.open(2), w.open(9)
		w.fail(errAway)
		after(500 * time.Millisecond)
		w.admit(2, minute)
		w.say(2, 10)
		after(29500 * time.Millisecond)
		w.fail(nil)
		after(1100 * time.Millisecond)
		if got := active.told(true); len(got) != 2 || !strings.HasSuffix(got[1], "expired EXPIRED") || !active.ended {
			t.Errorf("%q", got)
		}
		if got := next.told(false); len(got) != 2 || !strings.HasPrefix(got[1], "active") {
			t.Errorf("%q", got)
		}
		last.want(t, "+0s position 8 1", "+1s position 7 1")
		if w.visits > 40 {
			t.Errorf("read %d times", w.visits)
		}
	})
}

// Goal: the end of a session is told: by time to the millisecond, by others within two seconds, here by who leaves at once.
func TestEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for n := 1; n <= 4; n++ {
			w.wait(n)
		}
		w.admit(3, minute)
		timed, left, completed, waiting := w.open(1), w.open(2), w.open(3), w.open(4)
		after(10 * time.Second)
		w.become(2, messages.SessionLeft)
		w.hub.Look("E1", id(2))
		w.hub.Look("E1", id(77))
		w.hub.Look("E2", id(2))
		w.become(3, messages.SessionCompleted)
		w.become(4, messages.SessionLeft)
		w.hub.Look("E1", id(4))
		after(2 * time.Minute)
		ends := func(tape *tape) string {
			if got := tape.told(true); len(got) == 2 && tape.ended {
				return got[1]
			}
			return strings.Join(tape.told(true), "\n")
		}
		if got := ends(timed); got != "+1m0s expired EXPIRED" {
			t.Error(got)
		}
		if got := ends(left); got != "+10s expired LEFT" {
			t.Error(got)
		}
		if got := ends(waiting); got != "+10s expired LEFT" {
			t.Error(got)
		}
		if got := ends(completed); got != "+10s expired COMPLETED" && got != "+12s expired COMPLETED" {
			t.Error(got)
		}
	})
}

// Goal: an event is listened to as long as somebody watches it, and read as long; then nothing is left.
func TestNobodyWatches(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.wait(1)
		w.wait(2)
		w.admit(1, minute)
		first, second, twin := w.open(1), w.open(2), w.open(2)
		order := w.openOrder(7, "{}")
		synctest.Wait()
		if w.watching["E1"] != 1 {
			t.Error(w.watching)
		}
		first.hangUp()
		twin.hangUp()
		w.admit(2, minute)
		after(1500 * time.Millisecond)
		if got := second.told(false); len(got) != 2 || len(twin.told(false)) != 1 {
			t.Errorf("%q", got)
		}
		second.hangUp()
		after(time.Second)
		if w.watching["E1"] != 1 {
			t.Error(w.watching)
		}
		order.hangUp()
		after(2 * time.Second)
		visits, asked := w.visits, w.asked
		after(time.Minute)
		if w.watching["E1"] != 0 || w.visits != visits || w.asked != asked {
			t.Error(w.watching, w.visits-visits, w.asked-asked)
		}
		w.open(2).hangUp()
		after(2 * time.Second)
		if w.watching["E1"] != 0 {
			t.Error(w.watching)
		}
	})
}

// Goal: a crowd's positions are told evenly and not all at once, and whoever is admitted does not wait for them.
func TestCrowd(t *testing.T) {
	const crowd = 50_000
	inBubble(t, func(t *testing.T, w *world) {
		w.admit(0, minute)
		tapes := make([]*tape, crowd)
		for n := range crowd {
			w.wait(n + 1)
			tapes[n] = w.open(n + 1)
		}
		after(5 * time.Second)
		w.admit(500, minute)
		w.say(500, 10)
		begun := time.Now()
		after(10 * time.Second)
		windows := map[time.Duration]int{}
		for n, tape := range tapes {
			if len(tape.at) != 2 {
				t.Fatalf("%d: %q", n+1, tape.told(true))
			}
			after := tape.at[1].Sub(begun)
			if n < 500 && after > 10*time.Millisecond || after > 3*time.Second {
				t.Errorf("%d was told after %v", n+1, after)
			}
			if n >= 500 {
				windows[after/(100*time.Millisecond)]++
			}
			tape.hangUp()
		}
		for window, n := range windows {
			if n > 2000 {
				t.Errorf("%d in window %d", n, window)
			}
		}
	})
}

// Goal: whatever happens in whatever sequence, in the end every stream that is open says how its session stands.
// Method: sessions join, are admitted, end; streams come and go; some messages are lost, some reads fail. Then calm.
func TestInTheEnd(t *testing.T) {
	for seed := range uint64(30) {
		inBubble(t, func(t *testing.T, w *world) {
			rng := rand.New(rand.NewPCG(seed, 3))
			w.admit(0, minute)
			head, joined := 0, 0
			open := map[*tape]int{}
			for range 400 {
				switch rng.IntN(8) {
				case 0, 1:
					joined++
					w.wait(joined)
				case 2, 3:
					if joined > 0 {
						n := 1 + rng.IntN(joined)
						open[w.open(n)] = n
					}
				case 4:
					for tape := range open {
						tape.hangUp()
						delete(open, tape)
						break
					}
				case 5:
					if head = min(joined, head+rng.IntN(4)); head > 0 {
						w.admit(head, time.Duration(1+rng.IntN(30))*time.Second)
					}
					if rng.IntN(2) == 0 {
						w.say(head, 10)
					}
				case 6:
					if joined > 0 {
						// Nobody says so.
						w.become(1+rng.IntN(joined), []messages.SessionStatus{messages.SessionLeft, messages.SessionCompleted}[rng.IntN(2)])
					}
				case 7:
					w.fail([]error{nil, errAway}[rng.IntN(2)])
				}
				after(time.Duration(rng.IntN(200)) * time.Millisecond)
			}
			w.fail(nil)
			after(48 * time.Second)
			for tape, n := range open {
				told := tape.told(false)
				last := told[len(told)-1]
				s := w.seen(w.sessions[id(n)])
				want := "expired " + string(s.Status)
				switch {
				case s.Status == messages.SessionWaiting:
					want = fmt.Sprintf("position %d ", s.Position)
				case s.Status == messages.SessionActive && s.ActiveUntil > time.Now().UnixMilli():
					want = fmt.Sprintf("active until:%d", s.ActiveUntil)
				case s.Status == messages.SessionActive:
					want = "expired EXPIRED"
				}
				if tape.ended && strings.HasPrefix(last, "expired") {
					continue
				}
				if !strings.HasPrefix(last, want) {
					t.Errorf("seed %d, %d: told %q, is %+v", seed, n, told, s)
				}
			}
			for tape := range open {
				tape.hangUp()
			}
		})
	}
}

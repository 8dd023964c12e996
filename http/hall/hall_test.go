package hall

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

// inBubble runs a test on a bubble's clock, with halls on a journal.
func inBubble(t *testing.T, seats int, f func(t *testing.T, j *journal, hs *Halls)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(seats)
		hs := j.open()
		defer hs.Close() // the bubble ends with it
		f(t, j, hs)
	})
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // a bubble's clock
	synctest.Wait()
}

func (hs *Halls) want(t *testing.T, j *journal, id string) {
	t.Helper()
	version, seats := j.at(id)
	if s := hs.get(t, id); s.Version != version || s.Seats != seats {
		t.Fatalf("shown %d %s, want %d %s", s.Version, s.Seats, version, seats)
	}
}

// Goal: what was heard is shown from then on, without a read; what is rendered is shared, and its time is renewed.
func TestHeardIsShown(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 1))
		hs.want(t, j, "E")
		for range 100 {
			hs.Heard("E", j.some(r, "E"))
			hs.want(t, j, "E")
		}
		j.wantCounts(t, 1, 0)
		h, _ := hs.Find(t.Context(), "E")
		first := h.Show()
		pass(900 * time.Millisecond)
		if h.Show() != first {
			t.Error("rendered anew")
		}
		before := hs.get(t, "E").AsOf
		pass(2100 * time.Millisecond)
		if asOf := hs.get(t, "E").AsOf; asOf-before < 1000 || h.Show().Version != first.Version {
			t.Errorf("as of %d, before %d", asOf, before)
		}
		if _, _, keeps := j.counts(); keeps != 1 {
			t.Errorf("kept %d times", keeps)
		}
	})
}

// Goal: a gap is repaired when it is noticed, by whoever asks while it is there, and by the poll where nothing tells of it.
func TestGapIsRepaired(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 2))
		hs.want(t, j, "E")
		for name, say := range map[string]func(lost, next *messages.SeatsMoved) *messages.SeatsMoved{
			"the next": func(_, next *messages.SeatsMoved) *messages.SeatsMoved { return next },
			"omitted": func(_, next *messages.SeatsMoved) *messages.SeatsMoved {
				return &messages.SeatsMoved{Version: next.Version, Previous: next.Previous, Omitted: true}
			},
			"activated": func(_, next *messages.SeatsMoved) *messages.SeatsMoved {
				return &messages.SeatsMoved{Version: next.Version, Previous: next.Version}
			},
			"other plan": func(_, next *messages.SeatsMoved) *messages.SeatsMoved {
				return &messages.SeatsMoved{Version: next.Version, Previous: 0, Held: []uint32{99}}
			},
		} {
			j.counts()
			hs.Heard("E", say(j.some(r, "E"), j.some(r, "E")))
			hs.want(t, j, "E")
			synctest.Wait()
			if _, reads, _ := j.counts(); reads != 1 {
				t.Errorf("%s: %d reads", name, reads)
			}
		}
		j.some(r, "E")
		pass(pollEvery)
		hs.want(t, j, "E")
		// Nobody waits for what is not in the journal.
		version, _ := j.at("E")
		hs.Heard("E", &messages.SeatsMoved{Version: version + 100, Previous: version + 100})
		begun := time.Now()
		hs.want(t, j, "E")
		synctest.Wait()
		if hs.want(t, j, "E"); time.Since(begun) != 0 {
			t.Errorf("waited %v", time.Since(begun))
		}
	})
}

// Goal: while the journal is away the hall is shown as it was, and says so; who asks does not wait for it each time.
func TestJournalAway(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 3))
		hs.want(t, j, "E")
		pass(2500 * time.Millisecond)
		before := hs.get(t, "E")
		j.fail(errAway)
		j.some(r, "E")
		hs.Heard("E", j.some(r, "E"))
		pass(5 * time.Second)
		begun := time.Now()
		after := hs.get(t, "E")
		if after.Version != before.Version || after.AsOf-before.AsOf > 1000 || time.Since(begun) != 0 {
			t.Errorf("%+v, before %+v, after %v", after, before, time.Since(begun))
		}
		j.fail(nil)
		pass(pollEvery)
		hs.want(t, j, "E")
	})
}

// Goal: where the journal does not lead on, all is read anew, and streams are given all.
func TestLoadedAnew(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 4))
		c := &client{t: t}
		c.connect(hs, "E")
		synctest.Wait()
		j.some(r, "E")
		j.forgets = 2
		j.some(r, "E")
		hs.Heard("E", j.some(r, "E"))
		hs.want(t, j, "E")
		pass(tellEvery)
		hs.Heard("E", j.some(r, "E"))
		pass(tellEvery)
		c.read(3)
		if version, seats := j.at("E"); c.version != version || string(c.seats) != seats || c.snapshots != 2 || c.deltas != 1 {
			t.Errorf("%+v", c)
		}
		j.counts()
		// As many as are not read.
		for range sinceMax*sinceRoundsMax + 1 {
			j.some(r, "E")
		}
		pass(pollEvery)
		hs.want(t, j, "E")
		j.wantCounts(t, 1, sinceRoundsMax)
		c.disconnect()
	})
}

// Goal: a hall that cannot be loaded is an error for all who ask meanwhile, and is loaded when it can be; what does not
// exist leaves nothing behind. What is heard while it loads is in it.
func TestLoads(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 5))
		j.fail(errAway)
		if _, err := hs.Find(t.Context(), "E"); !errors.Is(err, errAway) {
			t.Error(err)
		}
		var unknown *messages.EventNotFoundError
		for i := range 1000 {
			if _, err := hs.Find(t.Context(), fmt.Sprint("X", i)); !errors.As(err, &unknown) {
				t.Fatal(err)
			}
		}
		if _, err := hs.Watch(t.Context(), "X", "1"); !errors.As(err, &unknown) {
			t.Error(err)
		}
		if synctest.Wait(); hs.size() != 0 || j.listening() != 0 {
			t.Errorf("%d halls, %d heard of", hs.size(), j.listening())
		}
		j.counts()
		j.fail(nil)
		j.gate = make(chan struct{})
		found := make(chan *Hall)
		for range 100 {
			go func() {
				h, err := hs.Find(context.Background(), "E")
				if err != nil {
					t.Error(err)
				}
				found <- h
			}()
		}
		synctest.Wait()
		if j.listening() != 1 {
			t.Error("it does not listen while it loads")
		}
		first, second, third := j.some(r, "E"), j.some(r, "E"), j.some(r, "E")
		j.restore("E")
		for _, m := range []*messages.SeatsMoved{third, second, first} {
			hs.Heard("E", m)
		}
		j.gate <- struct{}{}
		for range 100 {
			if h := <-found; h.Version() != third.GetVersion() {
				t.Fatal("what was heard meanwhile is missing")
			}
		}
		j.wantCounts(t, 1, 0)
	})
}

// Goal: what is heard while the journal is read, and what that read brings, are told apart.
func TestHeardWhileRead(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 16))
		hs.want(t, j, "E")
		h := hs.Loaded("E")
		h.hear(j.some(r, "E"), 1)
		version, known := h.standing()
		read := []*messages.SeatsMoved{j.some(r, "E"), j.some(r, "E")}
		h.hear(read[0], 1)
		if !h.learn(read, known, 1, true) {
			t.Error("what was heard meanwhile is in the way of what was read")
		}
		if got, _ := h.standing(); got != read[1].GetVersion() || got <= version {
			t.Errorf("at %d", got)
		}
		_, known = h.standing()
		j.some(r, "E")
		late := j.some(r, "E")
		h.hear(late, 1) // the read began before that was committed
		h.learn(nil, known, 1, true)
		h.fail(known)
		if _, known := h.standing(); known != late.GetVersion() || h.failing {
			t.Error("what was heard meanwhile is forgotten")
		}
		hs.mend(h)
		hs.want(t, j, "E")
	})
}

// Goal: one that is loading is let be, and whoever asks for it waits no longer than a read may take.
func TestSlowLoad(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		j.gate = make(chan struct{})
		begun := time.Now()
		if _, err := hs.Find(t.Context(), "E"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != readTimeMax {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if j.wantCounts(t, 0, 0); hs.size() != 0 {
			t.Errorf("%d halls", hs.size())
		}
	})
}

// Goal: thousands of halls are no more than the cache may hold, nor goroutines, and nobody listens for those that went;
// one that is streamed stays.
func TestMemoryIsBounded(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		const most = 100
		hs.cacheBytes = most * (hallBytes + 10*seatBytes)
		c := &client{t: t}
		c.connect(hs, "E")
		goroutines := runtime.NumGoroutine()
		for i := range 5000 {
			hs.want(t, j, fmt.Sprint("E", i))
			if i%most == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		if n := hs.size(); n > most+1 || n < most/2 || j.listening() != n {
			t.Errorf("%d halls, %d heard of", n, j.listening())
		}
		if n := runtime.NumGoroutine() - goroutines; n > 4 {
			t.Errorf("%d goroutines more", n)
		}
		pass(2 * cacheAgeMax)
		if hs.size() != 1 {
			t.Errorf("%d halls", hs.size())
		}
		c.disconnect()
		pass(2 * cacheAgeMax)
		if hs.size() != 0 || j.listening() != 0 {
			t.Errorf("%d halls, %d heard of", hs.size(), j.listening())
		}
	})
}

// Goal: the promises hold where everything happens at once; the race detector looks on.
func TestAllAtOnce(t *testing.T) {
	j := newJournal(50)
	hs := j.open()
	hs.cacheBytes = 5 * (hallBytes + 50*seatBytes)
	var all sync.WaitGroup
	for e := range 8 {
		id := fmt.Sprint("E", e)
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(e), 6))
			for range 500 {
				if m := j.some(r, id); r.IntN(10) > 0 {
					hs.Heard(id, m)
				}
			}
		})
		for range 3 {
			all.Go(func() {
				c := &client{t: t}
				var seen uint64
				for range 20 {
					c.connect(hs, id)
					for range 5 {
						s := hs.get(t, id)
						if s.Version < seen {
							t.Errorf("%d after %d", s.Version, seen)
						}
						seen = s.Version
						c.read(2)
					}
					c.disconnect()
				}
				c.connect(hs, id)
				eventually(t, "all is told", func() bool {
					c.read(10)
					version, seats := j.at(id)
					return c.version == version && string(c.seats) == seats
				})
				c.disconnect()
			})
		}
	}
	all.Wait()
	hs.Close()
}

// Goal: a journal that went back, as a restored database's has, is shown as it is from then on, and streams begin anew:
// whether the owner's word comes, or none does, and also where it has gone on past the replica's version since.
func TestJournalGoesBack(t *testing.T) {
	for name, again := range map[string]func(j *journal, hs *Halls, r *rand.Rand){
		"nobody says so": func(*journal, *Halls, *rand.Rand) { pass(pollEvery) },
		"an owner begins, and goes on": func(j *journal, hs *Halls, r *rand.Rand) {
			version, _ := j.at("E")
			for range 10 {
				j.some(r, "E")
			}
			hs.Heard("E", &messages.SeatsMoved{Version: version, Previous: version})
			synctest.Wait()
		},
		"an owner begins, and comes to the same version": func(j *journal, hs *Halls, _ *rand.Rand) {
			version, _ := j.at("E")
			j.commit("E", map[int]byte{7: 'B'})
			hs.Heard("E", &messages.SeatsMoved{Version: version, Previous: version})
			synctest.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
				r := rand.New(rand.NewPCG(1, 12))
				for range 5 {
					j.some(r, "E")
				}
				c := &client{t: t}
				c.connect(hs, "E")
				synctest.Wait()
				hs.Heard("E", j.commit("E", map[int]byte{3: 'S'}))
				hs.want(t, j, "E")
				pass(tellEvery)
				c.read(9)
				j.goBack("E", 1)
				again(j, hs, r)
				if hs.want(t, j, "E"); j.keptAhead > 0 {
					t.Error("what never was is kept")
				}
				if c.over() {
					if string(c.last) != forgetFrame {
						t.Errorf("ended with %q", c.last)
					}
					c.disconnect()
					c.version = 0 // nobody is held to what never was
					c.connect(hs, "E")
				}
				pass(tellEvery)
				hs.Heard("E", j.some(r, "E"))
				pass(2 * tellEvery)
				hs.want(t, j, "E")
				c.read(9)
				if version, seats := j.at("E"); c.version != version || string(c.seats) != seats {
					t.Errorf("at %d %s, it is %d %s", c.version, c.seats, version, seats)
				}
				c.disconnect()
				pass(2 * cacheAgeMax)
				if hs.size() != 0 || j.listening() != 0 {
					t.Errorf("%d halls, %d heard of", hs.size(), j.listening())
				}
			})
		})
	}
}

// Goal: a word that comes late is none of that.
func TestLateWordOfAnOwner(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 13))
		c := &client{t: t}
		c.connect(hs, "E")
		for range 5 {
			hs.Heard("E", j.some(r, "E"))
			hs.Heard("E", &messages.SeatsMoved{Version: 1, Previous: 1})
		}
		pass(tellEvery)
		hs.want(t, j, "E")
		c.read(9)
		if c.over() || c.snapshots != 1 {
			t.Errorf("%+v", c)
		}
		c.disconnect()
	})
}

// Goal: once the journal can be read again, who is told of something new is shown it at once: nobody waits for the poll.
func TestHeardAfterAnOutage(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 14))
		hs.want(t, j, "E")
		j.fail(errAway)
		j.some(r, "E")
		pass(pollEvery + pollEvery/2)
		j.fail(nil)
		version, _ := j.at("E")
		hs.Heard("E", &messages.SeatsMoved{Version: version, Previous: version}) // the owner is there again
		hs.want(t, j, "E")
	})
}

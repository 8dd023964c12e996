package hall

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"boxoffice/messages"
)

var seedFlag = flag.Uint64("hall.seed", 0, "replays a run of TestFollowersEqualTheHall")

// Goal: a client that applies what its stream brings has at every version the seats of that version, whatever becomes of
// the messages, of the connection, of the replica and of the server; and so has whoever asks for all.
// Method: 10,000 changes in random steps on a bubble's clock. A seeded adversary loses, doubles and delays messages, cuts
// connections (100 of them and more), drops the replica and begins anew with an empty one.
func TestFollowersEqualTheHall(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-hall.seed=%d replays this", seed)
	synctest.Test(t, func(t *testing.T) { followersEqualTheHall(t, rand.New(rand.NewPCG(seed, 4))) })
}

func followersEqualTheHall(t *testing.T, r *rand.Rand) {
	const operations = 10_000
	j := newJournal(40)
	hs := j.open()
	defer func() { hs.Close() }()
	was := map[uint64]string{}
	note := func() {
		version, seats := j.at("E")
		was[version] = seats
	}
	note()
	clients := make([]*client, 5)
	for i := range clients {
		clients[i] = &client{t: t}
		clients[i].connect(hs, "E")
	}
	clients[0].adopts = true
	check := func(c *client) {
		if c.version > 0 && was[c.version] != string(c.seats) {
			t.Fatalf("at %d the client has %s, it is %s", c.version, c.seats, was[c.version])
		}
	}
	reconnects, restarts := 0, 0
	var delayed []*messages.SeatsMoved
	var seen uint64
	for n := range operations {
		m := j.some(r, "E")
		note()
		delayed = adversary(r, hs, delayed, m)
		switch r.IntN(20) {
		case 0, 1, 2:
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond) //nolint:forbidigo // a bubble's clock
		case 3:
			synctest.Wait()
		case 4:
			if s := hs.get(t, "E"); was[s.Version] != s.Seats || s.Version < seen {
				t.Fatalf("shown at %d, after %d: %s, it is %s", s.Version, seen, s.Seats, was[s.Version])
			} else if seen = s.Version; clients[0].version > 0 && clients[0].version < seen {
				clients[0].version, clients[0].seats = seen, []byte(s.Seats)
			}
		}
		for _, c := range clients {
			if r.IntN(10) == 0 {
				c.read(r.IntN(4))
				check(c)
			}
			if r.IntN(200) == 0 {
				reconnects++
				c.disconnect()
				c.connect(hs, "E")
			}
		}
		switch n % 1000 {
		case 500:
			restarts++
			for _, c := range clients {
				c.disconnect()
			}
			hs.Close()
			hs = j.open()
			for _, c := range clients {
				c.connect(hs, "E")
			}
		case 900:
			// Nobody looks until it is dropped.
			for _, c := range clients {
				c.disconnect()
			}
			time.Sleep(2 * cacheAgeMax) //nolint:forbidigo // a bubble's clock
			if hs.size() > 0 {
				t.Error("the replica stays")
			}
			for _, c := range clients {
				c.connect(hs, "E")
			}
		}
	}
	time.Sleep(2 * pollEvery) //nolint:forbidigo // a bubble's clock
	synctest.Wait()
	snapshots, deltas := 0, 0
	for _, c := range clients {
		c.read(1 << 30)
		check(c)
		if version, _ := j.at("E"); c.version != version {
			t.Errorf("ends at %d, the hall at %d", c.version, version)
		}
		snapshots, deltas = snapshots+c.snapshots, deltas+c.deltas
		if len(c.again) > 0 {
			t.Errorf("all seats once more at %d", c.again)
		}
		c.disconnect()
	}
	if _, seats := j.at("E"); hs.get(t, "E").Seats != seats {
		t.Errorf("ends otherwise than %s", seats)
	}
	if reconnects < 100 {
		t.Errorf("%d reconnects", reconnects)
	}
	loads, sinces, _ := j.counts()
	t.Logf("%d reconnects, %d snapshots, %d deltas, %d reads of the journal, %d loads", reconnects, snapshots, deltas, sinces, loads)
	synctest.Wait()
}

// adversary says m, and some of what was said or not said before.
func adversary(r *rand.Rand, hs *Halls, delayed []*messages.SeatsMoved, m *messages.SeatsMoved) []*messages.SeatsMoved {
	switch r.IntN(10) {
	case 0: // lost
	case 1: // late
		delayed = append(delayed, m)
	case 2: // twice
		hs.Heard("E", m)
		hs.Heard("E", m)
	case 3: // without its seats
		hs.Heard("E", &messages.SeatsMoved{Version: m.GetVersion(), Previous: m.GetPrevious(), Omitted: true})
	case 4: // the owner is there again
		hs.Heard("E", &messages.SeatsMoved{Version: m.GetVersion(), Previous: m.GetVersion()})
	default:
		hs.Heard("E", m)
	}
	if len(delayed) > 0 && r.IntN(3) == 0 {
		i := r.IntN(len(delayed))
		hs.Heard("E", delayed[i])
		delayed = slices.Delete(delayed, i, i+1)
	}
	return delayed
}

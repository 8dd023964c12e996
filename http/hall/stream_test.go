package hall

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Goal: the first change after a pause is told at once, further ones together after 100 ms, as what they come to, and also
// where it is what it was.
func TestTicks(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		c := &client{t: t}
		c.connect(hs, "E")
		synctest.Wait()
		told := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var got []string
			for _, f := range c.take() {
				got = append(got, string(f))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("told %q, want %q", got, want)
			}
		}
		synctest.Wait()
		c.read(1)
		move := func(seat int, l byte) { hs.Heard("E", j.commit("E", map[int]byte{seat: l})) }
		move(3, 'H')
		told("event: delta\nid: 3\ndata: {\"version\":3,\"previous\":1,\"changes\":{\"H\":[3]}}\n\n")
		move(4, 'H')
		move(3, 'A')
		move(5, 'S')
		move(5, 'B')
		pass(99 * time.Millisecond)
		told()
		pass(time.Millisecond)
		told("event: delta\nid: 11\ndata: {\"version\":11,\"previous\":3,\"changes\":{\"A\":[3],\"H\":[4],\"B\":[5]}}\n\n")
		pass(time.Second)
		move(6, 'H')
		told("event: delta\nid: 13\ndata: {\"version\":13,\"previous\":11,\"changes\":{\"H\":[6]}}\n\n")
		move(4, 'A')
		move(4, 'H')
		pass(100 * time.Millisecond)
		told("event: delta\nid: 17\ndata: {\"version\":17,\"previous\":13,\"changes\":{\"H\":[4]}}\n\n")
		pass(time.Second)
		told()
		c.disconnect()
	})
}

// Goal: a stream goes on from Last-Event-ID where that is possible, and begins with all seats where not.
func TestLastEventID(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 8))
		var versions []uint64
		for range 1500 {
			versions = append(versions, j.some(r, "E").GetVersion())
		}
		now, seats := j.at("E")
		open := func(last string) *client {
			c := &client{t: t, seats: make([]byte, 10)}
			_, _ = fmt.Sscan(last, &c.version)
			c.connectWith(hs, "E", last)
			synctest.Wait()
			c.version = min(c.version, now)
			c.read(10)
			c.disconnect()
			if c.version != now || c.snapshots == 1 && string(c.seats) != seats {
				t.Errorf("%s: ends at %d", last, c.version)
			}
			return c
		}
		watcher := &client{t: t} // so that the hall stays followed
		watcher.connect(hs, "E")
		synctest.Wait()
		gap := uint64(0) // one that no entry has
		for i := 1400; gap == 0; i++ {
			if versions[i]+1 < versions[i+1] {
				gap = versions[i] + 1
			}
		}
		for _, last := range []string{
			"", "0", "x", "-1", "1 ", strings.Repeat("9", 18), strings.Repeat("9", 19), strings.Repeat("9", 20), strings.Repeat("9", 200),
			fmt.Sprint(now + 1), fmt.Sprint(versions[100]), "1", "1.5", fmt.Sprint(gap),
		} {
			if c := open(last); c.snapshots != 1 || c.deltas != 0 {
				t.Errorf("%q: %d snapshots, %d deltas", last, c.snapshots, c.deltas)
			}
		}
		if c := open(fmt.Sprint(now)); c.snapshots+c.deltas != 0 {
			t.Errorf("nothing was missed: %+v", c)
		}
		for _, missed := range []int{1, 300, 7, 400} {
			if c := open(fmt.Sprint(versions[1499-missed])); c.snapshots != 0 || c.deltas != missed {
				t.Errorf("%d missed: %d snapshots, %d deltas", missed, c.snapshots, c.deltas)
			}
		}
		watcher.disconnect()
	})
}

// Goal: what was heard leads on without a read, as far as history goes, which is bounded.
func TestHistory(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 7))
		watcher := &client{t: t}
		watcher.connect(hs, "E")
		synctest.Wait()
		var versions []uint64
		for range 3000 {
			m := j.some(r, "E")
			versions = append(versions, m.GetVersion())
			hs.Heard("E", m)
		}
		pass(tellEvery)
		j.counts()
		for missed, deltas := range map[int]int{1: 1, 300: 300, 1500: 0} {
			c := &client{t: t, version: versions[2999-missed], seats: make([]byte, 10)}
			c.connect(hs, "E")
			synctest.Wait()
			if c.read(9); c.deltas != deltas || c.snapshots != 0 && deltas > 0 {
				t.Errorf("%d missed: %d deltas, %d snapshots", missed, c.deltas, c.snapshots)
			}
			c.disconnect()
		}
		j.wantCounts(t, 0, 0)
		h, _ := hs.Find(t.Context(), "E")
		if _, history := h.past(); len(history.entries) > historyMax || history.bytes > historyBytesMax || history.bytes < historyBytesMax/2 {
			t.Errorf("%d entries, %d bytes", len(history.entries), history.bytes)
		}
		watcher.disconnect()
		synctest.Wait()
		if _, history := h.past(); len(history.entries) > 0 {
			t.Error("it is kept for nobody")
		}
	})
}

// Goal: who comes back from before a jump, of which nobody knows how it came about, is given all.
func TestComeBackFromBeforeAJump(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 15))
		watcher, c := &client{t: t}, &client{t: t}
		watcher.connect(hs, "E")
		synctest.Wait()
		hs.Heard("E", j.some(r, "E"))
		c.connect(hs, "E")
		pass(tellEvery)
		c.read(9)
		c.disconnect()
		hs.Heard("E", j.some(r, "E"))
		j.some(r, "E")
		j.some(r, "E")
		j.forgets = 4
		hs.Heard("E", j.some(r, "E"))
		pass(tellEvery)
		hs.Heard("E", j.some(r, "E"))
		pass(tellEvery)
		c.connect(hs, "E")
		synctest.Wait()
		c.read(9)
		watcher.read(9)
		version, seats := j.at("E")
		for _, c := range []*client{c, watcher} {
			if c.version != version || string(c.seats) != seats || c.snapshots != 2 {
				t.Errorf("%+v; it is %d %s", c, version, seats)
			}
			c.disconnect()
		}
	})
}

// Goal: a hall whose version is no entry's that moved a seat, as of a database from before entries said so, goes on from
// there: what follows is applied without a read, and who comes back is given what is so.
func TestVersionOfNoEntry(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		j.mu.Lock()
		j.of("E").version = 5
		j.mu.Unlock()
		watcher, c := &client{t: t}, &client{t: t}
		watcher.connect(hs, "E")
		c.connect(hs, "E")
		synctest.Wait()
		c.read(9)
		c.disconnect()
		m := j.commit("E", map[int]byte{4: 'H'})
		m.Previous = 3 // the owner knows which it was
		hs.Heard("E", m)
		pass(tellEvery)
		j.wantCounts(t, 1, 0)
		c.connect(hs, "E")
		synctest.Wait()
		version, seats := j.at("E")
		for _, c := range []*client{c, watcher} {
			if c.read(9); c.version != version || string(c.seats) != seats {
				t.Errorf("%+v; it is %d %s", c, version, seats)
			}
			c.disconnect()
		}
	})
}

// Goal: a server that begins anew under 1,000 watchers asks for what they missed once, and encodes it once.
func TestThousandComeBack(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 9))
		clients := make([]*client, 1000)
		for i := range clients {
			clients[i] = &client{t: t}
			clients[i].connect(hs, "E")
		}
		synctest.Wait()
		for _, c := range clients {
			c.read(1)
			c.disconnect()
		}
		hs.Close()
		for range 50 {
			j.some(r, "E")
		}
		j.counts()
		hs2 := j.open()
		for _, c := range clients {
			c.connect(hs2, "E")
		}
		synctest.Wait()
		j.wantCounts(t, 1, 1)
		version, seats := j.at("E")
		first := &clients[0].frames[0][0]
		for _, c := range clients {
			if len(c.frames) != 1 || &c.frames[0][0] != first {
				t.Fatal("not the same frame")
			}
		}
		for _, c := range clients {
			c.read(1)
			c.disconnect()
			if c.version != version || string(c.seats) != seats || c.snapshots != 1 || c.deltas != 50 {
				t.Fatalf("%d deltas, %d snapshots", c.deltas, c.snapshots)
			}
		}
		hs2.Close()
	})
}

// Goal: a client that comes from a node that is ahead gets no step back, but what is after.
func TestAheadOfUs(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 10))
		hs.want(t, j, "E")
		c := &client{t: t}
		for range 3 {
			j.some(r, "E")
		}
		version, seats := j.at("E")
		c.version, c.seats = version, []byte(seats)
		c.connect(hs, "E")
		synctest.Wait()
		hs.Heard("E", j.some(r, "E"))
		pass(tellEvery)
		c.read(9)
		if version, seats := j.at("E"); c.version != version || string(c.seats) != seats || c.snapshots != 0 {
			t.Errorf("%+v", c)
		}
		c.disconnect()
	})
}

// Goal: where the journal cannot be asked, who comes back is given all; where the hall is gone meanwhile and cannot be
// loaded, the stream ends.
func TestComeBackWhileAway(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		r := rand.New(rand.NewPCG(1, 11))
		j.some(r, "E")
		hs.want(t, j, "E")
		j.fail(errAway)
		c := &client{t: t, version: 1}
		c.connect(hs, "E")
		synctest.Wait()
		if c.read(9); c.snapshots != 1 {
			t.Errorf("%+v", c)
		}
		c.disconnect()
		w, err := hs.Watch(t.Context(), "E", "")
		if err != nil {
			t.Fatal(err)
		}
		pass(2 * cacheAgeMax)
		p := &pipe{}
		w.Open(p)
		synctest.Wait()
		w.Closed()
		if synctest.Wait(); !p.over() || hs.size() != 0 {
			t.Errorf("ended %v, %d halls", p.over(), hs.size())
		}
	})
}

// Goal: who comes without a version after somebody who needed no snapshot is given one.
func TestSnapshotAfterNone(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		version, seats := j.at("E")
		for _, c := range []*client{{t: t, version: version}, {t: t}, {t: t, version: version}, {t: t}} {
			fresh := c.version == 0
			c.connect(hs, "E")
			synctest.Wait()
			if c.read(9); c.version != version || fresh && string(c.seats) != seats {
				t.Errorf("%+v", c)
			}
			defer c.disconnect()
		}
		defer synctest.Wait()
	})
}

// Goal: all seats say as of when they are, also where nothing has moved for long.
func TestSnapshotIsOfNow(t *testing.T) {
	inBubble(t, 10, func(t *testing.T, j *journal, hs *Halls) {
		for range 3 {
			c := &client{t: t}
			c.connect(hs, "E")
			synctest.Wait()
			frame := string(c.take()[0])
			_, data, _ := strings.Cut(frame, "data: ")
			var s shown
			if err := json.Unmarshal([]byte(data), &s); err != nil {
				t.Fatal(err)
			}
			if age := time.Now().UnixMilli() - s.AsOf; age > 2*asOfAgeMax.Milliseconds() {
				t.Errorf("as of %d ms ago", age)
			}
			defer c.disconnect()
			pass(10 * time.Second)
		}
		synctest.Wait()
	})
}

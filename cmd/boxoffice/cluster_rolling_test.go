package main_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const rollings = 3

// Goal: all nodes can be replaced without anybody losing an answer: who repeats a 503 once, after the time that it names,
// and goes elsewhere where nobody listens, sees no error. Method: under load each node is told to end, must exit with 0 in time, and is started again; once it
// is ready it is the next one's turn.
func TestRollingRestart(t *testing.T) {
	inCluster(t)
	rounds := rollings
	if raceDetector {
		rounds = 1
	}
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	l := startTrade(c, busyPause)
	o := watchOwners(t, c.database)
	l.goesOn(3)
	drained, ready := measured{name: "rolling restart: SIGTERM until exit"}, measured{name: "rolling restart: start until ready"}
	begun := time.Now()
	for _, n := range slices.Repeat(c.nodes, rounds) {
		took, code := n.end(syscall.SIGTERM)
		drained.add(took)
		if code != 0 || took > drainMax {
			t.Errorf("%s: SIGTERM: exit code %d after %v", n.name, code, took)
		}
		from := time.Now()
		n.start()
		c.allUp(patience)
		ready.add(time.Since(from))
		l.goesOn(2)
	}
	drained.log(t)
	ready.log(t)
	o.calm(t, "rolling restart", begun, 2*int64(rounds*len(c.nodes)))
	l.mu.Lock()
	seen := l.tally
	l.mu.Unlock()
	t.Logf("| rolling restart: calls, of these answered 503 once | %d | %d | the longest %v |", seen.asked, seen.refused, seen.longest.Round(time.Millisecond))
	if seen.again > 0 {
		t.Errorf("%d calls were answered 503 more than once", seen.again)
	}
	if seen.broken > 0 {
		t.Errorf("%d calls lost their answer", seen.broken)
	}
	l.end(t)
	o.judge(t)
	if n := c.lost(c.nodes); n > 0 {
		t.Errorf("nodes were taken out %d times", n)
	}
}

package main_test

import (
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	cutFor = 20 * time.Second
	// settleFor after a heal nothing more may change.
	settleFor = 5 * time.Second
	// claimsCutMax and claimsHealedMax bound how often an event may be claimed: it goes to another node and comes back, and
	// may move once more as the others come to know it.
	claimsCutMax    = 4
	claimsHealedMax = 4
)

// fault is done to a node's lines, and undone.
type fault struct {
	name      string
	cut, heal func(i int)
}

// Goal: a node that the others cannot reach, or that cannot reach them, is left out, however the line is broken, and each
// event has one writer all the while. Method: each node is in a network namespace of its own; packets between one that
// owns an event and the others are dropped, both ways or one, for 20 s under load. Postgres stays within reach of all.
func TestCutOffFromTheOthers(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	w := newLAN(t, 3)
	c, _ := newCellIn(t, w, pgtest.New(t))
	cutOff(t, c, []fault{
		{name: "cut off both ways", cut: func(i int) { w.cut(i, inward, outward) }, heal: w.heal},
		{name: "cut off, inward", cut: func(i int) { w.cut(i, inward) }, heal: w.heal},
		{name: "cut off, outward", cut: func(i int) { w.cut(i, outward) }, heal: w.heal},
	})
}

// Goal: a node that cannot reach Postgres, while the others can, is left out; nothing that it has sent off late counts.
// Method: as above, on the wire between it and Postgres: it is silent, and what was sent arrives when it is mended; then
// it refuses.
func TestCutOffFromPostgres(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	w := newLAN(t, 3)
	c, wires := newCellIn(t, w, pgtest.New(t))
	cutOff(t, c, []fault{
		{name: "Postgres silent", cut: func(i int) { wires[i].hold(true) }, heal: func(i int) { wires[i].hold(false) }},
		{name: "Postgres refuses", cut: func(i int) { wires[i].refuse() }, heal: func(i int) { wires[i].open() }},
	})
}

func cutOff(t *testing.T, c *cell, faults []fault) {
	t.Helper()
	c.start()
	l := startTrade(c, patronPause)
	o := watchOwners(t, c.database)
	var probes []probe
	for _, event := range l.events {
		probes = append(probes, newProbe(t, c.nodes[0], event))
	}
	for n, f := range faults {
		p := probes[n%len(probes)]
		victim, id := c.owner(p.event)
		if victim == nil {
			t.Fatalf("event %s is owned by %q", p.event, id)
		}
		i := 0
		for c.nodes[i] != victim {
			i++
		}
		others, lost := c.others(victim), victim.lost()
		before := c.lost(others)
		begun := time.Now()
		f.cut(i)
		one, all := p.answered(t, begun, others...)
		lasts(t, cutFor-time.Since(begun))
		l.goesOn(1)
		for _, p := range probes { // every event, from everyone who is still in
			p.answered(t, time.Now(), others...)
		}
		if owner, id := c.owner(p.event); owner == victim {
			t.Errorf("%s: event %s is still %s's", f.name, p.event, id)
		}
		o.calm(t, f.name, begun, claimsCutMax)
		healed := time.Now()
		f.heal(i)
		c.allUp(patience)
		back := time.Since(healed)
		for _, p := range probes {
			p.answered(t, time.Now(), c.nodes...)
		}
		lasts(t, settleFor)
		o.calm(t, f.name+", healed", healed, claimsHealedMax)
		for _, m := range []measured{
			{f.name + ", until another node answers", []time.Duration{one}},
			{f.name + ", until all others answer", []time.Duration{all}},
			{f.name + ", healed, until all nodes serve", []time.Duration{back}},
		} {
			m.log(t)
		}
		t.Logf("%s: %s has exited %d times", f.name, victim.name, victim.lost()-lost)
		if exits := c.lost(others); exits != before {
			t.Errorf("%s: %d other nodes were taken out", f.name, exits-before)
		}
	}
	l.end(t)
	o.judge(t)
}

package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	kills     = 20
	killsRace = 3
	// frozenFor is longer than any lease.
	frozenFor = 15 * time.Second
	parked    = 8
)

// Goal: a node that dies costs a pause, and nothing that was acknowledged. Method: under load, the owner of an event is
// killed, time and again; the others are asked for the event until its new owner answers.
func TestKillTheOwner(t *testing.T) {
	inCluster(t)
	rounds := kills
	if raceDetector {
		rounds = killsRace
	}
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	l := startTrade(c, patronPause)
	o := watchOwners(t, c.database)
	first, last := measured{name: "kill -9 of the owner, until another node answers"}, measured{name: "kill -9 of the owner, until all others answer"}
	var probes []probe
	for _, event := range l.events {
		probes = append(probes, newProbe(t, c.nodes[0], event))
	}
	for i := range rounds {
		p := probes[i%len(probes)]
		victim, id := c.owner(p.event)
		if victim == nil {
			t.Fatalf("event %s is owned by %q", p.event, id)
		}
		killed := time.Now()
		victim.end(syscall.SIGKILL)
		one, all := p.answered(t, killed, c.others(victim)...)
		first.add(one)
		last.add(all)
		victim.start()
		c.allUp(patience)
		l.goesOn(1)
	}
	first.log(t)
	last.log(t)
	l.end(t)
	o.judge(t)
	for _, n := range c.nodes {
		if n.lost() > 0 {
			t.Errorf("%s was taken out %d times, while it was well", n.name, n.lost())
		}
	}
}

// Goal: a node that hangs is as good as dead, and when it goes on it decides nothing. Method: under load the owner of an
// event is stopped for 15 s. Requests are under way at it, come to it while it is stopped, and when it goes on; meanwhile
// its successor has decided otherwise: seats that were held when it was stopped are free. Nobody may be refused for these.
func TestFreezeTheOwner(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	l := startTrade(c, patronPause)
	o := watchOwners(t, c.database)
	event := l.events[0]
	p := newProbe(t, c.nodes[0], event)
	owner, _ := c.owner(event)
	f := newFrozen(t, c, owner, l, event)

	slow := f.payments()
	until(t, patience, func() error {
		if n := query[int](t, c.database, `select count(*)::int from payment where status = 'AUTHORIZING'`)[0]; n < parked {
			return fmt.Errorf("%d payments are under way", n)
		}
		return nil
	})
	owner.signal(syscall.SIGSTOP)
	stopped := time.Now()
	early := f.want(f.pinned)
	one, all := p.answered(t, stopped, c.others(owner)...)
	f.cancel(c.others(owner)[0].server)
	lasts(t, frozenFor-time.Since(stopped))
	owner.signal(syscall.SIGCONT)
	thawed := time.Now()
	late := f.want(f.pinned)
	f.judge("sent while it was stopped", early)
	f.judge("sent when it went on", late)
	f.judgePayments(slow)
	until(t, patience, func() error {
		if owner.lost() == 0 {
			return errors.New("the stopped node has not exited")
		}
		return nil
	})
	exited := time.Since(thawed)
	c.allUp(patience)
	back := time.Since(thawed)
	for _, m := range []measured{
		{"owner stopped, until another node answers", []time.Duration{one}},
		{"owner stopped, until all others answer", []time.Duration{all}},
		{"stopped node goes on, until it has exited", []time.Duration{exited}},
		{"stopped node goes on, until it serves again", []time.Duration{back}},
	} {
		m.log(t)
	}
	l.end(t)
	o.judge(t)
}

// frozen is what a stopped node knows wrong: orders that hold seats, and such as want these.
type frozen struct {
	t       *testing.T
	others  []*node
	pinned  *server
	holding []purchase
	wanting []purchase
	paying  []purchase
}

func newFrozen(t *testing.T, c *cell, owner *node, l *trade, event string) *frozen {
	t.Helper()
	f := &frozen{t: t, others: c.others(owner), pinned: owner.pinned()}
	for range parked {
		b, err := owner.join(event)
		must(t, err)
		for i, list := range []*[]purchase{&f.holding, &f.wanting, &f.paying} {
			a := b.create(rand.Text())
			must(t, a.is(201))
			if i != 1 {
				a = b.call(a.order().OrderID, "reserve", rand.Text(), `{`+named(l.take(0, 1)...)+`}`)
				must(t, a.is(200))
			}
			*list = append(*list, purchase{b.on(f.pinned), a.order()})
		}
	}
	return f
}

// asked is a request whose answer will come.
type asked struct {
	again func(*server) answer
	read  bool
	came  chan answer
}

func ask(s *server, again func(*server) answer) asked {
	a := asked{again: again, came: make(chan answer, 1)}
	go func() { a.came <- again(s) }()
	return a
}

// payments that are under way at the node.
func (f *frozen) payments() (all []asked) {
	for _, p := range f.paying {
		key := rand.Text()
		all = append(all, ask(f.pinned, func(s *server) answer { return p.on(s).call(p.OrderID, "confirm", key, pay("", "tok_slow")) }))
	}
	return all
}

// want the seats that are held by others, and look at these.
func (f *frozen) want(s *server) (all []asked) {
	for i, p := range f.wanting {
		key, held := rand.Text(), f.holding[i]
		all = append(all, ask(s, func(s *server) answer {
			return p.on(s).call(p.OrderID, "reserve", key, `{`+named(held.Seats[0].SeatID)+`}`)
		}))
		look := ask(s, func(s *server) answer { return held.on(s).order(held.OrderID) })
		look.read = true
		all = append(all, look)
	}
	return all
}

// cancel what is held, elsewhere.
func (f *frozen) cancel(s *server) {
	f.t.Helper()
	for _, p := range f.holding {
		key := rand.Text()
		must(f.t, insist(func() answer { return p.on(s).call(p.OrderID, "cancel", key, "") }).is(200))
	}
}

// judge answers that the node has given: none may be from its past, and what was granted must be so.
func (f *frozen) judge(when string, all []asked) {
	f.t.Helper()
	counts := map[string]int{}
	var mu sync.Mutex
	each(f.t, len(all), func(i int) error {
		a := <-all[i].came
		mu.Lock()
		switch {
		case a.err != nil:
			counts["none"]++
		default:
			counts[fmt.Sprint(a.status)]++
		}
		mu.Unlock()
		switch {
		// 408: half of the request had been read when it was stopped, and nobody has looked at it.
		case a.err != nil || a.status == 503 || a.status == 408:
			return nil
		case all[i].read:
			if err := a.is(200); err != nil {
				return err
			}
			if o := a.order(); o.Status != "CANCELLED" {
				return fmt.Errorf("the stopped node shows an order that is CANCELLED as %s", o.Status)
			}
			return nil
		}
		if err := a.is(200); err != nil {
			return fmt.Errorf("the stopped node has decided: %w", err)
		}
		return a.same(insist(func() answer { return all[i].again(f.others[0].server) }))
	})
	f.t.Logf("%s: answers %v", when, counts)
}

// judgePayments that were under way: each is made once, whoever says so.
func (f *frozen) judgePayments(all []asked) {
	f.t.Helper()
	each(f.t, len(all), func(i int) error {
		a := <-all[i].came
		again := insist(func() answer { return all[i].again(f.others[0].server) })
		if err := again.is(202); err != nil {
			return err
		}
		if a.err != nil || a.status == 503 || a.code() == "request-in-flight" {
			return nil
		}
		return a.same(again)
	})
}

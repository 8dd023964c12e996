package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	nethttp "net/http"
)

const (
	// probeEvery is how often a node is asked whether an event answers there, with no regard to what it was asked before.
	probeEvery = 50 * time.Millisecond
	// faultMax is what an event may take to answer again: a busy machine's time. What is promised, 3 s, is for the table.
	faultMax = 15 * time.Second
	// parkedMax is for requests to a node that is frozen.
	parkedMax = time.Minute
)

// probe is a request that only the owner of an event can refuse, and only while it is the owner.
type probe struct {
	buyer
	event, id, seat string
}

// newProbe sells a seat of the event, the last one, and wants it again with another order.
func newProbe(t testing.TB, n *node, event string) probe {
	t.Helper()
	b, err := n.join(event)
	must(t, err)
	sold := seatID(clusterHallRows, clusterHallSeats)
	var ids [2]string
	for i := range ids {
		a := b.create(rand.Text())
		must(t, a.is(201))
		ids[i] = a.order().OrderID
	}
	must(t, b.call(ids[0], "reserve", rand.Text(), `{`+named(sold)+`}`).is(200))
	return probe{b, event, ids[1], sold}
}

// at a node: nil where the event's owner has answered.
func (p probe) at(s *server) error {
	return p.on(s).call(p.id, "reserve", rand.Text(), `{`+named(p.seat)+`}`).is(409, "seats-unavailable")
}

// answered says how long after begun the first and the last of the nodes had the event's owner answer a request.
func (p probe) answered(t testing.TB, begun time.Time, nodes ...*node) (first, last time.Duration) {
	t.Helper()
	times := make([]time.Duration, len(nodes))
	each(t, len(nodes), func(i int) error {
		done := make(chan struct{})
		var once sync.Once
		var asking sync.WaitGroup
		defer asking.Wait()
		failed := errors.New("nobody was asked")
		var mu sync.Mutex
		for time.Since(begun) < faultMax {
			asking.Go(func() {
				err := p.at(nodes[i].server)
				if err == nil {
					once.Do(func() {
						times[i] = time.Since(begun)
						close(done)
					})
					return
				}
				mu.Lock()
				defer mu.Unlock()
				failed = err
			})
			if !after(done, probeEvery) {
				return nil
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return fmt.Errorf("event %s does not answer on %s within %v: %w", p.event, nodes[i].name, faultMax, failed)
	})
	first = times[0]
	for _, d := range times {
		first, last = min(first, d), max(last, d)
	}
	return first, last
}

// pinned is the node's process of now, for requests that wait until it is thawed.
func (n *node) pinned() *server {
	public, admin := n.at()
	s := &server{t: n.t, dial: n.dial, http: public, admin: admin}
	s.client = &nethttp.Client{
		Transport: s.judged(&nethttp.Transport{DialContext: n.dial, DisableKeepAlives: true}),
		Timeout:   parkedMax,
	}
	return s
}

// inCluster is for tests that take their time.
func inCluster(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
}

// unlessRace leaves the race detector to the shorter tests.
func unlessRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector has shorter tests of the same")
	}
}

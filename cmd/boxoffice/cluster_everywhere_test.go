package main_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: every node tells what happens anywhere: streams of a session, an order and the seats on a node that owns neither
// the event nor its admission; a moment later also without Redis. And what an admission has read from Redis and not dealt
// with when it died, its successor deals with. Method: one listens on the one node and buys on another.
func TestEveryNodeServesEverything(t *testing.T) {
	inCluster(t)
	unlessRace(t)
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	with := listenElsewhere(t, c, "S1")
	with.name = "streams on a node that owns neither: from the answer until told"
	with.log(t)
	claimPending(t, c, "S2")
	must(t, c.redis.Kill())
	without := listenElsewhere(t, c, "S3")
	without.name = "the same without Redis"
	without.log(t)
	must(t, awaitSettled(t, c.database))
	verify(t, c.database)
}

// placed is an event with one place, which somebody has and somebody else waits for, and who owns what of it.
type placed struct {
	event            string
	owner, admission *node
	// stranger is neither.
	stranger *node
	in, next buyer
}

func place(t *testing.T, c *cell, event string) placed {
	t.Helper()
	c.nodes[0].create(event, hall(2, 10), waitingRoom(1, 600, 100, 1))
	p := placed{event: event}
	var err error
	p.in, err = c.nodes[0].join(event)
	must(t, err)
	p.next, err = c.nodes[1].enter(event, rand.Text())
	must(t, err)
	if p.next.token != "" {
		t.Fatalf("two are in: %s", p.next.joined.body)
	}
	must(t, c.nodes[0].organise("GET", "/"+event+"/report", "").is(200)) // from the owner
	until(t, patience, func() error {
		p.owner, _ = c.owner(event)
		id := query[string](t, c.database, `select node_id from admission where event_id = $1`, event)[0]
		p.admission = c.named(id)
		if p.owner == nil || p.admission == nil {
			return fmt.Errorf("event %s: nobody owns it, or its admission", event)
		}
		return nil
	})
	for _, n := range c.nodes {
		if n != p.owner && n != p.admission {
			p.stranger = n
		}
	}
	t.Logf("event %s is owned by %s, its admission by %s; %s listens", event, p.owner.name, p.admission.name, p.stranger.name)
	return p
}

// listenElsewhere says how long after each step's answer the listeners were told.
func listenElsewhere(t *testing.T, c *cell, event string) (m measured) {
	t.Helper()
	p := place(t, c, event)
	in, next := p.in.on(p.owner.server), p.next.on(p.stranger.server)
	line := next.hear(t)
	line.untilTold(t, "waiting-room-position", anything)
	seats := p.stranger.hear(t, "/api/sse/events/"+event+"/availability", "")
	seats.untilTold(t, "snapshot", anything)
	a := in.create(rand.Text())
	must(t, a.is(201))
	id := a.order().OrderID
	order := p.stranger.hear(t, "/api/sse/orders/"+id+"?accessToken="+in.token, "")
	told := func(e *ear, name, what string, since time.Time) {
		t.Helper()
		event := e.untilTold(t, name, func(event told) error {
			if !bytes.Contains(event.data, []byte(what)) {
				return fmt.Errorf("says %s, not %s", event.data, what)
			}
			return nil
		})
		m.add(max(0, event.at.Sub(since)))
		t.Logf("told %s of %s after %v", name, what, m.times[len(m.times)-1].Round(time.Millisecond))
	}
	told(order, "order", `"PENDING"`, time.Now())
	must(t, in.call(id, "reserve", rand.Text(), `{`+named("R1-1")+`}`).is(200))
	reserved := time.Now()
	told(order, "order", `"RESERVED"`, reserved)
	told(seats, "delta", `"H":[0]`, reserved)
	must(t, in.call(id, "confirm", rand.Text(), pay("", "tok_visa")).is(202))
	must(t, in.call(id, "finalize", rand.Text(), "").is(200))
	completed := time.Now()
	told(order, "order", `"COMPLETED"`, completed)
	told(seats, "delta", `"S":[0]`, completed)
	told(line, "waiting-room-active", `accessToken`, completed)
	must(t, next.becomes("ACTIVE"))
	// The stranger shows what the others do, and sells.
	must(t, p.stranger.counts(event, 19, 0, 1))
	must(t, next.create(rand.Text()).is(201))
	if m.worst() > faultMax {
		t.Errorf("a listener was told after %v", m.worst())
	}
	return m
}

// claimPending lets the admission's node die with an entry that it, or somebody in its name, has read.
func claimPending(t *testing.T, c *cell, event string) {
	t.Helper()
	p := place(t, c, event)
	stream := "waiting-room:" + event
	options, err := redis.ParseURL(c.redis.URL())
	must(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	ctx := t.Context()
	pending := func() int64 {
		t.Helper()
		p, err := client.XPending(ctx, stream, "admission").Result()
		must(t, err)
		return p.Count
	}
	p.admission.signal(syscall.SIGSTOP)
	_ = client.XGroupCreateMkStream(ctx, stream, "admission", "0").Err() // it is there, as a rule
	must(t, client.XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: []string{"e", event}}).Err())
	// A read that the stopped one had begun may have got it already.
	_, err = client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: "admission", Consumer: "owner", Streams: []string{stream, ">"}, Block: -1,
	}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	if pending() == 0 {
		t.Fatal("no entry is pending")
	}
	killed := time.Now()
	p.admission.end(syscall.SIGKILL)
	until(t, patience, func() error {
		if n := pending(); n > 0 {
			return fmt.Errorf("%d entries are still pending", n)
		}
		return nil
	})
	claimed := measured{"admission killed, until what it had read is acknowledged", []time.Duration{time.Since(killed)}}
	claimed.log(t)
	in, next := p.in.on(p.stranger.server), p.next.on(p.stranger.server)
	must(t, insist(in.leave).is(204))
	left := time.Now()
	must(t, next.becomes("ACTIVE"))
	admitted := measured{"then, the one who is in leaves, until the next is let in", []time.Duration{time.Since(left)}}
	admitted.log(t)
	p.admission.start()
	c.allUp(patience)
}

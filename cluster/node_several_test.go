package cluster

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/messages"
)

// Goal: several nodes are one box office: any of them answers, each event lives on one, and comes along when that one goes.
// Method: nodes in one process over loopback.

func TestAnyNodeAnswers(t *testing.T) {
	const events = 30
	b := newBox(t, events)
	nodes := []*Node{b.member(), b.member(), b.member()}
	b.agree(nodes)
	for i := range events {
		for k, n := range nodes {
			if got := n.Ask(t.Context(), orderAt(eventAt(i), k)).GetOutcome(); got != created {
				t.Fatalf("%s at %s: %s", eventAt(i), n.self, got)
			}
		}
		for _, n := range nodes { // the first answer is found from everywhere
			if got := n.Ask(t.Context(), orderAt(eventAt(i), 0)); got.GetOutcome() != messages.Outcome_OUTCOME_REPLAYED || got.GetStored() == nil {
				t.Fatalf("%s at %s: %v", eventAt(i), n.self, got)
			}
		}
	}
	b.oneVoice()
	spread := map[string]int{}
	for event, all := range b.spoke {
		spread[all[0].node]++
		if all[0].epoch != 1 || all[len(all)-1].epoch != 1 {
			t.Errorf("%s was claimed more than once", event)
		}
		if at := nodes[0].now().place(name{owner, event}).ID; at != all[0].node {
			t.Errorf("%s lives on %s, not on %s", event, all[0].node, at)
		}
	}
	if len(spread) != 3 {
		t.Errorf("events are on %v", spread)
	}
}

// rush asks for orders of all events, through nodes that change, until it is told to stop.
type rush struct {
	box      *box
	mu       sync.RWMutex
	nodes    []*Node
	all      sync.WaitGroup
	stop     chan struct{}
	number   atomic.Int64
	acked    sync.Map // order number → event
	created  atomic.Int64
	refused  atomic.Int64
	longest  time.Duration // from the first try until the answer
	patience time.Duration
	dead     sync.Map // *Node
}

// kill a node as kill -9 does.
func (r *rush) kill(n *Node) {
	r.dead.Store(n, true)
	n.Abandon()
}

func (r *rush) set(nodes ...*Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = nodes
}

func (r *rush) node(i int) *Node {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.nodes[i%len(r.nodes)]
}

// paceOfBuyers is between two orders of a buyer: as many come as show what happens, and the rest of the processor is for
// whoever else needs it.
const paceOfBuyers = 4 * time.Millisecond

// begin with so many buyers at once, each of whom tries as long as patience lasts.
func (b *box) begin(events, buyers int, patience time.Duration, nodes ...*Node) *rush {
	r := &rush{box: b, stop: make(chan struct{}), patience: patience}
	r.set(nodes...)
	for buyer := range buyers {
		r.all.Go(func() {
			tick := time.NewTicker(paceOfBuyers)
			defer tick.Stop()
			for k := 0; ; k++ {
				select {
				case <-r.stop:
					return
				case <-tick.C:
					r.buy(buyer, k, eventAt((buyer+k*7)%events))
				}
			}
		})
	}
	return r
}

func (r *rush) buy(buyer, k int, event string) {
	n := int(r.number.Add(1))
	begun := time.Now()
	for try := 0; ; try++ {
		at := r.node(buyer + k + try)
		got := at.Ask(r.box.Context(), orderAt(event, n)).GetOutcome()
		if _, dead := r.dead.Load(at); dead && got == unavailable {
			begun = time.Now() // nobody would have heard that: the process is gone, and so is the connection to it
			continue
		}
		took := time.Since(begun)
		switch {
		case got == created || got == messages.Outcome_OUTCOME_REPLAYED: // a node asks anew by itself where one is lost
			r.acked.Store(n, event)
			r.created.Add(1)
			r.mu.Lock()
			r.longest = max(r.longest, took)
			r.mu.Unlock()
			return
		case got != unavailable || took > r.patience:
			r.box.Errorf("%s hears %s after %d tries and %v", event, got, try+1, took)
			return
		}
		r.refused.Add(1)
	}
}

func (r *rush) until(n int64) {
	r.box.Helper()
	until(r.box, func() bool { return r.created.Load() >= n })
}

func until(t testing.TB, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !condition(); <-tick.C {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("not within 30 s")
		}
	}
}

// end it, and look whether all that was acknowledged is there.
func (r *rush) end() {
	close(r.stop)
	r.all.Wait()
	stored := map[string]int{}
	r.acked.Range(func(_, event any) bool { stored[event.(string)]++; return true })
	for event, acked := range stored {
		reply := r.node(0).Ask(r.box.Context(), reportOf(event))
		if got := reply.GetReport().GetOrders()["PENDING"]; got < uint64(acked) {
			r.box.Errorf("%s: %d orders acknowledged, %d there (%s)", event, acked, got, reply.GetOutcome())
		}
	}
	r.box.oneVoice()
}

// Nodes come and go in order, and nobody hears of it.
func TestHandOver(t *testing.T) {
	const events = 40
	b := newBox(t, events)
	one, two := b.member(), b.member()
	b.agree([]*Node{one, two})
	r := b.begin(events, 8, 0, one, two)
	r.until(500)
	three := b.member()
	r.set(one, two, three)
	r.until(r.created.Load() + 500)
	for _, going := range []*Node{one, two} {
		next := b.member()
		r.set(three, next)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		going.HandOver(ctx)
		if n := len(owned(going)); n > 0 {
			t.Errorf("%s still owns %d events", going.self, n)
		}
		until(t, func() bool { return going.InFlight() == 0 }) // as the HTTP server waits for those that it has taken
		going.Drain(ctx)
		cancel()
		r.until(r.created.Load() + 500)
	}
	r.end()
	if s := b.log.String(); strings.Contains(s, "fenced") || strings.Contains(s, "not let go in time") {
		t.Errorf("an event was claimed before it was let go:\n%s", linesWith(s, "fenced", "not let go"))
	}
	t.Logf("%d orders while two nodes came and two went: none refused, the longest took %v",
		r.created.Load(), r.longest.Round(time.Millisecond))
}

func owned(n *Node) (events []string) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for who := range n.actors {
		events = append(events, who.eventID)
	}
	return events
}

func linesWith(s string, with ...string) string {
	var out []string
	for l := range strings.Lines(s) {
		for _, w := range with {
			if strings.Contains(l, w) {
				out = append(out, l)
				break
			}
		}
	}
	return strings.Join(out, "")
}

// A node that goes without a word costs a pause, and no request that can be repeated.
func TestNodeDies(t *testing.T) {
	const events = 40
	b := newBox(t, events)
	one, two, three := b.member(), b.member(), b.member()
	b.agree([]*Node{one, two, three})
	r := b.begin(events, 8, 0, one, two)
	r.until(300)
	r.kill(three)
	r.until(r.created.Load() + 300)
	r.end()
	t.Logf("%d orders, the longest took %v", r.created.Load(), r.longest.Round(time.Millisecond))
}

// What a node was asked before it ended it answers: with requests that no node may send again, that is what their callers
// hear. Method: commits wait until the node is ending, as many as there may be at once; nobody asks anew.
func TestLastAnswersArrive(t *testing.T) {
	const events, rounds, requests = 40, 5, 200
	b := newBox(t, events)
	one := b.member()
	for round := range rounds {
		var done atomic.Int64
		two := b.member()
		b.agree([]*Node{one, two})
		gate := make(chan struct{})
		b.gate.Store(&gate)
		var asked sync.WaitGroup
		n, gated := int64(0), b.gated.Load()
		for i := range requests {
			event := eventAt(i % events)
			if !two.owns(name{owner, event}) {
				continue
			}
			n++
			asked.Go(func() {
				to := one.now().peer(two.self)
				switch reply, v := one.askThere(to, orderAt(event, round*requests+i), nil); {
				case v == answered && reply.GetOutcome() == created:
					done.Add(1)
				case v != untouched: // those came just after the last were taken, and are asked of the next owner
					t.Errorf("%s: %v, %s", event, v, reply.GetOutcome())
				}
			})
		}
		until(t, func() bool { return two.InFlight() == n && b.gated.Load()-gated == commitsAtOnce })
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			two.Drain(t.Context())
		}()
		until(t, func() bool { return two.isDraining() })
		b.gate.Store(nil)
		close(gate)
		asked.Wait()
		<-ended
		until(t, func() bool { return len(one.now().peers) == 1 })
		if done.Load() < commitsAtOnce {
			t.Errorf("%d requests are answered, of %d batches under way", done.Load(), commitsAtOnce)
		}
	}
}

func (n *Node) isDraining() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.draining
}

// An event that is quarantined is handed over as any other: its time over, it would be taken back from its next owner.
func TestQuarantinedEventIsHandedOver(t *testing.T) {
	b := newBox(t, 1)
	one := b.member()
	b.broken.Store(true)
	for range 2 { // the second finds it in quarantine
		if got := one.Ask(t.Context(), orderAt(eventAt(0), 1)).GetOutcome(); got != unavailable {
			t.Fatal(got)
		}
	}
	b.broken.Store(false)
	two := b.member()
	b.agree([]*Node{one, two})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	one.HandOver(ctx)
	if n := len(owned(one)); n > 0 {
		t.Errorf("after %v it still owns %d events", 3*time.Second, n)
	}
	if got := two.Ask(t.Context(), orderAt(eventAt(0), 2)).GetOutcome(); got != created {
		t.Errorf("the next owner says %s", got)
	}
}

// Method: as a request would that looked where its event is just before that moved.
func TestNothingStartsForWhatHasMoved(t *testing.T) {
	b := newBox(t, 20)
	one, two := b.member(), b.member()
	b.agree([]*Node{one, two})
	for i := range 20 {
		who := name{owner, eventAt(i)}
		if one.owns(who) {
			one.yield(who, two.self)
		}
		if one.locate(who) != nil {
			t.Fatalf("an actor is started for %s, which is with %s", who.eventID, two.self)
		}
	}
}

// ownedBy says that every event is owned by the same member.
type ownedBy struct {
	Roster
	id string
}

func (o ownedBy) Owner(context.Context, string) (string, error) { return o.id, nil }

// Who cannot be asked to let go of an event has not done so.
func TestTakeOverFromTheDead(t *testing.T) {
	b := newBox(t, 1)
	one, two := b.member(), b.member()
	b.agree([]*Node{one, two})
	r := &rush{box: b}
	r.kill(two)
	until(t, func() bool { return one.now().peer(two.self) == nil })
	one.setMembers([]messages.Member{{ID: one.self, Address: one.Address()}, {ID: two.self, Address: two.Address()}})
	one.roster = ownedBy{one.roster, two.self}
	begun := time.Now()
	one.takeOver(t.Context(), eventAt(0))
	if took := time.Since(begun); took >= takeOverMax {
		t.Errorf("it took %v to find out that nobody is there", took)
	}
	if s := b.log.String(); strings.Contains(s, "event taken over") {
		t.Errorf("the log says %s", linesWith(s, "event taken over"))
	}
}

// counted is a roster that counts how often it is looked at.
type counted struct {
	Roster
	looks atomic.Int64
}

func (c *counted) Members(ctx context.Context) (messages.Membership, error) {
	c.looks.Add(1)
	return c.Roster.Members(ctx)
}

// However many are turned away by a node that is in doubt, the database is not asked each time who is there.
func TestLooksAreFew(t *testing.T) {
	b := newBox(t, 1)
	roster := &counted{Roster: b.roster}
	b.roster = roster
	one := b.member()
	looks, begun := roster.looks.Load(), time.Now()
	for time.Since(begun) < 10*refreshPause {
		one.refresh()
	}
	if n := roster.looks.Load() - looks; n < 1 || n > int64(time.Since(begun)/refreshPause)+1 {
		t.Errorf("%d looks in %v", n, time.Since(begun))
	}
}

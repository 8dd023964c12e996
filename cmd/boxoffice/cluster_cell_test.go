package main_test

import (
	"context"
	"errors"
	"fmt"
	nethttp "net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"boxoffice/persistence/embedded"
	"boxoffice/persistence/embedded/pgtest"
)

const (
	// exitLost is the exit code of a node that is no member any more: it is to be started again.
	exitLost = 75
	// healthEvery is how often a balancer in front of the nodes looks at their /readyz, healthMax how long it waits.
	healthEvery = 100 * time.Millisecond
	healthMax   = time.Second
	// serveMax is above any time that a test takes: a node that is cut off serves when it is healed.
	serveMax = time.Hour
)

// cell is several nodes that are one box office, on a database and a Redis of one test's own. What exits because it is no
// member any more is started again, as systemd would, and the logs of all lives are looked at. A test lets no other
// goroutine start and stop nodes.
type cell struct {
	t        *testing.T
	database string // as the test reaches it
	redis    *embedded.Redis
	nodes    []*node
	stop     chan struct{}
	looking  sync.WaitGroup
}

// node is one place for a server process, over all its lives.
type node struct {
	*server
	name string

	// life is held while a process is started or given up.
	life   sync.Mutex
	wanted bool
	exits  []int // codes of the lives that ended by themselves
	over   chan struct{}
	// up is what a balancer believes.
	up atomic.Bool
}

// newCell makes one of n nodes, named n1, n2, …, that do not run yet.
func newCell(t *testing.T, database string, n int, env ...string) *cell {
	t.Helper()
	c := &cell{t: t, database: database, redis: pgtest.Redis(t), stop: make(chan struct{})}
	for i := range n {
		name := fmt.Sprintf("n%d", i+1)
		s := newServer(t, &shipped, database,
			slices.Concat([]string{"REDIS_URL=" + c.redis.URL(), "BOXOFFICE_NODE_NAME=" + name, "BOXOFFICE_ORDERS_PER_MINUTE=0"}, env)...)
		c.nodes = append(c.nodes, &node{server: s, name: name})
	}
	t.Cleanup(func() {
		close(c.stop)
		c.looking.Wait()
		for _, n := range c.nodes {
			n.end(syscall.SIGKILL)
		}
	})
	return c
}

// start all nodes, and wait until each would sell.
func (c *cell) start() {
	c.t.Helper()
	for _, n := range c.nodes {
		n.start()
		c.looking.Go(func() { n.look(c.stop) })
	}
	c.allUp(patience)
}

// allUp waits until every node would sell.
func (c *cell) allUp(within time.Duration) {
	c.t.Helper()
	until(c.t, within, func() error {
		for _, n := range c.nodes {
			if err := n.healthy(); err != nil {
				return fmt.Errorf("%s: %w; its log ends with:\n%s", n.name, err, n.logTail())
			}
		}
		return nil
	})
}

// owner of an event, and the id by which it claimed it; nil where that is no process of now.
func (c *cell) owner(event string) (*node, string) {
	c.t.Helper()
	id := query[string](c.t, c.database, `select node_id from event_owner where event_id = $1`, event)[0]
	return c.named(id), id
}

// named is the node whose name a member id begins with.
func (c *cell) named(id string) *node {
	name, _, _ := strings.Cut(id, ".")
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// others than n.
func (c *cell) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(other *node) bool { return other == n })
}

// start its process, and again whenever that is no member any more.
func (n *node) start() {
	n.t.Helper()
	n.life.Lock()
	defer n.life.Unlock()
	n.wanted, n.over = true, make(chan struct{})
	must(n.t, n.launch())
	go n.supervise(n.over)
}

func (n *node) supervise(over chan struct{}) {
	defer close(over)
	for {
		serving := make(chan struct{})
		go func() {
			defer close(serving)
			_ = n.serves(serveMax)
		}()
		<-n.done()
		<-serving
		n.ended()
		if !n.again() {
			return
		}
	}
}

// again starts what has ended, if it is to run.
func (n *node) again() bool {
	n.life.Lock()
	defer n.life.Unlock()
	if !n.wanted {
		return false
	}
	code := exitCode(n.child)
	n.exits = append(n.exits, code)
	if code != exitLost {
		n.t.Errorf("%s exits with %d:\n%s", n.name, code, n.logTail())
	}
	if err := n.launch(); err != nil {
		n.t.Error(err)
		return false
	}
	return true
}

// end its process by a signal, for good until start, and say how it ended.
func (n *node) end(signal syscall.Signal) (took time.Duration, code int) {
	n.t.Helper()
	n.life.Lock()
	over := n.over
	if over == nil || !n.wanted {
		n.life.Unlock()
		return 0, 0
	}
	n.wanted = false
	begun := time.Now()
	n.signal(signal)
	n.signal(syscall.SIGCONT) // it may be frozen
	n.life.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		n.t.Errorf("%s does not end by %v:\n%s", n.name, signal, n.logTail())
		n.signal(syscall.SIGKILL)
		<-over
	}
	return time.Since(begun), exitCode(n.child)
}

func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	child := n.child
	n.mu.Unlock()
	if err := child.Signal(s); err != nil {
		n.t.Error(err)
	}
}

// lost is how often it was no member any more, and was started again.
func (n *node) lost() int {
	n.life.Lock()
	defer n.life.Unlock()
	return len(n.exits)
}

// lost is the sum of it.
func (c *cell) lost(nodes []*node) (sum int) {
	for _, n := range nodes {
		sum += n.lost()
	}
	return sum
}

func (n *node) logTail() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	log := n.log.String()
	return log[max(0, len(log)-3000):]
}

// look at its health all the while, as a balancer does.
func (n *node) look(stop chan struct{}) {
	for after(stop, healthEvery) {
		n.up.Store(n.healthy() == nil)
	}
}

// healthy is nil where a purchase would succeed on it.
func (n *node) healthy() error {
	ctx, cancel := context.WithTimeout(context.Background(), healthMax)
	defer cancel()
	public, _ := n.at()
	if public == "" {
		return errors.New("it does not serve yet")
	}
	r, err := nethttp.NewRequestWithContext(ctx, "GET", public+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := n.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return fmt.Errorf("readyz answers %d", response.StatusCode)
	}
	return nil
}

// after a pause, whether to go on.
func after(stop <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-stop:
		return false
	case <-timer.C:
		return true
	}
}

// lasts waits for a part of a test's story to take its time.
func lasts(t testing.TB, d time.Duration) {
	t.Helper()
	if !after(t.Context().Done(), d) {
		t.Fatal(context.Cause(t.Context()))
	}
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// lab is a roster and a network with faults, for members in one synctest bubble.
type lab struct {
	testing.TB
	roster *memory.Roster
	log    *logged

	mu       sync.Mutex
	machines map[string]*machine
	started  int
	thaw     chan struct{}            // while there is one, the database answers nobody until it is closed
	broken   error                    // what the database says to everybody, if not nil
	slow     func() time.Duration     // how long a message or a statement takes; nil: no time
	cut      map[[2]*machine]struct{} // what the first sends does not reach the second
	out      []eviction
	slowPing time.Duration
}

type eviction struct {
	by, id, why string
	at          time.Time
}

// machine has an address; at most one process runs on it.
type machine struct {
	*lab
	address  string
	process  *process // nil: its port refuses
	off      bool     // it answers nobody, not even that the port refuses
	noRoster bool     // it does not reach the database
	host     string   // of several machines, whose firewall is not between them
	walled   bool     // a firewall refuses, in the others' names, what it opens
	walledIn bool     // a firewall refuses, in its name, what others open to it
	stateful bool     // that firewall lets connections be that stand
}

// walls: what this machine opens to that one is refused.
func (m *machine) walls(to *machine) bool {
	return (m.walled || to.walledIn) && (m.host == "" || m.host != to.host)
}

// silences: what this machine says to that one is refused, over connections that stand as well.
func (m *machine) silences(to *machine) bool { return m.walls(to) && !m.stateful && !to.stateful }

// process is a member, or tries to be.
type process struct {
	*machine
	id      string
	leases  *Leases
	pinging map[string]int
	pings   int // most at once to one member

	heard    [][]messages.Member
	hearing  bool
	resume   chan struct{} // while there is one, the process is stopped
	loseJoin bool          // the next answer to Join is lost
}

var errAway = errors.New("the database is away")

func newLab(t testing.TB) *lab {
	db := memory.New(func() int64 { return time.Now().UnixMilli() })
	return &lab{TB: t, roster: memory.NewRoster(db), log: new(logged), machines: map[string]*machine{}, cut: map[[2]*machine]struct{}{}}
}

// start a process on the machine of that name.
func (l *lab) start(name string, also ...func(*LeaseConfig)) *process {
	l.Helper()
	l.mu.Lock()
	m := l.machines[name]
	if m == nil {
		m = &machine{lab: l, address: fmt.Sprintf("%s:7000", name)}
		l.machines[name] = m
	}
	l.started++
	p := &process{machine: m, id: fmt.Sprintf("%s.%d", name, l.started), pinging: map[string]int{}}
	cfg := LeaseConfig{
		Roster: p, Self: messages.Member{ID: p.id, Name: name, Address: m.address, Keys: []string{"k1"}},
		Ping: p.ping, Dial: p.dial, Changed: p.changed, Log: slog.New(slog.NewTextHandler(l.log, nil)),
	}
	for _, f := range also {
		f(&cfg)
	}
	p.leases = NewLeases(cfg)
	m.process = p
	l.mu.Unlock()
	if err := p.leases.StartMember(nil); err != nil {
		l.Fatal(err)
	}
	return p
}

// cluster of that many that have joined, and are past the time in which they take nobody out.
func (l *lab) cluster(names ...string) []*process {
	l.Helper()
	var all []*process
	for _, name := range names {
		p := l.start(name)
		l.within(2*time.Second, name+" has joined", p.leases.Alive)
		all = append(all, p)
	}
	pass(2 * leaseDefault)
	return all
}

// kill the process: the machine says that nobody listens.
func (p *process) kill() {
	p.mu.Lock()
	p.machine.process = nil
	p.mu.Unlock()
	_ = p.leases.Shutdown(false)
}

// vanish with the whole machine.
func (p *process) vanish() {
	p.with(func() { p.off = true })
	p.kill()
}

// with the lab's lock.
func (l *lab) with(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// end all processes.
func (l *lab) end() {
	for _, m := range l.machines {
		if m.process != nil {
			m.process.goOn()
			_ = m.process.leases.Shutdown(false)
		}
	}
}

func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resume = make(chan struct{})
}

func (p *process) goOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resume != nil {
		close(p.resume)
		p.resume = nil
	}
}

// freeze the database until thawed.
func (l *lab) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.thaw = make(chan struct{})
}

func (l *lab) unfreeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.thaw)
	l.thaw = nil
}

// isolate the machine from the others: what it sends, what they send, or both.
func (l *lab) isolate(m *machine, from, to bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.machines {
		if from && other != m {
			l.cut[[2]*machine{m, other}] = struct{}{}
		}
		if to && other != m {
			l.cut[[2]*machine{other, m}] = struct{}{}
		}
	}
}

func (l *lab) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cut)
}

func (l *lab) evictions() []eviction {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.out)
}

// members as the roster has them.
func (l *lab) members() []string {
	seen, err := l.roster.Members(context.Background())
	if err != nil {
		l.Fatal(err)
	}
	return ids(seen.Members)
}

func ids(members []messages.Member) []string {
	out := []string{}
	for _, m := range members {
		out = append(out, m.ID)
	}
	return out
}

// within waits for a condition, for no more than the bubble's time given, and returns how long it took.
func (l *lab) within(d time.Duration, what string, holds func() bool) time.Duration {
	l.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) >= d {
			l.Fatalf("after %v still not: %s\n%s", d, what, l.log)
		}
		pass(5 * time.Millisecond)
	}
	return time.Since(began)
}

// pass lets the bubble's time go on.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the bubble's time
}

// agree: all these, and no others, are alive and know of each other.
func agree(all ...*process) func() bool {
	want := []string{}
	for _, p := range all {
		want = append(want, p.id)
	}
	slices.Sort(want)
	return func() bool {
		for _, p := range all {
			got := ids(p.leases.Members())
			slices.Sort(got)
			if !p.leases.Alive() || !slices.Equal(got, want) {
				return false
			}
		}
		return true
	}
}

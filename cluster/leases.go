package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	protocluster "github.com/asynkron/protoactor-go/cluster"

	"boxoffice/messages"
)

const (
	leaseDefault = 2 * time.Second
	// beatsPerLease is how often a lease is renewed in its time, and how often members are pinged: five renewals may fail.
	beatsPerLease = 6
	// leaveTimeout bounds the farewell of a node that ends: without it the others wait for the end of its lease.
	leaveTimeout = time.Second
)

// LeaseConfig is what a member needs to take part.
type LeaseConfig struct {
	Roster Roster
	// Self as the others are to see it. Joined, Renewals and what follows are the roster's.
	Self messages.Member
	// Lease is how long the node's right to own events lasts after a renewal; default 2 s. Everything else is a part of it.
	Lease time.Duration
	// Ping asks the member whether it is there. It returns nil once that has answered, over its own connection to us, and heeds
	// ctx.
	Ping func(ctx context.Context, m messages.Member) error
	// Dial is nil where somebody listens at the address, and syscall.ECONNREFUSED where its machine says that nobody does.
	// Default: a connection that is closed again.
	Dial func(ctx context.Context, address string) error
	// Changed hears all members, those that leave included, when who is there or who is leaving has changed; the first time when
	// we have joined. Calls come one at a time; of changes in quick succession it hears the last. It must not call Shutdown.
	Changed func(members []messages.Member)
	Log     *slog.Logger
}

// Leases is a process's membership: a row in the roster that it renews, and its watch over the other members. It is the
// provider behind protoactor's ClusterProvider.
//
//  1. Alive is true only if the roster grants the lease still: its end is counted from when the renewal began.
//  2. While the roster cannot be reached nobody comes or goes.
//  3. It takes nobody out before it has renewed for a whole lease without a break (but see Leases.decide for a newcomer), nor by
//     a membership that has changed since.
//  4. It joins only when all members answer it, so that whoever was taken out because it was cut off stays out as long.
//  5. A process that has lost its row is no member ever again.
//
// Its methods wait for nobody, but for Leaving and Shutdown. What comes back from the roster and the network is worked in
// under the lock, which is never held while waiting.
type Leases struct {
	cfg    LeaseConfig
	beat   time.Duration
	ctx    context.Context // ends with membership, for whatever reason
	stop   context.CancelFunc
	work   sync.WaitGroup
	joined chan struct{}
	lost   chan struct{}
	news   chan struct{}             // there is a membership to be told of
	begun  atomic.Pointer[time.Time] // when the last renewal that succeeded began; nil: no member

	mu       sync.Mutex
	cluster  *protocluster.Cluster
	state    leaseState
	err      error // why lost
	failure  error // of the last call of the roster; nil: it succeeded
	steady   streak
	calls    int  // renewals that are under way
	look     bool // one more look is wanted
	looking  bool
	entering bool // Join is under way
	maybe    bool // Join failed: whether it took effect is not known
	tried    bool // Join has been called
	evicting bool
	retry    *time.Timer
	seen     messages.Membership
	received time.Time // when seen came
	others   map[string]*contact
	cut      []string // who ought to leave for links that are broken, since cutAt
	cutAt    time.Time
	doubted  bool // that we are in doubt has been logged
	said     time.Time
}

type leaseState uint8

const (
	idle leaseState = iota
	joining
	member
	ended // lost, or shut down
)

// streak is a run of calls of the roster that succeeded, no answer long after the one before.
type streak struct {
	since, last time.Time // when the first and the last answer came
	began       time.Time // when the last call began that was answered
}

// NewLeases makes a process that is no member yet.
func NewLeases(cfg LeaseConfig) *Leases {
	if cfg.Lease == 0 {
		cfg.Lease = leaseDefault
	}
	if cfg.Dial == nil {
		cfg.Dial = knock
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Leases{
		cfg: cfg, beat: cfg.Lease / beatsPerLease, ctx: ctx, stop: stop, others: map[string]*contact{},
		joined: make(chan struct{}), lost: make(chan struct{}), news: make(chan struct{}, 1),
	}
}

// StartMember begins to join. Where there is a cluster, its Remote is set, and its member list is told who is there.
func (l *Leases) StartMember(c *protocluster.Cluster) error {
	if c != nil && c.Remote == nil {
		return errors.New("cluster membership needs remoting")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != idle {
		return errors.New("cluster membership has begun already")
	}
	l.state, l.cluster, l.said = joining, c, time.Now()
	l.spawn(l.tell)
	l.spawn(l.run)
	return nil
}

// StartClient is refused: a client would see members without being seen.
func (l *Leases) StartClient(*protocluster.Cluster) error {
	return errors.New("the box office's nodes are members, never clients")
}

// Shutdown ends membership; whoever leaves gracefully tells the others.
func (l *Leases) Shutdown(graceful bool) error {
	l.mu.Lock()
	leave := graceful && l.state != ended && l.tried
	l.end()
	l.mu.Unlock()
	l.work.Wait()
	if !leave {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := l.cfg.Roster.Leave(ctx, l.cfg.Self.ID); err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}

// end whatever is under way. The lock is held.
func (l *Leases) end() {
	l.state = ended
	l.begun.Store(nil)
	l.stop()
	if l.retry != nil {
		l.retry.Stop()
	}
}

// lose membership for good. The lock is held.
func (l *Leases) lose(why error) {
	if l.state == ended {
		return
	}
	l.err = why
	l.end()
	l.cfg.Log.Error("this node has lost its place in the cluster", "node", l.cfg.Self.ID, "error", why)
	close(l.lost)
}

// Joined is closed once the process is a member, and Changed has heard so.
func (l *Leases) Joined() <-chan struct{} { return l.joined }

// Lost is closed once the process cannot be a member any more: it must end, and may come back as another.
func (l *Leases) Lost() <-chan struct{} { return l.lost }

// Err says, to an operator, why Lost is closed.
func (l *Leases) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Alive is true for a member whose lease is good. The clock says so, not a timer: a process that was stopped knows at once.
func (l *Leases) Alive() bool {
	begun := l.begun.Load()
	return begun != nil && time.Since(*begun) < l.cfg.Lease
}

// Members as last seen; none before the roster has been read.
func (l *Leases) Members() []messages.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen.Members)
}

// Refresh looks at the roster now.
func (l *Leases) Refresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look = true
	l.glance()
}

// Leaving tells the others to give us nothing new.
func (l *Leases) Leaving(ctx context.Context) error {
	l.mu.Lock()
	state := l.state
	l.mu.Unlock()
	if state != member {
		return errors.New("leave the cluster: this node is no member of it")
	}
	began := time.Now()
	seen, err := l.cfg.Roster.Leaving(ctx, l.cfg.Self.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone(err) {
		return l.err
	}
	if err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	l.apply(began, seen)
	return nil
}

// spawn work that ends with membership. The lock is held.
func (l *Leases) spawn(f func()) {
	if l.ctx.Err() == nil {
		l.work.Go(f)
	}
}

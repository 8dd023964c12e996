package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/k8s"
	"github.com/asynkron/protoactor-go/remote"
	"k8s.io/client-go/rest"

	"boxoffice/messages"
)

const (
	// deregisterTimeout bounds how long a node that ends waits for Kubernetes to hear so; its labels go with its pod anyway.
	deregisterTimeout = time.Second
	// repeatEvery is how often the same complaint about Kubernetes is logged: protoactor's provider tries again at once.
	repeatEvery = 30 * time.Second
	// complaintsMax is how many are told apart: some of the provider's messages are errors with whatever they hold.
	complaintsMax = 100
)

// Kubernetes is membership by Leases, of which only those members own events whose pod Kubernetes calls ready: the others
// appear to Changed as leaving. Who has the right to own an event is up to the lease and the epoch as ever.
//
//  1. While Kubernetes names none of the members, all may own events: so it is at first, and where its API is away from the start.
//  2. While the API is away later, what it said last stands.
//
// A member's address must be its pod's IP. The service account may get, watch and patch pods.
//
// protoactor's provider blocks the id of a pod that was unready for good, and forgets no pod that went while its watch was
// broken. So it has a member list of its own, of a cluster that exists for nothing else and whose block list is emptied, and
// what it says counts for members of the roster alone.
type Kubernetes struct {
	*Leases
	provider *k8s.Provider
	system   *actor.ActorSystem
	changed  func([]messages.Member)

	mu      sync.Mutex // held while changed is called
	ready   map[string]bool
	members []messages.Member // nil: we have not joined
}

// NewKubernetes wraps leases that have not been started. It fails outside of Kubernetes.
func NewKubernetes(leases *Leases) (*Kubernetes, error) {
	api, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("kubernetes membership: %w", err)
	}
	return newKubernetes(leases, api)
}

func newKubernetes(leases *Leases, api *rest.Config) (*Kubernetes, error) {
	provider, err := k8s.NewWithConfig(api)
	if err != nil {
		return nil, fmt.Errorf("kubernetes membership: %w", err)
	}
	k := &Kubernetes{Leases: leases, provider: provider, changed: leases.cfg.Changed}
	leases.cfg.Changed = k.seen
	return k, nil
}

// StartMember begins to join, and to ask Kubernetes.
func (k *Kubernetes) StartMember(c *protocluster.Cluster) error {
	self := k.cfg.Self
	host, text, err := net.SplitHostPort(self.Address)
	if err != nil {
		return fmt.Errorf("kubernetes membership: the address of this node: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("kubernetes membership: the port of this node: %w", err)
	}
	k.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(&sparse{Handler: quiet{k.cfg.Log.With("lib", "protoactor/k8s").Handler()}, said: &said{at: map[string]time.Time{}}})
	}))
	k.system.ProcessRegistry.Address = self.Address
	config := remote.Configure(host, port)
	pods := protocluster.New(k.system, protocluster.Configure(clusterName, k.provider, nil, config))
	pods.Remote = remote.NewRemote(k.system, config) // never started: it has the block list
	k.system.EventStream.Subscribe(func(e any) {
		if t, ok := e.(*protocluster.ClusterTopology); ok {
			// Published by the one goroutine that watches, which is the only one to read Remote.
			if len(t.GetLeft()) > 0 {
				pods.Remote = remote.NewRemote(k.system, config)
			}
			k.named(t.GetMembers())
		}
	})
	if err := k.Leases.StartMember(c); err != nil {
		return err
	}
	if err := k.provider.StartMember(pods); err != nil {
		return fmt.Errorf("kubernetes membership: %w", err)
	}
	return nil
}

// Shutdown ends membership, and takes our labels off the pod at the same time.
func (k *Kubernetes) Shutdown(graceful bool) (err error) {
	if k.system == nil || k.system.IsStopped() {
		return k.Leases.Shutdown(graceful)
	}
	var both sync.WaitGroup
	both.Go(func() {
		waitAtMost(deregisterTimeout, func() { _ = k.provider.Shutdown(graceful) }) // it has logged what went wrong
	})
	both.Go(func() { err = k.Leases.Shutdown(graceful) })
	both.Wait()
	k.system.Shutdown()
	return err
}

// seen hears what the roster says.
func (k *Kubernetes) seen(members []messages.Member) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.members = members
	k.tellNode()
}

// named hears which pods are ready.
func (k *Kubernetes) named(pods []*protocluster.Member) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ready = map[string]bool{}
	for _, p := range pods {
		k.ready[net.JoinHostPort(p.GetHost(), strconv.Itoa(int(p.GetPort())))] = true
	}
	if k.members != nil && k.ctx.Err() == nil {
		k.tellNode()
	}
}

func (k *Kubernetes) tellNode() {
	if k.changed != nil {
		k.changed(entitled(k.members, k.ready))
	}
}

// entitled to own events are the members at addresses that are ready, or all where there is none: the others count as leaving.
func entitled(members []messages.Member, ready map[string]bool) []messages.Member {
	out := make([]messages.Member, len(members))
	none := true
	for i, m := range members {
		none = none && (!ready[m.Address] || m.Leaving)
		out[i] = m
		out[i].Leaving = m.Leaving || !ready[m.Address]
	}
	if none {
		return members
	}
	return out
}

// sparse passes on the same message once in a while.
type sparse struct {
	slog.Handler
	said *said
}

type said struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (s *sparse) Handle(ctx context.Context, r slog.Record) error {
	s.said.mu.Lock()
	again := !s.said.at[r.Message].IsZero() && time.Since(s.said.at[r.Message]) < repeatEvery
	if !again {
		if len(s.said.at) >= complaintsMax {
			clear(s.said.at)
		}
		s.said.at[r.Message] = time.Now()
	}
	s.said.mu.Unlock()
	if again {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

func (s *sparse) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sparse{s.Handler.WithAttrs(attrs), s.said}
}

func (s *sparse) WithGroup(name string) slog.Handler {
	return &sparse{s.Handler.WithGroup(name), s.said}
}

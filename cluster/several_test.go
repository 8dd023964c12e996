package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

// cluster of a test's own: nodes in this process that speak to each other over loopback, over one journal in memory. Time is
// the real one.
type box struct {
	testing.TB
	db     *memory.DB
	roster Roster
	lease  time.Duration
	log    logged

	broken atomic.Bool                   // no answer can be rendered, which quarantines who tries
	gate   atomic.Pointer[chan struct{}] // while there is one, batches wait until it is closed
	gated  atomic.Int64                  // batches that have waited, or do

	mu    sync.Mutex
	spoke map[string][]commit // by event, in the sequence of their ends
	nodes atomic.Int64
}

// commit is one that succeeded: a batch, or a look whether the epoch stands.
type commit struct {
	epoch uint64
	node  string
}

func newBox(t testing.TB, events int) *box {
	t.Helper()
	b := &box{TB: t, db: memory.New(func() int64 { return time.Now().UnixMilli() }), lease: time.Second, spoke: map[string][]commit{}}
	b.roster = memory.NewRoster(b.db)
	for i := range events {
		_, err := actors.NewOrganiser(b.db.Catalogue()).Create(t.Context(), messages.NewEvent{
			Event: &messages.Event{
				EventId: eventAt(i), Name: "Concert", Venue: "Hall", Currency: "EUR", HoldTtlSeconds: 300, MaxSeatsPerOrder: 8, MaxOrdersPerSession: 4,
			},
			Prices: map[string]int64{"I": 100}, PlanJSON: []byte(hall),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// commitsAtOnce are those of a box's node.
const commitsAtOnce = 4

func eventAt(i int) string { return fmt.Sprint("E", i+1) }

// spoken is a journal that notes which of its commits have succeeded, and for whom.
type spoken struct {
	actors.Journal
	box  *box
	node string
}

func (s *spoken) Commit(ctx context.Context, b messages.Batch) error {
	if gate := s.box.gate.Load(); gate != nil {
		s.box.gated.Add(1)
		<-*gate
	}
	err := s.Journal.Commit(ctx, b)
	if err == nil {
		s.box.mu.Lock()
		s.box.spoke[b.EventID] = append(s.box.spoke[b.EventID], commit{b.Epoch, s.node})
		s.box.mu.Unlock()
	}
	return err
}

// member starts a node and waits until it has joined. It is ended with the test, if not before.
func (b *box) member() *Node {
	b.Helper()
	id := fmt.Sprintf("n%d.x", b.nodes.Add(1))
	log := slog.New(slog.NewTextHandler(&b.log, nil)).With("node", id)
	n := NewNode(actors.Env{
		Journal: &spoken{b.db.Journal(id), b, id}, ReadModel: b.db.ReadModel(), Clock: NewClock(), Log: log,
		Provider: payment.NewMock(paymenttest.NewLedger(), payment.MockConfig{Wait: func(context.Context, time.Duration) error { return nil }}),
		Render: func(*messages.Reply) *messages.Answer {
			if b.broken.Load() {
				return nil
			}
			return &messages.Answer{Status: 200}
		},
		Activations: NewPool(4, 4096), Commits: NewPool(commitsAtOnce, 4096), Calls: NewPool(4, 64), Projections: NewPool(4, 4096),
	}, admission.Env{}, func() bool { return true })
	err := n.Connect(Connection{
		Self: messages.Member{ID: id, Name: id, Version: "test", Keys: []string{"k:1"}}, Wire: Wire{Listen: "127.0.0.1:0"},
		Roster: b.roster, Lease: b.lease,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { end(n) })
	select {
	case <-n.Joined():
	case <-n.Lost():
		b.Fatalf("%s is lost: %v\n%s", id, n.LostWhy(), b.log.String())
	case <-time.After(20 * time.Second):
		b.Fatalf("%s does not join: %v\n%s", id, n.Ready(), b.log.String())
	}
	return n
}

// end a node as SIGTERM does.
func end(n *Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.HandOver(ctx)
	n.Drain(ctx)
}

// agree waits until all nodes know as many members.
func (b *box) agree(nodes []*Node) {
	b.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for _, n := range nodes {
		for len(n.now().peers) != len(nodes) {
			changed := n.changed()
			if len(n.now().peers) == len(nodes) {
				break
			}
			select {
			case <-changed:
			case <-time.After(time.Until(deadline)):
				b.Fatalf("%s knows %d members, want %d", n.self, len(n.now().peers), len(nodes))
			}
		}
	}
}

// oneVoice fails the test where an event was answered for by two at a time: by an epoch after a later one, or by two nodes
// in one epoch.
func (b *box) oneVoice() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for event, all := range b.spoke {
		of := map[uint64]string{}
		last := uint64(0)
		for _, c := range all {
			if c.epoch < last {
				b.Errorf("%s: epoch %d of %s speaks after %d", event, c.epoch, c.node, last)
			}
			if of[c.epoch] != "" && of[c.epoch] != c.node {
				b.Errorf("%s: epoch %d is that of %s and of %s", event, c.epoch, of[c.epoch], c.node)
			}
			last, of[c.epoch] = c.epoch, c.node
		}
	}
}

func orderAt(event string, n int) *messages.Request {
	r := createOrder(n)
	r.EventId = event
	return r
}

func reportOf(event string) *messages.Request {
	r := report()
	r.EventId = event
	return r
}

package cluster

import (
	"strconv"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// replyPrefix begins the ids of those that wait for a reply: other nodes may send replies to these, and to nobody else.
const replyPrefix = "reply/"

// inbox waits for one reply. It is a protoactor process, as its futures are, but one whose time-out is its caller's: those
// of futures race with their replies inside the library.
type inbox struct {
	node *Node
	pid  *actor.PID
	// got holds the first reply; what comes after it is dropped.
	got chan any
}

// newInbox has an id that no other has ever had, on this node or one before it at the same address: a late reply to
// somebody else must not be taken for ours.
func (n *Node) newInbox() *inbox {
	b := &inbox{node: n, got: make(chan any, 1)}
	b.pid, _ = n.system.ProcessRegistry.Add(b, replyPrefix+n.self+"/"+strconv.FormatUint(n.inboxes.Add(1), 36))
	return b
}

// close it: what comes now is nobody's.
func (b *inbox) close() { b.node.system.ProcessRegistry.Remove(b.pid) }

// SendUserMessage takes the reply.
func (b *inbox) SendUserMessage(_ *actor.PID, message any) {
	select {
	case b.got <- actor.UnwrapEnvelopeMessage(message):
	default:
	}
}

// SendSystemMessage does nothing: nobody supervises an inbox.
func (*inbox) SendSystemMessage(*actor.PID, any) {}

// Stop does nothing.
func (*inbox) Stop(*actor.PID) {}

// link is the way to a peer. It breaks, and is there again for whoever comes next.
type link struct {
	mu     sync.Mutex
	broken chan struct{}
}

func newLink() *link { return &link{broken: make(chan struct{})} }

// lost is closed when the connection breaks: what was sent before may have arrived or not, and so may its reply.
func (l *link) lost() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.broken)
	l.broken = make(chan struct{})
}

package cluster

import (
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"

	"boxoffice/messages"
)

// Goal: a node that starts again at the same address is reached within moments of listening, be it that somebody tried in
// between or not, and nothing sent meanwhile is lost without a word. Method: end and start a node behind a peer's back,
// several times, and measure.
func TestWireReconnects(t *testing.T) {
	a, b := newWired(t, plain), newWired(t, plain)
	again := Wire{Listen: b.address()}
	a.pings(b.address())
	for _, tried := range []bool{false, true, false, true} {
		b.end()
		if tried {
			for range 3 {
				a.told(again.Listen, &messages.Ping{})
			}
		}
		b = newWired(t, again)
		took := a.pings(b.address())
		t.Logf("tried meanwhile: %v; reached again after %v", tried, took)
		if took > 5*time.Second {
			t.Errorf("reached again after %v", took)
		}
		b.pings(a.address())
	}
}

// Goal: who connects while a node is just being started waits for it, and not for long where nobody listens. Method: listen
// only once a first attempt has failed; and not at all.
func TestWireWaitsForListener(t *testing.T) {
	address := free(t)
	ctx := within(t, 10*time.Second)
	got := make(chan net.Conn)
	go func() {
		var conn net.Conn
		for conn == nil && ctx.Err() == nil { // a busy machine may take longer to listen than anybody is patient
			conn, _ = dial(ctx, address)
		}
		got <- conn
	}()
	if conn := <-tried(t, address, got); conn == nil {
		t.Error("not connected")
	} else {
		_ = conn.Close()
	}
	begun := time.Now()
	conn, err := dial(ctx, free(t))
	if took := time.Since(begun); err == nil || conn != nil || took < refusedPatience {
		t.Errorf("%v, %v after %v", conn, err, took)
	}
}

// tried listens once some attempts have had the time to fail.
func tried(t *testing.T, address string, got chan net.Conn) chan net.Conn {
	t.Helper()
	pause := time.NewTimer(2 * refusedRetry)
	defer pause.Stop()
	select {
	case conn := <-got:
		t.Fatalf("connected to nobody: %v", conn)
	case <-pause.C:
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return got
}

// Goal: nothing that could not be sent is lost without a word to its sender, and a node that is dead costs no more than a
// few attempts a second. Method: a burst to a port where nobody listens.
func TestWireDeadLetters(t *testing.T) {
	const burst = 3 * batchMessagesMax
	a, nobody := newWired(t, plain), free(t)
	for range burst {
		a.send(nobody, &messages.Ping{})
	}
	for i := range burst {
		if got, ok := a.answer(10 * time.Second).(*actor.DeadLetterResponse); !ok {
			t.Fatalf("%d: %T", i, got)
		}
	}
	if got := a.unsent.Load(); got != burst {
		t.Errorf("%d known to be unsent, want %d", got, burst)
	}
}

// Goal: what is large but legal goes through, alone and in numbers, and what is too large is refused by the sender and
// costs nothing else. Method: such messages; a receiver that counts.
func TestWireLarge(t *testing.T) {
	a, b := newWired(t, plain), newWired(t, plain)
	a.pings(b.address())
	seats := func(bytes int) *messages.Request {
		const idBytes = 40
		list := make([]string, bytes/(idBytes+2))
		id := make([]byte, idBytes)
		for i := range id {
			id[i] = 'x'
		}
		for i := range list {
			list[i] = string(id)
		}
		return &messages.Request{EventId: "E1", Call: &messages.Request_Block{Block: &messages.Block{Seats: list}}}
	}
	large := seats(messageBytesMax - 1<<10)
	a.send(b.address(), large)
	for range 6 {
		a.send(b.address(), seats(batchBytesMax))
	}
	for i := range 7 {
		if got, ok := a.answer(20 * time.Second).(*messages.Reply); !ok || len(got.GetSeats()) == 0 {
			t.Fatalf("%d: %T", i, got)
		}
	}
	a.send(b.address(), seats(messageBytesMax+1<<10))
	a.send(b.address(), &messages.Ping{})
	kinds := map[bool]int{}
	for range 2 {
		_, dead := a.answer(10 * time.Second).(*actor.DeadLetterResponse)
		kinds[dead]++
	}
	if kinds[true] != 1 || kinds[false] != 1 {
		t.Errorf("%d dead letters, want one of two", kinds[true])
	}
	if a.refused.Load()+b.refused.Load() != 0 {
		t.Errorf("refused:\n%s%s", &a.log, &b.log)
	}
}

// Goal: a peer that takes connections and messages, but reads no more, holds up nobody for long. Method: a relay that stops
// relaying, and more than the network holds.
func TestWireStalledPeer(t *testing.T) {
	r := newRelay(t)
	a, b := newWired(t, plain), newWired(t, Wire{Listen: r.to, Advertise: r.address()})
	a.pings(b.address())
	r.gate.Lock()
	begun := time.Now()
	body := &messages.Request{EventId: "E1", Call: &messages.Request_Confirm{Confirm: &messages.Confirm{PaymentToken: strings.Repeat("x", batchBytesMax)}}}
	for range 30 {
		a.send(b.address(), body)
	}
	eventually(t, 15*time.Second, "what is sent is known to be unsent", func() bool { return a.unsent.Load() > 0 })
	took := time.Since(begun)
	r.gate.Unlock()
	t.Logf("noticed after %v", took)
	if took > sendTimeout+4*time.Second {
		t.Errorf("noticed after %v", took)
	}
	a.pings(b.address())
}

// Goal: a node whose stream to us breaks is known to have lost the replies that were on it, though our own stream to it stands.
// Method: a relay between it and us that breaks.
func TestWireBreaksOnTheWayBack(t *testing.T) {
	r := newRelay(t)
	parted := make(chan string, backMax)
	a := newWired(t, Wire{Listen: r.to, Advertise: r.address(), parted: func(address string) { parted <- address }})
	b := newWired(t, plain)
	a.pings(b.address())
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	select {
	case address := <-parted:
		if address != b.address() || a.parted.Load() != 0 {
			t.Errorf("%s has parted, want %s; of our own %d", address, b.address(), a.parted.Load())
		}
	case <-time.After(10 * time.Second):
		t.Error("not noticed")
	}
}

// Goal: who has died costs nothing any more, be it sent to or not. Method: fifty nodes that came and died without a word, each
// at an address of its own; goroutines are counted.
func TestDeathsLeaveNothing(t *testing.T) {
	const deaths = 50
	b := newBox(t, 1)
	one := b.member()
	b.dies(one)
	before := runtime.NumGoroutine()
	for range deaths {
		b.dies(one)
	}
	eventually(t, 20*time.Second, "nothing is left", func() bool { return runtime.NumGoroutine() <= before })
}

// Goal: nor does it where its connections are ended while one is being made, of which protoactor makes another, for nobody.
// Method: that, at every moment of connecting.
func TestDeathWhileConnectingLeavesNothing(t *testing.T) {
	const deaths = 12
	a := newWired(t, plain)
	before := runtime.NumGoroutine()
	var all sync.WaitGroup
	for i := range deaths {
		nobody := free(t)
		all.Go(func() {
			a.send(nobody, &messages.Ping{})
			moment := time.NewTimer(refusedPatience * time.Duration(i) / (deaths - 2))
			defer moment.Stop()
			<-moment.C
			a.system.EventStream.Publish(&remote.EndpointTerminatedEvent{Address: nobody})
		})
	}
	all.Wait()
	eventually(t, 20*time.Second, "nothing is left", func() bool { return runtime.NumGoroutine() <= before })
}

// dies: another node joins, and goes without a word.
func (b *box) dies(watched *Node) {
	b.Helper()
	two := b.member()
	address := two.Address()
	b.agree([]*Node{watched, two})
	two.Abandon()
	two.shutdown.Do(two.system.Shutdown)
	eventually(b, 10*time.Second, "it is known to be dead", func() bool { return len(watched.now().peers) == 1 })
	watched.send(actor.NewPID(address, doorID), &messages.Ping{}, watched.nobody) // as a reply that comes late
}

// relay carries connections to an address where somebody is to listen, as long as its gate is open.
type relay struct {
	net.Listener
	to    string
	gate  sync.RWMutex
	mu    sync.Mutex
	conns []net.Conn
	done  sync.WaitGroup
}

func newRelay(t testing.TB) *relay {
	t.Helper()
	r := &relay{to: free(t)}
	var err error
	if r.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r.done.Go(func() {
		for {
			in, err := r.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			r.done.Go(func() { r.copy(out, in) })
			r.done.Go(func() { r.copy(in, out) })
		}
	})
	t.Cleanup(func() {
		_ = r.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.done.Wait()
	})
	return r
}

func (r *relay) address() string { return r.Addr().String() }

func (r *relay) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		r.gate.RLock()
		_, err = to.Write(buffer[:n])
		r.gate.RUnlock()
		if err != nil {
			return
		}
	}
}

// free is an address where nobody listens.
func free(t testing.TB) string {
	t.Helper()
	spot, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer spot.Close()
	return spot.Addr().String()
}

// A node that ends does not wait for whoever has connected and says nothing.
func TestHangUpWithASilentVisitor(t *testing.T) {
	for name, wire := range map[string]func() Wire{"plaintext": func() Wire { return plain }, "TLS": newAuthority(t).anySecret()} {
		t.Run(name, func(t *testing.T) {
			n := newWired(t, wire())
			visitor, err := net.Dial("tcp", n.address())
			if err != nil {
				t.Fatal(err)
			}
			defer visitor.Close()
			other := newWired(t, wire()) // that one is answered says that the visitor has been let in: they come in turn
			other.pings(n.address())
			begun := time.Now()
			n.end()
			took := time.Since(begun)
			t.Logf("took %v", took)
			if took >= deadTimeout*3/4 {
				t.Errorf("hanging up took %v", took)
			}
		})
	}
}

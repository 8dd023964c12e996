package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// wired is a node as far as the wire goes: protoactor with a door that answers pings.
type wired struct {
	testing.TB
	system  *actor.ActorSystem
	remote  *remote.Remote
	log     logged
	refused atomic.Int64 // as Wire.Refused counts
	// unsent counts what could not be sent, delivered what came to the door.
	unsent, delivered atomic.Int64
	// parted counts the connections that have ended, as protoactor says.
	parted atomic.Int64
	// inbox takes whatever comes back.
	inbox *actor.PID
	back  chan any
	down  sync.Once
}

// backMax is more than any test waits for.
const backMax = 1 << 12

// newWired has a door that answers, or another.
func newWired(t testing.TB, w Wire, doors ...actor.ReceiveFunc) *wired {
	t.Helper()
	n := &wired{TB: t, back: make(chan any, backMax)}
	door := append(doors, n.answers)[0]
	log := slog.New(slog.NewTextHandler(&n.log, nil))
	w.refused = func() { n.refused.Add(1) }
	w.undelivered = func(target, sender *actor.PID) {
		n.unsent.Add(1)
		if sender != nil {
			n.system.Root.Send(sender, &actor.DeadLetterResponse{Target: target})
		}
	}
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	config, err := w.config(log)
	if err != nil {
		t.Fatal(err)
	}
	n.system = actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(quiet{log.Handler()}) }),
		actor.WithDeadLetterThrottleInterval(deadLetterThrottleInterval),
	)
	n.remote = remote.NewRemote(n.system, config)
	if err := started(n.remote); err != nil {
		t.Fatal(err)
	}
	if _, err := n.system.Root.SpawnNamed(actor.PropsFromFunc(door), doorID); err != nil {
		t.Fatal(err)
	}
	n.system.EventStream.Subscribe(func(e any) {
		if _, ok := e.(*remote.EndpointTerminatedEvent); ok {
			n.parted.Add(1)
		}
	})
	n.inbox, _ = n.system.ProcessRegistry.Add(n, replyPrefix+"test")
	t.Cleanup(n.end)
	return n
}

// end the node, as a process that exits does.
func (n *wired) end() {
	n.down.Do(func() {
		hangUp(n.system, n.remote)
		n.system.Shutdown()
	})
}

func (n *wired) address() string { return n.system.Address() }

// answers is what a door does.
func (n *wired) answers(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.Ping:
		n.delivered.Add(1)
		c.Respond(&messages.Pong{From: m.GetTo()})
	case *messages.Request:
		n.delivered.Add(1)
		c.Respond(&messages.Reply{Outcome: read, Seats: m.GetBlock().GetSeats()})
	}
}

// SendUserMessage is the inbox's.
func (n *wired) SendUserMessage(_ *actor.PID, m any) {
	select {
	case n.back <- actor.UnwrapEnvelopeMessage(m):
	default:
	}
}

// SendSystemMessage fails: an inbox gets none.
func (n *wired) SendSystemMessage(_ *actor.PID, m any) { n.Errorf("a system message: %T", m) }

// Stop fails.
func (n *wired) Stop(*actor.PID) { n.Error("stopped") }

// send to the door of another.
func (n *wired) send(address string, m proto.Message) {
	n.system.Root.RequestWithCustomSender(actor.NewPID(address, doorID), m, n.inbox)
}

// answer of what was sent, within a time; nil: none.
func (n *wired) answer(within time.Duration) any {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case m := <-n.back:
		return m
	case <-late.C:
		return nil
	}
}

// told: it hears what became of a message to another's door. Where it hears no answer, it hears that the connection ended:
// what protoactor holds at that moment it drops.
func (n *wired) told(address string, m proto.Message) any {
	n.Helper()
	var got any
	parted := n.parted.Load()
	n.send(address, m)
	eventually(n, 5*time.Second, "the sender hears that it was not sent, or that the connection has ended", func() bool {
		got = n.answer(0)
		return got != nil || n.parted.Load() > parted
	})
	return got
}

// pings until the answer comes, as members do, and returns how long that took.
func (n *wired) pings(address string) time.Duration {
	n.Helper()
	begun := time.Now()
	back := make(pongs, backMax) // of its own: answers that come late are nobody's
	inbox, _ := n.system.ProcessRegistry.Add(back, replyPrefix+rand.Text())
	defer n.system.ProcessRegistry.Remove(inbox)
	for time.Since(begun) < 10*time.Second {
		n.system.Root.RequestWithCustomSender(actor.NewPID(address, doorID), &messages.Ping{From: "me", To: "you"}, inbox)
		pause := time.NewTimer(100 * time.Millisecond)
		select {
		case <-back:
			pause.Stop()
			return time.Since(begun)
		case <-pause.C:
		}
	}
	n.Fatalf("no answer from %s; logged:\n%s", address, &n.log)
	return 0
}

// eventually waits for a condition.
func eventually(t testing.TB, within time.Duration, what string, is func() bool) {
	t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-late.C:
			t.Fatalf("not within %v: %s", within, what)
		case <-tick.C:
		}
	}
}

// pongs takes pongs alone.
type pongs chan struct{}

// SendUserMessage is called by protoactor.
func (p pongs) SendUserMessage(_ *actor.PID, m any) {
	if _, ok := actor.UnwrapEnvelopeMessage(m).(*messages.Pong); ok {
		select {
		case p <- struct{}{}:
		default:
		}
	}
}

// SendSystemMessage does nothing.
func (pongs) SendSystemMessage(*actor.PID, any) {}

// Stop does nothing.
func (pongs) Stop(*actor.PID) {}

// authority signs certificates.
type authority struct {
	testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{TB: t}
	a.cert, a.key, _ = a.issue(func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.ExtKeyUsage, c.DNSNames = nil, nil
	})
	return a
}

var serials atomic.Int64

// issue a certificate for nodes, with changes; an authority that has none yet signs itself.
func (a *authority) issue(changes ...func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey, files) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	serial := serials.Add(1)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test " + strconv.FormatInt(serial, 10)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"boxoffice"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, change := range changes {
		change(c)
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		a.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	raw := files{inPEM("CERTIFICATE", der), inPEM("PRIVATE KEY", private)}
	if a.cert != nil {
		raw[2] = a.pem()
	}
	return c, key, raw
}

func (a *authority) pem() []byte { return inPEM("CERTIFICATE", a.cert.Raw) }

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// named changes a certificate's DNS name.
func named(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = []string{name} }
}

// keep the files in a folder; each name is replaced as a whole, by rename.
func keep(t testing.TB, dir string, raw files) *WireTLS {
	t.Helper()
	f := &WireTLS{CertFile: filepath.Join(dir, "node.crt"), KeyFile: filepath.Join(dir, "node.key"), CAFile: filepath.Join(dir, "ca.crt"), Name: "boxoffice"}
	for i, path := range []string{f.CertFile, f.KeyFile, f.CAFile} {
		if err := os.WriteFile(path+".new", raw[i], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// secret is a node's wire with a certificate of its own.
func (a *authority) secret(changes ...func(*x509.Certificate)) Wire {
	_, _, raw := a.issue(changes...)
	return Wire{Listen: "127.0.0.1:0", TLS: keep(a, a.TempDir(), raw)}
}

var plain = Wire{Listen: "127.0.0.1:0"}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// anySecret makes wires, each with a certificate of its own.
func (a *authority) anySecret() func() Wire { return func() Wire { return a.secret() } }

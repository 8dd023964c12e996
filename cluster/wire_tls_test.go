package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"boxoffice/messages"
)

// never: a node does not get through to another within the time that several attempts take.
func (n *wired) never(address string, other *wired) {
	n.Helper()
	for range 3 {
		if _, ok := n.told(address, &messages.Ping{}).(*messages.Pong); ok {
			n.Error("it got an answer")
		}
	}
	if got := other.delivered.Load(); got != 0 {
		n.Errorf("%d of its messages were delivered", got)
	}
}

// Goal: whoever has no certificate of our CA with our name is no node, whichever end he is. Method: real nodes that each
// lack one thing, towards a good one, and the good one towards each.
func TestWireTakesNobodyElse(t *testing.T) {
	ca := newAuthority(t)
	good := newWired(t, ca.secret())
	peer := newWired(t, ca.secret())
	peer.pings(good.address())
	good.pings(peer.address())
	foreign := newAuthority(t)
	foreignTrustsOurs := func() Wire {
		_, _, raw := foreign.issue()
		raw[2] = slices.Concat(foreign.pem(), ca.pem())
		return Wire{Listen: "127.0.0.1:0", TLS: keep(t, t.TempDir(), raw)}
	}
	otherName := ca.secret(named("other"))
	otherName.TLS.Name = "other"
	for name, w := range map[string]Wire{
		"plaintext": plain, "another CA": foreign.secret(), "another CA that trusts ours": foreignTrustsOurs(), "another name": otherName,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // much of it is waiting
			good, bad := newWired(t, ca.secret()), newWired(t, w)
			bad.never(good.address(), good)
			good.never(bad.address(), bad)
			if bad.unsent.Load() == 0 || good.unsent.Load() == 0 {
				t.Errorf("%d and %d known to be unsent", bad.unsent.Load(), good.unsent.Load())
			}
		})
	}
}

// Goal: the same for what no node would present: no certificate, an expired one, an old TLS; and one that is fine, so that
// the rest is refused for what it is. Method: TLS by hand.
func TestWireHandshake(t *testing.T) {
	ca := newAuthority(t)
	n := newWired(t, ca.secret())
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	pair := func(changes ...func(*x509.Certificate)) []tls.Certificate {
		_, _, raw := ca.issue(changes...)
		p, err := tls.X509KeyPair(raw[0], raw[1])
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	for name, c := range map[string]struct {
		config *tls.Config
		good   bool
	}{
		"good":           {&tls.Config{Certificates: pair()}, true},
		"no certificate": {&tls.Config{}, false},
		"expired":        {&tls.Config{Certificates: pair(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })}, false},
		"of a server": {&tls.Config{Certificates: pair(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})}, false},
		"TLS 1.2": {&tls.Config{Certificates: pair(), MaxVersion: tls.VersionTLS12}, false},
	} {
		c.config.RootCAs, c.config.ServerName, c.config.NextProtos = roots, "boxoffice", []string{"h2"}
		conn, err := tls.Dial("tcp", n.address(), c.config)
		if err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = conn.Read(make([]byte, 1)) // TLS 1.3 tells of a bad certificate after the handshake
			_ = conn.Close()
		}
		if c.good != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that says nothing is a member that looks whether somebody listens.
	if err := knock(t.Context(), n.address()); err != nil {
		t.Error(err)
	}
	until(t, func() bool { return n.refused.Load() == 4 })
	n.end()
	if got := n.refused.Load(); got != 4 {
		t.Errorf("%d refusals are counted, of 4 handshakes", got)
	}
}

// Goal: certificate and CA change while nodes speak, without a restart and without a break. Method: two nodes; the files
// change in the order that an operator changes them, each time by another way; the first connection stays, new ones
// are held against the files of now. A file that is of no use changes nothing.
func TestWireRotates(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	wires := []Wire{before.secret(), before.secret()}
	a, b := newWired(t, wires[0]), newWired(t, wires[1])
	a.pings(b.address())
	running := func(step string) {
		t.Helper()
		losses := strings.Count(a.log.String(), "no connection")
		a.pings(b.address())
		if strings.Count(a.log.String(), "no connection") != losses {
			t.Errorf("%s: the connection was lost:\n%s", step, &a.log)
		}
	}
	fresh := func(step string, w Wire) {
		t.Helper()
		running(step)
		c := newWired(t, w)
		c.pings(b.address())
		b.pings(c.address())
		c.end()
	}
	both := slices.Concat(before.pem(), after.pem())
	for _, w := range wires {
		replace(t, w.TLS.CAFile, both)
	}
	fresh("both CAs", before.secret())
	_, _, raw := after.issue()
	raw[2] = both
	bundled := Wire{Listen: "127.0.0.1:0", TLS: keep(t, t.TempDir(), raw)}
	fresh("a new node of the new CA", bundled)

	for _, w := range wires { // by link, as Kubernetes changes what it mounts
		_, _, raw := after.issue()
		raw[2] = both
		relink(t, w.TLS, keep(t, t.TempDir(), raw))
	}
	fresh("certificates of the new CA", bundled)

	for _, w := range wires { // in place
		if err := os.WriteFile(w.TLS.CAFile, after.pem(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fresh("the new CA alone", after.secret())
	old := newWired(t, before.secret())
	delivered := b.delivered.Load()
	if _, ok := old.told(b.address(), &messages.Ping{}).(*messages.Pong); ok || b.delivered.Load() != delivered {
		t.Error("a node of the old CA was taken")
	}

	replace(t, wires[1].TLS.CertFile, []byte("half a certifi"))
	fresh("a broken file", after.secret())
	if !strings.Contains(b.log.String(), "those of before stay") {
		t.Errorf("the broken file is not in the log:\n%s", &b.log)
	}
	replace(t, wires[1].TLS.CAFile, before.pem())
	fresh("a CA that has not signed us", after.secret())
}

func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// relink makes the files links to others.
func relink(t testing.TB, f, to *WireTLS) {
	t.Helper()
	for path, target := range map[string]string{f.CertFile: to.CertFile, f.KeyFile: to.KeyFile, f.CAFile: to.CAFile} {
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := filepath.EvalSymlinks(f.CertFile); err != nil {
		t.Fatal(err)
	}
}

// Goal: a node is found to be silent during the handshake, and its own silence is. Method: a listener that never speaks.
func TestWireSilentPeer(t *testing.T) {
	for name, w := range map[string]Wire{"TLS": newAuthority(t).secret(), "plaintext": plain} {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := newWired(t, w)
		begun := time.Now()
		n.send(silent.Addr().String(), &messages.Ping{})
		if got := n.answer(10 * time.Second); got == nil {
			t.Errorf("%s: nobody was told", name)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("%s: told after %v", name, took)
		}
		_ = silent.Close()
	}
}

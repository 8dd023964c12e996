package cluster

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"boxoffice/messages"
)

// Goal: a wire that is not safe, or cannot work, is refused before anything listens, in words. Method: each fault.
func TestWireCheck(t *testing.T) {
	ca := newAuthority(t)
	good := ca.secret().TLS
	but := func(change func(*WireTLS)) *WireTLS {
		f := *good
		change(&f)
		return &f
	}
	_, _, expired := ca.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	_, _, early := ca.issue(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	_, _, client := ca.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	_, _, other := ca.issue(named("other"))
	_, _, foreign := newAuthority(t).issue()
	foreign[2] = ca.pem()
	garbage := files{[]byte("x"), []byte("x"), []byte("x")}
	kept := func(raw files) *WireTLS { return keep(t, t.TempDir(), raw) }
	for name, c := range map[string]struct {
		wire Wire
		want string // "": good
	}{
		"loopback":            {Wire{Listen: "127.0.0.1:0"}, ""},
		"loopback of IPv6":    {Wire{Listen: "[::1]:7946"}, ""},
		"localhost":           {Wire{Listen: "localhost:7946"}, ""},
		"no port":             {Wire{Listen: "127.0.0.1"}, "is not host:port"},
		"a port's name":       {Wire{Listen: "127.0.0.1:http"}, "port number"},
		"a port too high":     {Wire{Listen: "127.0.0.1:65536"}, "port number"},
		"outside":             {Wire{Listen: "10.0.0.1:7946"}, "plaintext"},
		"a name outside":      {Wire{Listen: "node-1:7946"}, "plaintext"},
		"reached outside":     {Wire{Listen: "127.0.0.1:7946", Advertise: "10.0.0.1:7946"}, "plaintext"},
		"listening outside":   {Wire{Listen: "10.0.0.1:7946", Advertise: "127.0.0.1:7946"}, "plaintext"},
		"everywhere":          {Wire{Listen: ":7946", Advertise: "127.0.0.1:7946"}, "plaintext"},
		"trusted":             {Wire{Listen: "10.0.0.1:7946", TrustedNetwork: true}, ""},
		"trusted, everywhere": {Wire{Listen: "0.0.0.0:7946", Advertise: "node-1:7946", TrustedNetwork: true}, ""},
		"where?":              {Wire{Listen: "0.0.0.0:7946", TrustedNetwork: true}, "advertised address"},
		"where, in IPv6?":     {Wire{Listen: "[::]:7946", TrustedNetwork: true}, "advertised address"},
		"where, in short?":    {Wire{Listen: ":7946", TLS: good}, "advertised address"},
		"nowhere":             {Wire{Listen: ":7946", Advertise: "0.0.0.0:7946", TLS: good}, "no address"},
		"advertised port 0":   {Wire{Listen: ":7946", Advertise: "10.0.0.1:0", TLS: good}, "has no port"},
		"advertised: no port": {Wire{Listen: ":7946", Advertise: "10.0.0.1", TLS: good}, "is not host:port"},
		"TLS":                 {Wire{Listen: "0.0.0.0:7946", Advertise: "10.0.0.1:7946", TLS: good}, ""},
		"no file named":       {Wire{Listen: "127.0.0.1:0", TLS: but(func(f *WireTLS) { f.CAFile = "" })}, "three files"},
		"no file":             {Wire{Listen: "127.0.0.1:0", TLS: but(func(f *WireTLS) { f.KeyFile += "x" })}, "no such file"},
		"no name":             {Wire{Listen: "127.0.0.1:0", TLS: but(func(f *WireTLS) { f.Name = "" })}, "DNS name"},
		"an address for name": {Wire{Listen: "127.0.0.1:0", TLS: but(func(f *WireTLS) { f.Name = "10.0.0.1" })}, "DNS name"},
		"another name":        {Wire{Listen: "127.0.0.1:0", TLS: kept(other)}, "does not carry the DNS name boxoffice"},
		"another's key":       {Wire{Listen: "127.0.0.1:0", TLS: kept(files{other[0], foreign[1], ca.pem()})}, "do not fit"},
		"another CA":          {Wire{Listen: "127.0.0.1:0", TLS: kept(foreign)}, "is not one that a CA of"},
		"expired":             {Wire{Listen: "127.0.0.1:0", TLS: kept(expired)}, "expired at"},
		"not good yet":        {Wire{Listen: "127.0.0.1:0", TLS: kept(early)}, "good from"},
		"good for one end":    {Wire{Listen: "127.0.0.1:0", TLS: kept(client)}, "both ends"},
		"no certificates":     {Wire{Listen: "127.0.0.1:0", TLS: kept(garbage)}, "holds no CA certificate"},
	} {
		err := c.wire.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Goal: a monitor sees in time when the wire stops working: by the certificate, or by the CA that vouches for it.
// Method: each of them ends first; and files that are no good.
func TestCertificateExpiry(t *testing.T) {
	if got := plain.CertificateExpiry(); !got.IsZero() {
		t.Errorf("plaintext expires at %v", got)
	}
	ca := newAuthority(t)
	soon, late := time.Now().Add(time.Minute).UTC().Truncate(time.Second), time.Now().Add(48*time.Hour)
	until := func(at time.Time) func(*x509.Certificate) { return func(c *x509.Certificate) { c.NotAfter = at } }
	w := ca.secret(until(soon))
	if got := w.CertificateExpiry(); !got.Equal(soon) {
		t.Errorf("expires at %v, want %v", got, soon)
	}
	if got := ca.secret(until(late)).CertificateExpiry(); !got.Equal(ca.cert.NotAfter) {
		t.Errorf("expires at %v, want the CA's %v", got, ca.cert.NotAfter)
	}
	past := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	if got := ca.secret(until(past)).CertificateExpiry(); !got.Equal(past) {
		t.Errorf("expired at %v, want %v", got, past)
	}
	if err := os.Remove(w.TLS.KeyFile); err != nil {
		t.Fatal(err)
	}
	if got := w.CertificateExpiry(); !got.IsZero() {
		t.Errorf("no key, and it expires at %v", got)
	}
}

// Goal: nodes that are configured by name reach each other. Method: both ways of naming loopback, and an advertised address.
func TestWireNames(t *testing.T) {
	a := newWired(t, Wire{Listen: "localhost:0"})
	b := newWired(t, plain)
	a.pings(b.address())
	b.pings(a.address())
	b.send(a.address(), &messages.Ping{})
	if got := b.answer(10 * time.Second); got == nil {
		t.Error("no answer")
	}
}

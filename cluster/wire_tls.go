package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// WireTLS names the PEM files with which nodes prove to each other that they are nodes of one box office. Both ends of a
// connection present a certificate, and take one only where a CA of CAFile has signed it and it carries Name. Addresses
// are not compared: nodes have no lasting ones. The files are read anew whenever a connection is made.
type WireTLS struct {
	// CertFile may hold intermediate certificates after the node's own; CAFile several CAs, while one replaces another.
	CertFile, KeyFile, CAFile string
	// Name is the DNS name that each member's certificate carries.
	Name string
}

// material is what the files hold.
type material struct {
	cert  tls.Certificate
	roots *x509.CertPool
	// until is when the certificate, or one that vouches for it, stops being good.
	until time.Time
}

// load the files, if they are good for both ends of a connection at the time given.
func (f WireTLS) load(now time.Time) (*material, error) {
	raw, err := f.read()
	if err != nil {
		return nil, err
	}
	return f.parse(raw, now)
}

// files are what CertFile, KeyFile and CAFile hold.
type files [3][]byte

func (f WireTLS) read() (files, error) {
	var raw files
	for i, path := range []string{f.CertFile, f.KeyFile, f.CAFile} {
		var err error
		if path == "" {
			return raw, errors.New("TLS between nodes takes three files: certificate, key and CA; one is not named")
		}
		if raw[i], err = os.ReadFile(path); err != nil {
			return raw, fmt.Errorf("TLS between nodes: %w", err)
		}
	}
	return raw, nil
}

func (f WireTLS) parse(raw files, now time.Time) (*material, error) {
	if f.Name == "" || net.ParseIP(f.Name) != nil {
		return nil, fmt.Errorf("TLS between nodes: %q is not the DNS name that every member's certificate carries", f.Name)
	}
	m := &material{roots: x509.NewCertPool()}
	cas, err := parseCertificates(raw[2])
	if err != nil {
		return nil, fmt.Errorf("%s holds no CA certificate: %w", f.CAFile, err)
	}
	for _, ca := range cas {
		m.roots.AddCert(ca)
	}
	if m.cert, err = tls.X509KeyPair(raw[0], raw[1]); err != nil {
		return nil, fmt.Errorf("certificate %s and key %s do not fit each other: %w", f.CertFile, f.KeyFile, err)
	}
	m.until, err = f.verify(m, now)
	return m, err
}

// verify as the other ends will.
func (f WireTLS) verify(m *material, now time.Time) (time.Time, error) {
	leaf := m.cert.Leaf
	if now.After(leaf.NotAfter) {
		return leaf.NotAfter, fmt.Errorf("certificate %s expired at %s", f.CertFile, leaf.NotAfter.Format(time.RFC3339))
	}
	if now.Before(leaf.NotBefore) {
		return leaf.NotAfter, fmt.Errorf("certificate %s is good from %s on only", f.CertFile, leaf.NotBefore.Format(time.RFC3339))
	}
	if err := leaf.VerifyHostname(f.Name); err != nil {
		return leaf.NotAfter, fmt.Errorf("certificate %s does not carry the DNS name %s: %w", f.CertFile, f.Name, err)
	}
	between := x509.NewCertPool()
	for _, der := range m.cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	var until time.Time
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		chains, err := leaf.Verify(x509.VerifyOptions{Roots: m.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
		if err != nil {
			return leaf.NotAfter, fmt.Errorf("certificate %s is not one that a CA of %s has signed for both ends of a connection: %w",
				f.CertFile, f.CAFile, err)
		}
		until = longest(chains)
	}
	return until, nil
}

// longest is until when there is a chain that is good.
func longest(chains [][]*x509.Certificate) time.Time {
	var until time.Time
	for _, chain := range chains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(until) {
			until = first.NotAfter
		}
	}
	return until
}

// expiry of what the files hold, expired or not.
func (f WireTLS) expiry(now time.Time) time.Time {
	m, err := f.load(now)
	if m == nil || err != nil && m.until.IsZero() {
		return time.Time{}
	}
	return m.until
}

func parseCertificates(raw []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	if found == nil {
		return nil, errors.New("no PEM block CERTIFICATE")
	}
	return found, nil
}

// keyring holds the newest files that were any good.
type keyring struct {
	files WireTLS
	log   *slog.Logger

	mu   sync.Mutex
	read files
	good *material
}

func newKeyring(f WireTLS, log *slog.Logger) (*keyring, error) {
	raw, err := f.read()
	if err != nil {
		return nil, err
	}
	m, err := f.parse(raw, time.Now())
	if err != nil {
		return nil, err
	}
	return &keyring{files: f, log: log, read: raw, good: m}, nil
}

// now looks at the files. Connections are rare and the files small, so that they are compared as they are: whether by
// rename, by another link or in place, no way of changing them goes unseen.
func (k *keyring) now() *material {
	k.mu.Lock()
	defer k.mu.Unlock()
	raw, err := k.files.read()
	if err == nil && slices.EqualFunc(raw[:], k.read[:], bytes.Equal) {
		return k.good
	}
	var m *material
	if err == nil {
		m, err = k.files.parse(raw, time.Now())
	}
	if err != nil {
		// Somebody may be in the middle of changing them; if not, each new connection says so.
		k.log.Error("TLS between nodes: the changed files are of no use, those of before stay", "error", err)
		return k.good
	}
	k.log.Info("TLS between nodes: files read anew", "expires", m.until)
	k.good, k.read = m, raw
	return m
}

// credential is what gRPC makes connections with.
type credential struct {
	ring  *keyring // nil: plaintext
	lobby *lobby
}

// ClientHandshake of a connection that this node opens.
func (c *credential) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if c.ring == nil {
		return insecure.NewCredentials().ClientHandshake(ctx, authority, raw)
	}
	m := c.ring.now()
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}, RootCAs: m.roots,
	}).ClientHandshake(ctx, c.ring.files.Name, raw)
}

// ServerHandshake of a connection that another node opens.
func (c *credential) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	v := c.lobby.enter(raw)
	inner := insecure.NewCredentials()
	if c.ring != nil {
		m, name := c.ring.now(), c.ring.files.Name
		inner = credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: m.roots,
			// A resumed session would not be held against the CAs of today.
			SessionTicketsDisabled: true,
			VerifyConnection:       func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(name) },
		})
	}
	conn, info, err := inner.ServerHandshake(v)
	if err != nil {
		// Members look whether we listen, and say nothing; whom the lobby has turned out it has told of.
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			c.lobby.refused(v.RemoteAddr(), "TLS: "+err.Error())
		}
		_ = v.Close()
		return nil, nil, err
	}
	return conn, caller{info, v}, nil
}

// Info of how connections are made.
func (c *credential) Info() credentials.ProtocolInfo {
	if c.ring == nil {
		return insecure.NewCredentials().Info()
	}
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone is itself: nothing of it changes for one connection.
func (c *credential) Clone() credentials.TransportCredentials { return c }

// OverrideServerName does nothing: the name is configured.
func (c *credential) OverrideServerName(string) error { return nil }

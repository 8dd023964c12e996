package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made by `boxoffice certs` in a folder.
func made(t *testing.T, dir string, args ...string) string {
	t.Helper()
	o := tool(t, "", nil, append([]string{"certs", dir}, args...)...)
	if o.code != 0 {
		t.Fatalf("certs exits with %d: %s", o.code, o.problems)
	}
	return o.output
}

// vouched is a node's certificate, if the CA vouches for it at both ends of a connection.
func vouched(t *testing.T, dir, stem, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, stem+".crt"), filepath.Join(dir, stem+".key"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(raw) {
		t.Fatal("ca.crt holds no certificate")
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			t.Error(err)
		}
	}
	if key, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("a key of another kind: %T", pair.PrivateKey)
	}
	return pair.Leaf
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Goal: what `boxoffice certs` makes is what nodes take, keys are nobody else's to read, a CA that is there is used and
// never replaced, and what is made is told. Method: make, look, and make again.
func TestCerts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	said := made(t, dir)
	for _, file := range []string{"ca.crt", "ca.key", "node.crt", "node.key"} {
		if !strings.Contains(said, filepath.Join(dir, file)) {
			t.Errorf("%s is not told of:\n%s", file, said)
		}
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if private := strings.HasSuffix(file, ".key"); private != (info.Mode().Perm() == 0o600) {
			t.Errorf("%s is %v", file, info.Mode())
		}
	}
	first := vouched(t, dir, "node", "boxoffice")
	if left := time.Until(first.NotAfter); left > 365*24*time.Hour || left < 364*24*time.Hour {
		t.Errorf("good for %v", left)
	}
	ca, caKey := content(t, dir, "ca.crt"), content(t, dir, "ca.key")
	made(t, dir, "--name", "tickets.internal", "--days", "3650", "--nodes", "3")
	if content(t, dir, "ca.crt") != ca || content(t, dir, "ca.key") != caKey {
		t.Error("the CA has been replaced")
	}
	serials := map[string]bool{}
	for _, stem := range []string{"node-1", "node-2", "node-3"} {
		serials[vouched(t, dir, stem, "tickets.internal").SerialNumber.String()] = true
	}
	if len(serials) != 3 {
		t.Errorf("%d serial numbers of 3", len(serials))
	}
	made(t, dir, "--days", "30")
	if renewed := vouched(t, dir, "node", "boxoffice"); renewed.Equal(first) || time.Until(renewed.NotAfter) > 30*24*time.Hour {
		t.Errorf("not renewed for 30 days: until %v", renewed.NotAfter)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 10 {
		t.Errorf("%d files, want 10: %v", len(entries), entries)
	}
}

// Goal: a CA that cannot sign is told of, and is not replaced. Method: take its key, and its certificate, away.
func TestCertsBrokenCA(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"ca.key", "ca.crt"} {
		dir := t.TempDir()
		made(t, dir)
		if err := os.Remove(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
		before := content(t, dir, "node.crt")
		if o := tool(t, "", nil, "certs", dir); o.code != 1 || !strings.Contains(o.problems, "not replaced") {
			t.Errorf("without %s it exits with %d: %s", lost, o.code, o.problems)
		}
		if _, err := os.Stat(filepath.Join(dir, lost)); !os.IsNotExist(err) {
			t.Errorf("%s has been made: %v", lost, err)
		}
		if content(t, dir, "node.crt") != before {
			t.Error("the node's certificate has changed")
		}
	}
}

// Goal: wrong command lines exit with 2 and make nothing. Method: some.
func TestCertsUsage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "one folder"},
		{[]string{dir, "more"}, "one folder"},
		{[]string{dir, "--name", ""}, "no DNS name"},
		{[]string{dir, "--name", "10.0.0.1"}, "no DNS name"},
		{[]string{dir, "--days", "0"}, "1 to 3650"},
		{[]string{dir, "--nodes", "-1"}, "1 to 256"},
		{[]string{dir, "--nodes", "many"}, "many"},
	} {
		o := tool(t, "", nil, append([]string{"certs"}, c.args...)...)
		if o.code != 2 || !strings.Contains(o.problems, c.want) || o.output != "" {
			t.Errorf("boxoffice certs %q exits with %d: want 2 and %q:\n%s", c.args, o.code, c.want, o.problems)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder has been made: %v", err)
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	certDaysDefault = 365
	certDaysMax     = 3_650
	// caDays is long: a new CA has to reach every node before the first certificate of it does.
	caDays = 3_650
	// certNodesMax is more nodes than a cluster takes.
	certNodesMax = 256
	// clockSkewMax is how far behind a node's clock may be that is shown a new certificate.
	clockSkewMax = time.Hour
)

// certs makes the files that nodes prove with to each other that they are nodes, for trials and where there is no other CA.
func certs(args []string, out, problems io.Writer) error {
	f := flag.NewFlagSet("certs", flag.ContinueOnError)
	f.SetOutput(problems)
	f.Usage = func() {
		fmt.Fprint(problems, "usage: boxoffice certs DIR [--name NAME] [--days N] [--nodes N]\n\n")
		f.PrintDefaults()
	}
	name := f.String("name", "boxoffice", "DNS name that the certificates carry: BOXOFFICE_CLUSTER_TLS_NAME of all nodes")
	days := f.Int("days", certDaysDefault, fmt.Sprintf("how long nodes' certificates are good, 1 to %d; never longer than the CA", certDaysMax))
	nodes := f.Int("nodes", 0, fmt.Sprintf("make that many, node-1 and so on, at most %d; 0: one, node", certNodesMax))
	dir := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		dir, args = args[0], args[1:]
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return &exitError{exitUsage, err}
	}
	switch {
	case dir == "" || f.NArg() > 0:
		return &exitError{exitUsage, errors.New("certs takes one folder, where the files are to be")}
	case *name == "" || net.ParseIP(*name) != nil || strings.ContainsAny(*name, " /:*"):
		return &exitError{exitUsage, fmt.Errorf("%q is no DNS name", *name)}
	case *days < 1 || *days > certDaysMax:
		return &exitError{exitUsage, fmt.Errorf("certificates are good for 1 to %d days", certDaysMax)}
	case *nodes < 0 || *nodes > certNodesMax:
		return &exitError{exitUsage, fmt.Errorf("certs makes 1 to %d nodes' certificates", certNodesMax)}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := keptCA(dir, out)
	if err != nil {
		return err
	}
	stems := []string{"node"}
	if *nodes > 0 {
		stems = nil
		for n := range *nodes {
			stems = append(stems, fmt.Sprintf("node-%d", n+1))
		}
	}
	for _, stem := range stems {
		if err := nodeCert(ca, filepath.Join(dir, stem), *name, *days, out); err != nil {
			return err
		}
	}
	return nil
}

// signer is a CA.
type signer struct {
	cert *x509.Certificate
	key  any
}

// keptCA reads the folder's CA, or makes one where there is none: it is never replaced, since nodes take only what it has
// signed.
func keptCA(dir string, out io.Writer) (*signer, error) {
	certFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	_, noCert := os.Lstat(certFile)
	_, noKey := os.Lstat(keyFile)
	if errors.Is(noCert, os.ErrNotExist) && errors.Is(noKey, os.ErrNotExist) {
		return newCA(certFile, keyFile, out)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s holds a CA that cannot sign, and it is not replaced: %w", dir, err)
	}
	if !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is no CA's certificate", certFile)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the CA %s expired at %s: make another in another folder, and give nodes both before the first node "+
			"gets a certificate of the new one", certFile, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	fmt.Fprintf(out, "%s: signing with the CA that is there, good until %s\n", certFile, pair.Leaf.NotAfter.Format(time.DateOnly))
	return &signer{pair.Leaf, pair.PrivateKey}, nil
}

func newCA(certFile, keyFile string, out io.Writer) (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("boxoffice CA "+time.Now().UTC().Format(time.DateOnly), caDays)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	cert, err := sign(template, &signer{template, key}, key)
	if err != nil {
		return nil, err
	}
	// The key first: a certificate whose key is lost would be in the way for ever.
	if err := writeKey(keyFile, key, os.O_EXCL); err != nil {
		return nil, err
	}
	if err := writePEM(certFile, "CERTIFICATE", cert.Raw, 0o644, os.O_EXCL); err != nil {
		return nil, errors.Join(err, os.Remove(keyFile))
	}
	fmt.Fprintf(out, "%s: a new CA, good until %s; every node gets this file\n", certFile, cert.NotAfter.Format(time.DateOnly))
	fmt.Fprintf(out, "%s: its key; no node needs it, and whoever has it can make nodes: keep it elsewhere\n", keyFile)
	return &signer{cert, key}, nil
}

func nodeCert(ca *signer, stem, name string, days int, out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := certificate(name, days)
	template.DNSNames, template.KeyUsage = []string{name}, x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	cert, err := sign(template, ca, key)
	if err != nil {
		return err
	}
	// A node that reads one new file and one old keeps what it has until it has read both.
	if err := writeKey(stem+".key", key, 0); err != nil {
		return err
	}
	if err := writePEM(stem+".crt", "CERTIFICATE", cert.Raw, 0o644, 0); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s.crt, %s.key: a node's certificate and key, for %s, good until %s\n", stem, stem, name, cert.NotAfter.Format(time.DateOnly))
	return nil
}

func certificate(name string, days int) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{ // its serial number is made of chance
		Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-clockSkewMax), NotAfter: now.Add(time.Duration(days) * 24 * time.Hour),
	}
}

func sign(template *x509.Certificate, by *signer, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func writeKey(path string, key *ecdsa.PrivateKey, flags int) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "PRIVATE KEY", der, 0o600, flags)
}

// writePEM aside, and puts it in place as a whole; with os.O_EXCL only where there is nothing.
func writePEM(path, kind string, der []byte, mode os.FileMode, flags int) error {
	aside, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // no error where it has been renamed
	err = errors.Join(pem.Encode(aside, &pem.Block{Type: kind, Bytes: der}), aside.Chmod(mode), aside.Sync(), aside.Close())
	if err != nil {
		return err
	}
	if flags&os.O_EXCL != 0 {
		return os.Link(aside.Name(), path)
	}
	return os.Rename(aside.Name(), path)
}

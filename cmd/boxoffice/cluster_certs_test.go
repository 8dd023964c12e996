package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clusterTLS are the settings for mTLS between n nodes: a certificate each, of an authority of the test's own.
func clusterTLS(t *testing.T, n int) (settings [][]string) {
	t.Helper()
	dir := t.TempDir()
	authority := &x509.Certificate{Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := filepath.Join(dir, "ca.pem")
	issue(t, ca, 0, authority, authority, &key.PublicKey, key)
	for i := range n {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		cert, private := filepath.Join(dir, string(rune('a'+i))+".pem"), filepath.Join(dir, string(rune('a'+i))+".key")
		issue(t, cert, i+1, &x509.Certificate{
			DNSNames: []string{"boxoffice"}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}, authority, &own.PublicKey, key)
		der, err := x509.MarshalPKCS8PrivateKey(own)
		must(t, err)
		writePEM(t, private, "PRIVATE KEY", der)
		settings = append(settings, []string{
			"BOXOFFICE_CLUSTER_TLS_CERT=" + cert, "BOXOFFICE_CLUSTER_TLS_KEY=" + private, "BOXOFFICE_CLUSTER_TLS_CA=" + ca,
		})
	}
	return settings
}

func issue(t *testing.T, path string, serial int, c, authority *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) {
	t.Helper()
	c.SerialNumber = big.NewInt(int64(serial) + 1)
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, authority, public, key)
	must(t, err)
	writePEM(t, path, "CERTIFICATE", der)
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"boxoffice/cluster"
)

// clusterConfig is what the environment says of the cluster. README.md lists the names with their meaning.
type clusterConfig struct {
	name       string
	wire       cluster.Wire
	lease      time.Duration
	kubernetes bool
}

const (
	// A lease that is shorter is lost to a busy processor, a longer one leaves a dead node's events unserved for as long.
	leaseMin     = time.Second
	leaseMax     = 30 * time.Second
	leaseDefault = "2s"
	// plaintextConsent is what has to be said where nodes speak to each other in the clear.
	plaintextConsent = "trusted-network"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$`)

// loadCluster tells everything that is wrong at once.
func loadCluster(getenv func(string) string) (clusterConfig, error) {
	host, _ := os.Hostname()
	c := clusterConfig{
		name: or(getenv("BOXOFFICE_NODE_NAME"), or(host, "node")),
		wire: cluster.Wire{
			Listen:    or(getenv("BOXOFFICE_CLUSTER_ADDR"), "127.0.0.1:0"),
			Advertise: getenv("BOXOFFICE_CLUSTER_ADVERTISE"),
		},
	}
	var faults []error
	if !nodeName.MatchString(c.name) {
		faults = append(faults, fmt.Errorf("BOXOFFICE_NODE_NAME %q: want up to 63 letters, digits, dots and hyphens", c.name))
	}
	var err error
	if c.lease, err = time.ParseDuration(or(getenv("BOXOFFICE_LEASE"), leaseDefault)); err != nil || c.lease < leaseMin || c.lease > leaseMax {
		faults = append(faults, fmt.Errorf("BOXOFFICE_LEASE: want a duration from %v to %v", leaseMin, leaseMax))
	}
	switch m := or(getenv("BOXOFFICE_MEMBERSHIP"), "postgres"); m {
	case "postgres":
	case "kubernetes":
		c.kubernetes = true
	default:
		faults = append(faults, fmt.Errorf("BOXOFFICE_MEMBERSHIP %q: want postgres or kubernetes", m))
	}
	switch p := getenv("BOXOFFICE_CLUSTER_PLAINTEXT"); p {
	case "":
	case plaintextConsent:
		c.wire.TrustedNetwork = true
	default:
		faults = append(faults, fmt.Errorf("BOXOFFICE_CLUSTER_PLAINTEXT %q: only %q is understood", p, plaintextConsent))
	}
	tls := cluster.WireTLS{
		CertFile: getenv("BOXOFFICE_CLUSTER_TLS_CERT"), KeyFile: getenv("BOXOFFICE_CLUSTER_TLS_KEY"),
		CAFile: getenv("BOXOFFICE_CLUSTER_TLS_CA"), Name: or(getenv("BOXOFFICE_CLUSTER_TLS_NAME"), "boxoffice"),
	}
	switch {
	case tls.CertFile != "" && tls.KeyFile != "" && tls.CAFile != "":
		c.wire.TLS = &tls
	case tls.CertFile != "" || tls.KeyFile != "" || tls.CAFile != "":
		faults = append(faults, errors.New("BOXOFFICE_CLUSTER_TLS_CERT, _KEY and _CA belong together: set all three, or none"))
	}
	if len(faults) == 0 {
		if err := c.wire.Check(); err != nil {
			faults = append(faults, err)
		}
	}
	return c, errors.Join(faults...)
}

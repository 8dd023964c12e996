package main_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// netnsPrefix begins the names of our network namespaces: then come our pid and a count.
	netnsPrefix = "boxoffice-test-"
	// clusterPort is where a node in a namespace of its own listens for the others.
	clusterPort = 7946
)

var netnsCount atomic.Int64

// lan joins network namespaces, one a node, by a bridge in one more. Each has the address 10.77.0.i, from 1 on.
type lan struct {
	t     *testing.T
	hub   string
	names []string
}

// newLAN of n namespaces, gone when the test ends; it skips the test where that is not allowed. What test processes
// have left that were killed is taken away.
func newLAN(t *testing.T, n int) *lan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, program := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("network namespaces need %s: scripts/need netns", program)
		}
	}
	removeDeadNetns(t)
	w := &lan{t: t, hub: fmt.Sprintf("%s%d-%d-hub", netnsPrefix, os.Getpid(), netnsCount.Add(1))}
	t.Cleanup(w.remove)
	if out, err := exec.Command("ip", "netns", "add", w.hub).CombinedOutput(); err != nil {
		t.Skipf("network namespaces are not to be had here: %v: %s", err, out)
	}
	w.ip("-n", w.hub, "link", "add", "bridge", "type", "bridge")
	w.ip("-n", w.hub, "link", "set", "bridge", "up")
	for i := range n {
		name := strings.TrimSuffix(w.hub, "hub") + "n" + strconv.Itoa(i+1)
		w.ip("netns", "add", name)
		w.names = append(w.names, name)
		port := "port" + strconv.Itoa(i+1)
		w.ip("-n", w.hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
		w.ip("-n", w.hub, "link", "set", port, "master", "bridge", "up")
		w.ip("-n", name, "address", "add", w.address(i)+"/24", "dev", "eth0")
		w.ip("-n", name, "link", "set", "lo", "up")
		w.ip("-n", name, "link", "set", "eth0", "up")
	}
	return w
}

func (w *lan) address(i int) string { return fmt.Sprintf("10.77.0.%d", i+1) }

func (w *lan) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// remove the namespaces, and with them what is in them.
func (w *lan) remove() {
	for _, name := range append(w.names, w.hub) {
		_ = exec.Command("ip", "netns", "delete", name).Run()
	}
}

// removeDeadNetns removes those of test processes that are gone.
func removeDeadNetns(t *testing.T) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Skipf("network namespaces are not to be had here: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, netnsPrefix)
		digits, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(digits)
		if ours && err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = exec.Command("ip", "netns", "delete", name).Run()
		}
	}
}

// Directions of packets that a node loses.
const (
	inward  = "input"
	outward = "output"
)

// cut node i off from all others, in the directions given.
func (w *lan) cut(i int, directions ...string) {
	w.t.Helper()
	var rules strings.Builder
	rules.WriteString("table ip cut {\n")
	for _, direction := range directions {
		whose := map[string]string{inward: "saddr", outward: "daddr"}[direction]
		fmt.Fprintf(&rules, "chain %s { type filter hook %s priority 0; policy accept; ip %s 10.77.0.0/24 ip %s != %s drop; }\n",
			direction, direction, whose, whose, w.address(i))
	}
	rules.WriteString("}\n")
	cmd := exec.Command("ip", "netns", "exec", w.names[i], "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("nft: %v: %s", err, out)
	}
}

// heal what cut has done to node i.
func (w *lan) heal(i int) { w.ip("netns", "exec", w.names[i], "nft", "delete", "table", "ip", "cut") }

// within runs f with its thread in a network namespace: what sockets f makes stay there.
func (w *lan) within(i int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		namespace, err := os.Open("/run/netns/" + w.names[i])
		if err != nil {
			done <- err
			return
		}
		defer namespace.Close()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network namespace %s: %w", w.names[i], err)
			return
		}
		done <- f()
	}()
	return <-done
}

// dial from within node i's namespace.
func (w *lan) dial(i int) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = w.within(i, func() error {
			var err error
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
}

// newCellIn puts each node of a cell into a namespace of its own, and a wire between it and Postgres. The nodes speak mTLS.
func newCellIn(t *testing.T, w *lan, database string, env ...string) (*cell, []*wire) {
	t.Helper()
	c := newCell(t, database, len(w.names), env...)
	var wires []*wire
	settings := clusterTLS(t, len(c.nodes))
	for i, n := range c.nodes {
		wire := newWire(t, database, func(address string) (l net.Listener, err error) {
			err = w.within(i, func() error {
				l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
				return err
			})
			return l, err
		})
		wires = append(wires, wire)
		n.database = wire.url
		n.wrap = []string{"ip", "netns", "exec", w.names[i]}
		n.dial = w.dial(i)
		at := fmt.Sprintf("%s:%d", w.address(i), clusterPort)
		n.env = append(n.env, "BOXOFFICE_CLUSTER_ADDR="+at, "BOXOFFICE_CLUSTER_ADVERTISE="+at)
		n.env = append(n.env, settings[i]...)
	}
	return c, wires
}

package cluster

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Goal: both ends of a connection between nodes find out within about deadTimeout that the other is gone without a word.
// Method: the options of this process's own sockets, of those that are connected to or at a node's port.
func TestWireSockets(t *testing.T) {
	a, b := newWired(t, plain), newWired(t, plain)
	a.pings(b.address())
	_, port, err := hostPort("", b.address())
	if err != nil {
		t.Fatal(err)
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var ends []string
	for _, d := range descriptors {
		fd, err := strconv.Atoi(d.Name())
		if err != nil || !connected(fd, port) {
			continue
		}
		ends = append(ends, names(fd))
		for _, o := range []struct {
			name        string
			level, what int
			want        int
		}{
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadTimeout / time.Millisecond)},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepaliveTime / time.Second)},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepaliveTime / time.Second)},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, probes.Count},
		} {
			if got, err := unix.GetsockoptInt(fd, o.level, o.what); err != nil || got != o.want {
				t.Errorf("%s is %d (%v), want %d", o.name, got, err, o.want)
			}
		}
	}
	if len(ends) < 2 { // both are ours; more, where a busy machine took two attempts
		t.Errorf("%d ends of connections, want 2: %q", len(ends), ends)
	}
}

func connected(fd, port int) bool {
	ours, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	theirs, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	at := func(a unix.Sockaddr) bool { v4, ok := a.(*unix.SockaddrInet4); return ok && v4.Port == port }
	return at(ours) || at(theirs)
}

// names of a connection's ends.
func names(fd int) string {
	ours, _ := unix.Getsockname(fd)
	theirs, _ := unix.Getpeername(fd)
	return fmt.Sprintf("%v to %v", ours, theirs)
}

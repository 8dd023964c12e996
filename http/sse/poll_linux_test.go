package sse

import (
	"syscall"
	"testing"
)

// A client whose network went sends no hang-up: the kernel gives up on it.
func TestSocketOptions(t *testing.T) {
	r := newRig(t, false, Config{})
	_, st := r.connect()
	for _, c := range []struct{ level, option, want int }{
		{syscall.IPPROTO_TCP, tcpUserTimeout, vanishedMillisMax},
		{syscall.SOL_SOCKET, syscall.SO_SNDBUF, 2 * sendBufferBytes},
		{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
	} {
		var got int
		var err error
		if e := st.raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), c.level, c.option) }); e != nil || err != nil {
			t.Fatal(e, err)
		}
		if got != c.want {
			t.Errorf("option %d of level %d is %d, want %d", c.option, c.level, got, c.want)
		}
	}
}

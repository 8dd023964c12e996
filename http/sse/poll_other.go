//go:build !linux

package sse

import (
	"errors"
	"net"
	"syscall"
)

// poller does not exist here: every stream has a goroutine.
type poller struct{}

func openPoller(*Server) *poller { return nil }

func (*poller) close() {}

func (*poller) raw(net.Conn) syscall.RawConn { return nil }

func (*poller) add(*Stream) error { return errors.ErrUnsupported }

// rawWriter has nothing to write to.
type rawWriter struct{}

func (*rawWriter) init() {}

func (*rawWriter) writeRaw(syscall.RawConn, []byte) (n int, full bool, err error) {
	return 0, false, errors.ErrUnsupported
}

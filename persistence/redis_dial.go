package persistence

import (
	"context"
	"net"
	"time"
)

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dialOrRefused gives a connection on which everything fails, where there is none to be had. go-redis counts failed dials,
// and after as many as a pool holds it fails all calls by itself and looks for the server each second, on a goroutine that
// outlives Close. Our loops have pauses of their own, which are shorter.
func dialOrRefused(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return refused{err}, nil
		}
		return conn, nil
	}
}

// refused is a net.Conn that never was.
type refused struct{ err error }

func (c refused) Read([]byte) (int, error)       { return 0, c.err }
func (c refused) Write([]byte) (int, error)      { return 0, c.err }
func (refused) Close() error                     { return nil }
func (refused) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (refused) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (refused) SetDeadline(time.Time) error      { return nil }
func (refused) SetReadDeadline(time.Time) error  { return nil }
func (refused) SetWriteDeadline(time.Time) error { return nil }

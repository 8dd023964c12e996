package main_test

import (
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// wireAddress is where a node in a namespace of its own finds Postgres.
const wireAddress = "127.0.0.1:5432"

// wire forwards a TCP address to Postgres' socket. Cut, it forwards nothing either way, and keeps all connections: what
// was sent meanwhile arrives when it is mended, as over a network. Refusing, it is not there.
type wire struct {
	t      *testing.T
	url    string // of the database by way of it
	socket string
	listen func(address string) (net.Listener, error)
	over   sync.WaitGroup

	mu       sync.Mutex
	mended   sync.Cond
	cut      bool
	refusing bool
	listener net.Listener
	conns    map[net.Conn]struct{}
}

// newWire to the server of a database, whose url names a folder of sockets.
func newWire(t *testing.T, database string, listen func(address string) (net.Listener, error)) *wire {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	w := &wire{t: t, listen: listen, socket: filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), conns: map[net.Conn]struct{}{}}
	w.mended.L = &w.mu
	u.Host, u.RawQuery = wireAddress, "sslmode=disable"
	w.url = u.String()
	w.open()
	t.Cleanup(func() {
		w.hold(false)
		w.refuse()
		w.over.Wait()
	})
	return w
}

// open it for new connections.
func (w *wire) open() {
	w.t.Helper()
	listener, err := w.listen(wireAddress)
	must(w.t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener, w.refusing = listener, false
	w.over.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.over.Go(func() { w.forward(conn) })
		}
	})
}

// hold back everything, or let it go on.
func (w *wire) hold(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	w.mended.Broadcast()
}

// refuse connections, and end those that there are, until open.
func (w *wire) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusing = true
	_ = w.listener.Close()
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// pass waits until the wire is whole.
func (w *wire) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.cut {
		w.mended.Wait()
	}
}

func (w *wire) forward(conn net.Conn) {
	defer w.forget(conn)
	w.pass()
	if !w.keep(conn) {
		return
	}
	postgres, err := net.Dial("unix", w.socket)
	if err != nil {
		return
	}
	defer w.forget(postgres)
	if !w.keep(postgres) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { w.pump(postgres, conn) })
	both.Go(func() { w.pump(conn, postgres) })
	both.Wait()
}

// keep a connection, to be ended when the wire refuses; false where it does so now.
func (w *wire) keep(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.refusing {
		w.conns[conn] = struct{}{}
	}
	return !w.refusing
}

func (w *wire) forget(conn net.Conn) {
	_ = conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
}

// pump one direction until either side ends.
func (w *wire) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.pass()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

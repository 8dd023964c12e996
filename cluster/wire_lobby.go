package cluster

import (
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

const (
	// settledMax bounds the connections of nodes to this one. Each other node has one, and for a moment two.
	settledMax = 256
	// waitingMax bounds the connections that have not said yet which node they are from. A node needs milliseconds for that,
	// so that whoever has waited longest goes first: no flood keeps nodes out that does not also take all the processor.
	waitingMax = 256
	// helloTimeout is how long a connection may take to say which node it is from.
	helloTimeout = 3 * time.Second
)

// lobby holds the connections that others have opened. gRPC limits neither their number nor how long they say nothing.
type lobby struct {
	refused func(from net.Addr, why string)

	mu      sync.Mutex
	waiting []*visitor // by when they came
	settled int
}

// visitor is one of them.
type visitor struct {
	net.Conn
	lobby *lobby
	late  *time.Timer
	state visitorState // under the lobby's lock
}

type visitorState int

const (
	isWaiting visitorState = iota
	isSettled
	isGone
)

// enter takes a connection in.
func (l *lobby) enter(raw net.Conn) *visitor {
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(probes) // without: the listener's, which are slower
	}
	v := &visitor{Conn: raw, lobby: l}
	l.mu.Lock()
	v.late = time.AfterFunc(helloTimeout, func() { l.turnOut(v, "it has not said which node it is") })
	l.waiting = append(l.waiting, v)
	var longest *visitor
	if len(l.waiting) > waitingMax {
		longest = l.waiting[0]
	}
	l.mu.Unlock()
	if longest != nil {
		l.turnOut(longest, "others wait, and it has waited longest")
	}
	return v
}

// turnOut a visitor who still waits.
func (l *lobby) turnOut(v *visitor, why string) {
	l.mu.Lock()
	waits := v.state == isWaiting
	l.mu.Unlock()
	if waits {
		l.refused(v.RemoteAddr(), why)
		_ = v.Close()
	}
}

// settle a visitor who has said which node it is; false where there are too many.
func (v *visitor) settle() bool {
	v.lobby.mu.Lock()
	defer v.lobby.mu.Unlock()
	switch {
	case v.state == isSettled:
		return true // its connection has had a stream before
	case v.state == isGone || v.lobby.settled >= settledMax:
		return false
	}
	v.leaveQueue()
	v.state = isSettled
	v.lobby.settled++
	return true
}

func (v *visitor) leaveQueue() {
	v.late.Stop()
	v.lobby.waiting = slices.DeleteFunc(v.lobby.waiting, func(other *visitor) bool { return other == v })
}

// Close the connection.
func (v *visitor) Close() error {
	v.lobby.mu.Lock()
	switch v.state {
	case isWaiting:
		v.leaveQueue()
	case isSettled:
		v.lobby.settled--
	case isGone:
	}
	v.state = isGone
	v.lobby.mu.Unlock()
	return v.Conn.Close()
}

// caller is what gRPC knows of the other end: what TLS says of it, and its place in the lobby.
type caller struct {
	credentials.AuthInfo
	visitor *visitor
}

// GetCommonAuthInfo is for gRPC's own checks.
func (c caller) GetCommonAuthInfo() credentials.CommonAuthInfo {
	if i, ok := c.AuthInfo.(interface {
		GetCommonAuthInfo() credentials.CommonAuthInfo
	}); ok {
		return i.GetCommonAuthInfo()
	}
	return credentials.CommonAuthInfo{}
}

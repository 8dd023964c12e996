package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	// frameBytesMax is the largest message taken: a block of 200,000 seats with ids of 36 bytes, or the reply that names all
	// of them. One larger than messageBytesMax is not sent: the difference is for the names of those it is from and for.
	frameBytesMax   = 8 << 20
	messageBytesMax = frameBytesMax - 256<<10
	// batchBytesMax is what messages are sent together up to, so that a small one does not wait long behind large ones, and
	// batchMessagesMax how many: beyond it batches gain nothing.
	batchBytesMax    = 1 << 20
	batchMessagesMax = 256

	// connectTimeout is for all of it: TCP, TLS, HTTP/2, and the peer's answer. Who sends to a peer meanwhile waits.
	connectTimeout = time.Second
	// deadTimeout is how long a peer may be silent on the network: a lease. A connection that is cut, not closed, is noticed
	// after it, and after as much as keepaliveTime where nothing was on its way.
	deadTimeout   = 2 * time.Second
	keepaliveTime = time.Second
	// clientKeepaliveTime is the least that gRPC allows. It finds a process that is stopped; TCP finds all else before.
	clientKeepaliveTime = 10 * time.Second
	redialDelayMax      = 300 * time.Millisecond
	// answerBytesMax bounds what a peer says back on our connection to it: that we are connected, and that it leaves.
	answerBytesMax = 16 << 10
	headersMax     = 16 << 10
)

// Wire says how nodes speak to each other.
type Wire struct {
	// Listen is host:port; port 0 is any free one.
	Listen string
	// Advertise is the host:port that other nodes reach this one at; "" is the listening address.
	Advertise string
	// TLS of both ends; nil: plaintext.
	TLS *WireTLS
	// TrustedNetwork allows plaintext outside loopback: whoever reaches the port is taken for a node then.
	TrustedNetwork bool
	// refused, where set, is called for each connection, call or stream that was refused because of what came over it.
	refused func()
	// undelivered, where set, is told of each message that certainly has not left this node.
	undelivered func(target, sender *actor.PID)
	// parted, where set, is told of the address of a node whose stream to this one has ended: with what was on its way.
	parted func(address string)
}

// Check says, in words for an operator, why this cannot or must not be used.
func (w Wire) Check() error {
	host, _, err := hostPort("the listening address", w.Listen)
	if err != nil {
		return err
	}
	reached := host
	if w.Advertise != "" {
		var port int
		if reached, port, err = hostPort("the advertised address", w.Advertise); err != nil {
			return err
		}
		if port == 0 {
			return fmt.Errorf("the advertised address %s has no port that others could reach", w.Advertise)
		}
	}
	if wildcard(reached) {
		if w.Advertise == "" {
			return fmt.Errorf("listening at %s is listening at every address: say which one other nodes reach, as the advertised address", w.Listen)
		}
		return fmt.Errorf("the advertised address %s is no address that others could reach", w.Advertise)
	}
	if w.TLS != nil {
		_, err := w.TLS.load(time.Now())
		return err
	}
	if !w.TrustedNetwork && (!loopback(host) || !loopback(reached)) {
		return fmt.Errorf("nodes would speak plaintext outside this machine (listening at %s, reached at %s), and whoever reaches "+
			"that port could buy without paying: configure TLS, or say in words that the network is trusted",
			w.Listen, or(w.Advertise, w.Listen))
	}
	return nil
}

// CertificateExpiry is when the certificate, or one that vouches for it, stops being good; the zero time without TLS, and
// where the files are of no use.
func (w Wire) CertificateExpiry() time.Time {
	if w.TLS == nil {
		return time.Time{}
	}
	return w.TLS.expiry(time.Now())
}

// config for remoting.
func (w Wire) config(log *slog.Logger) (*remote.Config, error) {
	host, port, err := hostPort("the listening address", w.Listen)
	if err != nil {
		return nil, err
	}
	l := &lines{Wire: w, log: log}
	creds := &credential{lobby: &lobby{refused: l.refuse}}
	if w.TLS != nil {
		if creds.ring, err = newKeyring(*w.TLS, log); err != nil {
			return nil, err
		}
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return remote.Configure(host, port,
		remote.WithAdvertisedHost(w.Advertise),
		remote.WithServerOptions(l.serverOptions(creds)...),
		remote.WithDialOptions(l.dialOptions(creds)...),
		remote.WithEndpointWriterBatchSize(batchMessagesMax),
		remote.WithEndpointWriterQueueSize(batchMessagesMax), // its first size: it grows
		func(c *remote.Config) { c.MaxRetryCount = 1 },
	), nil
}

// lines are a node's: those that others have opened to it, and those that it has opened.
type lines struct {
	Wire
	log              *slog.Logger
	refusals, losses seldom
}

func (l *lines) serverOptions(creds *credential) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(creds),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(frameBytesMax),
		grpc.MaxSendMsgSize(answerBytesMax),
		grpc.MaxHeaderListSize(headersMax),
		grpc.MaxConcurrentStreams(1), // a node has one on each connection
		grpc.ConnectionTimeout(deadTimeout),
		// gRPC sets TCP_USER_TIMEOUT to Timeout.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: deadTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientKeepaliveTime / 2, PermitWithoutStream: true}),
		grpc.StreamInterceptor(l.serveStream),
		grpc.UnaryInterceptor(l.serveUnary),
	}
}

func (l *lines) dialOptions(creds *credential) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: redialDelayMax / 6, Multiplier: 1.6, Jitter: 0.2, MaxDelay: redialDelayMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: clientKeepaliveTime, Timeout: deadTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerBytesMax), grpc.MaxCallSendMsgSize(frameBytesMax)),
		grpc.WithMaxHeaderListSize(headersMax),
		grpc.WithStreamInterceptor(l.open),
	}
}

// hangUpMax is for connections to be closed in order: a node that ends has no time to lose.
const hangUpMax = 500 * time.Millisecond

// hangUp ends all connections, in and out. remote.Shutdown leaves those that this node has opened, and where it is graceful
// it waits for other nodes, and races with them.
func hangUp(system *actor.ActorSystem, r *remote.Remote) {
	waitAtMost(hangUpMax/2, func() { // one of them may be connecting
		for _, id := range []string{"EndpointSupervisor", "activator"} {
			_ = system.Root.StopFuture(actor.NewPID(system.Address(), id)).Wait()
		}
	})
	waitAtMost(hangUpMax/2, func() { r.Shutdown(false) }) // gRPC waits for visitors that have not said anything yet
}

// waitAtMost waits for f that long, and then leaves it to itself.
func waitAtMost(most time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

func hostPort(what, address string) (string, int, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q is not host:port", what, address)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%s %q is not host:port, with a port number", what, address)
	}
	return host, int(port), nil
}

func wildcard(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// loopback: of other names than localhost nobody knows where they lead tomorrow.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

var errNotRemoting = errors.New("not a message of nodes")

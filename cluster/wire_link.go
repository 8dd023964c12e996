package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
)

const (
	// sendTimeout is how long a peer may leave unread what was sent to it, beyond what the network holds.
	sendTimeout = 3 * time.Second
	// refusedPatience is how long a connection that is refused is tried again: a node that was just started may listen in a
	// moment. It also is what keeps those that send to a dead node from trying all the time.
	refusedPatience = 250 * time.Millisecond
	refusedRetry    = 25 * time.Millisecond
	// helloPatience is connectTimeout, which says what is wrong, and time for the other node to answer.
	helloPatience = connectTimeout * 3 / 2
	// partingDelay: see outgoing.RecvMsg.
	partingDelay = 100 * time.Millisecond
	// unusedMax is how long a stream is kept that never was connected, and that nobody has sent anything on.
	unusedMax = 5 * time.Second
)

// probes find a peer that has gone without a word while nothing is on its way to it.
var probes = net.KeepAliveConfig{Enable: true, Idle: keepaliveTime, Interval: keepaliveTime, Count: 2}

// dial another node.
func dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout, KeepAliveConfig: probes}
	patience := time.Now().Add(refusedPatience)
	for {
		conn, err := d.DialContext(ctx, "tcp", address)
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(patience) {
			return conn, err
		}
		again := time.NewTimer(refusedRetry)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
	}
}

// outgoing is a stream that this node has opened, as protoactor sees it: one that always is connected, takes all that is
// sent, and says once that the other end parts. protoactor has no better use for the truth: after a failed connect it
// sleeps for 2 s, and loses what it has to send without telling the senders; after a failed send, too; and where it
// parts twice it ends the next connection to the same address.
type outgoing struct {
	grpc.ClientStream // nil: not connected
	lines             *lines
	address           string
	cancel            context.CancelFunc
	hello             *time.Timer
	// Of RecvMsg, which one at a time calls.
	greeted, connected, parted bool

	mu   sync.Mutex
	used chan struct{} // closed with the first message, and with the stream
	is   linkState
}

type linkState int

const (
	isOpen   linkState = iota
	isClosed           // by us
	isBroken
)

// open a stream to another node.
func (l *lines) open(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	o := &outgoing{lines: l, address: cc.Target(), cancel: cancel, used: make(chan struct{})}
	o.hello = time.AfterFunc(helloPatience, cancel)
	var err error
	if o.ClientStream, err = streamer(ctx, desc, cc, method, opts...); err != nil {
		o.fail(err)
	}
	return o, nil
}

// fail notes that nothing more comes or goes. It says whether that is news.
func (o *outgoing) fail(err error) {
	o.hello.Stop()
	o.cancel()
	o.mu.Lock()
	news := o.is == isOpen
	if news {
		o.is = isBroken
	}
	o.mu.Unlock()
	if !news {
		return
	}
	if more, now := o.lines.losses.now(); now {
		o.lines.log.Warn("no connection to another node", "address", o.address, "error", err, "more", more)
	}
}

func (o *outgoing) state() linkState {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.is
}

// use notes that protoactor has come as far as to send, or to end.
func (o *outgoing) use() {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-o.used:
	default:
		close(o.used)
	}
}

// SendMsg sends, or tells of each message that it has not been sent.
func (o *outgoing) SendMsg(m any) error {
	said, ok := m.(*remote.RemoteMessage)
	if !ok {
		return errNotRemoting
	}
	batch := said.GetMessageBatch()
	if batch != nil {
		o.use()
		o.send(batch)
		return nil
	}
	if o.state() == isOpen {
		if err := o.ClientStream.SendMsg(said); err != nil {
			o.fail(err)
		}
	}
	return nil
}

// send a batch, in parts where it is large.
func (o *outgoing) send(batch *remote.MessageBatch) {
	size, all := 0, batch.GetEnvelopes()
	for _, e := range all {
		size += len(e.GetMessageData())
	}
	switch {
	case size > batchBytesMax && len(all) > 1:
		for _, half := range [][]*remote.MessageEnvelope{all[:len(all)/2], all[len(all)/2:]} {
			o.send(&remote.MessageBatch{TypeNames: batch.GetTypeNames(), Targets: batch.GetTargets(), Senders: batch.GetSenders(), Envelopes: half})
		}
		return
	case size > messageBytesMax:
		o.lines.log.Error("message to another node is too large, and not sent", "bytes", size, "most", messageBytesMax,
			"type", batch.GetTypeNames()[all[0].GetTypeId()])
	case o.state() == isOpen:
		late := time.AfterFunc(sendTimeout, o.cancel)
		err := o.ClientStream.SendMsg(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: batch}})
		late.Stop()
		if err == nil {
			return
		}
		o.fail(err)
	}
	if o.lines.undelivered == nil {
		return
	}
	for _, e := range all {
		var sender *actor.PID
		if i := e.GetSender(); i > 0 {
			sender = batch.GetSenders()[i-1]
		}
		o.lines.undelivered(batch.GetTargets()[e.GetTarget()], sender)
	}
}

// RecvMsg is first that we are connected, and then, after a while, that the other end parts.
func (o *outgoing) RecvMsg(m any) error {
	said, ok := m.(*remote.RemoteMessage)
	if !ok {
		return errNotRemoting
	}
	if !o.greeted {
		o.greeted = true
		if o.state() == isOpen {
			if err := o.ClientStream.RecvMsg(said); err != nil {
				o.fail(err)
			} else {
				o.connected = true
			}
			o.hello.Stop()
		}
		said.MessageType = &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}
		return nil
	}
	if o.parted {
		return io.EOF
	}
	o.parted = true
	err := errParted
	if o.state() == isOpen {
		if e := o.ClientStream.RecvMsg(said); e != nil {
			err = e
		}
	}
	o.fail(err)
	if o.state() == isClosed {
		return io.EOF
	}
	// protoactor has yet to note that it is connected, perhaps. Were it to hear first that it no longer is, it would connect
	// once more for nobody, and so on. Each end of the chain would cut off the next, for ever, where nobody listens any more:
	// who never was connected parts once somebody has sent, or long after.
	delay := partingDelay
	if !o.connected {
		delay = unusedMax
	}
	late := time.NewTimer(delay)
	defer late.Stop()
	select {
	case <-o.used:
	case <-late.C:
	}
	if o.state() == isClosed {
		return io.EOF
	}
	said.MessageType = &remote.RemoteMessage_DisconnectRequest{DisconnectRequest: &remote.DisconnectRequest{}}
	return nil
}

var errParted = errors.New("the other node parts")

// CloseSend is protoactor's way to end the stream.
func (o *outgoing) CloseSend() error {
	o.mu.Lock()
	o.is = isClosed
	o.mu.Unlock()
	o.use()
	if o.ClientStream == nil {
		return nil
	}
	return o.ClientStream.CloseSend()
}

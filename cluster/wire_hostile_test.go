package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// intruder speaks the nodes' protocol to a node, and is none.
type intruder struct {
	testing.TB
	node *wired
	conn *grpc.ClientConn
	remote.Remoting_ReceiveClient
}

func newIntruder(ctx context.Context, n *wired, options ...grpc.CallOption) *intruder {
	n.Helper()
	i := &intruder{TB: n, node: n}
	var err error
	i.conn, err = grpc.NewClient("passthrough:///"+n.address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		n.Fatal(err)
	}
	if i.Remoting_ReceiveClient, err = remote.NewRemotingClient(i.conn).Receive(ctx, options...); err != nil {
		n.Fatal(err)
	}
	return i
}

// from is where the intruder says it is.
const from = "127.0.0.1:1"

func hello() *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ServerConnection{ServerConnection: &remote.ServerConnection{SystemId: "x", Address: from}},
	}}}
}

// greet as a node does.
func (i *intruder) greet() {
	i.Helper()
	if err := i.Send(hello()); err != nil {
		i.Fatal(err)
	}
	if m, err := i.Recv(); err != nil || m.GetConnectResponse() == nil {
		i.Fatalf("%v, %v", m, err)
	}
}

// ends is what the stream ends with.
func (i *intruder) ends() codes.Code {
	i.Helper()
	for {
		if _, err := i.Recv(); err != nil {
			return status.Code(err)
		}
	}
}

func batchOf(b *remote.MessageBatch) *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}
}

// ping is a sound batch to a node, with changes.
func ping(address string, changes ...func(*remote.MessageBatch)) *remote.MessageBatch {
	b := &remote.MessageBatch{
		TypeNames: []string{"boxoffice.v1.Ping"},
		Targets:   []*actor.PID{actor.NewPID(address, doorID)}, Senders: []*actor.PID{actor.NewPID(from, replyPrefix+"x")},
		Envelopes: []*remote.MessageEnvelope{{Sender: 1}},
	}
	for _, change := range changes {
		change(b)
	}
	return b
}

// typed makes it a message of a type.
func typed(m proto.Message) func(*remote.MessageBatch) {
	return func(b *remote.MessageBatch) {
		b.TypeNames[0] = string(proto.MessageName(m))
		b.Envelopes[0].MessageData, _ = proto.Marshal(m)
	}
}

func to(id string) func(*remote.MessageBatch) {
	return func(b *remote.MessageBatch) { b.Targets[0].Id = id }
}

func unsigned(b *remote.MessageBatch) { b.Envelopes[0].Sender = 0 }

// hostile batches: each would make protoactor panic, stop an actor, or speak to somebody that is none of the sender's
// business.
func hostile(address string) map[string]*remote.MessageBatch {
	envelope := func(change func(*remote.MessageEnvelope)) *remote.MessageBatch {
		return ping(address, func(b *remote.MessageBatch) { change(b.Envelopes[0]) })
	}
	all := map[string]*remote.MessageBatch{
		"negative target": envelope(func(e *remote.MessageEnvelope) { e.Target = -1 }),
		"target":          envelope(func(e *remote.MessageEnvelope) { e.Target = 1 }),
		"highest target":  envelope(func(e *remote.MessageEnvelope) { e.Target = 1<<31 - 1 }),
		"no targets":      ping(address, func(b *remote.MessageBatch) { b.Targets = nil }),
		"negative sender": envelope(func(e *remote.MessageEnvelope) { e.Sender = -1 }),
		"lowest sender":   envelope(func(e *remote.MessageEnvelope) { e.Sender = -1 << 31 }),
		"sender":          envelope(func(e *remote.MessageEnvelope) { e.Sender = 2 }),
		"no sender":       envelope(func(e *remote.MessageEnvelope) { e.Sender = 0 }),
		"negative type":   envelope(func(e *remote.MessageEnvelope) { e.TypeId = -1 }),
		"type":            envelope(func(e *remote.MessageEnvelope) { e.TypeId = 1 }),
		"JSON":            envelope(func(e *remote.MessageEnvelope) { e.SerializerId = 1 }),
		"serializer":      envelope(func(e *remote.MessageEnvelope) { e.SerializerId = 2 }),
		"serializer -1":   envelope(func(e *remote.MessageEnvelope) { e.SerializerId = -1 }),
		"request id":      envelope(func(e *remote.MessageEnvelope) { e.TargetRequestId = 1 }),
		"sender's id":     envelope(func(e *remote.MessageEnvelope) { e.SenderRequestId = 1 }),
		"headers": envelope(func(e *remote.MessageEnvelope) {
			e.MessageHeader = &remote.MessageHeader{HeaderData: map[string]string{"a": "b"}}
		}),
		"unknown type":    ping(address, func(b *remote.MessageBatch) { b.TypeNames[0] = "boxoffice.v1.Nothing" }),
		"no type":         ping(address, func(b *remote.MessageBatch) { b.TypeNames[0] = "" }),
		"Live":            ping(address, typed(&messages.Live{})),
		"PoisonPill":      ping(address, typed(&actor.PoisonPill{})),
		"ActorPidRequest": ping(address, typed(&remote.ActorPidRequest{Kind: "x"}), to("activator")),
		"garbage":         envelope(func(e *remote.MessageEnvelope) { e.MessageData = []byte("\xff\xff\xff") }),
		"not text":        envelope(func(e *remote.MessageEnvelope) { e.MessageData = []byte("\x0a\x01\xff") }),
		"another address": ping("127.0.0.1:2"),
		"nonhost":         ping("nonhost"),
		"another sender":  ping(address, func(b *remote.MessageBatch) { b.Senders[0].Address = "127.0.0.1:2" }),
		"sender's door":   ping(address, func(b *remote.MessageBatch) { b.Senders[0].Id = doorID }),
		"reply to door":   ping(address, typed(&messages.Reply{}), unsigned),
		"ping to inbox":   ping(address, to(replyPrefix+"test")),
		"an event":        ping(address, typed(&messages.Request{EventId: "E1"}), to("event/E1/1")),
		"empty seats": ping(address, typed(&messages.Reply{Order: &messages.Order{Seats: manySeats(1 << 16)}}), to(replyPrefix+"x"),
			unsigned),
		"types":   ping(address, func(b *remote.MessageBatch) { b.TypeNames = make([]string, batchMessagesMax+1) }),
		"nothing": ping(address, func(b *remote.MessageBatch) { b.Envelopes = make([]*remote.MessageEnvelope, batchMessagesMax+1) }),
	}
	for _, system := range []proto.Message{
		&actor.Stop{}, &actor.Watch{Watcher: actor.NewPID(from, "x")}, &actor.Unwatch{}, &actor.Terminated{Who: actor.NewPID(from, "x")},
		&actor.Terminated{}, &actor.Touch{},
	} {
		for _, id := range []string{doorID, "EndpointSupervisor", "activator", "eventstream", replyPrefix + "test", "nobody"} {
			all[fmt.Sprintf("%T to %s", system, id)] = ping(address, typed(system), to(id), unsigned)
		}
	}
	return all
}

func manySeats(n int) []*messages.Seat {
	list := make([]*messages.Seat, n)
	for i := range list {
		list[i] = &messages.Seat{}
	}
	return list
}

// quietly: after what f does the node answers another, and has as many goroutines as before.
func quietly(t *testing.T, f func(*testing.T, *wired)) {
	t.Helper()
	n, other := newWired(t, plain), newWired(t, plain)
	other.pings(n.address())
	before := runtime.NumGoroutine()
	f(t, n)
	other.pings(n.address())
	eventually(t, 2*helloTimeout, fmt.Sprintf("as few goroutines as before: %d", before), func() bool { return runtime.NumGoroutine() <= before })
	if strings.Contains(n.log.String(), "panic") {
		t.Errorf("logged:\n%s", &n.log)
	}
}

// Goal: no message kills a node, or reaches what it must not reach. Method: a client that speaks the protocol, and each
// message that would.
func TestHostileMessages(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		for name, b := range hostile(n.address()) {
			i := newIntruder(within(t, 10*time.Second), n)
			i.greet()
			refused, delivered := n.refused.Load(), n.delivered.Load()
			if err := i.Send(batchOf(b)); err != nil {
				t.Fatal(err)
			}
			if got := i.ends(); got != codes.InvalidArgument && got != codes.Internal && got != codes.Unknown {
				t.Errorf("%s: the stream ends with %v", name, got)
			}
			_ = i.conn.Close()
			eventually(t, 5*time.Second, name+" is counted", func() bool { return n.refused.Load() == refused+1 })
			if n.delivered.Load() != delivered {
				t.Errorf("%s: delivered", name)
			}
		}
		if n := strings.Count(n.log.String(), "refused on the nodes' port"); n != 1 {
			t.Errorf("logged %d times within a moment", n)
		}
		i := newIntruder(within(t, 10*time.Second), n) // what all of them were made from is sound
		i.greet()
		if err := i.Send(batchOf(ping(n.address()))); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "a sound message is delivered", func() bool { return n.delivered.Load() == 2 })
		_ = i.conn.Close()
	})
}

// Goal: the same for what is no batch: streams that begin or go on as none of a node does. Method: as above.
func TestHostileStreams(t *testing.T) {
	client := &remote.ConnectRequest_ClientConnection{ClientConnection: &remote.ClientConnection{SystemId: "x"}}
	connect := func(c *remote.ConnectRequest) *remote.RemoteMessage {
		return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: c}}
	}
	server := func(id, address string) *remote.RemoteMessage {
		return connect(&remote.ConnectRequest{ConnectionType: &remote.ConnectRequest_ServerConnection{
			ServerConnection: &remote.ServerConnection{SystemId: id, Address: address},
		}})
	}
	quietly(t, func(t *testing.T, n *wired) {
		for name, said := range map[string][]*remote.RemoteMessage{
			"nothing": {{}}, "no kind": {connect(&remote.ConnectRequest{})}, "a client": {connect(&remote.ConnectRequest{ConnectionType: client})},
			"no id": {server("", from)}, "no address": {server("x", "")}, "no port": {server("x", "127.0.0.1")},
			"a long name": {server(strings.Repeat("x", idBytesMax+1), from)}, "no greeting": {batchOf(ping(n.address()))},
			"twice": {hello(), hello()}, "an answer": {hello(), {MessageType: &remote.RemoteMessage_ConnectResponse{}}},
			"parting": {hello(), {MessageType: &remote.RemoteMessage_DisconnectRequest{}}},
			"20 MB":   {hello(), batchOf(ping(n.address(), func(b *remote.MessageBatch) { b.Envelopes[0].MessageData = make([]byte, 20<<20) }))},
		} {
			i := newIntruder(within(t, 20*time.Second), n)
			refused := n.refused.Load()
			for _, m := range said {
				_ = i.Send(m) // the stream may have ended
			}
			switch got := i.ends(); got {
			case codes.InvalidArgument, codes.Internal, codes.ResourceExhausted:
			default:
				t.Errorf("%s: the stream ends with %v", name, got)
			}
			_ = i.conn.Close()
			eventually(t, 5*time.Second, name+" is counted", func() bool { return n.refused.Load() == refused+1 })
		}
	})
}

// Goal: a million of what takes two bytes each is refused before there is room made for it. Method: raw bytes; the
// node's memory, which would hold some 150 MB.
func TestHostileMillion(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		i := newIntruder(within(t, 20*time.Second), n, grpc.ForceCodecV2(rawCodec{newCodec().CodecV2}))
		i.greet()
		var before, after runtime.MemStats
		million := million()
		runtime.ReadMemStats(&before)
		if err := i.SendMsg(raw(million)); err != nil {
			t.Fatal(err)
		}
		if got := i.ends(); got != codes.Internal {
			t.Errorf("the stream ends with %v", got)
		}
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 32<<20 {
			t.Errorf("%d bytes taken", taken)
		}
		_ = i.conn.Close()
		eventually(t, 5*time.Second, "it is counted", func() bool { return n.refused.Load() == 1 })
	})
}

// million is a batch of as many empty envelopes.
func million() []byte {
	many := make([]byte, 0, 2<<20)
	for range 1_000_000 {
		many = protowire.AppendBytes(protowire.AppendTag(many, envelopes, protowire.BytesType), nil)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, batchField, protowire.BytesType), many)
}

// raw is sent as it is.
type raw []byte

type rawCodec struct{ encoding.CodecV2 }

// Marshal leaves bytes as they are.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.(raw); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Goal: a small message that is large once it is read is taken no further than the limit. Method: zeros, compressed.
func TestHostileCompression(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		i := newIntruder(within(t, 60*time.Second), n, grpc.UseCompressor(gzip.Name))
		i.greet()
		bomb := ping(n.address(), func(b *remote.MessageBatch) { b.Envelopes[0].MessageData = make([]byte, 2*frameBytesMax) })
		if err := i.Send(batchOf(bomb)); err != nil {
			t.Fatal(err)
		}
		if got := i.ends(); got != codes.ResourceExhausted {
			t.Errorf("the stream ends with %v", got)
		}
		_ = i.conn.Close()
	})
}

// Goal: the calls of the service that protoactor has not made are answered, not panicked at. Method: call them.
func TestHostileCalls(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		conn, err := grpc.NewClient("passthrough:///"+n.address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client := remote.NewRemotingClient(conn)
		if _, err := client.ListProcesses(t.Context(), &remote.ListProcessesRequest{}); status.Code(err) != codes.Unimplemented {
			t.Error(err)
		}
		if _, err := client.GetProcessDiagnostics(t.Context(), &remote.GetProcessDiagnosticsRequest{}); status.Code(err) != codes.Unimplemented {
			t.Error(err)
		}
		if err := conn.Invoke(t.Context(), "/else.where/Call", &remote.ListProcessesRequest{}, &remote.ListProcessesResponse{}); status.Code(err) != codes.Unimplemented {
			t.Error(err)
		}
		eventually(t, 5*time.Second, "it is counted", func() bool { return n.refused.Load() == 2 })
	})
}

// Goal: what is no gRPC, or stops in the middle, goes within a few seconds, and keeps no node out. Method: raw connections
// that are left open.
func TestHostileBytes(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	random := make([]byte, 1<<16)
	_, _ = rand.Read(random)
	settings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	for name, said := range map[string]string{
		"HTTP/1": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "random": string(random), "nothing": "", "half a preface": preface[:12],
		"a preface": preface, "half a frame": preface + settings + "\x00\x40\x00\x00\x00\x00\x00\x00\x01half",
		"no stream": preface + settings, "TLS": "\x16\x03\x01\x00\xff\x01",
	} {
		t.Run(name, func(t *testing.T) {
			quietly(t, func(t *testing.T, n *wired) {
				conn, err := net.Dial("tcp", n.address())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = conn.Write([]byte(said)) // it may have been closed
				_ = conn.SetReadDeadline(time.Now().Add(2 * helloTimeout))
				for err == nil {
					_, err = conn.Read(make([]byte, 1<<10))
				}
				if late, ok := err.(net.Error); ok && late.Timeout() { //nolint:errorlint // it comes as it is
					t.Error("it may stay")
				}
			})
		})
	}
}

// Goal: a stream that is opened and says nothing goes; one connection has no second stream. Method: gRPC's own client,
// which answers all that HTTP/2 asks.
func TestHostileSilence(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		i := newIntruder(within(t, 20*time.Second), n)
		if got := i.ends(); got != codes.Unavailable {
			t.Errorf("the stream ends with %v", got)
		}
		_ = i.conn.Close()
		i = newIntruder(within(t, 20*time.Second), n)
		i.greet()
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := remote.NewRemotingClient(i.conn).Receive(brief); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("a second stream: %v", err)
		}
		_ = i.conn.Close()
	})
}

// Goal: a thousand connections that say nothing keep no node out while they are there, and do not stay. Method: open them,
// with another node that begins to speak in their midst.
func TestHostileCrowd(t *testing.T) {
	for name, wire := range map[string]func() Wire{"plaintext": func() Wire { return plain }, "TLS": newAuthority(t).anySecret()} {
		t.Run(name, func(t *testing.T) {
			n := newWired(t, wire())
			conns := make([]net.Conn, 0, 1_000)
			for range cap(conns) {
				c, err := net.Dial("tcp", n.address())
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
			}
			newcomer := newWired(t, wire())
			t.Logf("reached after %v", newcomer.pings(n.address()))
			late := time.Now().Add(2 * helloTimeout)
			for i, c := range conns {
				_ = c.SetReadDeadline(late)
				var err error
				for err == nil {
					_, err = c.Read(make([]byte, 1<<10))
				}
				if e, ok := err.(net.Error); ok && e.Timeout() { //nolint:errorlint // it comes as it is
					t.Fatalf("connection %d may stay", i)
				}
				_ = c.Close()
			}
			newcomer.pings(n.address())
		})
	}
}

// Goal: settled connections have a limit, and those that are there do not suffer. Method: as many intruders.
func TestHostileSettlers(t *testing.T) {
	quietly(t, func(t *testing.T, n *wired) {
		all := make([]*intruder, 0, settledMax)
		for range settledMax - 1 { // a node is there
			i := newIntruder(within(t, 60*time.Second), n)
			i.greet()
			all = append(all, i)
		}
		one := newIntruder(within(t, 60*time.Second), n)
		if err := one.Send(hello()); err != nil {
			t.Fatal(err)
		}
		if got := one.ends(); got != codes.InvalidArgument {
			t.Errorf("one too many: %v", got)
		}
		_ = all[0].conn.Close()
		eventually(t, 10*time.Second, "there is room again", func() bool {
			i := newIntruder(within(t, 10*time.Second), n)
			defer i.conn.Close()
			_ = i.Send(hello())
			_, err := i.Recv()
			return err == nil
		})
		for _, i := range append(all, one) {
			_ = i.conn.Close()
		}
	})
}

// Goal: what arrives as two batches in one message, which protobuf adds up, is counted as a whole. Method: raw bytes.
func TestFrame(t *testing.T) {
	one, err := proto.Marshal(batchOf(ping("x:1")))
	if err != nil {
		t.Fatal(err)
	}
	headers, err := proto.Marshal(batchOf(ping("x:1", func(b *remote.MessageBatch) { b.Envelopes[0].MessageHeader = &remote.MessageHeader{} })))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"one": {one, nil}, "nothing": {nil, nil}, "two": {append(one, one...), tooMany}, "headers": {headers, withHeaders},
		"cut": {one[:len(one)-1], malformed}, "no tag": {[]byte{0xff}, malformed}, "many": {million(), tooMany},
	} {
		if err := frame(c.raw); err != c.want { //nolint:errorlint // as it is
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

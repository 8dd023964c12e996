package cluster

import (
	"net"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"boxoffice/messages"
)

// What may come in from other nodes is a closed list. protoactor takes indexes, types and serializers of a message as they
// come and panics where they lead nowhere, delivers to any actor, and knows messages that stop one; so nothing reaches it
// that has not been looked at here.

const (
	// idBytesMax bounds names of actors, members and addresses: theirs have some 50.
	idBytesMax = 512
	// elementsMax bounds the messages inside a message, of which an empty one takes 2 bytes on the wire and a hundred in
	// memory: a hall has 1,000 categories, an order 100 seats with tickets. It is looked at from elementsBytesMin on.
	elementsMax      = 4_096
	elementsBytesMin = 32 << 10
)

// toDoor and toInbox are the messages that nodes exchange, and who they are for.
var (
	toDoor  = kinds(&messages.Request{}, &messages.Release{}, &messages.Ping{})
	toInbox = kinds(&messages.Reply{}, &messages.Elsewhere{}, &messages.Released{}, &messages.Pong{}, &actor.DeadLetterResponse{})
)

func kinds(list ...proto.Message) map[string]protoreflect.MessageDescriptor {
	m := make(map[string]protoreflect.MessageDescriptor, len(list))
	for _, k := range list {
		d := k.ProtoReflect().Descriptor()
		m[string(d.FullName())] = d
	}
	return m
}

// refusal says what is wrong with a message, without saying anything of what is in it.
type refusal string

func (r refusal) Error() string { return "refused: " + string(r) }

const (
	malformed       = refusal("malformed")
	tooMany         = refusal("too many parts")
	withHeaders     = refusal("headers")
	badFirst        = refusal("the first message does not say which node it is from")
	badKind         = refusal("a kind of message that nodes do not send")
	badType         = refusal("a type that nodes do not send")
	badSerializer   = refusal("not protobuf")
	badTarget       = refusal("for nobody here that takes it")
	badSender       = refusal("not from the node at the other end")
	tooManyVisitors = refusal("too many connections")
)

// conversation is what one stream has brought so far.
type conversation struct {
	own  string // our address
	from string // the other node's; "" until it has said so
}

// take says whether protoactor may have the message.
func (c *conversation) take(m *remote.RemoteMessage) error {
	if c.from == "" {
		hello := m.GetConnectRequest().GetServerConnection()
		if _, _, err := net.SplitHostPort(hello.GetAddress()); err != nil || len(hello.GetAddress()) > idBytesMax ||
			hello.GetSystemId() == "" || len(hello.GetSystemId()) > idBytesMax {
			return badFirst
		}
		c.from = hello.GetAddress()
		return nil
	}
	batch := m.GetMessageBatch()
	if batch == nil {
		return badKind
	}
	if max(len(batch.GetEnvelopes()), len(batch.GetTargets()), len(batch.GetSenders()), len(batch.GetTypeNames())) > batchMessagesMax {
		return tooMany
	}
	for _, e := range batch.GetEnvelopes() {
		if err := c.envelope(batch, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversation) envelope(batch *remote.MessageBatch, e *remote.MessageEnvelope) error {
	if e.GetSerializerId() != 0 {
		return badSerializer
	}
	if e.GetMessageHeader() != nil {
		return withHeaders
	}
	typeName, ok := at(batch.GetTypeNames(), int(e.GetTypeId()))
	if !ok {
		return badType
	}
	target, ok := at(batch.GetTargets(), int(e.GetTarget()))
	if !ok || !good(target, c.own) || e.GetTargetRequestId() != 0 {
		return badTarget
	}
	var sender *actor.PID
	if i := int(e.GetSender()); i != 0 { // the first is 1
		if sender, ok = at(batch.GetSenders(), i-1); !ok || !good(sender, c.from) || e.GetSenderRequestId() != 0 {
			return badSender
		}
	}
	kind := toDoor[typeName]
	if kind != nil {
		if target.GetId() != doorID {
			return badTarget
		}
		if !strings.HasPrefix(sender.GetId(), replyPrefix) {
			return badSender
		}
	} else if kind = toInbox[typeName]; kind == nil {
		return badType
	} else if !strings.HasPrefix(target.GetId(), replyPrefix) {
		return badTarget
	}
	if len(e.GetMessageData()) < elementsBytesMin {
		return nil
	}
	left := elementsMax
	return elements(kind, e.GetMessageData(), &left)
}

// at is index i of a list that another node sent.
func at[T any](list []T, i int) (T, bool) {
	if i < 0 || i >= len(list) {
		var none T
		return none, false
	}
	return list[i], true
}

// good: a name of an actor at that address.
func good(p *actor.PID, address string) bool {
	return p != nil && p.Address == address && p.Id != "" && len(p.Id) <= idBytesMax && p.RequestId == 0
}

// elements counts the messages inside a message.
func elements(kind protoreflect.MessageDescriptor, raw []byte, left *int) error {
	return parts(raw, func(n protowire.Number, value []byte) error {
		field := kind.Fields().ByNumber(n)
		if field == nil || field.Message() == nil {
			return nil
		}
		if *left--; *left < 0 {
			return tooMany
		}
		return elements(field.Message(), value, left)
	})
}

// parts calls f for each part of a message that has a length: texts, bytes and messages.
func parts(raw []byte, f func(protowire.Number, []byte) error) error {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return malformed
		}
		raw = raw[n:]
		if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
			return malformed
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(raw)
			if err := f(number, value); err != nil {
				return err
			}
		}
		raw = raw[n:]
	}
	return nil
}

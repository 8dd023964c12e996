package cluster

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"boxoffice/messages"
)

// exchanged is all that nodes send each other. What a node sends beyond it is refused by the other end.
var exchanged = []proto.Message{
	&messages.Request{}, &messages.Release{}, &messages.Ping{},
	&messages.Reply{}, &messages.Elsewhere{}, &messages.Released{}, &messages.Pong{}, &actor.DeadLetterResponse{},
}

// Goal: a message that cannot travel fails here, not a buyer. Method: every type that nodes exchange is registered, on the
// list, and no system message; the list holds no other; and each comes out as it went in, with all fields set, once for
// each of its oneofs' cases.
func TestMessagesTravel(t *testing.T) {
	var listed []string
	for _, m := range exchanged {
		name := proto.MessageName(m)
		listed = append(listed, string(name))
		if _, err := protoregistry.GlobalTypes.FindMessageByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if toDoor[string(name)] == nil && toInbox[string(name)] == nil {
			t.Errorf("%s is not on the list", name)
		}
		if _, ok := m.(actor.SystemMessage); ok {
			t.Errorf("%s is a system message", name)
		}
		if _, ok := m.(actor.AutoReceiveMessage); ok {
			t.Errorf("%s is one that protoactor receives itself", name)
		}
		for _, full := range filled(m) {
			raw, typeName, err := remote.Serialize(full, remote.DefaultSerializerID)
			if err != nil {
				t.Fatal(err)
			}
			got, err := remote.Deserialize(raw, typeName, remote.DefaultSerializerID)
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got.(proto.Message), full) {
				t.Errorf("%v\ncame as\n%v", full, got)
			}
			n := elementsMax
			if err := elements(full.ProtoReflect().Descriptor(), raw, &n); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	slices.Sort(listed)
	if got := slices.Sorted(maps.Keys(toDoor)); len(got)+len(toInbox) != len(listed) {
		t.Errorf("the list holds %v and %v, nodes exchange %v", got, slices.Sorted(maps.Keys(toInbox)), listed)
	}
}

// Goal: every call of a request and every field of a reply survives the way over a real connection. Method: two nodes, and
// a door that shows what came.
func TestCallsTravel(t *testing.T) {
	arrived := make(chan proto.Message, 64)
	a, b := newWired(t, plain), newWired(t, plain, func(c actor.Context) {
		if m, ok := c.Message().(proto.Message); ok && c.Sender() != nil {
			arrived <- m
		}
	})
	calls := filled(&messages.Request{})
	if cases := new(messages.Request).ProtoReflect().Descriptor().Oneofs().ByName("call").Fields().Len(); len(calls) < cases {
		t.Fatalf("%d requests for %d calls", len(calls), cases)
	}
	for _, call := range calls {
		a.send(b.address(), call)
		if got := <-arrived; !proto.Equal(got, call) {
			t.Errorf("%v\ncame as\n%v", call, got)
		}
	}
	for _, m := range exchanged {
		if toInbox[string(proto.MessageName(m))] == nil {
			continue
		}
		for _, reply := range filled(m) {
			b.system.Root.Send(actor.NewPID(a.address(), a.inbox.Id), reply)
			got, ok := a.answer(10 * time.Second).(proto.Message)
			if !ok || !proto.Equal(got, reply) {
				t.Errorf("%v\ncame as\n%v", reply, got)
			}
		}
	}
	if n := a.refused.Load() + b.refused.Load(); n != 0 {
		t.Errorf("%d refused:\n%s%s", n, &a.log, &b.log)
	}
}

// filled is the message with all its fields set, as often as it takes to see every case of every oneof.
func filled(m proto.Message) []proto.Message {
	var all []proto.Message
	for round := 0; ; round++ {
		full := m.ProtoReflect().New()
		more := fill(full, round)
		all = append(all, full.Interface())
		if !more {
			return all
		}
	}
}

// fill all fields; of oneofs the case of the round, or the last. It says whether there are more.
func fill(m protoreflect.Message, round int) (more bool) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
			more = more || round < o.Fields().Len()-1
			if o.Fields().Get(min(round, o.Fields().Len()-1)) != f {
				continue
			}
		}
		switch {
		case f.IsMap():
			v := m.NewField(f).Map().NewValue()
			if f.MapValue().Message() != nil {
				more = fill(v.Message(), round) || more
			} else {
				v = scalar(f.MapValue(), i)
			}
			m.Mutable(f).Map().Set(scalar(f.MapKey(), i).MapKey(), v)
		case f.IsList():
			list := m.Mutable(f).List()
			for n := range 2 {
				if f.Message() != nil {
					more = fill(list.AppendMutable().Message(), round) || more
				} else {
					list.Append(scalar(f, i+n))
				}
			}
		case f.Message() != nil:
			more = fill(m.Mutable(f).Message(), round) || more
		default:
			m.Set(f, scalar(f, i))
		}
	}
	return more
}

// scalar that is not the default.
func scalar(f protoreflect.FieldDescriptor, i int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(f.Enum().Values().Len() - 1).Number())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("ü" + strings.Repeat("x", i+1))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0xff, byte(i)})
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(1.5)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(1.5)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(-1 - i))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(-1 - i))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(1<<31 + uint32(i))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(1<<63 + uint64(i))
	}
	panic("no value for " + f.FullName())
}

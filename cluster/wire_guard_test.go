package cluster

import (
	"errors"
	"testing"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// Goal: whatever bytes come in, the guard neither panics nor lets through what protoactor would panic at, or would hand to
// somebody else than the door and those that wait for a reply. Method: do with what it lets through what protoactor does.
func FuzzGuard(f *testing.F) {
	const own = "127.0.0.1:9"
	seeds := []*remote.RemoteMessage{{}, hello(), batchOf(ping(own))}
	for _, b := range hostile(own) {
		seeds = append(seeds, batchOf(b))
	}
	for _, s := range seeds {
		if raw, err := proto.Marshal(s); err == nil && len(raw) < 1<<12 {
			f.Add(raw, true)
			f.Add(raw, false)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, greeted bool) {
		m := new(remote.RemoteMessage)
		if unmarshal(raw, m) != nil {
			return
		}
		c := conversation{own: own}
		if greeted {
			c.from = from
		}
		if c.take(m) != nil {
			return
		}
		if !greeted {
			if m.GetConnectRequest().GetServerConnection().GetAddress() != c.from || m.GetMessageBatch() != nil {
				t.Fatalf("first: %v", m)
			}
			return
		}
		deliver(t, own, m.GetMessageBatch())
	})
}

// deliver as protoactor does, which looks at nothing first.
func deliver(t *testing.T, own string, b *remote.MessageBatch) {
	for _, e := range b.Envelopes {
		target := b.Targets[e.Target]
		if e.Sender != 0 {
			if s := b.Senders[e.Sender-1]; s.Address != from {
				t.Fatalf("from %v", s)
			}
		}
		typeName := b.TypeNames[e.TypeId]
		m, err := remote.Deserialize(e.MessageData, typeName, e.SerializerId)
		if err != nil {
			continue // protoactor ends the stream
		}
		if _, ok := m.(remote.RootSerialized); ok {
			t.Fatalf("%T", m)
		}
		if target.Address != own || (target.Id == doorID) != (toDoor[typeName] != nil) || e.MessageHeader != nil {
			t.Fatalf("%s for %v", typeName, target)
		}
	}
}

// Goal: a message with more inside than any of ours is refused before it is read, and no legal one is. Method: the largest
// of each, and one more.
func TestElements(t *testing.T) {
	raw := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	left := func(m proto.Message) error {
		n := elementsMax
		return elements(m.ProtoReflect().Descriptor(), raw(m), &n)
	}
	report := &messages.Report{Orders: map[string]uint64{}}
	event := &messages.Event{}
	for range 1_000 {
		report.Categories = append(report.Categories, &messages.Report_CategoryLine{Name: "x"})
		event.Categories = append(event.Categories, &messages.Category{Name: "x"})
	}
	for s := range messages.OrderStatus_name {
		report.Orders[messages.OrderStatus(s).String()] = 1
	}
	order := &messages.Order{Seats: manySeats(100), Tickets: make([]*messages.Ticket, 0, 100)}
	for range 100 {
		order.Tickets = append(order.Tickets, &messages.Ticket{})
	}
	largest := &messages.Reply{Report: report, Event: event, Order: order, Seats: make([]string, 200_000)}
	if err := left(largest); err != nil {
		t.Error(err)
	}
	if err := left(&messages.Reply{Order: &messages.Order{Seats: manySeats(elementsMax)}}); !errors.Is(err, tooMany) {
		t.Error(err)
	}
}

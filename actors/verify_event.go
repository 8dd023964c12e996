package actors

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"boxoffice/messages"
)

// compareEvent holds what browsing shows against the journal's settings, field by field.
func (r *audit) compareEvent(want *messages.Event) {
	if r.a.Event == nil || want == nil {
		return
	}
	got, ok := proto.Clone(r.a.Event).(*messages.Event)
	if !ok {
		panic("actors: a clone of another type")
	}
	// What time makes of a status is the reader's affair.
	if got.GetStatus() == messages.EventStatus_EVENT_STATUS_SCHEDULED {
		got.Status = messages.EventStatus_EVENT_STATUS_ON_SALE
	}
	fields := want.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if w, g := only(want, f), only(got, f); !proto.Equal(w, g) {
			r.find("event: the journal says {%v}, the table says {%v}", w, g)
		}
	}
}

// only is the event with nothing but one of its fields.
func only(e *messages.Event, f protoreflect.FieldDescriptor) *messages.Event {
	one := &messages.Event{}
	if e.ProtoReflect().Has(f) {
		one.ProtoReflect().Set(f, e.ProtoReflect().Get(f))
	}
	return one
}

// compareSessions by the orders that the journal completed for them, and by how it ended them. A session may have ended
// before the journal says so, or otherwise: its time ran out, or the buyer left.
func (r *audit) compareSessions(want []messages.SessionRow) {
	if r.a.Sessions == nil {
		return
	}
	journal := make(map[[16]byte]messages.SessionRow, len(want))
	for _, s := range want {
		journal[s.SessionID] = s
	}
	for _, s := range r.a.Sessions {
		w := journal[s.SessionID]
		delete(journal, s.SessionID)
		if s.Completed != w.Completed {
			r.find("session %s: the journal completed %d orders, the table says %d", short(s.SessionID), w.Completed, s.Completed)
		}
		if s.Status == messages.SessionCompleted && !r.done[s.SessionID] {
			r.find("session %s: the table says COMPLETED, the journal lets it go on", short(s.SessionID))
		}
		if open := s.Status == messages.SessionActive || s.Status == messages.SessionWaiting; open && (w.Done || w.Left) {
			r.find("session %s: the journal has ended it, the table says %s", short(s.SessionID), s.Status)
		}
	}
	for _, s := range want {
		if _, left := journal[s.SessionID]; left {
			r.find("session %s is missing: the journal completed %d orders", short(s.SessionID), s.Completed)
		}
	}
}

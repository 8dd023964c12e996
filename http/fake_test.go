package http_test

import (
	"context"
	"sync"

	"boxoffice/messages"
)

// fake stands for every port. What a test does not set answers as an empty but healthy system would.
type fake struct {
	mu  sync.Mutex
	ask func(*messages.Request) *messages.Reply
	// asked are the requests that reached the engine.
	asked []*messages.Request

	event     *messages.Event
	plan      *messages.SeatingPlan
	eventErr  error
	nextPage  string
	query     messages.EventQuery
	created   messages.NewEvent
	createErr error

	sessions map[[16]byte]messages.Session
	joined   map[[16]byte]messages.Join
	joinErr  error

	answer    *messages.Answer
	order     *messages.Order
	tickets   []*messages.Ticket
	recordErr error
	readyErr  error
}

func (f *fake) Ask(_ context.Context, r *messages.Request) *messages.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r)
	if f.ask == nil {
		return &messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE}
	}
	return f.ask(r)
}

func (f *fake) last() *messages.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return nil
	}
	return f.asked[len(f.asked)-1]
}

func (f *fake) Event(_ context.Context, id string) (*messages.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.eventErr != nil {
		return nil, f.eventErr
	}
	if f.event == nil || f.event.GetEventId() != id {
		return nil, &messages.EventNotFoundError{EventID: id}
	}
	return f.event, nil
}

func (f *fake) Events(_ context.Context, q messages.EventQuery) ([]*messages.Event, string, error) {
	f.query = q
	if q.Cursor == "bent" {
		return nil, "", &messages.InvalidInputError{Faults: []*messages.Fault{{Field: "cursor", Message: "is not ours"}}}
	}
	return []*messages.Event{f.event, f.event}, f.nextPage, f.eventErr
}

func (f *fake) Plan(ctx context.Context, id string) (*messages.SeatingPlan, [32]byte, error) {
	if _, err := f.Event(ctx, id); err != nil {
		return nil, [32]byte{}, err
	}
	return f.plan, [32]byte{0xab, 0xcd}, nil
}

func (f *fake) Create(_ context.Context, n messages.NewEvent) (*messages.Event, error) {
	f.created = n
	if f.createErr != nil {
		return nil, f.createErr
	}
	return n.Event, nil
}

func (f *fake) Join(_ context.Context, j messages.Join) (messages.Session, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.joinErr != nil {
		return messages.Session{}, false, f.joinErr
	}
	if first, ok := f.joined[j.Key]; ok && j.Key != [16]byte{} {
		if first.Body != j.Body {
			return messages.Session{}, false, messages.ErrKeyReused
		}
		return f.sessions[first.SessionID], true, nil
	}
	f.joined[j.Key] = j
	s := messages.Session{
		EventID: j.EventID, SessionID: j.SessionID, Place: uint64(len(f.sessions) + 1),
		Status: messages.SessionActive, ActiveUntil: testNow + j.ActiveTTL, JoinedAt: testNow,
	}
	f.sessions[j.SessionID] = s
	return s, false, nil
}

func (f *fake) Session(_ context.Context, eventID string, id [16]byte) (messages.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sessions[id]
	if !ok || s.EventID != eventID {
		return messages.Session{}, messages.ErrSessionNotFound
	}
	return s, nil
}

func (f *fake) Leave(_ context.Context, _ string, id [16]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sessions[id]
	s.Status = messages.SessionLeft
	f.sessions[id] = s
	return nil
}

func (f *fake) Counts(context.Context, string) (map[messages.SessionStatus]uint64, error) {
	counts := make(map[messages.SessionStatus]uint64)
	counts[messages.SessionLeft], counts[messages.SessionActive] = 2, 5
	return counts, nil
}

func (f *fake) Answer(context.Context, string, *messages.StoredAnswer) (*messages.Answer, error) {
	return f.answer, f.recordErr
}

func (f *fake) Order(context.Context, string, [16]byte) (*messages.Order, error) {
	if f.order == nil && f.recordErr == nil {
		return nil, messages.ErrOrderNotFound
	}
	return f.order, f.recordErr
}

func (f *fake) Tickets(context.Context, string, [16]byte) ([]*messages.Ticket, error) {
	return f.tickets, f.recordErr
}

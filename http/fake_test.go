package http_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
	browses   atomic.Int64 // reads of an event or a page of them
	nextPage  string
	query     messages.EventQuery
	created   messages.NewEvent
	createErr error

	// seats are the hall's, all of them available where nil; moved is its journal. seatsErr fails all that reads them.
	seats    *messages.Availability
	moved    []*messages.SeatsMoved
	seatsErr error
	loads    int

	sessions map[[16]byte]messages.Session
	answers  map[[16]byte]messages.Session // of the joins, as they were then
	joined   map[[16]byte]messages.Join
	lastJoin messages.Join
	joinErr  error
	// waits: who joins is WAITING. visitErr fails all that reads sessions.
	waits    bool
	progress map[string]*messages.Progress
	visitErr error
	visited  int

	answer    *messages.Answer
	order     *messages.Order
	tickets   []*messages.Ticket
	curve     *messages.Curve
	window    time.Duration
	step      time.Duration
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
	f.browses.Add(1)
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
	f.browses.Add(1)
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

func (f *fake) Availability(ctx context.Context, id string) (*messages.Availability, error) {
	plan, _, err := f.Plan(ctx, id)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.loads++; {
	case err != nil:
		return nil, err
	case f.seatsErr != nil:
		return nil, f.seatsErr
	case f.seats != nil:
		return f.seats, nil
	}
	all := &messages.Availability{Version: 1, AsOf: testNow}
	for _, section := range plan.GetSections() {
		for _, row := range section.GetRows() {
			all.Seats = append(all.Seats, strings.Repeat("A", len(row.GetSeats()))...)
		}
	}
	return all, nil
}

func (f *fake) Since(_ context.Context, after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var entries []*messages.SeatsMoved
	for _, m := range f.moved {
		if m.GetVersion() > after["E1"] && len(entries) < most {
			entries = append(entries, m)
		}
	}
	return map[string][]*messages.SeatsMoved{"E1": entries}, f.seatsErr
}

func (f *fake) Keep(context.Context, string, *messages.Availability) error { return nil }

// hall is as these letters say.
func (f *fake) hall(version uint64, letters string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seats = &messages.Availability{Version: version, AsOf: testNow, Seats: []byte(letters)}
}

// move has a seat held, and brings what is said about it.
func (f *fake) move(version uint64, seat uint32) *messages.Live {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &messages.SeatsMoved{Version: version, Previous: version - 1, At: testNow, Held: []uint32{seat}}
	f.moved = append(f.moved, m)
	return &messages.Live{EventId: "E1", What: &messages.Live_Seats{Seats: m}}
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
	if f.lastJoin = j; f.joinErr != nil {
		return messages.Session{}, false, f.joinErr
	}
	if first, ok := f.joined[j.Key]; ok && j.Key != [16]byte{} {
		if first.Body != j.Body {
			return messages.Session{}, false, messages.ErrKeyReused
		}
		return f.answers[first.SessionID], true, nil
	}
	f.joined[j.Key] = j
	s := messages.Session{
		EventID: j.EventID, SessionID: j.SessionID, Place: uint64(len(f.sessions) + 1),
		Status: messages.SessionActive, ActiveUntil: testNow + 600_000, JoinedAt: testNow,
	}
	if f.waits {
		s.Status, s.ActiveUntil = messages.SessionWaiting, 0
		s = f.seen(s)
	}
	if f.answers == nil {
		f.answers = map[[16]byte]messages.Session{}
	}
	f.sessions[j.SessionID], f.answers[j.SessionID] = s, s
	return s, false, nil
}

// seen is a session with its position.
func (f *fake) seen(s messages.Session) messages.Session {
	s.Position, s.PerSecond = 0, 0
	if p := f.progress[s.EventID]; p.GetOnSale() && s.Status == messages.SessionWaiting {
		s.Position, s.PerSecond = s.Place-p.GetHead(), p.GetPerSecond()
	}
	return s
}

func (f *fake) Visit(_ context.Context, eventID string, id [16]byte) (messages.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.visited++
	s, ok := f.sessions[id]
	switch {
	case f.visitErr != nil:
		return messages.Session{}, f.visitErr
	case !ok || s.EventID != eventID:
		return messages.Session{}, messages.ErrSessionNotFound
	}
	return f.seen(s), nil
}

func (f *fake) Visits(ctx context.Context, eventID string, ids [][16]byte) (all []messages.Session, err error) {
	for _, id := range ids {
		s, err := f.Visit(ctx, eventID, id)
		switch {
		case err == nil:
			all = append(all, s)
		case !errors.Is(err, messages.ErrSessionNotFound):
			return nil, err
		}
	}
	return all, nil
}

func (f *fake) LeaveLine(_ context.Context, eventID string, id [16]byte) (messages.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sessions[id]
	if !ok || s.EventID != eventID {
		return messages.Session{}, messages.ErrSessionNotFound
	}
	if s.Status == messages.SessionWaiting {
		s.Status, s.Position, s.PerSecond = messages.SessionLeft, 0, 0
		f.sessions[id] = s
	}
	return s, nil
}

func (f *fake) Progress(context.Context, []string) (map[string]*messages.Progress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.progress), f.visitErr
}

// line lets all up to a place in, and says so to nobody.
func (f *fake) line(head uint64, perSecond float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.progress = map[string]*messages.Progress{"E1": {Head: head, PerSecond: perSecond, OnSale: true}}
	for id, s := range f.sessions {
		if s.Status == messages.SessionWaiting && s.Place <= head {
			s.Status, s.ActiveUntil = messages.SessionActive, testNow+600_000
			f.sessions[id] = s
		}
	}
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

func (f *fake) Curve(_ context.Context, id string, window, step time.Duration) (*messages.Curve, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window, f.step = window, step
	switch {
	case f.recordErr != nil:
		return nil, f.recordErr
	case f.event.GetEventId() != id:
		return nil, &messages.EventNotFoundError{EventID: id}
	case f.curve == nil:
		return &messages.Curve{Currency: "EUR", AsOf: testNow, Step: step.Milliseconds()}, nil
	}
	return f.curve, nil
}

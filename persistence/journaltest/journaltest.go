// Package journaltest is what every journal must do. Goal: that the actors can trust any of them alike, above all that a
// deposed owner can write, acknowledge and refuse nothing. Method: the same tests run against each implementation,
// through the interfaces that the actors use; facts are opaque bytes here.
package journaltest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

// Journal is actors.Journal.
type Journal interface {
	Claim(ctx context.Context, eventID string) (messages.Claim, error)
	Recover(ctx context.Context, eventID string) (messages.Recovery, error)
	Entries(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error
	Commit(ctx context.Context, b messages.Batch) error
}

// ReadModel is actors.ReadModel.
type ReadModel interface {
	Projected(ctx context.Context, eventID string) (uint64, error)
	Project(ctx context.Context, p messages.Projection) error
}

// Catalogue is actors.Catalogue.
type Catalogue interface {
	CreateEvent(ctx context.Context, e messages.EventRecord) error
}

// State is what is stored of an event beside its journal.
type State struct {
	LastSeq, ProjectedSeq, SnapshotSeq uint64
	NextDue                            int64

	Tickets  []messages.TicketRow // by seat
	Seats    []messages.SeatRow   // by index
	Orders   []messages.OrderRow  // by id
	Payments []messages.PaymentRow

	// Moved by entry; those that moved no seat are missing.
	Moved map[uint64]string
}

// MovedOf entries as they are stored.
func MovedOf(entries []messages.Entry) map[uint64]string {
	moved := map[uint64]string{}
	for _, e := range entries {
		if e.Moved != nil {
			moved[e.Seq] = string(e.Moved)
		}
	}
	return moved
}

// Fixture is one empty database.
type Fixture struct {
	Journal   func(node string) Journal
	ReadModel ReadModel
	Catalogue Catalogue
	// State reads what is stored.
	State func(t testing.TB, eventID string) State
	// LoseReply calls commit once and keeps the reply to it from the caller, though the database did it.
	LoseReply func(commit func() error) error
	// IsDoubleSale says that the error is the refusal of a seat's second ticket.
	IsDoubleSale func(error) bool
}

// Run the suite; open makes a fixture for each test.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"claim raises the epoch", claimRaisesTheEpoch},
		{"an unknown event is named", unknownEvent},
		{"an event is created once", createdOnce},
		{"a stale epoch writes nothing", staleEpoch},
		{"a wrong sequence number writes nothing", wrongSeq},
		{"a deposed owner refuses nobody", deposedRefusals},
		{"a batch without an entry may move the deadline", deadlineAlone},
		{"an unsound batch is refused", unsoundBatch},
		{"a lost reply shows in the next claim", lostReply},
		{"entries come in order and whole", entriesInOrder},
		{"what was moved stands beside the facts", movedBesideFacts},
		{"owners that race leave one journal", racingOwners},
		{"a seat has one ticket", oneTicketASeat},
		{"recovery begins at the snapshot", recoverySnapshot},
		{"the read model holds the last state", readModelState},
		{"a projector that repeats changes nothing", projectorRepeats},
		{"projectors that race move once", projectorsRace},
		{"the read model stays behind the journal", projectUncommitted},
		{"a snapshot raced by a take-over never goes back", snapshotRace},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// Base is before the times of all test entries, in milliseconds since the Unix epoch: in the year 2096, and so after
// an event's first entry, whose time is the database's own.
const Base = 4_000_000_000_000

// NewEvent is a record of an event with so many seats, in one section, ten to a row.
func NewEvent(eventID string, seats int) messages.EventRecord {
	section := &messages.SeatingPlan_Section{Name: "Parkett"}
	var ids []string
	for i := range seats {
		if i%10 == 0 {
			section.Rows = append(section.Rows, &messages.SeatingPlan_Row{Name: fmt.Sprint(i/10 + 1)})
		}
		row := section.Rows[len(section.Rows)-1]
		id := fmt.Sprintf("P-%s-%d", row.Name, i%10+1)
		ids = append(ids, id)
		row.Seats = append(row.Seats, &messages.SeatingPlan_Seat{
			SeatId: id, Number: fmt.Sprint(i%10 + 1), X: float64(i % 10), Y: float64(i / 10),
		})
	}
	plan, err := proto.Marshal(&messages.SeatingPlan{
		Name: "Hall", Sections: []*messages.SeatingPlan_Section{section},
		Categories: []*messages.SeatingPlan_Category{{Name: "Kategorie I", Color: "#ff0000"}},
	})
	if err != nil {
		panic(err) // a plan made here always encodes
	}
	return messages.EventRecord{
		Event: &messages.Event{
			EventId: eventID, Name: "Event " + eventID, Venue: "Riethsporthalle", City: "Erfurt", StartsAt: 1_800_000_000_000,
			Status: messages.EventStatus_EVENT_STATUS_ON_SALE, SeatsTotal: uint32(seats), Currency: "EUR", //nolint:gosec // small
			Categories: []*messages.Category{{Name: "Kategorie I", Color: "#ff0000", Price: 4950}},
		},
		Plan: plan, PlanHash: sha256.Sum256(plan), SeatIDs: ids,
		First: messages.Entry{Seq: 1, Facts: []byte("created")},
	}
}

// ID is a random-looking id for tests: of a kind (order, session, …) and a number.
func ID(kind string, n int) [16]byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n))
	return [16]byte(sum[:16])
}

// Batch number seq of an owner that holds the claim's epoch, with facts and answers that tell which it is.
func Batch(eventID string, epoch, seq uint64) messages.Batch {
	return messages.Batch{
		EventID: eventID, Epoch: epoch, NextDue: Base + 1,
		Entry: &messages.Entry{
			Seq: seq, Epoch: epoch, At: Base + int64(seq), //nolint:gosec // small
			Facts: fmt.Appendf(nil, "facts %d of epoch %d", seq, epoch), Answers: fmt.Appendf(nil, "answers %d", seq),
		},
	}
}

// Ticket of a seat, for an order.
func Ticket(order [16]byte, seat int) messages.TicketRow {
	return messages.TicketRow{
		TicketID: ID(fmt.Sprintf("ticket %x", order), seat), OrderID: order, SeatIndex: int32(seat), //nolint:gosec // small
		SeatID: fmt.Sprintf("P-%d-%d", seat/10+1, seat%10+1), Code: fmt.Sprintf("code %d", seat), IssuedAt: Base,
	}
}

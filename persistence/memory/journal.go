package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"boxoffice/messages"
)

// Journal is the log of events, written for one node.
type Journal struct {
	db   *DB
	node string
}

// Journal as the node writes it.
func (db *DB) Journal(node string) *Journal { return &Journal{db: db, node: node} }

// Claim makes the node the owner of the event.
func (j *Journal) Claim(ctx context.Context, eventID string) (messages.Claim, error) {
	if err := ctx.Err(); err != nil {
		return messages.Claim{}, fmt.Errorf("claim event %q: %w", eventID, err)
	}
	j.db.mu.Lock()
	defer j.db.mu.Unlock()
	e, err := j.db.find(eventID)
	if err != nil {
		return messages.Claim{}, err
	}
	e.epoch++
	e.node = j.node
	return messages.Claim{Epoch: e.epoch, LastSeq: e.lastSeq(), Now: j.db.now()}, nil
}

// Recover reads the event's hall and latest snapshot.
func (j *Journal) Recover(ctx context.Context, eventID string) (messages.Recovery, error) {
	if err := ctx.Err(); err != nil {
		return messages.Recovery{}, fmt.Errorf("recover event %q: %w", eventID, err)
	}
	j.db.mu.Lock()
	defer j.db.mu.Unlock()
	e, err := j.db.find(eventID)
	if err != nil {
		return messages.Recovery{}, err
	}
	return messages.Recovery{
		Plan: e.plan, PlanHash: e.planHash, Snapshot: e.snapshot, SnapshotSeq: e.snapSeq,
		LastAt: e.entries[len(e.entries)-1].At,
	}, nil
}

// Entries calls yield with the entries after seq after, up to and including upTo. Their Answers and Moved are left out.
func (j *Journal) Entries(ctx context.Context, eventID string, after, upTo uint64, yield func(messages.Entry) error) error {
	for seq := after + 1; seq <= upTo; seq++ {
		e, err := j.entry(ctx, eventID, seq)
		if err != nil {
			return fmt.Errorf("read the journal of event %q: %w", eventID, err)
		}
		// Without the lock: yield may use the database.
		if err := yield(e); err != nil {
			return fmt.Errorf("read the journal of event %q: %w", eventID, err)
		}
	}
	return nil
}

func (j *Journal) entry(ctx context.Context, eventID string, seq uint64) (messages.Entry, error) {
	if err := ctx.Err(); err != nil {
		return messages.Entry{}, err
	}
	j.db.mu.Lock()
	defer j.db.mu.Unlock()
	e, err := j.db.find(eventID)
	if err != nil {
		return messages.Entry{}, err
	}
	if seq > e.lastSeq() {
		return messages.Entry{}, fmt.Errorf("entry %d is missing", seq)
	}
	entry := clone(e.entries[seq-1])
	entry.Answers, entry.Moved = nil, nil
	return entry, nil
}

// Written are the entries after seq after as they were committed, with their answers and what they moved.
func (db *DB) Written(eventID string, after uint64) ([]messages.Entry, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	e, err := db.find(eventID)
	if err != nil {
		return nil, err
	}
	var written []messages.Entry
	for _, entry := range e.entries[after:] {
		written = append(written, clone(entry))
	}
	return written, nil
}

// Commit writes the batch whole if its epoch stands and its entry is the next: else messages.ErrFenced and nothing.
func (j *Journal) Commit(ctx context.Context, b messages.Batch) error {
	if err := checkBatch(b); err != nil {
		return fmt.Errorf("commit to event %q: %w", b.EventID, err)
	}
	j.db.mu.Lock()
	hook := j.db.onCommit
	j.db.mu.Unlock()
	fault := None
	if hook != nil {
		fault = hook(ctx, b)
	}
	err := ctx.Err()
	switch {
	case err != nil:
	case fault == Fail:
		err = ErrUnavailable
	default:
		err = j.db.commit(b)
		if fault == LoseReply {
			err = ErrUnavailable
		}
	}
	if err != nil {
		return fmt.Errorf("commit to event %q: %w", b.EventID, err)
	}
	return nil
}

// checkBatch refuses what no sound owner sends, as Postgres' journal does.
func checkBatch(b messages.Batch) error {
	switch e := b.Entry; {
	case e == nil && len(b.Tickets) > 0:
		return errors.New("tickets without an entry")
	case e == nil:
		return nil
	case e.Epoch != b.Epoch:
		return fmt.Errorf("entry of epoch %d in a batch of epoch %d", e.Epoch, b.Epoch)
	case e.Seq < 2, e.At <= 0, len(e.Facts) == 0:
		return fmt.Errorf("entry %d at %d with %d bytes of facts", e.Seq, e.At, len(e.Facts))
	}
	return nil
}

func (db *DB) commit(b messages.Batch) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	e := db.events[b.EventID]
	if e == nil || e.epoch != b.Epoch {
		return messages.ErrFenced
	}
	if b.Entry == nil {
		if b.NextDue != 0 {
			e.nextDue = b.NextDue
		}
		return nil
	}
	if b.Entry.Seq != e.lastSeq()+1 {
		return messages.ErrFenced
	}
	if err := checkTickets(e, b); err != nil {
		return err
	}
	// Nothing fails from here on.
	issued := map[[16]byte]int32{}
	for _, t := range b.Tickets {
		issued[t.OrderID]++
		t.N = issued[t.OrderID]
		e.tickets[t.SeatIndex] = t
	}
	e.entries = append(e.entries, clone(*b.Entry))
	e.nextDue = b.NextDue
	return nil
}

func checkTickets(e *event, b messages.Batch) error {
	sold := map[int32]bool{}
	for _, t := range b.Tickets {
		if _, live := e.tickets[t.SeatIndex]; live || sold[t.SeatIndex] {
			return &messages.DoubleSaleError{EventID: b.EventID, Detail: fmt.Sprintf("seat %d", t.SeatIndex)}
		}
		sold[t.SeatIndex] = true
	}
	return nil
}

// Due are the ids of the events with a deadline that has passed, or a read model that lags.
func (db *DB) Due(_ context.Context) ([]string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	var due []string
	for id, e := range db.events {
		if e.nextDue != 0 && e.nextDue <= db.now() || e.projected < e.lastSeq() {
			due = append(due, id)
		}
	}
	slices.Sort(due) // a simulation must not hang on the order of a map
	return due, nil
}

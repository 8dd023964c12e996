package actors

import (
	"context"
	"fmt"

	"boxoffice/actors/seatingplan"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// ReplayError says that an event's journal cannot be replayed: memory and journal do not fit, which is a bug of ours.
type ReplayError struct {
	EventID string
	Seq     uint64
	Reason  any
}

func (e *ReplayError) Error() string {
	return fmt.Sprintf("replaying entry %d of event %s: %v", e.Seq, e.EventID, e.Reason)
}

// Activate claims the event first and reads after, so that what it reads is all there will be of the owners before.
func Activate(ctx context.Context, eventID string, journal Journal, readModel ReadModel, clock Clock) (a Activation, err error) {
	if a.Claim, err = journal.Claim(ctx, eventID); err != nil {
		return a, fmt.Errorf("claiming event %s: %w", eventID, err)
	}
	a.ClaimedAt = clock.Elapsed()
	recovery, err := journal.Recover(ctx, eventID)
	if err != nil {
		return a, fmt.Errorf("recovering event %s: %w", eventID, err)
	}
	if a.State, err = restore(eventID, recovery); err != nil {
		return a, err
	}
	lastAt, err := replay(ctx, eventID, journal, a.State, recovery.SnapshotSeq, a.Claim.LastSeq, nil)
	if err != nil {
		return a, err
	}
	if a.Projected, err = readModel.Projected(ctx, eventID); err != nil {
		return a, fmt.Errorf("reading how far event %s is projected: %w", eventID, err)
	}
	// The database's clock may be behind that of the owner before, by the drift of an epoch: time goes on from the later.
	a.Now = max(seatmap.Time(a.Claim.Now), seatmap.Time(recovery.LastAt), lastAt)
	return a, nil
}

// restore the state as of the snapshot, the empty one if there is none.
func restore(eventID string, r messages.Recovery) (*seatmap.Map, error) {
	plan, err := seatmap.NewPlan(seatingplan.Spec(r.Plan, r.PlanHash))
	if err != nil {
		return nil, &ReplayError{EventID: eventID, Reason: err}
	}
	if r.Snapshot == nil {
		return seatmap.New(plan), nil
	}
	state, err := seatmap.DecodeSnapshot(plan, r.Snapshot)
	if err != nil {
		return nil, &ReplayError{EventID: eventID, Seq: r.SnapshotSeq, Reason: err}
	}
	return state, nil
}

// replay applies the entries after seq after, up to and including upTo. observe, if given, is called before and after
// each fact is applied.
func replay(
	ctx context.Context, eventID string, journal Journal, state *seatmap.Map, after, upTo uint64,
	observe func(f seatmap.Fact, applied bool),
) (lastAt seatmap.Time, err error) {
	err = journal.Entries(ctx, eventID, after, upTo, func(e messages.Entry) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = &ReplayError{EventID: eventID, Seq: e.Seq, Reason: p}
			}
		}()
		if e.Seq != after+1 {
			return &ReplayError{EventID: eventID, Seq: e.Seq, Reason: fmt.Sprintf("follows entry %d", after)}
		}
		facts, err := seatmap.DecodeEntry(e.Facts)
		if err != nil {
			return &ReplayError{EventID: eventID, Seq: e.Seq, Reason: err}
		}
		for _, f := range facts {
			if observe != nil {
				observe(f, false)
			}
			state.Apply(e.Seq, f)
			if observe != nil {
				observe(f, true)
			}
		}
		after, lastAt = e.Seq, max(lastAt, seatmap.Time(e.At))
		return nil
	})
	if err != nil {
		return lastAt, fmt.Errorf("reading the journal of event %s: %w", eventID, err)
	}
	if after != upTo {
		return lastAt, &ReplayError{EventID: eventID, Seq: after, Reason: fmt.Sprintf("the journal ends here, not at entry %d", upTo)}
	}
	return lastAt, nil
}

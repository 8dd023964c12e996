package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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

// Activate claims the event first and reads after, so that what it reads is all there will be of the owners before. It
// takes as long as it takes, but not activateTimeout without an entry.
func Activate(ctx context.Context, eventID string, env *Env) (a Activation, err error) {
	ctx, dog := watch(ctx, env.Clock, activateTimeout)
	defer dog.callOff()
	journal := watched{env.Journal, dog}
	if env.TakeOver != nil {
		env.TakeOver(ctx, eventID)
	}
	if a.Claim, err = journal.Claim(ctx, eventID); err != nil {
		return a, fmt.Errorf("claiming event %s: %w", eventID, err)
	}
	a.ClaimedAt = env.Clock.Elapsed()
	recovery, err := journal.Recover(ctx, eventID)
	if err != nil {
		return a, fmt.Errorf("recovering event %s: %w", eventID, err)
	}
	plan, err := seatmap.NewPlan(seatingplan.Spec(recovery.Plan, recovery.PlanHash))
	if err != nil {
		return a, &ReplayError{EventID: eventID, Reason: err}
	}
	var from uint64
	a.State, from = restore(eventID, plan, recovery, env.Log)
	lastAt, err := replay(ctx, eventID, journal, a.State, from, a.Claim.LastSeq, nil)
	if err != nil {
		return a, err
	}
	if a.Projected, err = env.ReadModel.Projected(ctx, eventID); err != nil {
		return a, fmt.Errorf("reading how far event %s is projected: %w", eventID, err)
	}
	// The database's clock may be behind that of the owner before, by the drift of an epoch: time goes on from the later.
	a.Now = max(seatmap.Time(a.Claim.Now), seatmap.Time(recovery.LastAt), lastAt)
	return a, nil
}

// restore the state as of the snapshot, and say after which entry that is; the empty one if there is none, or none that
// can be read: the journal has it all.
func restore(eventID string, plan *seatmap.Plan, r messages.Recovery, log *slog.Logger) (state *seatmap.Map, seq uint64) {
	if r.Snapshot == nil {
		return seatmap.New(plan), 0
	}
	state, err := decodeSnapshot(plan, r)
	if err != nil {
		log.Warn("snapshot passed over: the journal is replayed from its first entry", "event", eventID, "seq", r.SnapshotSeq, "error", err)
		return seatmap.New(plan), 0
	}
	return state, r.SnapshotSeq
}

// decodeSnapshot takes a panic for an error: however a snapshot is broken, the event is not.
func decodeSnapshot(plan *seatmap.Plan, r messages.Recovery) (state *seatmap.Map, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decode snapshot: panic: %v", p)
		}
	}()
	state, err = seatmap.DecodeSnapshot(plan, r.Snapshot)
	if err == nil && state.Seq() != r.SnapshotSeq {
		err = fmt.Errorf("the snapshot is of entry %d", state.Seq())
	}
	return state, err
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
	if stalled := context.Cause(ctx); err != nil && errors.Is(stalled, errStalled) {
		return lastAt, fmt.Errorf("reading the journal of event %s after entry %d: %w", eventID, after, stalled)
	}
	if err != nil {
		return lastAt, fmt.Errorf("reading the journal of event %s: %w", eventID, err)
	}
	if after != upTo {
		return lastAt, &ReplayError{EventID: eventID, Seq: after, Reason: fmt.Sprintf("the journal ends here, not at entry %d", upTo)}
	}
	return lastAt, nil
}

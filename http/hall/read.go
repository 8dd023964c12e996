package hall

import (
	"context"
	"time"

	"boxoffice/messages"
)

const (
	// pollEvery is how long a lost message may go unnoticed.
	pollEvery = time.Second
	// batchMax halls are asked for at once.
	batchMax = 500
	// sinceMax is how many entries are read of a hall at once; one that is behind by more than sinceRoundsMax times as many
	// is loaded anew.
	sinceMax       = 500
	sinceRoundsMax = 4
)

// mend has a hall repaired of which something is missing. It does not block.
func (hs *Halls) mend(h *Hall) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.closed {
		return
	}
	hs.gaps[h] = struct{}{}
	hs.Metrics.gap()
	if !hs.repairing {
		hs.repairing = true
		hs.wg.Go(hs.repair)
	}
}

// repair reads what is missing, until nothing is. What fails is left to the poll.
func (hs *Halls) repair() {
	for {
		hs.mu.Lock()
		halls := make([]*Hall, 0, min(len(hs.gaps), batchMax))
		for h := range hs.gaps {
			if len(halls) == batchMax {
				break
			}
			delete(hs.gaps, h)
			halls = append(halls, h)
		}
		if len(halls) == 0 || hs.closed {
			hs.repairing = false
			hs.mu.Unlock()
			return
		}
		hs.mu.Unlock()
		_ = hs.read(halls)
	}
}

// poll reads what may have been missed, as long as there are halls.
func (hs *Halls) poll() {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for {
		select {
		case <-hs.ctx.Done():
			return
		case <-ticks.C:
		}
		hs.mu.Lock()
		if len(hs.byID) == 0 {
			hs.polling = false
			hs.mu.Unlock()
			return
		}
		halls := make([]*Hall, 0, len(hs.byID))
		for _, h := range hs.byID {
			select {
			case <-h.ready:
				halls = append(halls, h)
			default:
			}
		}
		hs.mu.Unlock()
		for rest := halls; len(rest) > 0; {
			n := min(len(rest), batchMax)
			_ = hs.read(rest[:n])
			rest = rest[n:]
		}
		hs.keepSome(halls)
	}
}

// read brings halls up to what their journals have.
func (hs *Halls) read(halls []*Hall) error {
	for range sinceRoundsMax {
		behind, err := hs.readOnce(halls)
		if err != nil {
			return err
		}
		if halls = behind; len(halls) == 0 {
			return nil
		}
	}
	for _, h := range halls {
		hs.reload(h)
	}
	return nil
}

// readOnce brings those whose journals may have more.
func (hs *Halls) readOnce(halls []*Hall) (behind []*Hall, err error) {
	begun := hs.Now().UnixMilli()
	after, known := make(map[string]uint64, len(halls)), make([]uint64, len(halls))
	for i, h := range halls {
		after[h.eventID], known[i] = h.standing()
	}
	found, err := hs.since(after, sinceMax)
	if err != nil {
		for i, h := range halls {
			h.fail(known[i])
		}
		return nil, err
	}
	for i, h := range halls {
		entries := found[h.eventID]
		if len(entries) > 0 && entries[0].GetVersion() < after[h.eventID] {
			hs.abandon(h)
			continue
		}
		complete := len(entries) < sinceMax
		switch leads := h.learn(entries, known[i], begun, complete); {
		case !leads:
			hs.reload(h)
		case !complete:
			behind = append(behind, h)
		}
	}
	return behind, nil
}

func (hs *Halls) since(after map[string]uint64, most int) (map[string][]*messages.SeatsMoved, error) {
	ctx, cancel := context.WithTimeout(hs.ctx, readTimeMax)
	defer cancel()
	found, err := hs.Source.Since(ctx, after, most)
	hs.reads.note(hs, err)
	return found, err
}

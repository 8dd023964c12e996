package hall

import (
	"slices"

	"boxoffice/messages"
)

// lookUpsMax is how many versions the journal is asked for in one go.
const lookUpsMax = 8

// unsure is true of a version that the journal may lead on from, or may have as a later one.
func (hi *history) unsure(version, now uint64) bool {
	return version > now || version > hi.floor && version < hi.begins(now)
}

func (h *Hall) isLooking() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.looking
}

// lookUp asks the journal for those who wait for that, all at once. They arrive anew.
func (t *teller) lookUp() {
	h, batch := t.h, t.asking
	t.asking = nil
	versions := make([]uint64, 0, len(batch))
	for _, w := range batch {
		w.looked = true
		versions = append(versions, w.last)
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	slices.Reverse(versions)
	h.mu.Lock()
	h.looking = true
	h.mu.Unlock()
	h.halls.wg.Go(func() {
		h.lookUp(versions)
		h.mu.Lock()
		h.looking = false
		h.arrived = append(h.arrived, batch...)
		h.mu.Unlock()
		h.rouse()
	})
}

// lookUp asks the journal for what leads on from each version, the latest first, until one is too old, or too many are not
// the latest.
func (h *Hall) lookUp(versions []uint64) {
	now, _ := h.standing()
	if len(versions) > 0 && versions[0] > now {
		_ = h.halls.read([]*Hall{h})
	}
	asked := 0
	for _, version := range versions {
		now, history := h.past()
		if _, known := history.after(version); known || version >= now {
			continue
		}
		if asked++; asked > lookUpsMax || !history.unsure(version, now) {
			return
		}
		found, err := h.halls.since(map[string]uint64{h.eventID: version}, historyMax+1)
		if err != nil {
			return
		}
		h.extend(version, found[h.eventID])
	}
}

func (h *Hall) past() (now uint64, hi history) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version, h.history
}

func (h *Hall) extend(version uint64, found []*messages.SeatsMoved) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.moved != nil {
		h.history.extend(version, found, h.version)
	}
}

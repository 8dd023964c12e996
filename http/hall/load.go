package hall

import (
	"context"
	"errors"
	"log/slog"

	"boxoffice/messages"
)

// load reads the first state. Messages come from before that on, and wait.
func (h *Hall) load() {
	hs := h.halls
	ctx, cancel := context.WithTimeout(hs.ctx, readTimeMax)
	defer cancel()
	err := h.loadNow(ctx)
	if h.err = err; err != nil {
		hs.mu.Lock()
		hs.drop(h)
		hs.mu.Unlock()
		close(h.ready)
		return
	}
	hs.remain(h)
	close(h.ready)
	if version, known := h.standing(); known > version {
		hs.mend(h)
	}
}

func (h *Hall) loadNow(ctx context.Context) error {
	hs := h.halls
	select {
	case hs.loads <- struct{}{}:
		defer func() { <-hs.loads }()
	case <-ctx.Done():
		return ctx.Err()
	}
	sections, err := hs.Sections(ctx, h.eventID)
	if err != nil {
		return err
	}
	hs.mu.Lock()
	if h.watched = true; hs.Subscriptions != nil {
		hs.Subscriptions.Watch(h.eventID)
	}
	hs.mu.Unlock()
	begun := hs.Now().UnixMilli()
	a, err := hs.Source.Availability(ctx, h.eventID)
	if err != nil {
		return err
	}
	return h.loaded(a, sections, begun)
}

// reload reads all anew, for one whose journal does not lead on. It does not block.
func (hs *Halls) reload(h *Hall) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if hs.closed || h.reloading {
		return
	}
	h.reloading = true
	hs.wg.Go(func() {
		ctx, cancel := context.WithTimeout(hs.ctx, readTimeMax)
		defer cancel()
		begun := hs.Now().UnixMilli()
		version, known := h.standing()
		a, err := hs.availability(ctx, h.eventID)
		if err == nil {
			err = h.replace(a, version, begun)
		} else {
			h.fail(known)
		}
		h.mu.Lock()
		h.reloading = false
		h.mu.Unlock()
		if errors.Is(err, errWentBack) {
			hs.abandon(h)
			err = nil
		}
		hs.reads.note(hs, err)
	})
}

// abandon a replica that is not of its journal's history. What it shows is not so, and no message makes it so: its streams
// end, and come back to one that is loaded anew. No lock is held.
func (hs *Halls) abandon(h *Hall) {
	hs.mu.Lock()
	hs.drop(h)
	hs.mu.Unlock()
	h.mu.Lock()
	first, version := !h.abandoned, h.version
	h.abandoned = true
	h.progress()
	h.mu.Unlock()
	if first {
		hs.Metrics.back()
		hs.Logger.Warn("http: a hall's journal went back, as if the database was restored: its seats are read anew",
			slog.String("event", h.eventID), slog.Uint64("version", version))
	}
}

func (hs *Halls) availability(ctx context.Context, eventID string) (*messages.Availability, error) {
	select {
	case hs.loads <- struct{}{}:
		defer func() { <-hs.loads }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return hs.Source.Availability(ctx, eventID)
}

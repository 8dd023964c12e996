package hall

import (
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// cacheBytesMax is for the halls that nobody streams: some 3,700 of 16,000 seats.
	cacheBytesMax = 256 << 20
	// cacheAgeMax after it was looked at last a hall that nobody streams is dropped: until then it is polled.
	cacheAgeMax = time.Minute
	// hallBytes and seatBytes are what a hall takes at most, by and large: the letters and their JSON, plain and compressed.
	hallBytes = 8 << 10
	seatBytes = 4
)

// stay is a hall's time in the cache.
type stay struct{ hall *Hall }

// find brings a hall that may still be loading, nil once closed. The lock is held.
func (hs *Halls) find(eventID string) *Hall {
	if h := hs.byID[eventID]; h != nil {
		return h
	}
	if hs.closed {
		return nil
	}
	if hs.cache == nil {
		hs.cache = otter.Must(&otter.Options[string, *stay]{
			MaximumWeight:    hs.cacheBytes,
			Weigher:          func(_ string, s *stay) uint32 { return s.hall.weight() },
			ExpiryCalculator: otter.ExpiryAccessing[string, *stay](cacheAgeMax),
			OnDeletion:       func(e otter.DeletionEvent[string, *stay]) { hs.evicted(e.Value) },
		})
	}
	h := newHall(hs, eventID)
	hs.byID[eventID] = h
	hs.wg.Go(h.load)
	if !hs.polling {
		hs.polling = true
		hs.wg.Go(hs.poll)
	}
	return h
}

// remain keeps a hall in memory for a while. No lock is held.
func (hs *Halls) remain(h *Hall) {
	s := &stay{h}
	hs.mu.Lock()
	h.stay = s
	cache := hs.cache
	hs.mu.Unlock()
	cache.Set(h.eventID, s)
}

// evicted ends a stay in the cache. Who streams keeps the hall nevertheless.
func (hs *Halls) evicted(s *stay) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if s.hall.stay != s {
		return // a later one has begun
	}
	if s.hall.stay = nil; s.hall.streams == 0 {
		hs.drop(s.hall)
	}
}

// drop forgets a hall. The lock is held.
func (hs *Halls) drop(h *Hall) {
	if hs.byID[h.eventID] != h {
		return
	}
	delete(hs.byID, h.eventID)
	if h.watched && hs.Subscriptions != nil {
		hs.Subscriptions.Unwatch(h.eventID)
	}
}

// enter brings the hall for a stream that goes on until left, nil once closed. It may still be loading.
func (hs *Halls) enter(eventID string) *Hall {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.find(eventID)
	if h == nil || hs.closed {
		return nil
	}
	if h.streams++; h.streams == 1 {
		hs.wg.Go(func() { newTeller(h).run() })
	}
	return h
}

// leave is true where the hall has no stream any more after n have left it.
func (hs *Halls) leave(h *Hall, n int) bool {
	hs.mu.Lock()
	if h.streams -= n; h.streams > 0 {
		hs.mu.Unlock()
		return false
	}
	h.unfollow()
	stays := hs.byID[h.eventID] == h && h.stay == nil
	hs.mu.Unlock()
	if stays {
		hs.remain(h)
	}
	return true
}

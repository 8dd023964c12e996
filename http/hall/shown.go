package hall

import (
	"bytes"
	"strconv"
	"time"
)

const (
	// asOfAgeMax is how old a rendered View.AsOf may be where no seat has moved since.
	asOfAgeMax = time.Second
	// repairWaitMax is how long a call waits for what is known to be missing.
	repairWaitMax = 500 * time.Millisecond
)

// Shown is a hall as of one version, rendered. It never changes.
type Shown struct {
	Version uint64
	// ETag names the version: it is the same on every node.
	ETag string
	// Body is what Config.Pack made.
	Body any
	asOf int64
}

// ETag of a version. It is weak: it names what is said, not its bytes.
func ETag(version uint64) string { return `W/"` + strconv.FormatUint(version, 10) + `"` }

// Show brings the hall as it is, or was during the call. One at a time renders it: who comes meanwhile waits, and shares
// what the next one renders.
func (h *Hall) Show() *Shown {
	h.mu.Lock()
	version, asOf := h.version, h.asOf
	h.mu.Unlock()
	if s := h.shown.Load(); s.serves(version, asOf) {
		return s
	}
	h.rendering.Lock()
	defer h.rendering.Unlock()
	if s := h.shown.Load(); s.serves(version, asOf) {
		return s
	}
	v := h.view()
	s := &Shown{Version: v.Version, ETag: ETag(v.Version), asOf: v.AsOf}
	s.Body = h.halls.Pack(h.halls.Append(nil, v))
	h.shown.Store(s)
	return s
}

// serves is true where s need not be rendered anew for who came when the hall stood so.
func (s *Shown) serves(version uint64, asOf int64) bool {
	return s != nil && s.Version >= version && asOf-s.asOf <= asOfAgeMax.Milliseconds()
}

func (h *Hall) view() View {
	h.mu.Lock()
	defer h.mu.Unlock()
	return View{EventID: h.eventID, Version: h.version, AsOf: h.asOf, Seats: bytes.Clone(h.seats), Sections: h.sections}
}

// Version brings the hall's version. Where it is known that a later one has been committed it waits for that, but not
// longer than repairWaitMax, nor where it could not be read.
func (h *Hall) Version() uint64 {
	h.mu.Lock()
	wanted := h.known
	if wanted <= h.version || h.failing {
		defer h.mu.Unlock()
		return h.version
	}
	h.mu.Unlock()
	late := time.NewTimer(repairWaitMax)
	defer late.Stop()
	for {
		h.mu.Lock()
		if h.version >= wanted || h.known <= h.version || h.failing {
			defer h.mu.Unlock()
			return h.version
		}
		if h.progressed == nil {
			h.progressed = make(chan struct{})
		}
		progressed := h.progressed
		h.mu.Unlock()
		select {
		case <-progressed:
		case <-late.C:
			version, _ := h.standing()
			return version
		case <-h.halls.ctx.Done():
			version, _ := h.standing()
			return version
		}
	}
}

package watch

import (
	"time"

	"boxoffice/messages"
)

// progress of a line, as far as it is known here.
//
//  1. The head never falls.
//  2. What was read later than a sale was heard to begin may say that it has been put off; what was heard may not, as it
//     may be old.
type progress struct {
	head      uint64
	perSecond float64
	onSale    bool
	// version grows with each change.
	version uint64
	// heard is when the sale was last said to be on.
	heard time.Time
}

// learn takes what was read beginning at read, or, where that is zero, heard. It is true where that changed anything.
func (p *progress) learn(said *messages.Progress, read time.Time) bool {
	if said.GetHead() < p.head || p.onSale && !said.GetOnSale() && !read.After(p.heard) {
		return false
	}
	next := *p
	next.head, next.perSecond, next.onSale = said.GetHead(), said.GetPerSecond(), said.GetOnSale()
	if read.IsZero() && said.GetOnSale() {
		next.heard = time.Now()
	}
	changed := next.head != p.head || next.perSecond != p.perSecond || next.onSale != p.onSale
	if changed {
		next.version++
	}
	*p = next
	return changed
}

// position of who waits at a place, and the wait in seconds. Who is at the head or behind it is as good as next.
func (p *progress) position(place uint64) (position uint64, eta int64) {
	if !p.onSale {
		return 0, etaUnknown
	}
	position = 1
	if place > p.head {
		position = place - p.head
	}
	return position, etaSeconds(position, p.perSecond)
}

package actors

import (
	"fmt"
	"slices"

	"boxoffice/messages"
)

// compareSale holds how browsing shows that the event sells against the journal.
func (r *audit) compareSale(want *messages.Sale) {
	got := r.a.Sale
	if got == nil || want == nil {
		return
	}
	from := got.GetPriceFrom()
	// What is there from before entries said what they moved is a guess at the price, until a seat moves.
	since := slices.ContainsFunc(r.a.Entries, func(e messages.Entry) bool {
		return e.Seq > r.a.MovedAfter && e.Seq <= r.a.ProjectedSeq && len(e.Moved) > 0
	})
	if r.a.MovedAfter > 1 && !since {
		from = want.GetPriceFrom()
	}
	say := func(available, held uint32, from int64) string {
		return fmt.Sprintf("%d available, %d held, from %d", available, held, from)
	}
	w, g := say(want.GetAvailable(), want.GetHeld(), want.GetPriceFrom()), say(got.GetAvailable(), got.GetHeld(), from)
	if w != g {
		r.find("sale: the journal says {%s}, the table says {%s}", w, g)
	}
}

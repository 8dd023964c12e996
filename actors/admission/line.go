package admission

import (
	"math"
	"time"

	"boxoffice/messages"
)

const (
	// rateWindow is how much of the past the rate is measured over, in buckets of bucketSpan.
	rateWindow = 30 * time.Second
	bucketSpan = time.Second
	buckets    = int64(rateWindow / bucketSpan)
	// evidenceMin is how long must have been measured before it says anything.
	evidenceMin = 2 * time.Second
	// priorWeight is how much of the rate before us counts, as if so long had been measured; it counts less by what has been.
	priorWeight = 10 * time.Second
	// publishEvery paces what is published while nobody is let in: buyers see one position a second.
	publishEvery = 100 * time.Millisecond
	// rateChange is by how much of itself a rate must change to be told.
	rateChange = 0.1
)

// line is how far the line of those who wait is, and how fast it moves on.
type line struct {
	known  bool // head and onSale are
	head   uint64
	onSale bool

	from    time.Duration // since when is measured
	prior   float64       // rate before that; 0: not known
	movedAt time.Duration // when head moved last, or measuring began
	moves   [buckets]struct {
		bucket int64
		places uint64
	}

	told   *messages.Progress // what was published last; nil: nothing
	toldAt time.Duration
	news   bool // not published yet
	urgent bool // somebody was let in
}

// begin to measure.
func (l *line) begin(now time.Duration, prior float64) {
	if !(prior > 0) || math.IsInf(prior, 0) { // not a number either
		prior = 0
	}
	l.from, l.movedAt, l.prior = now, now, prior
	l.moves = [buckets]struct {
		bucket int64
		places uint64
	}{}
}

// moved takes note of what an Admit has found.
func (l *line) moved(now time.Duration, in messages.Admitted) {
	head := max(l.head, in.Head)
	switch {
	case !l.known:
	case in.OnSale != l.onSale || head > l.head && now-l.movedAt >= rateWindow:
		l.begin(now, 0) // it has stood: what it does from here on says how fast it is
	case head > l.head:
		bucket := int64(now / bucketSpan)
		m := &l.moves[bucket%buckets]
		if m.bucket != bucket {
			m.bucket, m.places = bucket, 0
		}
		m.places += head - l.head
		l.movedAt = now
	}
	l.known, l.head, l.onSale = true, head, in.OnSale
	l.urgent = l.urgent || in.Count > 0
	l.news = l.news || l.urgent || l.told == nil || head != l.told.GetHead() || in.OnSale != l.told.GetOnSale() ||
		differs(l.perSecond(now), l.told.GetPerSecond())
}

func differs(a, b float64) bool { return math.Abs(a-b) > rateChange*max(a, b) }

// perSecond is how many places a second head has moved on of late; 0: not known, or it stands.
func (l *line) perSecond(now time.Duration) float64 {
	span := min(now-l.from, rateWindow-bucketSpan+now%bucketSpan)
	if span < evidenceMin {
		return l.prior
	}
	var places uint64
	bucket := int64(now / bucketSpan)
	for _, m := range l.moves {
		if m.bucket > bucket-buckets {
			places += m.places
		}
	}
	weight := 0.0
	if l.prior > 0 {
		weight = max(priorWeight-span, 0).Seconds()
	}
	return (float64(places) + l.prior*weight) / (span.Seconds() + weight)
}

// publish what is new, if it is time, or at once where this is the last chance.
func (l *line) publish(now time.Duration, last bool) *messages.Progress {
	if !l.news || !last && l.next() > now {
		return nil
	}
	l.news, l.urgent, l.toldAt = false, false, now
	l.told = &messages.Progress{Head: l.head, PerSecond: l.perSecond(now), OnSale: l.onSale}
	return l.told
}

// next is when something is to be published.
func (l *line) next() time.Duration {
	switch {
	case !l.news:
		return never
	case l.urgent || l.told == nil:
		return 0
	}
	return l.toldAt + publishEvery
}

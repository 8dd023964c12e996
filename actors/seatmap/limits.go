package seatmap

// Limits and times that no setting changes.
const (
	// answerKeptFor is how long an answer is replayed, in milliseconds (the contract's 24 h).
	answerKeptFor = 24 * 60 * 60 * 1000
	// orderKeptFor is how long an ended order stays in memory: no less than answerKeptFor, so that a request that is
	// repeated in time finds its order.
	orderKeptFor = answerKeptFor
	// answersPerSessionMax bounds what one buyer can make us remember (the contract's 1,000).
	answersPerSessionMax = 1_000
	// tickFactsMax bounds the facts of one Tick; what is left is due at once. How many Ticks stand in one batch is for the
	// owner to bound.
	tickFactsMax = 1_024
	// forgetPauseMillis is the shortest time between two Forgotten facts: forgetting is not worth a fact of its own each.
	forgetPauseMillis = 60 * 1000
	// timeMax keeps sums of times from overflowing; it is in the year 144,683.
	timeMax = 1 << 52
)

// statusSet is a set of order statuses.
type statusSet uint16

func statuses(of ...OrderStatus) (set statusSet) {
	for _, s := range of {
		set |= 1 << s
	}
	return set
}

func (s statusSet) has(status OrderStatus) bool { return s&(1<<status) != 0 }

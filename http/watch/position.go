package watch

import (
	"math"
	"strconv"
)

// etaSecondsMax is the longest wait that is foretold: how fast a line moved of late says nothing about the day after.
const etaSecondsMax = 24 * 60 * 60

// etaUnknown stands for an etaSeconds of null.
const etaUnknown = -1

// etaSeconds is how long the position-th in line waits where the line moves on by perSecond, rounded up, etaSecondsMax at
// most. It is etaUnknown where nobody waits (position 0) or the line's speed is not known.
func etaSeconds(position uint64, perSecond float64) int64 {
	if position == 0 || !(perSecond > 0) || math.IsInf(perSecond, 1) {
		return etaUnknown
	}
	return int64(math.Ceil(min(float64(position)/perSecond, etaSecondsMax)))
}

// AppendPosition appends the members position and etaSeconds of who is position-th in a line that moves on by perSecond.
// Both are null for position 0, the second also where the speed is not known.
func AppendPosition(b []byte, position uint64, perSecond float64) []byte {
	return appendPosition(b, position, etaSeconds(position, perSecond))
}

func appendPosition(b []byte, position uint64, eta int64) []byte {
	b = append(b, `"position":`...)
	if position == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendUint(b, position, 10)
	}
	b = append(b, `,"etaSeconds":`...)
	if eta == etaUnknown {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, eta, 10)
}

package actors

import (
	"time"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// What tests need to know of the inside.
const (
	BatchCommandsMax     = batchCommandsMax
	CallerWaitMillisMax  = callerWaitMillisMax
	OperationLeaseMillis = operationLeaseMillis
	ProjectPauseMillis   = projectPauseMillis
	ExpirePauseMillis    = expirePauseMillis
	RetryMillisMin       = retryMillisMin
	RetryMillisMax       = retryMillisMax
	BugPauseMillis       = bugPauseMillis
	ExpireFactsMax       = expireFactsMax
	ProjectPauseMax      = projectPauseMillisMax
	SnapshotEntries      = snapshotEntries
	MovedBytesMax        = movedBytesMax

	ActivateTimeout time.Duration = activateTimeout
	ProjectTimeout  time.Duration = projectTimeout

	QuarantineMin time.Duration = quarantineMin
	IdleAfter     time.Duration = idleAfter
	GraceAfterEnd time.Duration = graceAfterEnd
)

// ErrStalled is why a watchdog ended what it watched.
var ErrStalled = errStalled

// SnapshotEvery lets a projector write snapshots more often, so that short runs have some.
func (p *Projector) SnapshotEvery(entries uint64) { p.snapshotEvery = entries }

// Hall tells what has moved between two looks at a state.
type Hall = hall

// NewHall as the state leaves it.
func NewHall(state *seatmap.Map) Hall { return newHall(state) }

// Moved since the last look, in entry seq.
func (h *Hall) Moved(state *seatmap.Map, seq uint64, at seatmap.Time) *messages.SeatsMoved {
	return h.moved(state, seq, at)
}

// SeatsMoved as it is published.
func SeatsMoved(eventID string, m *messages.SeatsMoved) *messages.Live { return seatsMoved(eventID, m) }

// Metered makes the meter of an event that is active, in whose mailbox that many wait.
func Metered(m *Metrics, eventID string, waiting int) {
	m.meter(eventID, func() int { return waiting }).enter(running)
}

package actors

import (
	"time"

	"boxoffice/actors/seatmap"
)

// The event's time, and what it asks to be told later.

// wake keeps one timer running, for the earliest moment the owner has named.
func (e *Event) wake() {
	at := e.owner.WakeAt()
	if at == 0 || (e.wakeAt != 0 && e.wakeAt <= at) {
		return
	}
	e.stopTimer()
	e.wakeAt = at
	e.stopWaking = e.errands.After(time.Duration(max(at-e.now(), 0))*time.Millisecond, Due{})
}

// stopTimer forgets the timer that runs: the next incarnation needs one of its own.
func (e *Event) stopTimer() {
	if e.stopWaking != nil {
		e.stopWaking()
	}
	e.wakeAt, e.stopWaking = 0, nil
}

// now is the event's time: the database's when the event was claimed, and what has passed since. No wall clock is asked.
func (e *Event) now() seatmap.Time {
	return e.startTime + seatmap.Time((e.env.Clock.Elapsed() - e.startedAt).Milliseconds())
}

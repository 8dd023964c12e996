package actors

import (
	"time"

	"boxoffice/actors/seatmap"
)

// The event's time, and what it asks to be told later.

// later sends a message to this incarnation.
func (e *Event) later(m any) { e.root.Send(e.self, tagged{e, e.incarnation, m}) }

func (e *Event) after(d time.Duration, m any) (stop func()) {
	root, self, incarnation := e.root, e.self, e.incarnation
	return e.env.Clock.AfterFunc(d, func() { root.Send(self, tagged{e, incarnation, m}) })
}

// wake keeps one timer running, for the earliest moment the owner has named.
func (e *Event) wake() {
	at := e.owner.WakeAt()
	if at == 0 || (e.wakeAt != 0 && e.wakeAt <= at) {
		return
	}
	e.stopTimer()
	e.wakeAt = at
	e.stopWaking = e.after(time.Duration(max(at-e.now(), 0))*time.Millisecond, Due{})
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

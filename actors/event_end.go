package actors

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// How an event's actor ends: for a while, for good, or so that another node can have the event.

// quarantine keeps a broken event from activating in a loop.
func (e *Event) quarantine() {
	if len(e.drainers) > 0 { // the next owner will see
		e.end()
		return
	}
	e.phase = quarantined
	e.meter.enter(quarantined)
	e.errands.Renew()
	e.stopTimer()
	pause := min(quarantineMin<<min(e.quarantines, 10), quarantineMax)
	e.quarantines++
	e.env.Log.Error("event quarantined", "event", e.id, "for", pause)
	e.errands.After(pause, timeUp{})
}

// end takes no more requests, and stops once no straggler is to be expected.
func (e *Event) end() { e.endAfter(0) }

func (e *Event) endAfter(pause time.Duration) {
	e.phase = ended
	e.meter.enter(ended)
	e.errands.Renew()
	e.owner = nil
	e.stopTimer()
	if pause == 0 {
		e.env.Ended(e.id, e.self)
	} else {
		id, self, ended := e.id, e.self, e.env.Ended
		e.env.Clock.AfterFunc(pause, func() { ended(id, self) })
	}
	e.errands.After(pause+graceAfterEnd, timeUp{})
	e.finishDrain()
}

// errDrained ends an owner that has not finished in time: whoever waits for its answers finds them under the same key.
var errDrained = errors.New("the event is handed over before all is finished")

func (e *Event) drain(from *actor.PID, within time.Duration) {
	e.drainers = append(e.drainers, from)
	if within > 0 {
		e.handingOver = true
		e.errands.After(within, drainOver{})
	}
	switch e.phase {
	case running:
		e.owner.Drain()
		e.drained()
	case quarantined:
		e.end() // after its time it would take the event back
	case ended:
		e.finishDrain()
	case activating: // activated goes on
	}
}

// drained ends the actor once the owner has nothing left to do.
func (e *Event) drained() {
	if len(e.drainers) > 0 && e.phase == running && (e.owner.Idle() || e.handingOver && e.owner.Settled()) {
		e.end()
	}
}

func (e *Event) finishDrain() {
	for _, pid := range e.drainers {
		if pid != nil {
			e.root.Send(pid, Drained{})
		}
	}
	e.drainers = nil
}

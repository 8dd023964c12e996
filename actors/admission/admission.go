// Package admission holds the actors that let buyers in from the waiting rooms, one for each event at which somebody waits.
//
// What an admission guarantees:
//
//  1. It lets in by Admit alone, and one Admit is in flight at a time. Who is next, and how many may come in, says the
//     database: an admission that is doubled, late or has forgotten everything does no harm.
//  2. Nobody is forgotten. While somebody waits there is an Admit at the moment that the last one named; an entry of the
//     demand, or a poke, makes another one follow that begins after it was read.
//  3. An entry of the demand is acknowledged after the commit of an Admit that began after it was read, never before.
//  4. Whatever happens, it does a bounded number of things a second.
//
// Admission is a plain step function, as actors.Owner is: inputs and a time go in, effects come out. It has no clock,
// goroutine, lock or I/O, so that a simulator can run it. shell.go is the protoactor shell around it.
package admission

import (
	"errors"
	"fmt"
	"math"
	"time"

	"boxoffice/messages"
)

const (
	// gapMin lies between the beginnings of two Admits: what comes meanwhile is one Admit's. While Admits let nobody in the
	// gap doubles up to gapMax, so that a rush of joins at a full room does not mean an Admit for each batch of them.
	gapMin = 20 * time.Millisecond
	gapMax = 100 * time.Millisecond
	// dueMax is the longest that the admission waits for what is due, as before a sale: where it is farther off it ends, and
	// the waker brings it back in time. The database knows this bound too: see admit.
	dueMax = 10 * time.Second
	// retryMin is the pause after an Admit that failed; it doubles up to retryMax.
	retryMin = time.Second
	retryMax = 5 * time.Second
	// pullPauseMin is the pause after a Pull that failed; it doubles up to pullPauseMax.
	pullPauseMin = 100 * time.Millisecond
	pullPauseMax = 5 * time.Second
	// idleAfter is when an admission ends at which nobody has waited. The waker brings it back.
	idleAfter = 30 * time.Second
	// heldMax is how many entries may be held that are not acknowledged; then no more are read until some are.
	heldMax = 4_096
	never   = time.Duration(math.MaxInt64)
)

// ErrIdle is why an admission ends for which there is nothing to do for now.
var ErrIdle = errors.New("nobody can be let in for now")

// Input is what can happen to an admission.
//
//sumtype:decl
type Input interface{ input() }

type (
	// Started is the first input.
	Started struct{}
	// Claimed says how the claim ended.
	Claimed struct {
		Claim messages.AdmissionClaim
		Err   error
	}
	// Recovered says how Recover ended.
	Recovered struct {
		IDs []string
		Err error
	}
	// Pulled says how Pull ended.
	Pulled struct {
		IDs []string
		Err error
	}
	// Admitted says how the Admit in flight ended.
	Admitted struct {
		messages.Admitted
		Err error
	}
	// Acked says that an Ack has ended, whether or not it was heard: entries that are left are recovered one day.
	Acked struct{}
	// Due says that the time the admission asked to be woken at has come.
	Due struct{}
	// Poked says that somebody thinks there is somebody to let in.
	Poked struct{}
)

func (Started) input()   {}
func (Claimed) input()   {}
func (Recovered) input() {}
func (Pulled) input()    {}
func (Admitted) input()  {}
func (Acked) input()     {}
func (Due) input()       {}
func (Poked) input()     {}

// Effects are what the shell must do after a step, in the sequence of the fields.
type Effects struct {
	// Publish is how far the line is.
	Publish *messages.Progress
	// Claim the event.
	Claim bool
	// Admit whoever is next.
	Admit *messages.Admit
	// Ack entries: at most one is under way.
	Ack []string
	// Recover entries, or Pull some: one of the two is under way at most.
	Recover, Pull bool
	// WakeAt is when the admission wants a Due, later than now; 0: not before something else happens.
	WakeAt time.Duration
	// Stop, if not nil, says why the admission is at its end; ErrIdle is no fault. It must not be stepped again.
	Stop error
}

// Admission to one event. Times are the node's, since whenever: the database's are compared with each other alone.
type Admission struct {
	eventID string
	now     time.Duration // of the last step; never falls
	epoch   uint64        // 0: not claimed yet

	admitting bool
	wanted    bool          // something has come that no Admit has begun after
	began     time.Duration // when the last Admit did
	gap       time.Duration // from there to the next one that is wanted
	dueAt     time.Duration // when there is to be one whether or not it is wanted
	failures  int           // Admits in a row that failed: then dueAt is when the next may begin at all
	quiet     time.Duration // since when nobody has waited; never: somebody does

	demand   demand
	line     line
	draining bool
	stopped  bool
}

// New admission. hasDemand says whether there is a Demand to be pulled from.
func New(eventID string, hasDemand bool) *Admission {
	return &Admission{eventID: eventID, gap: gapMin, dueAt: never, quiet: never, demand: newDemand(hasDemand)}
}

// Epoch of the admission, 0 before it has claimed the event.
func (a *Admission) Epoch() uint64 { return a.epoch }

// Drain makes the admission begin nothing more. It is done with once it is Idle.
func (a *Admission) Drain() { a.draining = true }

// Idle says that no Admit is in flight.
func (a *Admission) Idle() bool { return !a.admitting }

// Step takes one input at a time not before the last one's and returns what must be done.
func (a *Admission) Step(now time.Duration, in Input) Effects {
	if a.stopped {
		panic("admission: stepped after its end")
	}
	a.now = max(a.now, now)
	var out Effects
	switch in := in.(type) {
	case Started:
		out.Claim = true
	case Claimed:
		a.claimed(in, &out)
	case Recovered:
		a.read(in.IDs, in.Err)
	case Pulled:
		a.read(in.IDs, in.Err)
	case Admitted:
		a.admitted(in, &out)
	case Acked:
		a.demand.acking = false
	case Poked:
		a.wanted = true
	case Due:
	}
	a.demand.acknowledge(&out)
	if a.epoch != 0 && !a.draining && out.Stop == nil {
		a.launch(&out)
		a.demand.launch(a.now, &out)
	}
	out.Publish = a.line.publish(a.now, out.Stop != nil || a.draining)
	if a.stopped = out.Stop != nil; !a.stopped {
		out.WakeAt = a.wakeAt()
	}
	return out
}

func (a *Admission) claimed(in Claimed, out *Effects) {
	if in.Err != nil {
		out.Stop = fmt.Errorf("claiming the admission to event %s: %w", a.eventID, in.Err)
		return
	}
	if in.Claim.Epoch == 0 {
		panic("admission: claimed with no epoch")
	}
	a.epoch, a.wanted = in.Claim.Epoch, true
	a.began = a.now - a.gap
	a.line.begin(a.now, in.Claim.PerSecond)
}

// read takes note of entries.
func (a *Admission) read(ids []string, err error) {
	a.demand.read(a.now, ids, err)
	a.wanted = a.wanted || len(ids) > 0
}

// admitted takes note of how the Admit in flight ended.
func (a *Admission) admitted(in Admitted, out *Effects) {
	a.admitting = false
	if in.Err != nil {
		if errors.Is(in.Err, messages.ErrFenced) {
			out.Stop = fmt.Errorf("admitting to event %s: %w", a.eventID, in.Err)
			return
		}
		a.dueAt = a.now + min(retryMin<<min(a.failures, 10), retryMax)
		a.failures++
		a.wanted = true // whether somebody was let in is not known
		return
	}
	a.failures = 0
	a.demand.committed()
	a.line.moved(a.now, in.Admitted)
	if in.Count > 0 {
		a.gap = gapMin
	} else {
		a.gap = min(2*a.gap, gapMax)
	}
	if in.Waiting {
		a.quiet = never
		wait := max(time.Duration(in.Due-in.At)*time.Millisecond, gapMin)
		a.dueAt = a.now + min(wait, dueMax)
		if wait > dueMax && !a.wanted {
			out.Stop = ErrIdle
		}
		return
	}
	a.quiet = min(a.quiet, a.now)
	a.dueAt = max(a.quiet+idleAfter, a.now+gapMin)
	if a.now-a.quiet >= idleAfter && !a.wanted {
		out.Stop = ErrIdle
	}
}

// next is when the next Admit may begin; never: not before something happens.
func (a *Admission) next() time.Duration {
	if a.wanted && a.failures == 0 {
		return min(a.began+a.gap, a.dueAt)
	}
	return a.dueAt
}

// launch an Admit if it is time and none is in flight.
func (a *Admission) launch(out *Effects) {
	if a.admitting || a.next() > a.now {
		return
	}
	a.admitting, a.wanted, a.began = true, false, a.now
	a.demand.cover()
	out.Admit = &messages.Admit{EventID: a.eventID, Epoch: a.epoch, PerSecond: a.line.perSecond(a.now)}
}

// wakeAt is the earliest moment at which there is something to do; 0: none.
func (a *Admission) wakeAt() time.Duration {
	if a.draining || a.epoch == 0 {
		return 0
	}
	at := min(a.demand.next(), a.line.next())
	if !a.admitting {
		at = min(at, a.next())
	}
	if at == never {
		return 0
	}
	return at
}

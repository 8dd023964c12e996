package actors

import (
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// What an owner does because time has passed, and when it wants to be woken for it.

// due does what is overdue: expiries, callers who have waited long enough, payment calls to repeat.
func (o *Owner) due(out *Effects) {
	o.expire()
	for id, at := range o.waits.due(o.now) {
		if w, ok := o.waiters[id]; ok && w.until == at {
			delete(o.waiters, id)
			out.Replies = append(out.Replies, Addressed{w.from, &messages.Reply{Outcome: messages.Outcome_OUTCOME_PAYMENT_UNKNOWN}})
		}
	}
	for id, at := range o.retries.due(o.now) {
		if c, ok := o.calls[id]; ok && !c.running && c.retryAt == at {
			o.run(c, out)
		}
	}
}

// project asks for the read model to follow, one projection at a time and paced, so that a busy event's entries are
// folded many at once and an idle one's at once.
func (o *Owner) project(out *Effects) {
	if !o.projecting && o.projected < o.committed && o.now >= o.projectAfter {
		o.projecting = true
		out.ProjectTo = o.committed
	}
}

// projectedTo takes note of a projection's end.
func (o *Owner) projectedTo(in Projected) {
	o.projecting = false
	if in.Err != nil {
		o.projectFailures++
	} else {
		o.projectFailures = 0
		o.projected = max(o.projected, in.Seq)
	}
	pause := seatmap.Time(projectPauseMillis) << min(max(o.projectFailures-1, 0), 20)
	o.projectAfter = o.now + min(pause, projectPauseMillisMax)
}

// nextDue is when the event needs an owner again, even if this one is gone.
func (o *Owner) nextDue() seatmap.Time {
	due := o.state.NextDue()
	if len(o.calls) > 0 || len(o.forming.calls) > 0 {
		due = earlier(due, o.now+operationLeaseMillis)
	}
	return due
}

// leaseIsOver: the waker takes the event for one that nobody looks after, and finds it again and again, while its calls are
// open: nothing is written as long as the provider is silent.
func (o *Owner) leaseIsOver() bool {
	return len(o.calls) > 0 && o.leaseEnds <= o.now && o.nextDue() > o.now
}

// WakeAt is when the owner wants its next Due; 0: not before something else happens.
func (o *Owner) WakeAt() seatmap.Time {
	at := o.state.NextDue()
	switch {
	case at == 0:
	case o.expiredEnough():
		at = 0 // not before the batch in flight has ended
	default:
		at = max(at, o.expireAfter)
	}
	at = earlier(at, earlier(o.waits.next(), o.retries.next()))
	if !o.projecting && o.projected < o.committed {
		at = earlier(at, o.projectAfter)
	}
	return at
}

// earlier of two times, where 0 is never.
func earlier(a, b seatmap.Time) seatmap.Time {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// expire lets what is overdue end before anything else is decided, so that its seats are free for the next; as far as the
// batch takes it: what is overdue still is refused at use.
func (o *Owner) expire() {
	for due := o.state.NextDue(); due != 0 && due <= o.now && o.expireAfter <= o.now && !o.expiredEnough(); due = o.state.NextDue() {
		before := len(o.forming.facts)
		if _, ok := o.decide(seatmap.Tick{}); !ok || len(o.forming.facts) == before {
			o.expireAfter = o.now + expirePauseMillis
		}
	}
}

// expiredEnough: the forming batch takes no more expiries. There is one in flight then, or it would have been sent off.
func (o *Owner) expiredEnough() bool { return len(o.forming.facts) >= expireFactsMax }

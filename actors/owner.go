// Package actors holds the owners of events: thin shells around seatmap's decisions.
//
// What an owner guarantees:
//
//  1. Nothing uncommitted leaves it: not a success, not a refusal, not a read. Every reply waits for the commit of the
//     batch that it was decided in. The exceptions say nothing of the event: overloaded, unavailable, payment-unknown.
//  2. One batch of an event is in flight at a time; what arrives meanwhile is decided at once, against the speculative
//     state, and forms the next batch. There is no ticker: an idle event answers at the speed of one commit.
//  3. A commit that fails, or whose reply is lost, ends the owner. The next message activates a new one from the
//     journal. There is no other recovery path.
//  4. A payment provider is called only for what is committed.
//
// Owner is a plain step function: inputs and a time go in, effects come out. It has no clock, goroutine, lock or I/O,
// so that a simulator can run it. event.go is the protoactor shell around it.
package actors

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

const (
	// batchCommandsMax bounds a forming batch: past it requests are refused as overloaded. At 20 µs of JSON and
	// replies a command this is some 100 ms of work: waiting longer only hides the overload.
	batchCommandsMax = 4096
	// callerWaitMillisMax is how long a confirm or finalize waits for the provider before its caller is told so.
	callerWaitMillisMax = 8_000
	// operationLeaseMillis is when an event with an open payment operation is due again: if its owner is gone by then,
	// the waker finds it.
	operationLeaseMillis = 10_000
	// projectPauseMillis lies between two projections: the read model is at most a second behind. After one that failed
	// the pause doubles, up to projectPauseMillisMax.
	projectPauseMillis    = 250
	projectPauseMillisMax = 30_000
	// expireFactsMax is when a forming batch takes no more expiries, so that a hall whose holds all run out at once does
	// not become one commit; what is left goes with the next. A Tick may pass it by its own 1,024 facts.
	expireFactsMax = 8_192
	// expirePauseMillis lies between two tries of an expiry that fails for a bug of ours, lest the owner do nothing else.
	expirePauseMillis = 1_000
	forever           = seatmap.Time(1<<63 - 1)
)

// Caller is whoever asked; the shell knows how to reach it. nil: nobody.
type Caller any

// Render turns a reply that changed something into the answer that is stored for its repetitions. It must be pure.
type Render func(*messages.Reply) *messages.Answer

// Input is what can happen to an owner.
//
//sumtype:decl
type Input interface{ input() }

type (
	// Asked is a request from outside.
	Asked struct {
		From    Caller
		Request *messages.Request
	}
	// Committed says how the batch in flight ended.
	Committed struct{ Err error }
	// Paid says how a call to the provider ended.
	Paid struct{ Result CallResult }
	// Due says that the time the owner asked to be woken at has come.
	Due struct{}
	// Projected says how the projection that was asked for ended, and how far the read model follows now.
	Projected struct {
		Seq uint64
		Err error
	}
)

func (Asked) input()     {}
func (Committed) input() {}
func (Paid) input()      {}
func (Due) input()       {}
func (Projected) input() {}

// Effects are what the shell must do after a step, in the sequence of the fields.
type Effects struct {
	// Moved is what the batch just committed has made of the seats, nil where it moved none. The first step's moves
	// nothing, and says at what version the event goes on: who missed what the owner before did looks.
	Moved *messages.SeatsMoved
	// Replies may leave now.
	Replies []Addressed
	// Changed are the orders that the batch just committed has changed, each once.
	Changed []seatmap.OrderID
	// Commit is the next batch, nil if none is to be sent.
	Commit *messages.Batch
	// Calls to the payment provider.
	Calls []Call
	// ProjectTo asks for the read model to follow the journal up to here; 0: not now.
	ProjectTo uint64
	// Stop, if not nil, says why the owner is at its end. It must not be stepped again.
	Stop error
	// Bugs are the panics of Decide that this step met, for the log and an alert. Each cost one command.
	Bugs []error
}

// Addressed is a reply and whom it is for.
type Addressed struct {
	To    Caller
	Reply *messages.Reply
}

// batch is what is decided together and committed together.
type batch struct {
	seq      uint64 // 0: nothing changed (yet)
	commands int
	facts    []seatmap.Fact
	answers  []*messages.Answer
	tickets  []messages.TicketRow
	replies  []Addressed
	calls    []seatmap.Operation
	changed  []seatmap.OrderID // with repetitions
	moved    *messages.SeatsMoved
}

// waiter is a caller whose confirm or finalize waits for the provider.
type waiter struct {
	from  Caller
	until seatmap.Time
}

// Owner of one event, for one epoch.
type Owner struct {
	eventID string
	epoch   uint64
	render  Render

	state *seatmap.Map // speculative: includes the batches in flight and forming
	now   seatmap.Time // of the last step; never falls

	lastSeq   uint64       // of the last batch sent off with an entry
	leaseEnds seatmap.Time // the deadline that the last batch with one gave; 0: none was sent
	committed uint64       // of the last entry known to be committed
	flight    *batch
	forming   *batch

	waiters   map[seatmap.OrderID]waiter
	waits     timeline // when waiters give up
	calls     map[seatmap.OrderID]*openCall
	retries   timeline // when calls are due to be repeated
	projected uint64
	// projecting: one projection at a time; projectAfter paces the next, by how many failed in a row.
	projecting      bool
	projectAfter    seatmap.Time
	projectFailures int

	hall  hall
	begun bool // the first step was taken

	expireAfter seatmap.Time // no Tick before, since the last one failed
	bugs        []error

	draining bool
	stopped  bool
	// unrendered counts Answered facts whose answer has not been rendered yet: 0 between commands.
	unrendered int
	scratch    []seatmap.Fact
}

// Activation is what an owner starts from.
type Activation struct {
	Claim messages.Claim
	State *seatmap.Map
	// Now is the event's time at ClaimedAt on the node's clock: from there on it goes with that clock.
	Now       seatmap.Time
	ClaimedAt time.Duration
	// Projected is how far the read model follows.
	Projected uint64
}

// NewOwner makes the owner of an event that has been claimed and replayed. The first step must be a Due: it drives on
// what the owner before left open.
func NewOwner(eventID string, a Activation, render Render) *Owner {
	o := &Owner{
		eventID: eventID, epoch: a.Claim.Epoch, render: render,
		state: a.State, now: a.Now,
		lastSeq: a.Claim.LastSeq, committed: a.Claim.LastSeq,
		forming:   &batch{},
		waiters:   make(map[seatmap.OrderID]waiter),
		calls:     make(map[seatmap.OrderID]*openCall),
		projected: a.Projected,
		hall:      newHall(a.State),
	}
	for op := range a.State.Operations() {
		// The owner before may have called: a repetition looks up first.
		o.calls[op.Order] = &openCall{op: op, tries: 1, retryAt: a.Now}
		o.retries.add(a.Now, op.Order)
	}
	return o
}

// Epoch of the owner.
func (o *Owner) Epoch() uint64 { return o.epoch }

// Settled says that nobody waits for anything: no batch, no caller, no open payment operation.
func (o *Owner) Settled() bool {
	return o.flight == nil && o.forming.commands == 0 && len(o.waiters) == 0 && len(o.calls) == 0
}

// Idle says that nothing at all is going on: it is settled, and the read model at the end.
func (o *Owner) Idle() bool { return o.Settled() && !o.projecting && o.projected >= o.committed }

// Step takes one input at a time not before the last one's and returns what must be done. A panic out of Step comes
// from Apply, and means that memory and journal do not fit: the event must be quarantined.
func (o *Owner) Step(now seatmap.Time, in Input) Effects {
	if o.stopped {
		panic("actors: an owner was stepped after its end")
	}
	o.now = max(o.now, now)
	var out Effects
	if !o.begun {
		o.begun = true
		out.Moved = &messages.SeatsMoved{Version: o.hall.version, Previous: o.hall.version, At: int64(o.now)}
	}
	switch in := in.(type) {
	case Asked:
		o.asked(in, &out)
	case Committed:
		o.committedBatch(in.Err, &out)
	case Paid:
		o.paid(in.Result)
	case Due:
		o.due(&out)
	case Projected:
		o.projectedTo(in)
	}
	if out.Stop == nil {
		o.launch(&out)
		o.project(&out)
	}
	out.Bugs, o.bugs = o.bugs, nil
	return out
}

// asked decides a request; its reply, if it has one already, leaves with the forming batch.
func (o *Owner) asked(in Asked, out *Effects) {
	if o.draining {
		out.Replies = append(out.Replies, Addressed{in.From, &messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE}})
		return
	}
	if o.forming.commands >= batchCommandsMax {
		out.Replies = append(out.Replies, Addressed{in.From, &messages.Reply{Outcome: messages.Outcome_OUTCOME_OVERLOADED}})
		return
	}
	o.expire()
	o.forming.commands++
	o.handle(in.From, in.Request)
}

// decide asks the core and applies the facts to the speculative state. It is false where Decide panicked: a bug that
// has changed nothing.
func (o *Owner) decide(c seatmap.Command) (r seatmap.Result, ok bool) {
	facts, r, err := decideSafely(o.state, o.now, c, o.scratch[:0])
	if err != nil {
		o.bugs = append(o.bugs, err)
		return r, false
	}
	o.scratch = facts
	if len(facts) == 0 {
		return r, true
	}
	if o.forming.seq == 0 {
		o.forming.seq = o.lastSeq + 1
		o.forming.commands = max(o.forming.commands, 1)
	}
	for _, f := range facts {
		o.state.Apply(o.forming.seq, f)
		o.forming.facts = append(o.forming.facts, f)
		o.follow(f)
	}
	clear(o.scratch)
	return r, true
}

// decideSafely turns a panic of Decide, which is pure, into an error.
func decideSafely(m *seatmap.Map, now seatmap.Time, c seatmap.Command, buf []seatmap.Fact) (facts []seatmap.Fact, r seatmap.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			facts, err = buf[:0], fmt.Errorf("deciding %T: %v\n%s", c, p, debug.Stack())
		}
	}()
	facts, r = m.Decide(now, c, buf)
	return facts, r, nil
}

// answer lets a reply leave with the forming batch.
func (o *Owner) answer(to Caller, r *messages.Reply) {
	o.forming.replies = append(o.forming.replies, Addressed{to, r})
}

// launch sends the forming batch off if none is in flight.
func (o *Owner) launch(out *Effects) {
	b := o.forming
	if o.flight != nil {
		return
	}
	if b.seq == 0 && len(b.replies) == 0 {
		b.commands = 0 // they wait for the provider, not for a batch
		return
	}
	b.moved = o.hall.moved(o.state, b.seq, o.now)
	commit := &messages.Batch{EventID: o.eventID, Epoch: o.epoch, Tickets: b.tickets}
	if b.seq != 0 || o.leaseIsOver() {
		o.leaseEnds = o.nextDue()
		commit.NextDue = int64(o.leaseEnds)
	}
	if b.seq != 0 {
		commit.Entry = &messages.Entry{
			Seq: b.seq, Epoch: o.epoch, At: int64(o.now),
			Facts: seatmap.AppendEntry(nil, b.facts), Answers: encodeAnswers(b.answers), Moved: encodeMoved(b.moved),
		}
		o.lastSeq = b.seq
	}
	o.flight, o.forming = b, &batch{}
	out.Commit = commit
}

// committedBatch lets out what waited for the commit; a failure ends the owner.
func (o *Owner) committedBatch(err error, out *Effects) {
	b := o.flight
	if err != nil {
		o.end(fmt.Errorf("committing a batch of event %s: %w", o.eventID, err), out)
		return
	}
	o.flight = nil
	out.Moved = b.moved
	out.Replies = append(out.Replies, b.replies...)
	if b.seq != 0 {
		o.committed = b.seq
	}
	slices.SortFunc(b.changed, func(x, y seatmap.OrderID) int { return bytes.Compare(x[:], y[:]) })
	out.Changed = slices.Compact(b.changed)
	for _, op := range b.calls {
		o.start(op, out)
	}
}

// end answers everybody who waits that the event is unavailable: what became of their requests they find under the same
// key.
func (o *Owner) end(why error, out *Effects) {
	o.stopped = true
	out.Stop = why
	for _, b := range []*batch{o.flight, o.forming} {
		if b == nil {
			continue
		}
		for _, r := range b.replies {
			out.Replies = append(out.Replies, Addressed{r.To, &messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE}})
		}
	}
	for id := range o.waits.due(forever) {
		if w, ok := o.waiters[id]; ok {
			delete(o.waiters, id)
			out.Replies = append(out.Replies, Addressed{w.from, &messages.Reply{Outcome: messages.Outcome_OUTCOME_UNAVAILABLE}})
		}
	}
}

// End ends the owner from outside: after a panic, or when it is to hand over.
func (o *Owner) End(why error) Effects {
	var out Effects
	if !o.stopped {
		o.end(why, &out)
	}
	return out
}

// Drain makes the owner take no more requests; what it has begun goes on until Idle.
func (o *Owner) Drain() { o.draining = true }

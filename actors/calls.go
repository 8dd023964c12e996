package actors

import (
	"context"
	"errors"
	"fmt"

	"boxoffice/actors/failpoint"
	"boxoffice/actors/payment"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

const (
	// A provider that is silent is asked again after growing pauses.
	retryMillisMin = 100
	retryMillisMax = 30_000
	// bugPauseMillis lies between two tries of taking note of an answer at which Decide panics.
	bugPauseMillis = 60_000
)

// openCall is a payment operation of ours whose outcome we do not know yet.
type openCall struct {
	op      seatmap.Operation
	tries   int
	running bool
	retryAt seatmap.Time
}

// Call is one call to the payment provider that the shell must make, elsewhere, and report as Paid.
type Call struct {
	Op       seatmap.Operation
	EventID  string
	Currency string
	SeatIDs  []string // of a capture: what tickets are for
	// At is the owner's time when it asked.
	At seatmap.Time
	// Repeated: it may have been made before, so that a look-up comes first.
	Repeated bool
}

// CallResult is what became of a call.
type CallResult struct {
	Op seatmap.Operation
	// Command takes note of the provider's answer; nil: it was not heard.
	Command seatmap.Command
	// Tickets of a capture that succeeded.
	Tickets []messages.TicketRow
	// Err says why nothing was heard, or what was wrong with what was.
	Err error
}

// start makes the call of an operation that has just been committed.
func (o *Owner) start(op seatmap.Operation, out *Effects) {
	c := &openCall{op: op}
	o.calls[op.Order] = c
	o.run(c, out)
}

func (o *Owner) run(c *openCall, out *Effects) {
	c.running, c.retryAt = true, 0
	call := Call{
		Op: c.op, EventID: o.eventID, Currency: o.state.Settings().Currency, At: o.now, Repeated: c.tries > 0,
	}
	if c.op.Kind == seatmap.Capture {
		for _, s := range c.op.Seats {
			call.SeatIDs = append(call.SeatIDs, o.state.Plan().SeatID(s))
		}
	}
	c.tries++
	out.Calls = append(out.Calls, call)
}

// paid takes note of the provider's answer, or of its silence.
func (o *Owner) paid(r CallResult) {
	c := o.calls[r.Op.Order]
	if !o.waitsFor(r.Op) || !c.running {
		return // an answer to a question that is no longer open
	}
	if r.Command == nil {
		pause := seatmap.Time(retryMillisMin) << min(c.tries-1, 20)
		o.retryIn(min(pause, retryMillisMax), c)
		return
	}
	delete(o.calls, r.Op.Order)
	o.expire()
	o.forming.tickets = append(o.forming.tickets, r.Tickets...)
	result, ok := o.decide(r.Command)
	if !ok {
		// Decide is pure: asking it again would panic again, until something else has changed, or the build. The
		// operation stays open, and its caller is told what is true: nothing is known.
		o.calls[r.Op.Order] = c
		o.retryIn(bugPauseMillis, c)
		o.forming.tickets = o.forming.tickets[:len(o.forming.tickets)-len(r.Tickets)]
		o.tellWaiter(r.Op.Order, &messages.Reply{Outcome: messages.Outcome_OUTCOME_PAYMENT_UNKNOWN})
		return
	}
	if result.Outcome == seatmap.PaymentNoted {
		o.forming.tickets = o.forming.tickets[:len(o.forming.tickets)-len(r.Tickets)]
		return
	}
	o.tellWaiter(r.Op.Order, o.finish(result))
}

// waitsFor an answer about the operation.
func (o *Owner) waitsFor(op seatmap.Operation) bool {
	c, ok := o.calls[op.Order]
	return ok && c.op.Kind == op.Kind && c.op.Attempt == op.Attempt
}

// retryIn makes a call again after a pause.
func (o *Owner) retryIn(pause seatmap.Time, c *openCall) {
	c.running, c.retryAt = false, o.now+pause
	o.retries.add(c.retryAt, c.op.Order)
}

// tellWaiter answers the caller that waits for the order's payment, if one does, with the forming batch.
func (o *Owner) tellWaiter(id seatmap.OrderID, r *messages.Reply) {
	if w, ok := o.waiters[id]; ok {
		delete(o.waiters, id)
		o.answer(w.from, r)
	}
}

// Pay makes a call and says what command takes note of its outcome. It blocks; the shell runs it elsewhere.
func Pay(ctx context.Context, provider payment.Provider, issuer Issuer, c Call) CallResult {
	failpoint.Hit("before-call/" + c.Op.Kind.String())
	reference, err := paySafely(ctx, provider, c)
	failpoint.Hit("after-call/" + c.Op.Kind.String())
	result := CallResult{Op: c.Op}
	var declined *payment.DeclinedError
	if err != nil && !errors.As(err, &declined) {
		result.Err = fmt.Errorf("%s: %w", c.Op.Kind, err)
		return result
	}
	switch c.Op.Kind {
	case seatmap.Authorize:
		if declined != nil {
			result.Command = seatmap.AuthorizeRefused{Order: c.Op.Order, Attempt: c.Op.Attempt, Code: declined.Code}
		} else {
			result.Command = seatmap.AuthorizeSucceeded{Order: c.Op.Order, Attempt: c.Op.Attempt, Reference: reference}
		}
	case seatmap.Capture:
		if declined != nil {
			result.Command = seatmap.CaptureRefused{Order: c.Op.Order, Attempt: c.Op.Attempt, Code: declined.Code}
			break
		}
		result.Tickets = issuer.Issue(c.EventID, c.Op.Order, c.Op.Seats, c.SeatIDs, c.At)
		ids := make([]seatmap.TicketID, len(result.Tickets))
		for i := range result.Tickets {
			ids[i] = result.Tickets[i].TicketID
		}
		result.Command = seatmap.CaptureSucceeded{Order: c.Op.Order, Attempt: c.Op.Attempt, Tickets: ids}
	case seatmap.Void:
		// A void that is refused has nothing to let go (the authorization lapsed, say): that is what we wanted. It is
		// reported all the same, since `boxoffice verify` would ask.
		if declined != nil {
			result.Err = fmt.Errorf("void: %w", err)
		}
		result.Command = seatmap.VoidSucceeded{Order: c.Op.Order, Attempt: c.Op.Attempt}
	}
	return result
}

// paySafely takes a panic of a provider's adapter for silence: what it did is not known.
func paySafely(ctx context.Context, provider payment.Provider, c Call) (reference string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the provider's adapter panicked: %v: %w", p, payment.ErrUnknown)
		}
	}()
	return pay(ctx, provider, c)
}

// pay looks a repeated operation up first, and sends it, under the same key as ever, where the provider has not seen it.
func pay(ctx context.Context, provider payment.Provider, c Call) (reference string, err error) {
	authorize := payment.AuthorizeKey(c.EventID, c.Op.Order, c.Op.Attempt)
	key := authorize
	switch c.Op.Kind {
	case seatmap.Authorize:
	case seatmap.Capture:
		key = payment.CaptureKey(c.EventID, c.Op.Order)
	case seatmap.Void:
		key = payment.VoidKey(c.EventID, c.Op.Order, c.Op.Attempt)
	}
	if c.Repeated {
		found, err := provider.LookUp(ctx, key)
		switch {
		case err == nil && found.Declined != "":
			return "", &payment.DeclinedError{Code: found.Declined}
		case err == nil:
			return found.Reference, nil
		case !errors.Is(err, payment.ErrNotFound):
			return "", err
		}
	}
	switch c.Op.Kind {
	case seatmap.Authorize:
		return provider.Authorize(ctx, payment.AuthorizeRequest{
			Key: key, Event: c.EventID, Token: c.Op.Token, Currency: c.Currency, Amount: c.Op.Amount,
		})
	case seatmap.Capture:
		return "", provider.Capture(ctx, payment.CaptureRequest{
			Key: key, Authorize: authorize, Reference: c.Op.Reference, Currency: c.Currency, Amount: c.Op.Amount,
		})
	case seatmap.Void:
		return "", provider.Void(ctx, payment.VoidRequest{Key: key, Authorize: authorize, Reference: c.Op.Reference})
	}
	return "", fmt.Errorf("unknown payment operation %d", c.Op.Kind)
}

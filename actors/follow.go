package actors

import (
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// What a fact that has just been applied means to others than the event.

// follow does what a fact means to those who wait, to those who watch and to the provider.
func (o *Owner) follow(f seatmap.Fact) {
	switch f := f.(type) {
	case seatmap.OrderWasCreated:
		o.changed(f.Order)
	case seatmap.SeatsWereHeld:
		o.changed(f.Order)
	case seatmap.AuthorizeStarted:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Authorize)
	case seatmap.AuthorizeWasGranted:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Void) // where the order has ended meanwhile
	case seatmap.AuthorizeWasDeclined:
		o.changed(f.Order)
	case seatmap.CaptureStarted:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Capture)
	case seatmap.CaptureWasRefused:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Void)
	case seatmap.OrderWasCompleted:
		o.changed(f.Order)
	case seatmap.OrderHasExpired:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Void)
		o.tell(f.Order, messages.Outcome_OUTCOME_HOLD_EXPIRED)
	case seatmap.OrderWasCancelled:
		o.changed(f.Order)
		o.open(f.Order, seatmap.Void)
		o.tell(f.Order, messages.Outcome_OUTCOME_ORDER_STATE)
	case seatmap.Answered:
		o.unrendered++
	case seatmap.EventCreated, seatmap.SettingsChanged, seatmap.SeatsWereBlocked, seatmap.SeatsWereUnblocked,
		seatmap.AuthorizationWasVoided, seatmap.SessionWasEnded, seatmap.Forgotten:
	}
}

// changed notes that who watches the order has something to look at once the forming batch is committed.
func (o *Owner) changed(id seatmap.OrderID) { o.forming.changed = append(o.forming.changed, id) }

// open notes that the order now waits for a provider call of this kind: it is made once the batch is committed.
func (o *Owner) open(id seatmap.OrderID, kind seatmap.OperationKind) {
	if op, ok := o.state.Operation(id); ok && op.Kind == kind {
		o.forming.calls = append(o.forming.calls, op)
	}
}

// tell answers the caller that waits for the payment of an order that has ended meanwhile, if one does.
func (o *Owner) tell(id seatmap.OrderID, outcome messages.Outcome) {
	if _, waits := o.waiters[id]; waits {
		o.tellWaiter(id, &messages.Reply{Outcome: outcome, Order: o.order(id)})
	}
}

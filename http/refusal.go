package http

import (
	"time"

	"boxoffice/messages"
)

// refusal is the one place where outcomes become errors of the contract. Outcomes that are no refusals are bugs here:
// whoever asked knows which success to expect.
func refusal(r *messages.Reply) *problem {
	switch r.GetOutcome() {
	case messages.Outcome_OUTCOME_REQUEST_IN_FLIGHT:
		return newProblem(codeRequestInFlight, "A request with this idempotency key is still being worked on.").retry(retryAfterSeconds)
	case messages.Outcome_OUTCOME_IDEMPOTENCY_KEY_REUSED:
		return newProblem(codeIdempotencyKeyReused, "This idempotency key came before with another body.")
	case messages.Outcome_OUTCOME_ORDER_NOT_FOUND, messages.Outcome_OUTCOME_EVENT_NOT_FOUND:
		return notFound()
	case messages.Outcome_OUTCOME_SESSION_LEFT:
		return newProblem(codeTokenInvalid, "The session of this access token has been left.")
	case messages.Outcome_OUTCOME_TOKEN_EXPIRED:
		return newProblem(codeTokenExpired, "The access token has expired.")
	case messages.Outcome_OUTCOME_TOO_MANY_ANSWERS:
		return newProblem(codeRateLimited, "The session has made too many calls within a day.").retry(answersRetryAfterSeconds)
	case messages.Outcome_OUTCOME_TOO_MANY_ORDERS:
		return newProblem(codeTooManyOrders, "The session may have no more orders.").withInt("limit", r.GetLimit())
	case messages.Outcome_OUTCOME_TOO_MANY_SEATS:
		return newProblem(codeTooManySeats, "An order may not have as many seats.").withInt("limit", r.GetLimit())
	case messages.Outcome_OUTCOME_UNKNOWN_SEAT:
		return newProblem(codeUnknownSeat, "The event has no such seats.").withStrings("seats", r.GetSeats())
	case messages.Outcome_OUTCOME_DUPLICATE_SEAT:
		return newProblem(codeDuplicateSeat, "Seats are named more than once.").withStrings("seats", r.GetSeats())
	case messages.Outcome_OUTCOME_UNKNOWN_CATEGORY:
		return newProblem(codeUnknownCategory, "The event has no such category.")
	case messages.Outcome_OUTCOME_UNKNOWN_SECTION:
		return newProblem(codeUnknownSection, "The event has no such section.")
	case messages.Outcome_OUTCOME_SEATS_REQUIRED:
		return invalid(fault("seats", "name seats or bestAvailable: the order holds none"))
	case messages.Outcome_OUTCOME_HOLD_EXPIRED:
		return newProblem(codeOrderExpired, "The time to hold the seats, or the session, ran out.")
	case messages.Outcome_OUTCOME_ORDER_STATE:
		return orderState(r.GetOrder().GetStatus())
	case messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE:
		return newProblem(codeEventNotOnSale, "The event is not on sale.").withTime("onSaleAt", r.GetOnSaleAt())
	case messages.Outcome_OUTCOME_SEATS_UNAVAILABLE:
		return newProblem(codeSeatsUnavailable, "Some of the seats are not available.").withStrings("unavailable", r.GetSeats())
	case messages.Outcome_OUTCOME_NOT_ENOUGH_SEATS:
		return newProblem(codeNotEnoughSeats, "There are not as many free seats next to each other.")
	case messages.Outcome_OUTCOME_SETTINGS_INVALID:
		return invalid(r.GetFaults()...)
	case messages.Outcome_OUTCOME_PAYMENT_DECLINED:
		return newProblem(codePaymentDeclined, "The payment was declined. The seats stay held.").
			withString("declineCode", r.GetDeclineCode()).withTime("holdExpiresAt", r.GetOrder().GetHoldExpiresAt())
	case messages.Outcome_OUTCOME_CAPTURE_FAILED:
		return newProblem(codePaymentCaptureFailed, "The payment could not be captured. The seats are free again.").
			withString("orderStatus", orderStatusText(r.GetOrder().GetStatus()))
	case messages.Outcome_OUTCOME_UNAVAILABLE:
		return unavailable(nil)
	case messages.Outcome_OUTCOME_OVERLOADED:
		return newProblem(codeOverloaded, "There is more to do than we can.").retry(retryAfterSeconds)
	case messages.Outcome_OUTCOME_PAYMENT_UNKNOWN:
		return newProblem(codePaymentUnknown, "The payment provider has not answered yet.").retry(retryAfterSeconds)
	case messages.Outcome_OUTCOME_ORDER_EXISTS, messages.Outcome_OUTCOME_INTERNAL,
		messages.Outcome_OUTCOME_UNSPECIFIED,
		messages.Outcome_OUTCOME_ORDER_CREATED, messages.Outcome_OUTCOME_SEATS_RESERVED,
		messages.Outcome_OUTCOME_ORDER_AUTHORIZED, messages.Outcome_OUTCOME_ORDER_COMPLETED,
		messages.Outcome_OUTCOME_ORDER_CANCELLED, messages.Outcome_OUTCOME_SESSION_ENDED,
		messages.Outcome_OUTCOME_SEATS_BLOCKED, messages.Outcome_OUTCOME_SEATS_UNBLOCKED,
		messages.Outcome_OUTCOME_CONFIGURED, messages.Outcome_OUTCOME_TICKED,
		messages.Outcome_OUTCOME_AUTHORIZE_PENDING, messages.Outcome_OUTCOME_CAPTURE_PENDING,
		messages.Outcome_OUTCOME_PAYMENT_NOTED, messages.Outcome_OUTCOME_REPLAYED,
		messages.Outcome_OUTCOME_READ:
	}
	return internal(&unexpectedOutcomeError{r.GetOutcome()})
}

func orderState(s messages.OrderStatus) *problem {
	return newProblem(codeOrderState, "The order's state does not allow this.").withString("orderStatus", orderStatusText(s))
}

// notOnSale refuses a join; onSaleAt is told where it lies ahead.
func notOnSale(e *messages.Event, now time.Time) *problem {
	r := &messages.Reply{Outcome: messages.Outcome_OUTCOME_EVENT_NOT_ON_SALE}
	if e.GetOnSaleAt() > now.UnixMilli() {
		r.OnSaleAt = e.GetOnSaleAt()
	}
	return refusal(r)
}

// unexpectedOutcomeError says that a reply had an outcome that its request cannot have.
type unexpectedOutcomeError struct{ outcome messages.Outcome }

func (e *unexpectedOutcomeError) Error() string { return "unexpected outcome " + e.outcome.String() }

package http

// code names a kind of error. The set is closed: the contract's codes, and what HTTP itself adds.
type code string

const (
	codeInvalidRequest         code = "invalid-request"
	codeIdempotencyKeyRequired code = "idempotency-key-required"
	codeTokenRequired          code = "token-required"
	codeTokenInvalid           code = "token-invalid"
	codeTokenExpired           code = "token-expired"
	codePaymentDeclined        code = "payment-declined"
	codePaymentCaptureFailed   code = "payment-capture-failed"
	codeNotFound               code = "not-found"
	codeMethodNotAllowed       code = "method-not-allowed"
	codeRequestTimeout         code = "request-timeout"
	codeSeatsUnavailable       code = "seats-unavailable"
	codeNotEnoughSeats         code = "not-enough-seats"
	codeOrderState             code = "order-state"
	codeRequestInFlight        code = "request-in-flight"
	codeEventNotOnSale         code = "event-not-on-sale"
	codeEventExists            code = "event-exists"
	codeOrderExpired           code = "order-expired"
	codeBodyTooLarge           code = "body-too-large"
	codeURITooLong             code = "uri-too-long"
	codeUnsupportedMediaType   code = "unsupported-media-type"
	codeIdempotencyKeyReused   code = "idempotency-key-reused"
	codeTooManySeats           code = "too-many-seats"
	codeTooManyOrders          code = "too-many-orders"
	codeUnknownSeat            code = "unknown-seat"
	codeDuplicateSeat          code = "duplicate-seat"
	codeUnknownCategory        code = "unknown-category"
	codeUnknownSection         code = "unknown-section"
	codeRateLimited            code = "rate-limited"
	codeHeadersTooLarge        code = "headers-too-large"
	codeInternal               code = "internal"
	codeOverloaded             code = "overloaded"
	codeUnavailable            code = "unavailable"
	codePaymentUnknown         code = "payment-unknown"
)

// kind is what every error of one code has in common.
type kind struct {
	code   code
	status int
	title  string
	// help is what `GET /problems/<code>` says: what it means and what to do.
	help string
}

// kinds in the order of the contract's table.
var kinds = []kind{
	{codeInvalidRequest, 400, "The request is not valid", "The request is malformed: bad JSON, an unknown field, a wrong type, a bad id, a NUL character or nesting over 8. `errors` lists each fault by field. Correct it; repeating it as it is cannot succeed."},
	{codeIdempotencyKeyRequired, 400, "An Idempotency-Key is required", "Every order call needs an `Idempotency-Key` header of 1 to 255 visible ASCII characters, so that it can be repeated safely. Use a fresh random key for each intent and the same key for each repetition."},
	{codeTokenRequired, 401, "An access token is required", "The call needs `Authorization: Bearer <token>`. Join the event's waiting room; the session shows its access token once it is active."},
	{codeTokenInvalid, 401, "The access token is not valid", "The token was not issued by us, is for another event, or its session was left. Join the waiting room again."},
	{codeTokenExpired, 401, "The access token has expired", "New orders need an unexpired token. Join the waiting room again. Orders made before can still be finished."},
	{codePaymentDeclined, 402, "The payment was declined", "The payment provider declined; `declineCode` says why. The order is RESERVED again and its seats stay held until `holdExpiresAt`: try again with another payment token and a new idempotency key."},
	{codePaymentCaptureFailed, 402, "The payment could not be captured", "The capture failed for good. The order has ended as PAYMENT_FAILED, its seats are free again and nothing was charged. Make a new order."},
	{codeNotFound, 404, "Not found", "There is nothing under this address, or it belongs to another session."},
	{codeMethodNotAllowed, 405, "The method is not allowed here", "The address exists but not with this method; the `Allow` header lists those that do."},
	{codeRequestTimeout, 408, "The request took too long to arrive", "The request was not received whole in time. Send it again."},
	{codeSeatsUnavailable, 409, "Some of the seats are not available", "At least one of the named seats is held, sold or blocked; `unavailable` lists them. Nothing was held. Choose other seats."},
	{codeNotEnoughSeats, 409, "Not enough seats next to each other", "Best available found no row with as many free seats next to each other. Nothing was held. Ask for fewer, or in another category or section."},
	{codeOrderState, 409, "The order's state does not allow this", "The order is in the state `orderStatus`, in which this call does nothing."},
	{codeRequestInFlight, 409, "The same request is still being worked on", "A request with the same idempotency key has not been answered yet. Repeat it after `Retry-After` seconds with the same key."},
	{codeEventNotOnSale, 409, "The event is not on sale", "The sale has not begun (`onSaleAt` says when it does), is paused, closed or cancelled."},
	{codeEventExists, 409, "The event exists already", "An event of this id was created before. Events are changed by PATCH."},
	{codeOrderExpired, 410, "The order has expired", "The time to hold the seats, or the session, ran out. The seats are free again and nothing was charged. Make a new order."},
	{codeBodyTooLarge, 413, "The body is too large", "A request body may have 16 KiB, on the organiser's side 64 MiB."},
	{codeURITooLong, 414, "The address is too long", "A request's address may have 2,048 bytes."},
	{codeUnsupportedMediaType, 415, "The body's media type is not supported", "Bodies are `application/json`, not compressed."},
	{codeIdempotencyKeyReused, 422, "The idempotency key was used for another request", "The same key came before with another body. Use a fresh key for a new intent."},
	{codeTooManySeats, 422, "Too many seats", "An order may have `limit` seats."},
	{codeTooManyOrders, 422, "Too many orders", "A session may have `limit` orders."},
	{codeUnknownSeat, 422, "Unknown seats", "The event's seating plan has no such seats; `seats` lists them."},
	{codeDuplicateSeat, 422, "A seat is named twice", "`seats` lists what was named more than once."},
	{codeUnknownCategory, 422, "Unknown category", "The event has no price category of this name."},
	{codeUnknownSection, 422, "Unknown section", "The event's seating plan has no section of this name."},
	{codeRateLimited, 429, "Too many requests", "Repeat it after `Retry-After` seconds, and less often."},
	{codeHeadersTooLarge, 431, "The request's headers are too large", "Address and headers together may have 8 KiB."},
	{codeInternal, 500, "Internal error", "This is our fault. Nothing was changed by the request."},
	{codeOverloaded, 503, "Overloaded", "There is more to do than we can. Repeat it after `Retry-After` seconds with the same idempotency key."},
	{codeUnavailable, 503, "Unavailable", "Something that we need is away for a moment. Repeat it after `Retry-After` seconds with the same idempotency key; it takes effect once at most."},
	{codePaymentUnknown, 503, "The payment provider has not answered yet", "We go on asking the provider. Repeat the call after `Retry-After` seconds with the same idempotency key to learn the result; nothing is charged twice."},
}

var kindOf = func() map[code]*kind {
	m := make(map[code]*kind, len(kinds))
	for i := range kinds {
		m[kinds[i].code] = &kinds[i]
	}
	return m
}()

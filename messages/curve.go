package messages

// Curve is how an event's sale went of late, in steps of Step milliseconds that begin at multiples of it. Times are
// milliseconds since the Unix epoch.
type Curve struct {
	Currency string
	AsOf     int64
	Step     int64
	// Before is what was before the first point. Admissions of that time are not counted.
	Before CurvePoint
	// Points have one step each, without a gap; the last step is the one that AsOf is in.
	Points []CurvePoint
}

// CurvePoint is one step.
type CurvePoint struct {
	// At is when it began.
	At int64
	// Sold seats: tickets that were issued and have not been voided.
	Sold uint64
	// Revenue of these, in minor units.
	Revenue int64
	// Admitted is how many sessions the waiting room let in.
	Admitted uint64
}

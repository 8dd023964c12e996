package seatmap

// Result of a command, beside its facts.
type Result struct {
	Outcome Outcome
	// Order the outcome is about, zero where none.
	Order OrderID
	// Stored is where the first answer stands, where the outcome is Replayed.
	Stored Stored
	// Seats at fault, as they were named.
	Seats []string
	// Limit that was passed.
	Limit int
	// Code of the provider's decline.
	Code string
	// Field and Fault say what is wrong with the settings.
	Field, Fault string
}

// Stored is the place of an answer in the journal.
type Stored struct {
	Seq  uint64
	Slot uint32
}

//go:build invariants

package seatmap

// invariantsOn: Check after every fact. It looks at everything, so it is for tests only.
const invariantsOn = true

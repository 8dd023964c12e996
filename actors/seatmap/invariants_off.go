//go:build !invariants

package seatmap

const invariantsOn = false

//go:build !race

package seatingplan

const raceDetector = false

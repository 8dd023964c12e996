//go:build unix

package http

import (
	"math"
	"syscall"
)

// openFilesMax is how many files the process may have open, which Go has raised as far as it may; 0: not known.
func openFilesMax() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}

//go:build failpoints

// Package failpoint lets tests kill the process at a named point. It does nothing unless built with the tag
// failpoints, which never ships.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled says whether this build has failpoints.
const Enabled = true

// asked is the one point at which this process dies, when it has passed it left times more: BOXOFFICE_FAILPOINT=point#3 is
// the third time, and without a number the first.
var (
	asked string
	left  atomic.Int64
)

func init() {
	point, times, _ := strings.Cut(os.Getenv("BOXOFFICE_FAILPOINT"), "#")
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil {
		n = 1
	}
	asked = point
	left.Store(n)
}

// Hit kills the process, as kill -9 would, if the point was asked for.
func Hit(point string) {
	if asked != "" && point == asked && left.Add(-1) <= 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may be a moment late: go no further
	}
}

//go:build failpoints

// Package failpoint lets tests kill the process at a named point. It does nothing unless built with the tag
// failpoints, which never ships.
package failpoint

import (
	"os"
	"syscall"
)

// Enabled says whether this build has failpoints.
const Enabled = true

// asked is the one point at which this process dies.
var asked = os.Getenv("BOXOFFICE_FAILPOINT")

// Hit kills the process, as kill -9 would, if the point was asked for.
func Hit(point string) {
	if asked != "" && point == asked {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may be a moment late: go no further
	}
}

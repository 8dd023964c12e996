//go:build !failpoints

// Package failpoint lets tests kill the process at a named point. It does nothing unless built with the tag
// failpoints, which never ships.
package failpoint

// Enabled says whether this build has failpoints.
const Enabled = false

// Hit kills the process if the point was asked for.
func Hit(string) {}

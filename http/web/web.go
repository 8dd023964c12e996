// Package web holds the pages of buyers and of the organiser: HTML, style sheets and ES modules, as they are written and
// as they are served. There is no build step, so that what a browser shows can be read here.
package web

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed *.html static
var files embed.FS

// Names of the pages. All else is under "static/".
const (
	Index     = "index.html"
	Organiser = "organiser.html"
)

// Files by name: "index.html", "static/js/app.js". The bodies must not be changed.
func Files() map[string][]byte {
	bodies := map[string][]byte{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			bodies[name], err = files.ReadFile(name)
		}
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("web: the files that are built in: %v", err)) // memory does not fail
	}
	return bodies
}

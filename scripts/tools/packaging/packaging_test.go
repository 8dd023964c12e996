// Package packaging checks what is in docs/operate, and the image, by tools that need no container engine: scripts/packaging
// runs it. It has a module of its own, so that the hundreds of dependencies of those tools stay out of ours.
//
// Every check is a function from a folder to what is wrong there. It finds nothing in this repository, and something in
// each copy that was broken on purpose: a check that has gone blind fails as well.
package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// repository is where this one stands, from here.
const repository = "../../.."

// breakage is a change of one file that a check has to find.
type breakage struct {
	name     string
	file     string // in docs/operate, unless it is at the top level
	old, new string
	want     string // in what the check says
}

// hold runs the check on the repository, and on a copy of it for each breakage.
func hold(t *testing.T, check func(dir string) []string, breakages ...breakage) {
	t.Helper()
	for _, fault := range check(repository) {
		t.Error(fault)
	}
	if t.Failed() {
		return
	}
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			faults := check(broken(t, b))
			for _, fault := range faults {
				if strings.Contains(fault, b.want) {
					return
				}
			}
			t.Errorf("nothing is said of %q, but:\n%s", b.want, strings.Join(faults, "\n"))
		})
	}
}

// broken is a copy of what is checked, with one thing wrong.
func broken(t *testing.T, b breakage) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Dockerfile", "README.md"} {
		must(t, os.WriteFile(filepath.Join(dir, name), read(t, filepath.Join(repository, name)), 0o600))
	}
	must(t, os.CopyFS(filepath.Join(dir, "docs"), os.DirFS(filepath.Join(repository, "docs"))))
	path := filepath.Join(dir, b.file)
	if _, err := os.Stat(path); err != nil {
		path = operate(dir, b.file)
	}
	before := read(t, path)
	after := bytes.ReplaceAll(before, []byte(b.old), []byte(b.new))
	if bytes.Equal(before, after) {
		t.Fatalf("%s has no %q that could be broken", b.file, b.old)
	}
	must(t, os.WriteFile(path, after, 0o600))
	return dir
}

func operate(dir, name string) string { return filepath.Join(dir, "docs", "operate", name) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// list of what is wrong.
type list []string

func (l *list) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// need notes what does not hold.
func (l *list) need(holds bool, format string, args ...any) {
	if !holds {
		l.add(format, args...)
	}
}

// command runs one, and has all that it says.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

var addressDefault = regexp.MustCompile(`or\(getenv\("(BOXOFFICE_[A-Z]+_ADDR)"\), "[^"]*:(\d+)"\)`)

// portsDefault are the binary's own, by setting.
func portsDefault() (map[string]string, error) {
	source, err := os.ReadFile(filepath.Join(repository, "cmd/boxoffice/config.go"))
	ports := map[string]string{}
	for _, m := range addressDefault.FindAllStringSubmatch(string(source), -1) {
		ports[m[1]] = m[2]
	}
	if err == nil && (ports["BOXOFFICE_HTTP_ADDR"] == "" || ports["BOXOFFICE_ADMIN_ADDR"] == "") {
		err = fmt.Errorf("no default ports are found in cmd/boxoffice/config.go: %v", ports)
	}
	return ports, err
}

package packaging

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	setting = regexp.MustCompile(`\bBOXOFFICE_[A-Z][A-Z_]*[A-Z]\b`)
	link    = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	// composeOwn are compose.yaml's alone.
	composeOwn = map[string]bool{"BOXOFFICE_IMAGE": true, "BOXOFFICE_PUBLISH": true, "BOXOFFICE_PUBLISH_ADMIN": true, "BOXOFFICE_SUBNET": true}
)

// Goal: who follows the documents sets what exists, and every link leads somewhere. Method: every setting that docs/operate names is in README.md's
// table, whatever is there is in the source, and every relative link is a file.
func TestDocuments(t *testing.T) {
	hold(t, documentFaults,
		breakage{"no such setting", "compose.yaml", "BOXOFFICE_TRUSTED_PROXIES", "BOXOFFICE_TRUSTED_PROXY", "BOXOFFICE_TRUSTED_PROXY"},
		breakage{"no such setting in words", "README.md", "`BOXOFFICE_LEASE`", "`BOXOFFICE_LEASES`", "BOXOFFICE_LEASES"},
		breakage{"no such file", "deploy.md", "(compose.yaml)", "(compose.yml)", "compose.yml"},
	)
}

func documentFaults(dir string) []string {
	var l list
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return []string{err.Error()}
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "| `BOXOFFICE_") {
			for _, name := range setting.FindAllString(strings.SplitN(line, "|", 3)[1], -1) {
				known[name] = true
			}
		}
	}
	l.need(len(known) > 20, "README.md: its table of settings is not found")
	sources, err := settingsInSource()
	l.need(err == nil, "%v", err)
	for name := range known {
		l.need(sources[name], "README.md: there is no setting %s in the source", name)
	}
	l.links(dir, "README.md", string(readme))
	err = filepath.WalkDir(filepath.Join(dir, "docs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if filepath.Ext(name) == ".md" {
			l.links(dir, name, string(text))
		}
		for _, s := range setting.FindAllString(string(text), -1) {
			l.need(known[s] || composeOwn[s], "%s: there is no setting %s in README.md", name, s)
		}
		return nil
	})
	l.need(err == nil, "%v", err)
	return l
}

// settingsInSource are those that cmd/boxoffice or another of our packages knows.
func settingsInSource() (map[string]bool, error) {
	found := map[string]bool{}
	for _, folder := range []string{"cmd/boxoffice", "cmd/dev", "cluster", "http", "persistence"} {
		files, err := filepath.Glob(filepath.Join(repository, folder, "*.go"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no source in %s: %w", folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			for _, name := range setting.FindAllString(string(text), -1) {
				found[name] = true
			}
		}
	}
	return found, nil
}

// links notes those that lead nowhere. In a broken copy, what is not copied is looked up in the repository.
func (l *list) links(dir, name, text string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		to := filepath.Join(filepath.Dir(name), m[1])
		_, here := os.Stat(filepath.Join(dir, to))
		_, there := os.Stat(filepath.Join(repository, to))
		l.need(here == nil || there == nil, "%s: %s leads nowhere", name, m[1])
	}
}

// Package boxoffice holds no code, only the tests that hold the architecture: see docs in README.md.
package boxoffice

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Goal: who may import whom, what actors must not do and which folders there are stays as designed.
// Method: parse every Go file, whatever its build tags, and compare with the tables below. The same rules
// run over made-up bad files, so that a rule that has gone blind fails too.

// folders are the top-level folders; hidden ones other than .ci are tools' own. bin is built.
var folders = []string{"actors", "messages", "persistence", "http", "cluster", "migrations", "cmd", "docs", "scripts", ".ci", "bin"}

// ownImports says which of our packages a package's non-test files may import, besides those of its own
// folder. "x/..." is x and all below it; the longest rule that fits a package counts. A package that no
// rule fits fails.
var ownImports = map[string][]string{
	"messages":                 {},
	"migrations":               {},
	"actors/seatmap":           {},
	"actors/seatingplan":       {"messages", "actors/seatmap"},
	"actors/payment/...":       {"messages", "actors/payment"},
	"actors/failpoint":         {},
	"actors/...":               {"messages", "actors/..."},
	"persistence/...":          {"messages", "migrations", "persistence", "persistence/memory", "persistence/journaltest"},
	"persistence/embedded/...": {"persistence/embedded"},
	"http/...":                 {"messages", "http/..."},
	"http/contract/...":        {"http"}, // judges the tests' traffic
	"cluster/...":              {"messages", "actors/...", "cluster/..."},
	"cmd/boxoffice/...": {
		"messages", "migrations", "actors/...", "persistence", "persistence/memory", "http/...", "cluster/...", "cmd/boxoffice/...",
	},
	"cmd/dev": {"messages", "migrations", "actors/...", "persistence/...", "http/...", "cluster/...", "cmd/boxoffice/..."},
}

// production is the package whose whole import tree is free of testAndDev.
const production = "cmd/boxoffice"

// testAndDev is for tests and cmd/dev.
var testAndDev = []string{"persistence/embedded/...", "http/contract/..."}

// onlyIn says which of our packages may import somebody else's.
var onlyIn = map[string][]string{
	"github.com/jackc/pgx":           {"persistence/...", "migrations"}, // goose runs on database/sql over pgx
	"github.com/pressly/goose":       {"migrations"},
	"github.com/redis/go-redis":      {"persistence/..."},
	"github.com/alicebob/miniredis":  {"persistence/..."},
	"github.com/gofiber/fiber":       {"http/..."},
	"github.com/valyala/fasthttp":    {"http/..."},
	"github.com/getkin/kin-openapi":  {"http/contract"},
	"github.com/santhosh-tekuri":     {"http/contract"},
	"github.com/asynkron/protoactor": {"cluster/...", "actors/..."},
	"google.golang.org/grpc":         {"cluster/..."},
	"k8s.io":                         {"cluster/..."},
	// Everybody may begin a span; how spans leave is cmd's affair.
	"go.opentelemetry.io/otel/sdk":       {"cmd/boxoffice"},
	"go.opentelemetry.io/otel/exporters": {"cmd/boxoffice"},
}

// seatmapImports are the packages that the pure core may use: none does I/O or
// knows chance; of time only its types, since actorCallsNever holds here too.
var seatmapImports = []string{
	"bytes", "cmp", "crypto/sha256", "encoding/binary", "encoding/hex", "errors", "fmt", "hash", "hash/crc32", "iter", "maps", "math", "math/bits",
	"slices", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

// actorImportsNever and actorCallsNever: a simulator runs actors on a virtual clock and a seeded scheduler,
// so that time, chance and goroutines come to them through interfaces.
var (
	actorImportsNever = []string{"math/rand", "math/rand/v2", "crypto/rand"}
	actorCallsNever   = map[string][]string{
		"time": {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"},
	}
)

const module = "boxoffice"

// file is what the rules look at of one Go file that is not a test.
type file struct {
	pkg     string // its package's path without the module's: "" is the top level
	name    string
	imports []string
	syntax  *ast.File
}

func TestFolders(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && e.Name() != ".ci"
		if e.IsDir() && !hidden && !slices.Contains(folders, e.Name()) {
			t.Errorf("%s: no such top-level folder in the design", e.Name())
		}
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			t.Errorf("%s: no code at the top level", e.Name())
		}
	}
}

func TestArchitecture(t *testing.T) {
	files := parseAll(t)
	if len(files) < 10 {
		t.Fatalf("found only %d files: the walk is broken", len(files))
	}
	for _, fault := range faults(files) {
		t.Error(fault)
	}
}

// faults holds the files against all tables.
func faults(files []file) []string {
	var out []string
	for _, f := range files {
		for _, fault := range slices.Concat(importFaults(f), actorFaults(f)) {
			out = append(out, f.name+": "+fault)
		}
	}
	return append(out, productionFaults(files)...)
}

func importFaults(f file) []string {
	allowed, ok := ruleFor(f.pkg)
	if !ok {
		return []string{"package " + f.pkg + " has no rule in ownImports"}
	}
	var out []string
	for _, imported := range f.imports {
		if own, ok := strings.CutPrefix(imported, module+"/"); ok {
			if !fitsAny(own, allowed) {
				out = append(out, f.pkg+" must not import "+own)
			}
			continue
		}
		for theirs, ours := range onlyIn {
			if (imported == theirs || strings.HasPrefix(imported, theirs+"/") || strings.HasPrefix(imported, theirs+"-")) && !fitsAny(f.pkg, ours) {
				out = append(out, f.pkg+" must not import "+imported+": that is for "+strings.Join(ours, ", "))
			}
		}
		if f.pkg == "actors/seatmap" && !slices.Contains(seatmapImports, imported) {
			out = append(out, f.pkg+" must not import "+imported+": it is pure")
		}
		if fits(f.pkg, "actors/...") && slices.Contains(actorImportsNever, imported) {
			out = append(out, f.pkg+" must not import "+imported+": chance comes through an interface")
		}
	}
	return out
}

// actorFaults finds go statements and readings of the clock under actors.
func actorFaults(f file) []string {
	if !fits(f.pkg, "actors/...") {
		return nil
	}
	var out []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, "a go statement: actors start no goroutine but through an interface")
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			// Not only calls: a function value handed on reads the clock as well.
			for pkg, names := range actorCallsNever {
				if x.Name == localName(f.syntax, pkg) && slices.Contains(names, n.Sel.Name) {
					out = append(out, pkg+"."+n.Sel.Name+": time comes through an interface")
				}
			}
		}
		return true
	})
	return out
}

// productionFaults follows the imports of the production binary.
func productionFaults(files []file) []string {
	imports := map[string][]string{}
	for _, f := range files {
		imports[f.pkg] = append(imports[f.pkg], f.imports...)
	}
	var out []string
	seen := map[string]bool{}
	var walk func(pkg, way string)
	walk = func(pkg, way string) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		if fitsAny(pkg, testAndDev) {
			out = append(out, "the production binary contains "+pkg+", by way of "+way)
		}
		for _, imported := range imports[pkg] {
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				walk(own, way+" → "+own)
			}
		}
	}
	walk(production, production)
	return out
}

// ruleFor is the longest rule that fits.
func ruleFor(pkg string) (allowed []string, ok bool) {
	longest := -1
	for rule, list := range ownImports {
		if fits(pkg, rule) && len(rule) > longest {
			longest, allowed, ok = len(rule), list, true
		}
	}
	return allowed, ok
}

func fits(pkg, rule string) bool {
	below, tree := strings.CutSuffix(rule, "/...")
	return pkg == below || tree && strings.HasPrefix(pkg, below+"/")
}

func fitsAny(pkg string, rules []string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool { return fits(pkg, rule) })
}

// localName is what a file calls a package that it imports.
func localName(f *ast.File, imported string) string {
	for _, spec := range f.Imports {
		if spec.Path.Value == strconv.Quote(imported) {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(imported)
		}
	}
	return ""
}

func parseAll(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" || e.Name() == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parse(name, nil)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// parse reads a file, or takes source for it.
func parse(name string, source any) (file, error) {
	syntax, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return file{}, fmt.Errorf("parse: %w", err)
	}
	f := file{pkg: path.Dir(filepath.ToSlash(name)), name: name, syntax: syntax}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, fmt.Errorf("parse %s: %w", name, err)
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

func TestRulesCanFail(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"actors/x/a.go", `package x; func f() { go f() }`, "a go statement"},
		{"actors/x/a.go", `package x; import "time"; var now = time.Now`, "time.Now"},
		{"actors/x/a.go", `package x; import clock "time"; func f() { clock.Sleep(1) }`, "time.Sleep"},
		{"actors/x/a.go", `package x; import _ "math/rand/v2"`, "math/rand/v2"},
		{"actors/x/a.go", `package x; import _ "boxoffice/persistence"`, "must not import persistence"},
		{"actors/seatmap/a.go", `package x; import _ "os"`, "it is pure"},
		{"actors/seatmap/a.go", `package x; import _ "boxoffice/messages"`, "must not import messages"},
		{"messages/a.go", `package x; import _ "boxoffice/actors/seatmap"`, "must not import actors/seatmap"},
		{"http/a.go", `package x; import _ "github.com/jackc/pgx/v5/pgxpool"`, "pgx"},
		{"http/a.go", `package x; import _ "boxoffice/actors"`, "must not import actors"},
		{"persistence/a.go", `package x; import _ "github.com/gofiber/fiber/v2"`, "fiber"},
		{"persistence/a.go", `package x; import _ "github.com/asynkron/protoactor-go/actor"`, "protoactor"},
		{"cluster/a.go", `package x; import _ "github.com/redis/go-redis/v9"`, "redis"},
		{"cmd/boxoffice/a.go", `package x; import _ "boxoffice/persistence/embedded"`, "the production binary contains persistence/embedded"},
		{"cmd/boxoffice/a.go", `package x; import _ "boxoffice/http/contract"`, "the production binary contains http/contract"},
		{"http/a.go", `package x; import _ "github.com/getkin/kin-openapi/openapi3"`, "kin-openapi"},
		{"actors/a.go", `package x; import _ "go.opentelemetry.io/otel/sdk/trace"`, "otel/sdk"},
		{"http/a.go", `package x; import _ "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"`, "otel/exporters"},
		{"elsewhere/a.go", `package x`, "has no rule"},
	} {
		f, err := parse(c.name, c.source)
		if err != nil {
			t.Fatal(err)
		}
		got := faults([]file{f})
		if !slices.ContainsFunc(got, func(fault string) bool { return strings.Contains(fault, c.want) }) {
			t.Errorf("%s: %s: found %q, want a fault with %q", c.name, c.source, got, c.want)
		}
	}
	for _, good := range []string{
		`package x; import ("boxoffice/messages"; "boxoffice/actors/seatmap"; "time"); var d time.Duration`,
	} {
		f, err := parse("actors/x/a.go", good)
		if err != nil {
			t.Fatal(err)
		}
		if got := faults([]file{f}); len(got) != 0 {
			t.Errorf("%s: found %q, want none", good, got)
		}
	}
}

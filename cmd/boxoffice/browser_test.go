package main_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tests of the page drive Debian's Chromium, with the events of a real mouse, finger and keyboard. Whatever a page logs as
// an error, throws, is kept from by its own CSP or asks of another host fails its test. Screenshots of each step are kept
// in bin/screenshots.

const (
	// pageMax bounds what a page is waited for: a browser on a machine that is busy otherwise takes its time.
	pageMax        = 60 * time.Second
	screenshotsDir = "../../bin/screenshots"
	axePattern     = "../../bin/axe-core-*.tgz"
)

// phone and desk are the widths that the page is looked at in.
const (
	phone = 360
	desk  = 1440
)

// TestBrowser has one Chromium for all its tests: a start takes longer than most of them.
func TestBrowser(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("what the page asks of the server, other tests ask of one with the race detector")
	}
	chromium := startChromium(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, browser)
	}{
		{"buy at a desk", func(t *testing.T, c browser) { buyOnPage(t, c, "desk", view{width: desk}) }},
		{"buy on a phone", func(t *testing.T, c browser) {
			buyOnPage(t, c, "phone", view{width: phone, dark: true, language: "de"})
		}},
		{"keyboard", buyByKeyboard},
		{"two want one seat", twoWantOneSeat},
		{"refused", refusedSeat},
		{"reload", reloadsOnTheWay},
		{"expiry", holdExpiresOnPage},
		{"names", namesAreText},
		{"asleep", pageSleeps},
		{"deltas", deltasGoAstray},
		{"organiser", organiserAtWork},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, chromium) })
	}
}

// browser is a Chromium; tabs is the context that they are made of.
type browser struct{ tabs context.Context }

func startChromium(t testing.TB) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: run scripts/need chromium", err)
	}
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("force-color-profile", "srgb"),
	})
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(free)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	must(t, chromedp.Do(ctx))
	return browser{ctx}
}

// view is how a browser window looks at the page.
type view struct {
	width    int
	dark     bool
	language string // "en" where empty
}

// tab is a window of a buyer's own: it shares no cookie and no storage with another buyer's.
type tab struct {
	t     testing.TB
	ctx   context.Context
	name  string // of its screenshots
	shots int

	mu     sync.Mutex
	faults []string
	// forgiven are what a test brings about on purpose, as a part of what is said about it.
	forgiven []string
}

// browse opens a window. Its faults fail the test when it ends.
func browse(t testing.TB, chromium browser, name string, v view) *tab {
	t.Helper()
	w := &tab{t: t, name: name}
	ctx, cancel := chromedp.NewContext(chromium.tabs, chromedp.WithNewBrowserContext(), chromedp.WithListener(w.hear))
	w.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			w.shoot("failed")
		}
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, fault := range w.faults {
			if !slices.ContainsFunc(w.forgiven, func(known string) bool { return strings.Contains(fault, known) }) {
				t.Errorf("%s: %s", name, fault)
			}
		}
	})
	// The first one is not bounded: the tab lives as long as its context.
	must(t, chromedp.Do(ctx))
	w.lookAs(v)
	return w
}

// lookAs makes the window such a view.
func (w *tab) lookAs(v view) {
	w.t.Helper()
	if v.language == "" {
		v.language = "en"
	}
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	var size []chromedp.EmulateViewportOption
	height := int64(900)
	if v.width < 600 {
		size, height = append(size, chromedp.EmulateMobile, chromedp.EmulateTouch), 780
	}
	agent := value[string](w, `navigator.userAgent`)
	w.do("open a window", command(network.Enable, network.EnableParams{}), command(log.Enable, cdp.Empty{}),
		chromedp.EmulateViewport(int64(v.width), height, size...),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
		command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Berlin"}),
		command(emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: v.language}))
}

// command of the browser's protocol whose answer says nothing.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// hear notes what a page must not do.
func (w *tab) hear(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said, _ := json.Marshal(e.ExceptionDetails)
		fault = "it throws " + string(said)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			said, _ := json.Marshal(e.Args)
			fault = "it logs " + string(said)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			fault = "the browser logs " + e.Entry.Text + " " + e.Entry.URL
		}
	case *network.EventRequestWillBeSent:
		if at, err := url.Parse(e.Request.URL); err != nil || at.Scheme != "data" && at.Scheme != "blob" && at.Scheme != "about" && at.Hostname() != "127.0.0.1" {
			fault = "it asks another host: " + e.Request.URL
		}
	}
	if fault != "" {
		w.mu.Lock()
		w.faults = append(w.faults, fault)
		w.mu.Unlock()
	}
}

// forgive what the test itself brings about, such as the answer 402 in the browser's log.
func (w *tab) forgive(parts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgiven = append(w.forgiven, parts...)
}

// do fails the test where the steps do not succeed in time.
func (w *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, pageMax)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%s: %s: %v", w.name, what, err)
	}
}

// evaluate an expression; where it is a promise, what it brings.
func evaluate[T any](w *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, pageMax)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// value of an expression.
func value[T any](w *tab, expression string) T {
	w.t.Helper()
	v, err := evaluate[T](w, expression)
	if err != nil {
		w.t.Fatalf("%s: evaluate %s: %v", w.name, expression, err)
	}
	return v
}

// open an address.
func (w *tab) open(at string) {
	w.t.Helper()
	w.do("open "+at, chromedp.Navigate(at))
}

// reload the page, as a buyer does who is impatient.
func (w *tab) reload() {
	w.t.Helper()
	w.do("reload", chromedp.Reload())
}

// see waits until an element can be seen.
func (w *tab) see(selector string) {
	w.t.Helper()
	w.until(visible(selector))
}

// visible is an expression for that an element can be seen.
func visible(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q)?.checkVisibility({opacityProperty: true, visibilityProperty: true})`, selector)
}

// click an element with the mouse, where it is and once it can be.
func (w *tab) click(selector string) {
	w.t.Helper()
	w.see(selector)
	w.until(fmt.Sprintf(`!document.querySelector(%q).disabled`, selector))
	w.do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// clickAt a place of the window, with the mouse.
func (w *tab) clickAt(x, y float64) {
	w.t.Helper()
	w.do("click", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))
}

// press keys, as package kb names them, wherever the focus is.
func (w *tab) press(keys string) {
	w.t.Helper()
	w.do("press keys", chromedp.KeyEvent(keys))
}

// until an expression is true of the page.
func (w *tab) until(expression string) {
	w.t.Helper()
	err := poll(pageMax, func() error {
		is, err := evaluate[bool](w, `!!(`+expression+`)`)
		if err == nil && !is {
			err = fmt.Errorf("%s is not so", expression)
		}
		return err
	})
	if err != nil {
		w.t.Fatalf("%s: %v; the page says:\n%s", w.name, err, w.text("body"))
	}
}

// says waits until a text can be read in such an element.
func (w *tab) says(selector, text string) {
	w.t.Helper()
	quoted, err := json.Marshal(text)
	must(w.t, err)
	w.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%s))`, selector, quoted))
}

// text of the first such element, "" where there is none.
func (w *tab) text(selector string) string {
	text, _ := evaluate[string](w, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
	return text
}

// shoot keeps a picture of the whole page, and fails the test where the page is wider than its window.
func (w *tab) shoot(step string) {
	w.t.Helper()
	whole := true
	ctx, cancel := context.WithTimeout(w.ctx, pageMax)
	defer cancel()
	picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err != nil {
		w.t.Errorf("%s: a picture of %s: %v", w.name, step, err)
		return
	}
	over, err := evaluate[int](w, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if err != nil || over > 0 {
		w.t.Errorf("%s: at %s the page is %d px wider than the window (%v)", w.name, step, over, err)
	}
	must(w.t, os.MkdirAll(screenshotsDir, 0o755))
	w.shots++
	name := fmt.Sprintf("%s-%02d-%s.png", w.name, w.shots, step)
	must(w.t, os.WriteFile(filepath.Join(screenshotsDir, name), picture.Data, 0o644)) //nolint:gosec // to be looked at
}

// axeSource is axe-core's script, as scripts/need brought it.
var axeSource = sync.OnceValues(func() (string, error) {
	found, err := filepath.Glob(axePattern)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("%d files are named %s: run scripts/need axe", len(found), axePattern)
	}
	f, err := os.Open(found[0])
	if err != nil {
		return "", err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("%s: %w", found[0], err)
		}
		if header.Name == "package/axe.min.js" {
			source, err := io.ReadAll(files)
			return string(source), err
		}
	}
})

// accessible fails the test where axe-core finds anything serious or critical.
func (w *tab) accessible() {
	w.t.Helper()
	source, err := axeSource()
	must(w.t, err)
	value[bool](w, source+";true")
	type violation struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	for _, v := range value[[]violation](w, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations)`) {
		if v.Impact == "serious" || v.Impact == "critical" {
			w.t.Errorf("%s: axe-core: %s (%s): %+v", w.name, v.Help, v.ID, v.Nodes[:min(3, len(v.Nodes))])
		}
	}
}

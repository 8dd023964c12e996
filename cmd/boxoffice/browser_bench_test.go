package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"boxoffice/persistence/embedded/pgtest"
)

// benchedMoves of the mouse, a frame or so each.
const benchedMoves = 120

// BenchmarkSeatMap is how smoothly the map of 50,000 seats moves: the time between two of the browser's frames, while the
// mouse drags it, zooms it, and while it stands still as seats are sold. Chromium draws by software here, on processors that
// it shares with the server: a laptop has a graphics card.
func BenchmarkSeatMap(b *testing.B) {
	s := start(b, pgtest.New(b), "REDIS_URL="+pgtest.Redis(b).URL())
	plan := tool(b, "", nil, "plan", "stadium")
	if plan.code != 0 {
		b.Fatal(plan.problems)
	}
	s.create("E1", plan.output, map[string]any{"prices": map[string]int{
		"Premium": 14900, "Category 1": 9900, "Category 2": 7900, "Category 3": 4900, "Fan stand": 2500,
	}})
	w := browse(b, startChromium(b), "stadium", view{width: desk})
	w.open(s.http + "/events/E1")
	w.says(at("counts"), "50,000")
	w.shoot("whole")
	value[bool](w, `(window.frames_ = [], window.last_ = 0, requestAnimationFrame(function f(now) {
		if (window.last_) window.frames_.push(now - window.last_);
		window.last_ = now; requestAnimationFrame(f); }), true)`)
	box := value[struct{ X, Y, Width, Height float64 }](w, `document.querySelector("canvas").getBoundingClientRect().toJSON()`)
	x, y := box.X+box.Width/2, box.Y+box.Height/5 // among seats: the field is in the middle
	wheel := func(by float64) func(i int) chromedp.Action[chromedp.Void] {
		return func(int) chromedp.Action[chromedp.Void] {
			return command(input.DispatchMouseEvent, input.DispatchMouseEventParams{
				Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y, DeltaY: by,
				DeltaX: 0.001, // asked for, and left out where it is 0
			})
		}
	}
	drag := func(i int) chromedp.Action[chromedp.Void] {
		return chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+float64(i%60-30), y+float64(i%40-20), chromedp.ButtonLeft)
	}
	for b.Loop() {
		w.measure(b, "in", wheel(-7))
		w.shoot("near")
		w.do("press", chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x, y, chromedp.ButtonLeft))
		w.measure(b, "drag", drag)
		w.do("release", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x, y, chromedp.ButtonLeft))
		w.measure(b, "out", wheel(7))
		w.measure(b, "sold", func(i int) chromedp.Action[chromedp.Void] {
			if i%20 == 0 {
				_, _, err := s.authorized("E1", best(8), "tok_visa")
				must(b, err)
			}
			return chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+float64(i%60), y)
		})
	}
	b.ReportMetric(0, "ns/op")
}

// measure the browser's frames during moves.
func (w *tab) measure(b *testing.B, name string, move func(i int) chromedp.Action[chromedp.Void]) {
	b.Helper()
	value[bool](w, `(window.frames_.length = 0, true)`)
	for i := range benchedMoves {
		w.do(name, move(i))
	}
	took := value[[]float64](w, `window.frames_`)
	slices.Sort(took)
	if len(took) == 0 {
		b.Fatalf("%s: no frame", name)
	}
	b.ReportMetric(took[len(took)/2], name+"-ms-median")
	b.ReportMetric(took[len(took)*95/100], name+"-ms-95th")
	b.Log(strings.TrimSpace(fmt.Sprintf("%s: %d frames", name, len(took))))
}

package main_test

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"boxoffice/persistence/embedded/pgtest"
)

// at is an element by what the page calls it for tests.
func at(name string) string { return `[data-testid="` + name + `"]` }

// seatColor is the one category's: nothing else on the page has it but the legend.
const seatColor = "#c2410c"

// stage is an event on a server of its own, for the page.
func stage(t *testing.T, rows, seats int, settings map[string]any) (s *server, database string) {
	t.Helper()
	database = pgtest.New(t)
	s = start(t, database, "REDIS_URL="+pgtest.Redis(t).URL())
	s.create("E1", strings.Replace(hall(rows, seats), "#fff", seatColor, 1), settings)
	return s, database
}

// Goal: a buyer finds an event, chooses two seats on the map with the mouse, is declined, pays with another card, and has
// tickets, which also the order's link shows. axe-core finds nothing serious on the way.
func buyOnPage(t *testing.T, chromium browser, name string, v view) {
	s, database := stage(t, 6, 12, map[string]any{"waitingRoom": map[string]any{"enabled": true}})
	s.create("E2", hall(2, 4), map[string]any{"name": "An evening of nothing else"})
	w := browse(t, chromium, name, v)
	w.forgive("402")
	w.open(s.http + "/")
	w.see(at("event-E2"))
	w.shoot("list")
	w.accessible()
	w.click(at("search"))
	w.press("concrt e1") // a letter is missing
	w.until(`!document.querySelector('` + at("event-E2") + `')`)
	w.shoot("search")
	w.click(at("event-E1") + " a")
	w.see("canvas")
	w.says(at("counts"), "72")
	w.shoot("event")
	w.accessible()
	w.click(at("buy"))
	w.see(at("reserve"))
	w.clickSeat()
	w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 1`)
	w.clickSeat()
	w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 2`)
	w.shoot("chosen")
	w.accessible()
	w.click(at("reserve"))
	w.see(at("hold-left"))
	w.says(at("order-total"), "30")
	w.shoot("checkout")
	w.accessible()
	w.click(at("tok_declined"))
	w.click(at("pay"))
	w.see(at("pay-message") + " strong")
	w.shoot("declined")
	w.accessible()
	w.click(at("tok_visa"))
	w.click(at("pay"))
	w.see(at("tickets"))
	w.until(`document.querySelectorAll('` + at("ticket") + `').length === 2`)
	w.shoot("tickets")
	w.accessible()
	link := value[string](w, `document.querySelector('`+at("order-link")+`').value`)
	other := browse(t, chromium, name+"-link", v)
	other.open(link)
	other.see(at("tickets"))
	if err := s.counts("E1", 70, 0, 2); err != nil {
		t.Error(err)
	}
	verify(t, database)
}

// clickSeat clicks a seat that can be had, wherever one is seen on the map.
func (w *tab) clickSeat() {
	w.t.Helper()
	type rect struct{ X, Y, Width, Height float64 }
	var box rect
	until(w.t, pageMax, func() error {
		value[bool](w, `(document.querySelector("canvas").scrollIntoView({block: "center", behavior: "instant"}), true)`)
		box = value[rect](w, `document.querySelector("canvas").getBoundingClientRect().toJSON()`)
		ctx, cancel := context.WithTimeout(w.ctx, pageMax)
		defer cancel()
		picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		if err != nil {
			return err
		}
		x, y, err := findSeat(picture.Data, int(box.X), int(box.Y), int(box.X+box.Width), int(box.Y+box.Height))
		if err == nil {
			w.clickAt(x, y)
		}
		return err
	})
}

// findSeat finds a disc of the category's colour in a part of a picture.
func findSeat(picture []byte, left, top, right, bottom int) (x, y float64, err error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return 0, 0, err
	}
	var r, g, b uint32
	if _, err := fmt.Sscanf(seatColor, "#%02x%02x%02x", &r, &g, &b); err != nil {
		return 0, 0, err
	}
	is := func(x, y int) bool {
		pr, pg, pb, _ := img.At(x, y).RGBA()
		near := func(a, b uint32) bool { return max(a>>8, b)-min(a>>8, b) < 6 }
		return near(pr, r) && near(pg, g) && near(pb, b)
	}
	const disc = 3
	for y := max(top, 0) + disc; y < min(bottom, img.Bounds().Max.Y)-disc; y++ {
	next:
		for x := max(left, 0) + disc; x < min(right, img.Bounds().Max.X)-disc; x++ {
			for dx := -disc; dx <= disc; dx++ {
				if !is(x+dx, y) || !is(x, y+dx) {
					continue next
				}
			}
			return float64(x), float64(y), nil
		}
	}
	return 0, 0, fmt.Errorf("no seat of the colour %s is in sight", seatColor)
}

// Goal: the same without a mouse: one seat on the map, one in the list, both by the keyboard alone.
func buyByKeyboard(t *testing.T, chromium browser) {
	s, _ := stage(t, 6, 12, nil)
	w := browse(t, chromium, "keyboard", view{width: desk})
	w.open(s.http + "/")
	w.see(at("event-E1"))
	w.tabTo(at("event-E1") + " a")
	w.press(kb.Enter)
	w.see(at("buy"))
	w.tabTo(at("buy"))
	w.press(kb.Enter)
	w.see(at("reserve"))
	w.says(at("counts"), "72")
	w.tabTo("canvas")
	w.press(kb.ArrowRight)
	w.press(kb.ArrowDown)
	w.shoot("focus-on-the-map")
	w.press(kb.Enter)
	w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 1`)
	w.tabTo(at("view-list"))
	w.press(kb.Enter)
	w.see(".seatlist summary")
	w.tabTo(".seatlist summary")
	w.press(kb.Enter)
	w.tabTo(`.seatlist-seat[data-state="available"]`)
	w.press(" ")
	w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 2`)
	w.shoot("list")
	w.accessible()
	w.tabTo(at("reserve"))
	w.press(kb.Enter)
	w.see(at("hold-left"))
	w.tabTo(at("tok_visa"))
	w.tabTo(at("pay"))
	w.press(kb.Enter)
	w.see(at("tickets"))
	w.shoot("tickets")
}

// tabTo goes to an element by Tab alone, as it goes round the page once at most.
func (w *tab) tabTo(selector string) {
	w.t.Helper()
	const stopsMax = 250
	for range stopsMax {
		w.press(kb.Tab)
		if value[bool](w, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			if !value[bool](w, `document.activeElement.matches(":focus-visible")`) {
				w.t.Errorf("%s: the focus on %s cannot be seen", w.name, selector)
			}
			return
		}
	}
	w.t.Fatalf("%s: %d times Tab do not lead to %s", w.name, stopsMax, selector)
}

// Goal: two choose the same seat. Who comes second is told so, loses nothing else, and chooses again.
func twoWantOneSeat(t *testing.T, chromium browser) {
	s, database := stage(t, 1, 2, nil)
	var both [2]*tab
	for i := range both {
		w := browse(t, chromium, fmt.Sprintf("two-%d", i+1), view{width: desk})
		w.forgive("409")
		w.open(s.http + "/events/E1")
		w.click(at("view-list"))
		w.click(at("buy"))
		w.see(at("reserve"))
		w.click(".seatlist summary")
		w.click(`.seatlist-seat[data-seat="0"]`)
		w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 1`)
		both[i] = w
	}
	// The second does not hear of it before it asks: its connection is slow to tell, as in a crowd.
	first, second := both[0], both[1]
	first.click(at("reserve"))
	first.see(at("hold-left"))
	second.see(at("toast"))
	second.until(`document.querySelectorAll('` + at("basket") + ` button').length === 0`)
	second.shoot("taken")
	second.click(`.seatlist-seat[data-seat="1"]`)
	second.click(at("reserve"))
	second.see(at("hold-left"))
	for _, w := range both {
		w.click(at("pay"))
		w.see(at("tickets"))
	}
	until(t, patience, func() error { return s.counts("E1", 0, 0, 2) })
	verify(t, database)
}

// Goal: the same, where the second has not heard of it when it asks: the refusal says which seat it is.
// Method: a page that is cut off the stream, but not off the server, is what a crowd's slow line looks like.
func refusedSeat(t *testing.T, chromium browser) {
	s, _ := stage(t, 1, 3, nil)
	w := browse(t, chromium, "refused", view{width: phone})
	w.forgive("409", "ERR_BLOCKED_BY_CLIENT", "/availability")
	w.do("block the stream", command(network.SetBlockedURLs, network.SetBlockedURLsParams{
		URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/api/sse/events/*", Block: true}},
	}))
	w.open(s.http + "/events/E1")
	w.click(at("view-list"))
	w.click(at("buy"))
	w.see(at("reserve"))
	w.click(".seatlist summary")
	w.click(`.seatlist-seat[data-seat="0"]`)
	b, o, err := s.newOrder("E1")
	must(t, err)
	must(t, b.call(o, "reserve", "one-key", `{`+named(seatID(1, 1))+`}`).is(200))
	w.click(at("reserve"))
	w.see(at("toast"))
	w.until(`document.querySelectorAll('` + at("basket") + ` button').length === 0`)
	w.see(`.seatlist-seat[data-seat="0"][data-state="held"]`)
	w.shoot("refused")
	w.click(`.seatlist-seat[data-seat="1"]`)
	w.click(at("reserve"))
	w.see(at("hold-left"))
}

package main_test

import (
	"fmt"
	"testing"
)

// Goal: the organiser signs in, sees how an event sells, pauses and resumes it, and blocks seats.
func organiserAtWork(t *testing.T, chromium browser) {
	s, _ := stage(t, 6, 12, map[string]any{"waitingRoom": map[string]any{"enabled": true}})
	for range 3 {
		b, o, err := s.authorized("E1", best(4), "tok_visa")
		must(t, err)
		must(t, b.call(o.OrderID, "finalize", "one-key", "").is(200))
	}
	for _, v := range []view{{width: desk}, {width: phone, dark: true, language: "de"}} {
		w := browse(t, chromium, fmt.Sprintf("organiser-%d", v.width), v)
		w.forgive("401", "409")
		w.open(s.admin + "/")
		w.click(at("token"))
		w.press("wrong")
		w.click(at("sign-in"))
		w.until(`document.querySelector('` + at("token-error") + `').innerText !== ""`)
		w.shoot("wrong-token")
		value[bool](w, `(document.querySelector('`+at("token")+`').value = "", true)`)
		w.click(at("token"))
		w.press(adminToken)
		w.click(at("sign-in"))
		w.click(at("event-E1"))
		w.says(at("figure-sold"), "12")
		w.see(at("curve-sold"))
		w.shoot("overview")
		w.accessible()
		w.click(at("status-PAUSED"))
		w.confirmIfAsked()
		until(t, patience, func() error { return s.status("E1", "PAUSED") })
		w.click(at("status-ON_SALE"))
		w.confirmIfAsked()
		until(t, patience, func() error { return s.status("E1", "ON_SALE") })
		before, err := s.availability("E1")
		must(t, err)
		w.click(at("view-seats"))
		w.see(at("seats-place") + " canvas")
		w.clickSeat()
		w.until(`document.querySelector('` + at("chosen") + `').innerText.includes("1")`)
		w.shoot("seats")
		w.accessible()
		w.click(at("seats-go"))
		w.confirmIfAsked()
		until(t, patience, func() error {
			now, err := s.availability("E1")
			if err == nil && now.Counts.Blocked != before.Counts.Blocked+1 {
				err = fmt.Errorf("%d seats are blocked, %d were", now.Counts.Blocked, before.Counts.Blocked)
			}
			return err
		})
		w.shoot("blocked")
	}
}

// confirmIfAsked says yes to a dialog, if there is one.
func (w *tab) confirmIfAsked() {
	w.t.Helper()
	if value[bool](w, `!!document.querySelector("dialog[open]")`) {
		w.click(at("confirm-yes"))
	}
}

// status is nil where the event has it.
func (s *server) status(event, want string) error {
	a := s.get("/api/events/" + event)
	if err := a.is(200); err != nil {
		return err
	}
	var e struct{ Status string }
	if a.into(&e); e.Status != want {
		return fmt.Errorf("event %s is %s, not %s", event, e.Status, want)
	}
	return nil
}

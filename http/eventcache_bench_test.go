package http_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"boxoffice/http"
	"boxoffice/messages"
)

// twenty is a catalogue whose pages are full.
type twenty struct{ *fake }

func (c twenty) Events(context.Context, messages.EventQuery) (events []*messages.Event, next string, err error) {
	for range 20 {
		events = append(events, c.event)
	}
	return events, "next", nil
}

// Compare the two: an answer that is kept for a second, and one that is rendered for each who asks. What it costs to read
// it from Postgres comes on top of the latter; persistence's BenchmarkEvents has that.
func BenchmarkBrowse(b *testing.B) {
	for what, path := range map[string]string{"Event": "/api/events/E1", "Page": "/api/events?q=nacht+erfurt"} {
		for how, step := range map[string]int64{"Kept": 0, "Rendered": 1000} {
			b.Run(what+how, func(b *testing.B) {
				var clock atomic.Int64
				s := start(b, func(c *http.Config) {
					c.Catalogue = twenty{c.Catalogue.(*fake)}
					c.Now = func() time.Time { return time.UnixMilli(testNow + clock.Add(step)) }
				})
				get(b, s.public+path, 200, nil)
			})
		}
	}
}

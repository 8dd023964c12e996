package watch

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"boxoffice/messages"
)

// sink is a stream that takes everything.
type sink struct{ bytes int }

func (s *sink) Send(frame []byte) bool {
	s.bytes += len(frame)
	return true
}

func (s *sink) End(frame []byte) { s.Send(frame) }

// One Progress for 50,000 who wait: all are told. The pace, which would spread it, is lifted.
func BenchmarkProgress(b *testing.B) {
	const crowd = 50_000
	h := New(Config{Logger: slog.New(slog.DiscardHandler)})
	r := newRoom(h, "E1")
	out := &sink{}
	for n := range crowd {
		s := messages.Session{EventID: "E1", Place: 1_000_000 + uint64(n), Status: messages.SessionWaiting}
		copy(s.SessionID[:], fmt.Sprint(n))
		w := h.Watch(s)
		w.out = out
		r.admit(w)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(2 * time.Second)
		r.line.learn(&messages.Progress{Head: r.line.head + 1, PerSecond: 10, OnSale: true}, time.Time{})
		r.takeIn()
		r.pick(now)
		for r.tellPositions(now) {
			h.frames = pace{perSecond: framesPerSecondMax}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/watcher")
	b.ReportMetric(float64(out.bytes)/float64(b.N)/crowd, "bytes/watcher")
}

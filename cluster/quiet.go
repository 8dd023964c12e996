package cluster

import (
	"context"
	"log/slog"
	"slices"
)

// quiet passes on warnings and errors alone, and neither messages nor reasons with them: protoactor logs dead letters
// whole, and the message at which an actor panicked with what it panicked with, but those may name orders and their
// sessions. The actor has logged its panic itself.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle leaves out what may tell too much.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	passed := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if !tells(a) {
			passed.AddAttrs(a)
		}
		return true
	})
	return q.Handler.Handle(ctx, passed)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(slices.DeleteFunc(slices.Clone(attrs), tells))}
}

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

// tells: the attribute is a message, or what an actor panicked with.
func tells(a slog.Attr) bool { return a.Key == "message" || a.Key == "reason" || a.Key == "exception" }

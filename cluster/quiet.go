package cluster

import (
	"context"
	"log/slog"
)

// quiet passes on warnings and errors alone, and no message with them: protoactor logs dead letters whole, and those at
// which an actor panicked, but requests and replies name orders and their sessions.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle leaves out messages.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	passed := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "message" {
			passed.AddAttrs(a)
		}
		return true
	})
	return q.Handler.Handle(ctx, passed)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }

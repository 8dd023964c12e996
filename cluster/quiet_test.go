package cluster

import (
	"log/slog"
	"strings"
	"testing"
)

// Goal: nothing that names an order or a session comes into the log by protoactor. Method: its own attributes.
func TestQuiet(t *testing.T) {
	var to logged
	log := slog.New(quiet{slog.NewTextHandler(&to, nil)})
	log.Info("of no interest")
	log.Error("[SUPERVISION]", slog.Any("actor", "event/E1"), slog.Any("message", "secret"), slog.Any("reason", "secret"))
	log.With("reason", "secret", "lib", "protoactor").Warn("more", "exception", "secret", "pid", 7)
	got := to.String()
	if strings.Contains(got, "secret") || strings.Contains(got, "no interest") {
		t.Errorf("logged:\n%s", got)
	}
	for _, want := range []string{"actor=event/E1", "lib=protoactor", "pid=7"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in:\n%s", want, got)
		}
	}
}

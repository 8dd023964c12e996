package http

import (
	"context"
	"reflect"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// Goal: a server without a tracer does nothing for traces. Method: the hooks themselves.
func TestTracingOffCostsNothing(t *testing.T) {
	s := &Server{base: context.Background()}
	next := func(*fiber.Ctx) error { return nil }
	for _, r := range s.publicRoutes().resources {
		if got := s.traced(r, next); reflect.ValueOf(got).Pointer() != reflect.ValueOf(next).Pointer() {
			t.Errorf("%s has another handler", r.pattern)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if s.asking(nil) != s.base {
			t.Fatal("asked in another context")
		}
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

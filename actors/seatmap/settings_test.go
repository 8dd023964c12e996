package seatmap

import (
	"strings"
	"testing"
)

// Goal: the limits of settings, by the names that the API gives the fields.
func TestSettingsValidate(t *testing.T) {
	if field, fault := defaults().Validate(); field != "" || fault != "" {
		t.Fatalf("the defaults: %s %s", field, fault)
	}
	for _, c := range []struct {
		field  string
		change func(*Settings)
	}{
		{"name", func(s *Settings) { s.Name = "" }},
		{"name", func(s *Settings) { s.Name = strings.Repeat("ü", 201) }},
		{"name", func(s *Settings) { s.Name = "a\x00" }},
		{"name", func(s *Settings) { s.Name = "\xff" }},
		{"venue", func(s *Settings) { s.Venue = "" }},
		{"city", func(s *Settings) { s.City = strings.Repeat("x", 201) }},
		{"performers", func(s *Settings) { s.Performers = []string{"A", ""} }},
		{"performers", func(s *Settings) { s.Performers = make([]string, 101) }},
		{"startsAt", func(s *Settings) { s.StartsAt = -1 }},
		{"onSaleAt", func(s *Settings) { s.OnSaleAt = -1 }},
		{"status", func(s *Settings) { s.Status = 1 }},
		{"status", func(s *Settings) { s.Status = 6 }},
		{"currency", func(s *Settings) { s.Currency = "eur" }},
		{"currency", func(s *Settings) { s.Currency = "EURO" }},
		{"prices", func(s *Settings) { s.Prices = []int64{1, -1} }},
		{"prices", func(s *Settings) { s.Prices = []int64{1_000_000_000_001} }},
		{"holdTtlSeconds", func(s *Settings) { s.HoldTTL = 999 }},
		{"holdTtlSeconds", func(s *Settings) { s.HoldTTL = 86_400_001 }},
		{"maxSeatsPerOrder", func(s *Settings) { s.MaxSeatsPerOrder = 0 }},
		{"maxSeatsPerOrder", func(s *Settings) { s.MaxSeatsPerOrder = 101 }},
		{"maxOrdersPerSession", func(s *Settings) { s.MaxOrdersPerSession = 0 }},
		{"waitingRoom.activeLimit", func(s *Settings) { s.WaitingRoom.ActiveLimit = 0 }},
		{"waitingRoom.activeTtlSeconds", func(s *Settings) { s.WaitingRoom.ActiveTTL = 999 }},
		{"waitingRoom.admitPerSecond", func(s *Settings) { s.WaitingRoom.AdmitPerSecond = 1_000_001 }},
	} {
		s := defaults()
		c.change(&s)
		if field, fault := s.Validate(); field != c.field || fault == "" {
			t.Errorf("%+v: %q %q, not %q", s, field, fault, c.field)
		}
	}
	for _, allowed := range []func(*Settings){
		func(s *Settings) { s.Name = strings.Repeat("ü", 200) },
		func(s *Settings) { s.City, s.Performers, s.OnSaleAt = "Ulm", []string{"A"}, t0 },
		func(s *Settings) { s.Prices = []int64{0, 1_000_000_000_000} },
		func(s *Settings) { s.HoldTTL, s.MaxSeatsPerOrder = 1_000, 100 },
		func(s *Settings) { s.WaitingRoom = WaitingRoom{} },
	} {
		s := defaults()
		allowed(&s)
		if field, fault := s.Validate(); fault != "" {
			t.Errorf("%+v: %s %s", s, field, fault)
		}
	}
}

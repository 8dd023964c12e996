package seatmap

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of settings.
const (
	nameCharsMax           = 200
	performersMax          = 100
	holdTTLMillisMin       = 1_000
	holdTTLMillisMax       = 24 * 60 * 60 * 1_000
	maxSeatsPerOrderMax    = 100
	maxOrdersPerSessionMax = 100
	priceMax               = 1_000_000_000_000 // minor units; a hundred of them are far from overflowing
	activeLimitMax         = 1_000_000
	activeTTLMillisMin     = 1_000
	activeTTLMillisMax     = 24 * 60 * 60 * 1_000
	admitPerSecondMax      = 1_000_000
)

// Validate names the first field that is at fault, as the API spells it, and says what is wrong; empty where all is
// well. How many prices there are is for the plan to say.
func (s Settings) Validate() (field, fault string) {
	for _, check := range []struct{ field, fault string }{
		{"name", checkName(s.Name, 1)},
		{"venue", checkName(s.Venue, 1)},
		{"city", checkName(s.City, 0)},
		{"performers", checkPerformers(s.Performers)},
		{"startsAt", checkRange(int64(s.StartsAt), 0, timeMax)},
		{"onSaleAt", checkRange(int64(s.OnSaleAt), 0, timeMax)},
		{"status", checkStatus(s.Status)},
		{"currency", checkCurrency(s.Currency)},
		{"prices", checkPrices(s.Prices)},
		{"holdTtlSeconds", checkMillis(s.HoldTTL, holdTTLMillisMin, holdTTLMillisMax)},
		{"maxSeatsPerOrder", checkRange(int64(s.MaxSeatsPerOrder), 1, maxSeatsPerOrderMax)},
		{"maxOrdersPerSession", checkRange(int64(s.MaxOrdersPerSession), 1, maxOrdersPerSessionMax)},
	} {
		if check.fault != "" {
			return check.field, check.fault
		}
	}
	return s.WaitingRoom.validate()
}

// validate allows zeros in a waiting room that is not enabled.
func (w WaitingRoom) validate() (field, fault string) {
	least := int64(0)
	if w.Enabled {
		least = 1
	}
	if fault = checkRange(int64(w.ActiveLimit), least, activeLimitMax); fault != "" {
		return "waitingRoom.activeLimit", fault
	}
	if fault = checkMillis(w.ActiveTTL, least*activeTTLMillisMin, activeTTLMillisMax); fault != "" {
		return "waitingRoom.activeTtlSeconds", fault
	}
	if fault = checkRange(int64(w.AdmitPerSecond), least, admitPerSecondMax); fault != "" {
		return "waitingRoom.admitPerSecond", fault
	}
	return "", ""
}

func checkName(s string, least int) string {
	if s != strings.ToValidUTF8(s, "") {
		return "must be UTF-8"
	}
	chars := 0
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return "must not contain control characters"
		}
		chars++
	}
	if chars < least || chars > nameCharsMax {
		return fmt.Sprintf("must have %d to %d characters", least, nameCharsMax)
	}
	return ""
}

func checkPerformers(names []string) string {
	if len(names) > performersMax {
		return fmt.Sprintf("must be at most %d", performersMax)
	}
	for _, name := range names {
		if fault := checkName(name, 1); fault != "" {
			return fault
		}
	}
	return ""
}

func checkStatus(s Status) string {
	switch s {
	case OnSale, Paused, Closed, Cancelled:
		return ""
	}
	return "must be ON_SALE, PAUSED, CLOSED or CANCELLED"
}

func checkCurrency(s string) string {
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "must be three upper-case letters"
	}
	return ""
}

func checkPrices(prices []int64) string {
	for _, price := range prices {
		if fault := checkRange(price, 0, priceMax); fault != "" {
			return fault
		}
	}
	return ""
}

func checkRange(n, least, most int64) string {
	if n < least || n > most {
		return fmt.Sprintf("must be %d to %d", least, most)
	}
	return ""
}

// checkMillis checks milliseconds that the API gives in seconds.
func checkMillis(n, least, most int64) string {
	if n < least || n > most {
		return fmt.Sprintf("must be %d to %d", least/1_000, most/1_000)
	}
	return ""
}

func (s *Settings) equal(t *Settings) bool {
	return s.Name == t.Name && s.Venue == t.Venue && s.City == t.City && slices.Equal(s.Performers, t.Performers) &&
		s.StartsAt == t.StartsAt && s.OnSaleAt == t.OnSaleAt && s.Status == t.Status && s.Currency == t.Currency &&
		slices.Equal(s.Prices, t.Prices) && s.HoldTTL == t.HoldTTL && s.MaxSeatsPerOrder == t.MaxSeatsPerOrder &&
		s.MaxOrdersPerSession == t.MaxOrdersPerSession && s.WaitingRoom == t.WaitingRoom
}

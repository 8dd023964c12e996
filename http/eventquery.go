package http

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"boxoffice/messages"
)

const (
	eventsPageDefault = 20
	eventsPageMax     = 100
	queryTextBytesMax = 200
	cursorBytesMax    = 512
)

// statusByName knows the statuses by their names in the contract.
var statusByName = func() map[string]messages.EventStatus {
	m := map[string]messages.EventStatus{}
	for n := range messages.EventStatus_name {
		if s := messages.EventStatus(n); s != messages.EventStatus_EVENT_STATUS_UNSPECIFIED {
			m[eventStatusText(s)] = s
		}
	}
	return m
}()

// parseEventQuery reads the query; empty values are as good as none, and names that it does not know are nobody's harm.
func parseEventQuery(args *fasthttp.Args) (q messages.EventQuery, faults []*messages.Fault) {
	q.Limit = eventsPageDefault
	// Case and spaces make no difference to what is found, nor to whether it is read already.
	q.Text = strings.Join(strings.Fields(strings.ToLower(text(args, "q", queryTextBytesMax, &faults))), " ")
	q.Cursor = text(args, "cursor", cursorBytesMax, &faults)
	q.From = instant(args, "from", &faults)
	q.To = instant(args, "to", &faults)
	if name := text(args, "status", nameBytesMax, &faults); name != "" {
		status, ok := statusByName[name]
		if !ok {
			faults = append(faults, fault("status", "must be SCHEDULED, ON_SALE, PAUSED, CLOSED or CANCELLED"))
		}
		q.Status = status
	}
	if number := text(args, "limit", nameBytesMax, &faults); number != "" {
		limit, err := strconv.Atoi(number)
		if err != nil || limit < 1 || limit > eventsPageMax {
			faults = append(faults, fault("limit", fmt.Sprintf("must be a whole number from 1 to %d", eventsPageMax)))
		}
		q.Limit = limit
	}
	return q, faults
}

func text(args *fasthttp.Args, name string, most int, faults *[]*messages.Fault) string {
	s := string(args.Peek(name))
	switch {
	case len(s) > most:
		*faults = append(*faults, fault(name, fmt.Sprintf("must not be longer than %d bytes", most)))
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		*faults = append(*faults, fault(name, "must be UTF-8 without a NUL character"))
	}
	return s
}

func instant(args *fasthttp.Args, name string, faults *[]*messages.Fault) int64 {
	s := text(args, name, nameBytesMax, faults)
	if s == "" {
		return 0
	}
	ms, ok := parseTime(s)
	if !ok {
		*faults = append(*faults, fault(name, timeMessage))
	}
	return ms
}

const timeMessage = "must be a time as RFC 3339 has it, between 1970 and 9999"

// parseTime reads RFC 3339 and brings milliseconds since the Unix epoch, never 0, which means absent to us.
func parseTime(s string) (ms int64, ok bool) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.UnixMilli() <= 0 || t.UTC().Year() > 9999 {
		return 0, false
	}
	return t.UnixMilli(), true
}

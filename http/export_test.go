package http

import (
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"boxoffice/http/sse"
	"boxoffice/messages"
)

// What the tests reach that the program need not.

// ParseOrderBodies feeds a body to every parser of buyers' requests and brings their faults.
func ParseOrderBodies(body []byte) (all [][]*messages.Fault) {
	_, event := parseEventBody(body)
	_, reserve := parseReserve(body)
	_, _, confirm := parseConfirm(body)
	return append(all, event, reserve, confirm, parseNothing(body))
}

// ParseOrganiserBodies does the same for the organiser's.
func ParseOrganiserBodies(body []byte) (all [][]*messages.Fault) {
	_, event := parseNewEvent(body)
	_, patch := parsePatch(body)
	_, block := parseBlock(body)
	return append(all, event, patch, block)
}

// Codes are all that a problem can have.
func Codes() (codes []string) {
	for _, k := range kinds {
		codes = append(codes, string(k.code))
	}
	return codes
}

// Statuses of all codes.
func Statuses() map[string]int {
	m := map[string]int{}
	for _, k := range kinds {
		m[string(k.code)] = k.status
	}
	return m
}

// Endpoints of both listeners, as "POST /api/orders/*:confirm".
func Endpoints() (public, admin []string) {
	s := &Server{}
	list := func(rs routes) (all []string) {
		for _, r := range rs.resources {
			segments := strings.Split(r.pattern, "/")
			for i, segment := range segments {
				if strings.HasPrefix(segment, ":") {
					segments[i] = "*"
				}
			}
			path := strings.Join(segments, "/")
			for method := range r.methods {
				all = append(all, method+" "+path)
			}
			for call := range r.calls {
				all = append(all, "POST "+path+":"+call)
			}
		}
		return all
	}
	return list(s.publicRoutes()), list(s.adminRoutes())
}

// ParseOrderID reads the text form of an order's id.
func ParseOrderID(s string) (eventID string, id [16]byte, ok bool) { return parseID(s, markOrder) }

// OrderIDText writes it.
func OrderIDText(eventID string, id []byte) string { return orderIDText(eventID, id) }

// SessionIDText writes a session's id.
func SessionIDText(eventID string, id [16]byte) string { return sessionIDText(eventID, id) }

// Refusal is the code that an outcome becomes.
func Refusal(r *messages.Reply) string { return string(refusal(r).code) }

// PublicHandler answers as the public listener does.
func (s *Server) PublicHandler() fasthttp.RequestHandler { return s.public.Handler }

// Limiter is one of n a minute with room for so many keys in a generation.
type Limiter struct{ l *localLimiter }

// NewLimiter makes one.
func NewLimiter(n, keysMax int, now func() time.Time) Limiter {
	return Limiter{newLocalLimiter(perMinute(n), keysMax, now)}
}

// Take counts what a key does.
func (l Limiter) Take(key [16]byte) time.Duration { return l.l.take(context.Background(), key) }

// StreamStats are the transport's.
func (s *Server) StreamStats() sse.Stats { return s.streams().Stats() }

// Fit is what connections and streams there may be.
func Fit(files, streamsMax int) (public, admin, streams int) {
	c := fit(files, streamsMax)
	return c.public, c.admin, c.streams
}

// Keys are how many it remembers.
func (l Limiter) Keys() int { return len(l.l.recent) + len(l.l.earlier) }

// AdminHandler answers as the admin listener does.
func (s *Server) AdminHandler() fasthttp.RequestHandler { return s.admin.Handler }

// Preferred is the content coding for an Accept-Encoding.
func Preferred(accept string) string { return codingNames[preferred([]byte(accept))] }

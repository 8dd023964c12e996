package seatmap

import (
	"fmt"
	"io"
	"strings"
	"time"
)

func name(id [16]byte) string { return strings.TrimRight(string(id[:]), "\x00") }

// clock prints a time by its distance from the beginning of the story.
func clock(at Time) string {
	if at == 0 {
		return "-"
	}
	return (time.Duration(at-t0) * time.Millisecond).String()
}

func (s *scenario) named(seats []int32) string {
	if len(seats) == 0 {
		return "no seats"
	}
	return strings.Join(s.m.names(seats), " ")
}

func (s *scenario) printFact(w io.Writer, f Fact) {
	switch f := f.(type) {
	case EventCreated, SettingsChanged:
		fmt.Fprintf(w, "%T\n", f)
	case SeatsWereBlocked:
		fmt.Fprintf(w, "SeatsWereBlocked %s\n", s.named(f.Seats))
	case SeatsWereUnblocked:
		fmt.Fprintf(w, "SeatsWereUnblocked %s\n", s.named(f.Seats))
	case OrderWasCreated:
		fmt.Fprintf(w, "OrderWasCreated %s by %s, until %s\n", name(f.Order), name(f.Session), clock(f.Deadline))
	case SeatsWereHeld:
		fmt.Fprintf(w, "SeatsWereHeld %s: %s, until %s, for %d\n", name(f.Order), s.named(f.Seats), clock(f.Deadline), f.Amount)
	case AuthorizeStarted:
		fmt.Fprintf(w, "AuthorizeStarted %s attempt %d with %s under %q\n", name(f.Order), f.Attempt, f.Token, name(f.Key.Scope))
	case AuthorizeWasGranted:
		fmt.Fprintf(w, "AuthorizeWasGranted %s %s\n", name(f.Order), f.Reference)
	case AuthorizeWasDeclined:
		fmt.Fprintf(w, "AuthorizeWasDeclined %s %s\n", name(f.Order), f.Code)
	case CaptureStarted:
		fmt.Fprintf(w, "CaptureStarted %s under %q\n", name(f.Order), name(f.Key.Scope))
	case OrderWasCompleted:
		fmt.Fprintf(w, "OrderWasCompleted %s, %d tickets\n", name(f.Order), len(f.Tickets))
	case CaptureWasRefused:
		fmt.Fprintf(w, "CaptureWasRefused %s %s\n", name(f.Order), f.Code)
	case OrderHasExpired:
		fmt.Fprintf(w, "OrderHasExpired %s\n", name(f.Order))
	case OrderWasCancelled:
		fmt.Fprintf(w, "OrderWasCancelled %s\n", name(f.Order))
	case AuthorizationWasVoided:
		fmt.Fprintf(w, "AuthorizationWasVoided %s\n", name(f.Order))
	case SessionWasEnded:
		fmt.Fprintf(w, "SessionWasEnded %s, remembered until %s\n", name(f.Session), clock(f.Expires))
	case Answered:
		fmt.Fprintf(w, "Answered %s %q, until %s\n", name(f.Session), name(f.Key.Scope), clock(f.Expires))
	case Forgotten:
		fmt.Fprintf(w, "Forgotten before %s\n", clock(f.Before))
	}
}

func (s *scenario) printResult(w io.Writer, res Result) {
	fmt.Fprintf(w, "=> %s", outcomeNames[res.Outcome])
	if res.Outcome == Replayed {
		fmt.Fprintf(w, " from entry %d, slot %d", res.Stored.Seq, res.Stored.Slot)
	}
	if res.Outcome == RequestInFlight {
		fmt.Fprintf(w, " for %s", name(res.Order))
	}
	if len(res.Seats) > 0 {
		fmt.Fprintf(w, " %s", strings.Join(res.Seats, " "))
	}
	if res.Limit > 0 {
		fmt.Fprintf(w, " limit %d", res.Limit)
	}
	if res.Code != "" {
		fmt.Fprintf(w, " %s", res.Code)
	}
	if res.Field != "" {
		fmt.Fprintf(w, " %s %s", res.Field, res.Fault)
	}
	fmt.Fprintln(w)
}

// drawing shows the seats row by row, with a space at an aisle.
func (s *scenario) drawing() string {
	var out strings.Builder
	letters := s.m.Letters(nil)
	row := int32(-1)
	for _, segment := range s.plan.segments {
		if segment.row != row {
			if row >= 0 {
				out.WriteByte('\n')
			}
			row = segment.row
			out.WriteString(s.plan.rows[row].name)
		}
		fmt.Fprintf(&out, " %s", letters[segment.first:segment.end])
	}
	return out.String()
}

// segments tells which seats are next to each other.
func (s *scenario) segments() string {
	var out strings.Builder
	for _, segment := range s.plan.segments {
		fmt.Fprintf(&out, "%s to %s\n", s.plan.SeatID(segment.first), s.plan.SeatID(segment.end-1))
	}
	return out.String()
}

func (s *scenario) order() string {
	o, ok := s.m.Order(s.id())
	if !ok {
		return "unknown"
	}
	out := fmt.Sprintf("%s, %s, for %d, payment %s", statusNames[o.Status], s.named(o.Seats), o.Amount, paymentNames[o.Payment])
	if o.PaymentCode != "" {
		out += " " + o.PaymentCode
	}
	return out + fmt.Sprintf("\ndeadline %s, hold expires %s, ended %s", clock(o.Deadline), clock(o.HoldExpiresAt()), clock(o.EndedAt))
}

func (s *scenario) status() string {
	var out strings.Builder
	fmt.Fprintf(&out, "entry %d, version %d, next due %s\n%+v\n", s.m.Seq(), s.m.Version(), clock(s.m.NextDue()), s.m.Counts())
	for status, n := range s.m.OrderCounts() {
		if n > 0 {
			fmt.Fprintf(&out, "%s %d\n", statusNames[status], n)
		}
	}
	return out.String()
}

func (s *scenario) operations() string {
	var out strings.Builder
	for op := range s.m.Operations() {
		fmt.Fprintf(&out, "%s %s attempt %d", []string{"", "authorize", "capture", "void"}[op.Kind], name(op.Order), op.Attempt)
		fmt.Fprintf(&out, " of %d (token %q, reference %q)\n", op.Amount, op.Token, op.Reference)
	}
	if out.Len() == 0 {
		return "none"
	}
	return out.String()
}

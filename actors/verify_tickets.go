package actors

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatmap"
	"boxoffice/actors/ticket"
	"boxoffice/messages"
)

// compareTickets with those that the journal sold.
func (r *audit) compareTickets() {
	want := slices.SortedFunc(maps.Values(r.tickets), func(a, b messages.TicketRow) int { return cmp.Compare(a.SeatIndex, b.SeatIndex) })
	compare(r.Verified, "ticket of seat", want, r.a.Tickets,
		func(t messages.TicketRow) int32 { return t.SeatIndex }, r.seat,
		func(t messages.TicketRow) string {
			return fmt.Sprintf("ticket %s, number %d of order %s for %s", short(t.TicketID), t.N, short(t.OrderID), t.SeatID)
		})
}

// compareCodes with the tickets that they stand for: what a gate would read.
func (r *audit) compareCodes(keys []ticket.PublicKey) {
	if len(keys) == 0 {
		return
	}
	for _, t := range r.a.Tickets {
		claims, err := ticket.Verify(keys, t.Code)
		want := ticket.Claims{TicketID: t.TicketID, KeyID: claims.KeyID, EventID: r.a.EventID, SeatID: t.SeatID}
		switch {
		case err != nil:
			r.find("ticket of seat %s: its code does not pass: %v", r.seat(t.SeatIndex), err)
		case claims != want:
			r.find("ticket of seat %s: its code is that of ticket %s for seat %s of event %s",
				r.seat(t.SeatIndex), short(claims.TicketID), claims.SeatID, claims.EventID)
		}
	}
}

// compareAnswers with the facts that point at them: a client's retry must find one under each.
func (r *audit) compareAnswers(e messages.Entry, facts []seatmap.Fact) {
	answered := 0
	for _, f := range facts {
		if _, ok := f.(seatmap.Answered); ok {
			answered++
		}
	}
	var stored messages.Answers
	if err := proto.Unmarshal(e.Answers, &stored); err != nil {
		r.find("the answers of entry %d cannot be read: %v", e.Seq, err)
		return
	}
	if n := len(stored.GetAnswers()); n != answered {
		r.find("entry %d has %d answers, its facts point at %d", e.Seq, n, answered)
	}
	for slot, a := range stored.GetAnswers() {
		// What is stored changed something, so that it is no redirection, and no answer that a retry could better.
		if status := a.GetStatus(); status < 200 || status >= 500 || status/100 == 3 {
			r.find("answer %d of entry %d has status %d", slot, e.Seq, status)
		}
	}
}

package actors

import "boxoffice/messages"

// compareLine holds the waiting room's sessions, which come in the sequence of their places, against its one row.
func (r *audit) compareLine() {
	line := r.a.Line
	if line == nil {
		return
	}
	var last uint64
	waiting := false
	for _, s := range r.a.Sessions {
		if s.Place != last+1 {
			r.find("the waiting room: place %d follows place %d", s.Place, last)
		}
		last = s.Place
		if s.Status != messages.SessionWaiting {
			continue
		}
		waiting = true
		if s.Place <= line.Head {
			r.find("the waiting room: session %s waits at place %d, but nobody is to wait at or below %d: it would never be let in",
				short(s.SessionID), s.Place, line.Head)
		}
	}
	if last != line.LastPlace {
		r.find("the waiting room: the last session has place %d, the next one would get %d", last, line.LastPlace+1)
	}
	if waiting && line.NextDue == 0 {
		r.find("the waiting room: somebody waits, but nothing is due: nobody would be woken to admit")
	}
}

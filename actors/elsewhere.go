package actors

import (
	"context"

	"boxoffice/messages"
)

// What an event does elsewhere, on a pool.

func (e *Event) commit(b messages.Batch) Committed {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	return Committed{Err: commit(ctx, e.env.Journal, b)}
}

func (e *Event) pay(c Call) CallResult {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := Pay(ctx, e.env.Provider, e.env.Issuer, c)
	if r.Err != nil {
		e.env.Log.Warn("payment call", "event", e.id, "kind", c.Op.Kind.String(), "error", r.Err)
	}
	return r
}

func (e *Event) project(p *Projector, to uint64) Projected {
	seq, err := p.Run(context.Background(), to)
	if err != nil {
		e.env.Log.Warn("event not projected", "event", e.id, "to", to, "error", err)
	}
	return Projected{Seq: seq, Err: err}
}

package actors

import (
	"context"

	"boxoffice/messages"
)

// What an event does elsewhere, on a pool.

func (e *Event) commit(b messages.Batch) Committed {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	begun := e.env.Metrics.elapsed()
	err := commit(ctx, e.env.Journal, b)
	e.env.Metrics.committed(begun, err)
	return Committed{Err: err}
}

func (e *Event) pay(ctx context.Context, c Call) CallResult {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	begun := e.env.Metrics.elapsed()
	r := Pay(ctx, e.env.Provider, e.env.Issuer, c)
	e.env.Metrics.paid(begun, r)
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

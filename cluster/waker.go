package cluster

import (
	"context"
	"log/slog"
	"time"
)

// wakeEvery is how often the database is asked which events are due: an owner that is alive knows by itself, so this is
// how long the holds of a dead one outlive it, at most.
const wakeEvery = time.Second

// RunWaker asks once a second which events have something due that no owner has done, and wakes them, until ctx ends.
func (n *Node) RunWaker(ctx context.Context, due func(context.Context) ([]string, error), log *slog.Logger) {
	tick := time.NewTicker(wakeEvery)
	defer tick.Stop()
	for {
		ids, err := due(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("due events not read", "error", err)
		default:
			n.Wake(ctx, ids)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

package persistence

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

const (
	// liveQueueMax bounds what waits to be published: a burst of a second or so.
	liveQueueMax = 4096
	liveBatchMax = 256
)

// liveChannel of the event. Channels, other than keys, are one set for all of a server's databases.
func liveChannel(db int, eventID string) string { return fmt.Sprintf("live:%d:%s", db, eventID) }

// Publish tells the other nodes, and this one, if they watch the event. It never blocks: what is too much, or comes while
// Redis is away, is dropped, the oldest first.
func (r *Redis) Publish(m *messages.Live) {
	for {
		select {
		case r.live <- m:
			return
		default:
		}
		select {
		case <-r.live:
			r.liveDropped.Add(1)
		default:
		}
	}
}

// publish sends what Publish has left, until Close.
func (r *Redis) publish() {
	var wait backoff
	batch := make([]*messages.Live, 0, liveBatchMax)
	for {
		batch = batch[:0]
		select {
		case <-r.ctx.Done():
			return
		case m := <-r.live:
			batch = append(batch, m)
		}
	more:
		for len(batch) < liveBatchMax {
			select {
			case m := <-r.live:
				batch = append(batch, m)
			default:
				break more
			}
		}
		err := r.send(batch)
		if err == nil {
			wait.reset()
			continue
		}
		r.liveDropped.Add(uint64(len(batch)))
		if r.ctx.Err() == nil && r.publishSaid.now() {
			r.log.WarnContext(r.ctx, "live messages cannot be published; other nodes look for themselves", "error", err)
		}
		if !wait.wait(r.ctx) {
			return
		}
	}
}

func (r *Redis) send(batch []*messages.Live) error {
	ctx, done := context.WithTimeout(r.ctx, redisCallMax)
	defer done()
	_, err := r.commands.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, m := range batch {
			b, err := proto.Marshal(m)
			if err != nil {
				return fmt.Errorf("encode a live message: %w", err)
			}
			p.Publish(ctx, liveChannel(r.db, m.GetEventId()), b)
		}
		return nil
	})
	return err
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	admissionGroup = "admission"
	// Whoever admits reads by the same name: the epoch in Postgres says who that is, and a name for each process would
	// leave its consumer in every group.
	admissionConsumer = "owner"

	// All of a stream at once: trimming is by nodes of 100 entries.
	pullEntriesMax = 2 * streamEntriesMax
	pullWait       = time.Second
	// What a failed Pull waits, so that those who pull in a loop do not spin.
	pullPause = redisPauseMax
	// recoverRoundsMax bounds a Recover; nobody leaves so many entries behind.
	recoverRoundsMax = 16
)

// Recover makes the event's consumer group where it is missing, and returns the entries that were read by whomever and
// not acknowledged.
func (r *Redis) Recover(ctx context.Context, eventID string) ([]string, error) {
	ctx, done := r.bounded(ctx, redisCallMax)
	defer done()
	key := streamKey(eventID)
	if err := r.makeGroup(ctx, key); err != nil {
		return nil, err
	}
	var ids []string
	from := "0-0"
	for range recoverRoundsMax {
		claimed, next, err := r.commands.XAutoClaimJustID(ctx, &redis.XAutoClaimArgs{
			Stream: key, Group: admissionGroup, Consumer: admissionConsumer, Start: from, Count: pullEntriesMax,
		}).Result()
		if groupIsMissing(err) { // flushed just now
			return nil, r.makeGroup(ctx, key)
		}
		if err != nil {
			return nil, fmt.Errorf("claim the entries of %s: %w", key, err)
		}
		ids = append(ids, claimed...)
		if from = next; from == "0-0" {
			break
		}
	}
	return ids, nil
}

// Pull waits up to a second for entries that nobody has read; none is no error. After an error it returns only after
// half a second.
func (r *Redis) Pull(ctx context.Context, eventID string) ([]string, error) {
	begun, most := time.Now(), time.NewTimer(pullWait)
	defer most.Stop()
	select {
	case r.pulling <- struct{}{}:
	case <-most.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ctx.Done():
		return nil, redis.ErrClosed
	}
	type result struct {
		ids []string
		err error
	}
	read := make(chan result, 1)
	// A read in progress knows deadlines and no cancellation: one that nobody waits for any more ends by itself, and what
	// it read is left to Recover.
	go func() {
		defer func() { <-r.pulling }()
		ids, err := r.pull(max(pullWait-time.Since(begun), time.Millisecond), streamKey(eventID))
		read <- result{ids, err}
	}()
	select {
	case got := <-read:
		if got.err != nil && r.ctx.Err() == nil {
			pause(ctx, pullPause)
		}
		return got.ids, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *Redis) pull(wait time.Duration, key string) ([]string, error) {
	ctx, done := context.WithTimeout(r.ctx, wait+redisStepMax)
	defer done()
	ids, err := r.readGroup(ctx, wait, key)
	if !groupIsMissing(err) {
		return ids, err
	}
	// Flushed. Entries may have come since, before the group.
	if err := r.makeGroup(ctx, key); err != nil {
		return nil, err
	}
	if ids, err = r.readGroup(ctx, time.Millisecond, key); groupIsMissing(err) {
		return nil, nil
	}
	return ids, err
}

func (r *Redis) readGroup(ctx context.Context, wait time.Duration, key string) ([]string, error) {
	streams, err := r.pulls.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: admissionGroup, Consumer: admissionConsumer, Streams: []string{key, ">"}, Count: pullEntriesMax, Block: wait,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	var ids []string
	for _, s := range streams {
		for _, m := range s.Messages {
			ids = append(ids, m.ID)
		}
	}
	return ids, nil
}

// Ack says that entries have been dealt with, and deletes them: nobody else reads them.
func (r *Redis) Ack(ctx context.Context, eventID string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, done := r.bounded(ctx, redisCallMax)
	defer done()
	key := streamKey(eventID)
	_, err := r.commands.Pipelined(ctx, func(p redis.Pipeliner) error {
		for some := range slices.Chunk(ids, pullEntriesMax) {
			p.XAck(ctx, key, admissionGroup, some...)
			p.XDel(ctx, key, some...)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("acknowledge entries of %s: %w", key, err)
	}
	return nil
}

// makeGroup also makes the stream. It reads from the first entry: what came before the group counts.
func (r *Redis) makeGroup(ctx context.Context, key string) error {
	var made *redis.StatusCmd
	_, err := r.commands.Pipelined(ctx, func(p redis.Pipeliner) error {
		made = p.XGroupCreateMkStream(ctx, key, admissionGroup, "0")
		p.Expire(ctx, key, streamTTL)
		return nil
	})
	if err == nil || redis.HasErrorPrefix(made.Err(), "BUSYGROUP") {
		return nil
	}
	return fmt.Errorf("make the consumer group of %s: %w", key, err)
}

// groupIsMissing: UNBLOCKED comes to those who wait while the stream goes.
func groupIsMissing(err error) bool {
	return redis.HasErrorPrefix(err, "NOGROUP") || redis.HasErrorPrefix(err, "UNBLOCKED")
}

// bounded ends with ctx, with Close, or after d.
func (r *Redis) bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(r.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"boxoffice/messages"
)

const (
	// liveBytesMax bounds a message that we read; ours have a few hundred bytes.
	liveBytesMax = 64 << 10

	// A subscription is asked for a sign of life this often, and given up after so long without any.
	livePingEvery  = time.Second
	liveSilenceMax = 3 * time.Second
	// subscribeBatchMax bounds the channels of one command.
	subscribeBatchMax = 512
)

// errLiveUnknown is for what nobody of ours publishes.
var errLiveUnknown = errors.New("no live message of the event of its channel")

// watches are the events to hear of.
type watches struct {
	mu      sync.Mutex
	counts  map[string]int
	changed chan struct{}
}

// Watch makes Listen hear of the event, as long as there are more of Watch than of Unwatch.
func (r *Redis) Watch(eventID string) { r.watched.add(eventID, 1) }

// Unwatch takes one Watch back.
func (r *Redis) Unwatch(eventID string) { r.watched.add(eventID, -1) }

func (w *watches) add(eventID string, n int) {
	w.mu.Lock()
	before := w.counts[eventID]
	after := max(before+n, 0)
	if after == 0 {
		delete(w.counts, eventID)
	} else {
		w.counts[eventID] = after
	}
	w.mu.Unlock()
	if (before == 0) == (after == 0) {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// diff changes have to what is watched now.
func (w *watches) diff(have map[string]struct{}) (more, less []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.counts {
		if _, ok := have[id]; !ok {
			have[id] = struct{}{}
			more = append(more, id)
		}
	}
	for id := range have {
		if w.counts[id] == 0 {
			delete(have, id)
			less = append(less, id)
		}
	}
	return more, less
}

// Hears is false while other nodes are not heard.
func (r *Redis) Hears() bool {
	heard := time.Duration(r.heard.Load())
	return heard != 0 && time.Since(r.opened)-heard < liveSilenceMax
}

// Listen calls heard for each message on a watched event until ctx ends or Close; one Listen at a time. What is published
// while the connection is lost is not heard. heard must not block.
func (r *Redis) Listen(ctx context.Context, heard func(*messages.Live)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	var wait backoff
	for {
		err := r.listen(ctx, heard, wait.reset)
		r.heard.Store(0)
		if ctx.Err() != nil {
			return
		}
		if r.listenSaid.now() {
			r.log.WarnContext(ctx, "other nodes' live messages are not heard; looking for ourselves", "error", err)
		}
		if !wait.wait(ctx) {
			return
		}
	}
}

// listen is one connection's life; well is called when it answers. go-redis would connect anew by itself, but without a
// pause, and it takes seconds to give up a connection that is silent: a new subscription each time is ours to time.
func (r *Redis) listen(ctx context.Context, heard func(*messages.Live), well func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	subscription := r.commands.Subscribe(ctx)
	// A read in progress knows no cancellation: closing ends it.
	stop := context.AfterFunc(ctx, func() { _ = subscription.Close() })
	var following sync.WaitGroup
	defer func() {
		cancel(nil)
		following.Wait()
		if stop() {
			_ = subscription.Close()
		}
	}()
	following.Go(func() { cancel(r.follow(ctx, subscription)) })
	for {
		got, err := subscription.ReceiveTimeout(ctx, liveSilenceMax)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("listen: %w", err)
		}
		well()
		r.heard.Store(int64(time.Since(r.opened)))
		if m, ok := got.(*redis.Message); ok {
			r.hear(m, heard)
		}
	}
}

// follow keeps a subscription in step with what is watched, and asks it for signs of life.
func (r *Redis) follow(ctx context.Context, subscription *redis.PubSub) error {
	ping := time.NewTicker(livePingEvery)
	defer ping.Stop()
	have := map[string]struct{}{}
	for {
		more, less := r.watched.diff(have)
		for some := range slices.Chunk(more, subscribeBatchMax) {
			if err := subscription.Subscribe(ctx, r.liveChannels(some)...); err != nil {
				return err
			}
		}
		for some := range slices.Chunk(less, subscribeBatchMax) {
			if err := subscription.Unsubscribe(ctx, r.liveChannels(some)...); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.watched.changed:
		case <-ping.C:
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
		}
	}
}

func (r *Redis) liveChannels(eventIDs []string) []string {
	channels := make([]string, len(eventIDs))
	for i, id := range eventIDs {
		channels[i] = liveChannel(r.db, id)
	}
	return channels
}

func (r *Redis) hear(got *redis.Message, heard func(*messages.Live)) {
	m := new(messages.Live)
	err := errLiveUnknown
	if len(got.Payload) <= liveBytesMax {
		err = proto.Unmarshal([]byte(got.Payload), m)
	}
	if err == nil && (m.GetWhat() == nil || liveChannel(r.db, m.GetEventId()) != got.Channel) {
		err = errLiveUnknown
	}
	if err == nil {
		heard(m)
		return
	}
	r.liveUnreadable.Add(1)
	if r.unreadableSaid.now() {
		r.log.WarnContext(r.ctx, "a live message cannot be read", "channel", got.Channel, "error", err)
	}
}

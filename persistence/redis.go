package persistence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"boxoffice/messages"
)

const (
	// Redis answers within a millisecond or is in trouble. What has to wait for it here can also do without.
	redisStepMax = time.Second
	// A call with its retries.
	redisCallMax = 2 * time.Second
	// A failover's first READONLY or a connection that a restart cut is tried again on a new connection; what lasts
	// longer is the caller's to wait out.
	redisRetriesMax = 2
	// Between two tries of a loop while Redis is away.
	redisPauseMin = 50 * time.Millisecond
	redisPauseMax = time.Second / 2
	// redisLogEvery bounds how often a loop says the same.
	redisLogEvery = time.Minute

	// redisCommandsMax bounds the connections of everything that is not below.
	redisCommandsMax = 16
	// redisPullsMax bounds the reads that wait for entries, each on a connection: more of them take turns. They have
	// their own pool, so that they never take a connection from the others.
	redisPullsMax = 128
	// redisRatesMax bounds the connections of Take; one carries some 10,000 a second.
	redisRatesMax = 16
	// Entries, ids and messages are small, and connections many.
	redisBufferBytes = 8 << 10
)

// Redis carries wakes, live messages and rates between nodes. Nothing in it is authoritative:
//
//  1. It may vanish, be flushed or fail over at any time: calls fail or do nothing meanwhile, and all goes on by
//     itself within a second or two of its return.
//  2. Announce, Publish, Watch and Unwatch never block.
//  3. While it is away, each of the loops here tries about once a redisPauseMax, a few dials at a time.
type Redis struct {
	log *slog.Logger
	db  int
	// ctx ends with Close.
	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup
	closed sync.Once

	commands, pulls, rates *redis.Client
	pulling                chan struct{}

	demand  announcements
	live    chan *messages.Live
	watched watches
	// ratesAway is when Take may ask again, in ns since opened; 0: it is not known to be away.
	ratesAway atomic.Int64
	opened    time.Time
	// heard is when a subscription last gave a sign of life, in ns since opened; 0: there is none.
	heard atomic.Int64

	liveDropped, liveUnreadable                                       atomic.Uint64
	policySaid, announceSaid, publishSaid, listenSaid, unreadableSaid seldom
}

// RedisStats count since the start.
type RedisStats struct {
	AnnouncementsDropped uint64 // a sweep finds what they would have said
	LiveDropped          uint64 // could not be published
	LiveUnreadable       uint64 // was heard and not understood
}

// OpenRedis connects to one server, or to the name that leads to the primary of several:
// redis://[user:password@]host:port[/db], rediss:// for TLS, or unix://[user:password@]/path?db=0. It speaks neither
// Sentinel's nor Cluster's protocol. Redis 6.2 or later.
//
// *RedisEvictsError where the server may evict streams. One that cannot be reached or asked is no error: what is wrong
// is logged then, now and later.
func OpenRedis(ctx context.Context, url string, log *slog.Logger) (*Redis, error) {
	options, err := redisOptions(url)
	if err != nil {
		return nil, err
	}
	return openRedis(ctx, *options, log)
}

func openRedis(ctx context.Context, options redis.Options, log *slog.Logger) (*Redis, error) {
	redisQuiet()
	if options.Dialer == nil {
		options.Dialer = redis.NewDialer(&options)
	}
	options.Dialer = dialOrRefused(options.Dialer)
	r := &Redis{
		log:      log.With("redis", options.Addr),
		db:       options.DB,
		commands: redis.NewClient(&options),
		pulls:    redis.NewClient(pullOptions(options)),
		rates:    redis.NewClient(rateOptions(options)),
		pulling:  make(chan struct{}, redisPullsMax),
		demand:   announcements{events: map[string]struct{}{}, wake: make(chan struct{}, 1)},
		live:     make(chan *messages.Live, liveQueueMax),
		watched:  watches{counts: map[string]int{}, changed: make(chan struct{}, 1)},
		opened:   time.Now(),
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	err := r.checkPolicy(ctx)
	var evicts *RedisEvictsError
	if errors.As(err, &evicts) {
		r.Close()
		return nil, err
	}
	if err != nil {
		r.log.WarnContext(ctx, "redis cannot be asked for its eviction policy; going on without it", "error", err)
	}
	r.loops.Go(func() { r.watchPolicy(err == nil) })
	r.loops.Go(r.announce)
	r.loops.Go(r.publish)
	return r, nil
}

// Close ends all calls and loops, and does not wait for Redis. What was announced or published last may be lost.
func (r *Redis) Close() {
	r.closed.Do(func() {
		r.cancel()
		for _, c := range []*redis.Client{r.commands, r.pulls, r.rates} {
			_ = c.Close() // nothing to be done about a connection that does not close well
		}
		r.loops.Wait()
		for range redisPullsMax {
			r.pulling <- struct{}{} // for good: no read is in progress, and none begins
		}
	})
}

// Stats are as of now.
func (r *Redis) Stats() RedisStats {
	return RedisStats{
		AnnouncementsDropped: r.demand.dropped.Load(),
		LiveDropped:          r.liveDropped.Load(),
		LiveUnreadable:       r.liveUnreadable.Load(),
	}
}

func redisOptions(url string) (*redis.Options, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		// What cannot be parsed may show parts of a password, wherever they were taken for something else.
		if strings.Contains(url, "@") || strings.Contains(url, "password") {
			err = errors.New("escape what is special in its user and password with %")
		}
		return nil, fmt.Errorf("read the Redis URL, which is redis://[user:password@]host:port/db, rediss://… or unix:///path: %w", err)
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, redisStepMax)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, redisStepMax)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, redisStepMax)
	o.PoolTimeout = redisStepMax
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = redisRetriesMax, redisPauseMin/5, redisPauseMin
	o.DialerRetries = 1
	o.PoolSize, o.PipelinePoolSize, o.MinIdleConns = redisCommandsMax, -1, 0
	o.ReadBufferSize, o.WriteBufferSize = redisBufferBytes, redisBufferBytes
	o.ClientName = cmp.Or(o.ClientName, "boxoffice")
	// Nothing here needs pushes, and what stands in front of a Redis knows this protocol best.
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

func pullOptions(o redis.Options) *redis.Options {
	// A Pull that fails is tried again by whoever pulls.
	o.PoolSize, o.MaxRetries = redisPullsMax, -1
	return &o
}

func rateOptions(o redis.Options) *redis.Options {
	o.PoolSize, o.PoolTimeout = redisRatesMax, rateWaitMax
	o.MaxRetries = -1
	return &o
}

// redisQuiet keeps go-redis from writing to the standard error by itself, for the whole process: what it would say comes
// back as errors.
var redisQuiet = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// redisPasses says of an error that the same call may succeed later: Redis is away, starting, or not the primary now.
func redisPasses(err error) bool {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return true
	}
	return redis.IsLoadingError(err) || redis.IsReadOnlyError(err) || redis.IsMasterDownError(err) ||
		redis.IsClusterDownError(err) || redis.IsTryAgainError(err) || redis.IsMaxClientsError(err) ||
		redis.IsNoReplicasError(err)
}

// backoff is the pause of one loop between tries, doubling up to redisPauseMax.
type backoff struct{ last time.Duration }

// wait is false where ctx ended meanwhile.
func (b *backoff) wait(ctx context.Context) bool {
	b.last = min(max(2*b.last, redisPauseMin), redisPauseMax)
	return pause(ctx, b.last/2+rand.N(b.last/2)) // spread, so that nodes do not all come back at once
}

func (b *backoff) reset() { b.last = 0 }

// seldom lets one through each redisLogEvery.
type seldom struct{ last atomic.Int64 }

func (s *seldom) now() bool {
	last, now := s.last.Load(), time.Now().UnixNano()
	return now-last >= int64(redisLogEvery) && s.last.CompareAndSwap(last, now)
}

package persistence

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// A request is not to wait longer than this for its rate.
	rateWaitMax = 50 * time.Millisecond
	// After a failure nobody asks for so long, and then one: a Redis that is lost costs nothing.
	ratePause = time.Second
)

// errRatesAway says that Redis failed a moment ago and is not asked again yet.
var errRatesAway = errors.New("redis does not count rates just now")

// rateScript is http's rate.decide, in whole microseconds of Redis' clock: they fit a double, and nanoseconds would not.
// A key goes when all is paid back, which is when it says nothing any more. The clock can be given for tests.
var rateScript = redis.NewScript(`
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local due = tonumber(redis.call('GET', KEYS[1]) or now)
-- Where the clock was set back, nobody owes more than a window.
due = math.min(due, now + window)
local later = math.max(due, now) + interval
local wait = later - now - window
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', later), 'PX', math.ceil((later - now) / 1000))
return 0
`)

// Take counts one of key against a rate of one each interval, a window's worth at once, for all nodes together. wait is 0
// where it was counted, else how long to wait, in whole microseconds. An error says that nothing is known, also not
// whether it was counted; it comes within rateWaitMax, and at once for ratePause after another.
func (r *Redis) Take(ctx context.Context, what string, key [16]byte, interval, window time.Duration) (time.Duration, error) {
	now := time.Since(r.opened)
	if away := r.ratesAway.Load(); away != 0 && (int64(now) < away || !r.ratesAway.CompareAndSwap(away, int64(now+ratePause))) {
		return 0, errRatesAway
	}
	asked, done := context.WithTimeout(ctx, rateWaitMax)
	defer done()
	wait, err := rateScript.Run(asked, r.rates, []string{rateKey(what, key)}, micros(interval), micros(window)).Int64()
	if err != nil {
		if ctx.Err() == nil { // else it is the caller who did not wait
			r.ratesAway.Store(int64(time.Since(r.opened) + ratePause))
		}
		return 0, fmt.Errorf("count in Redis: %w", err)
	}
	r.ratesAway.Store(0)
	return time.Duration(wait) * time.Microsecond, nil
}

func rateKey(what string, key [16]byte) string {
	return "rate:" + what + ":" + hex.EncodeToString(key[:])
}

func micros(d time.Duration) int64 { return max(d.Microseconds(), 1) }

package persistence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// The one policy that keeps what is written: streams expire (streamTTL), so that volatile-… policies may evict them
	// too.
	policyWanted = "noeviction"
	policyField  = "maxmemory_policy:"
	// A failover or a change of settings shows after so long. Longer than redisLogEvery, so that each time is said.
	policyEvery = redisLogEvery + time.Second
)

// RedisEvictsError says that the server may evict streams, and what to change. It is refused whether or not it has a
// maxmemory now: that is one command away.
type RedisEvictsError struct{ Policy string }

func (e *RedisEvictsError) Error() string {
	return fmt.Sprintf("redis may evict the waiting rooms' streams: its maxmemory-policy is %s; set it to %s "+
		"(redis-cli config set maxmemory-policy %[2]s, and in redis.conf)", e.Policy, policyWanted)
}

// checkPolicy is *RedisEvictsError for a server that may evict streams; any other error says that it could not be asked.
func (r *Redis) checkPolicy(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, redisCallMax)
	defer done()
	// CONFIG GET is often forbidden; INFO is not.
	info, err := r.commands.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("ask Redis for its maxmemory-policy: %w", err)
	}
	for line := range strings.Lines(info) {
		if policy, ok := strings.CutPrefix(strings.TrimSpace(line), policyField); ok {
			if policy != policyWanted {
				return &RedisEvictsError{Policy: policy}
			}
			return nil
		}
	}
	return errPolicyUnsaid
}

// errPolicyUnsaid is for what only speaks like Redis.
var errPolicyUnsaid = errors.New("ask Redis for its maxmemory-policy: it does not say")

// watchPolicy looks again as soon as Redis can be asked, and then each policyEvery. It only says what it finds: a server
// that sells does not stop for a setting.
func (r *Redis) watchPolicy(asked bool) {
	var wait backoff
	for {
		if asked {
			wait.reset()
			if !pause(r.ctx, policyEvery) {
				return
			}
		} else if !wait.wait(r.ctx) {
			return
		}
		err := r.checkPolicy(r.ctx)
		var evicts *RedisEvictsError
		wrong := errors.As(err, &evicts)
		switch {
		case r.ctx.Err() != nil:
			return
		case wrong && r.policySaid.now():
			r.log.ErrorContext(r.ctx, err.Error())
		case err == nil && !asked:
			r.log.InfoContext(r.ctx, "redis is there")
		}
		asked = err == nil || wrong || errors.Is(err, errPolicyUnsaid) || !redisPasses(err)
	}
}

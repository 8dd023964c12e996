package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"boxoffice/persistence/embedded"
)

// stopMax bounds the shutdown of each service.
const stopMax = 10 * time.Second

// services are the servers that we started because nobody named others.
type services struct {
	postgres  *embedded.Postgres
	redis     *embedded.Redis
	miniredis *embedded.Miniredis

	ended chan string // the name of one that ended by itself
}

// startServices starts what is missing and puts its address into env. What it returns has to be stopped
// also when it fails.
func startServices(ctx context.Context, env *settings, out io.Writer) (*services, error) {
	s := &services{ended: make(chan string, 2)}
	starting, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	var err error
	if env.databaseURL == "" {
		s.postgres, err = embedded.StartPostgres(starting, embedded.PostgresConfig{Dir: env.dataDir, Durable: true})
		if err != nil {
			return s, fmt.Errorf("start Postgres: %w", err)
		}
		env.databaseURL = s.postgres.URL()
		s.watch("Postgres", s.postgres.Done())
	}
	if env.redisURL != "" {
		return s, nil
	}
	s.redis, err = embedded.StartRedis(starting, embedded.RedisConfig{})
	switch {
	case err == nil:
		env.redisURL = s.redis.URL()
		s.watch("Redis", s.redis.Done())
	case errors.Is(err, embedded.ErrNoRedis):
		fmt.Fprintf(os.Stderr, "dev: WARNING: %v. Until then a slower stand-in within this process takes its place.\n", err)
		if s.miniredis, err = embedded.StartMiniredis(); err != nil {
			return s, err
		}
		env.redisURL = s.miniredis.URL()
	default:
		return s, fmt.Errorf("start Redis: %w", err)
	}
	fmt.Fprintf(out, "Postgres: %s\nRedis:    %s\n", env.databaseURL, env.redisURL)
	return s, nil
}

// watch reports the end of a service. When we stop, nobody listens any more; the buffer holds them all.
func (s *services) watch(name string, done <-chan struct{}) {
	go func() {
		<-done
		s.ended <- name
	}()
}

func (s *services) stop(out io.Writer) error {
	fmt.Fprintln(out, "Stopping.")
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopMax)
	defer cancel()
	var errs []error
	if s.miniredis != nil {
		s.miniredis.Stop()
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Stop(ctx))
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx))
	}
	return errors.Join(errs...)
}

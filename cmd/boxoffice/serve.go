package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/actors/payment"
	"boxoffice/actors/ticket"
	"boxoffice/cluster"
	"boxoffice/http"
	"boxoffice/migrations"
	"boxoffice/persistence"
)

const (
	// commitsMax at once is what the database has connections for; a commit waits in the pool's queue. activationsMax at
	// once leave connections to everybody else, however many events are asked for the first time.
	commitsMax     = 16
	activationsMax = 8
	// callsMax bounds the calls to the payment provider at once, projectionsMax the projections.
	callsMax       = 256
	projectionsMax = 4
	// admissionsMax lets in at once; pullsMax waiting rooms wait for Redis at once, each on a connection, and more look once
	// a second.
	admissionsMax = 8
	pullsMax      = 128
	// acksQueuedMax acknowledgements wait for one of them to be over.
	acksQueuedMax = 64
	// queuedMax is what may wait for each of them: an event has one commit and one projection at most, so this bounds
	// the events that a node can have active under load.
	queuedMax = 65_536
)

// serve answers HTTP until ctx ends, then hands over what this node owns, and drains.
func serve(ctx context.Context, logs io.Writer) error {
	c, err := loadConfig(os.Getenv)
	if err != nil {
		return fmt.Errorf("settings:\n%w", err)
	}
	log := slog.New(slog.NewTextHandler(logs, nil))
	slog.SetDefault(log)
	live := &live{node: rand.Text()}
	options := persistence.Options{Name: "server"}
	if c.redisURL != "" {
		if live.redis, err = persistence.OpenRedis(ctx, c.redisURL, log); err != nil {
			return fmt.Errorf("REDIS_URL: %w", err)
		}
		options.Demand = announcer{live.redis}
	} else {
		log.Warn("REDIS_URL is not set: waiting rooms look once a second who is next, rates are limited by this process alone")
	}
	db, err := persistence.Open(ctx, c.databaseURL, options)
	if err != nil {
		closeWithin(log, live.close)
		return err
	}
	lock, err := db.HoldServerLock(ctx)
	if err != nil {
		closeWithin(log, live.close, db.Close)
		return err
	}
	self := newMember(c)
	tracer, stopTracing, err := startTracing(ctx, log, self.ID)
	if err != nil {
		closeWithin(log, live.close, lock.Release, db.Close)
		return err
	}
	defer closeWithin(log, live.close, lock.Release, db.Close, stopTracing)
	// Not before the lock is held: a version that does not share its database may be at work.
	if err := migrations.Up(ctx, c.databaseURL); err != nil {
		return fmt.Errorf("bringing the database up to date: %w", err)
	}

	signer, err := newSigner(c.ticketKeys)
	if err != nil {
		return fmt.Errorf("ticket keys: %w", err)
	}
	clock := cluster.NewClock()
	s := &serving{
		config: c, db: db, live: live, lock: lock, log: log, self: self, clock: clock, tracer: tracer,
		metrics: newMetrics(db, live.redis, clock),
	}
	s.node = cluster.NewNode(s.events(signer), s.rooms(), lock.Held)
	s.node.Observe(s.metrics.node, tracer)
	if s.server, err = s.newServer(signer); err != nil {
		return err
	}
	live.server.Store(s.server)
	return s.run(ctx)
}

// events wires what event actors have of the world.
func (s *serving) events(signer *ticket.Signer) actors.Env {
	return actors.Env{
		Journal:     s.db.MemberJournal(s.self.ID),
		ReadModel:   s.db.ReadModel(),
		Provider:    payment.NewMock(s.db.Ledger(), payment.MockConfig{Delay: s.config.paymentDelay, Wait: wait}),
		Issuer:      signer,
		Render:      http.Render,
		Live:        s.live,
		Clock:       s.clock,
		Activations: cluster.NewPool(activationsMax, queuedMax),
		Commits:     cluster.NewPool(commitsMax, queuedMax),
		Calls:       cluster.NewPool(callsMax, queuedMax),
		Projections: cluster.NewPool(projectionsMax, queuedMax),
		Log:         s.log,
		Metrics:     s.metrics.events,
		Tracer:      s.tracer,
	}
}

// rooms wires what admissions have of it.
func (s *serving) rooms() admission.Env {
	env := admission.Env{
		Rooms: s.db.MemberAdmissions(s.self.ID),
		Live:  s.live, Clock: s.clock,
		Claims:     cluster.NewPool(activationsMax, queuedMax),
		Admissions: cluster.NewPool(admissionsMax, queuedMax),
		Pulls:      cluster.NewPool(pullsMax, acksQueuedMax),
		Log:        s.log,
		Metrics:    s.metrics.admission,
	}
	if s.live.redis != nil {
		env.Demand = s.live.redis
	}
	return env
}

func (s *serving) newServer(signer *ticket.Signer) (*http.Server, error) {
	keys := make([]http.TicketKey, 0, len(signer.PublicKeys()))
	for _, k := range signer.PublicKeys() {
		keys = append(keys, http.TicketKey{KeyID: k.ID, PublicKey: k.Key})
	}
	c, db, redis := s.config, s.db, s.live.redis
	config := http.Config{
		Engine: s.node, Catalogue: db.Catalogue(), Halls: db.Halls(redis), Organiser: actors.NewOrganiser(db.Catalogue()),
		Sessions: db.Sessions(), Records: db.Records(),
		TokenKeys: c.tokenKeys, TicketKeys: keys, AdminToken: c.adminToken, Logger: s.log,
		JoinsPerMinutePerIP: c.limits.joins, OrdersPerMinutePerSession: c.limits.orders,
		SessionsPerIPMax: c.limits.sessions, StreamsMax: c.limits.streams, StreamsPerIPMax: c.limits.streamsPerIP,
		ConnsPerIPMax: c.limits.conns, TrustedProxies: c.limits.proxies,
		Ready: s.ready, Metrics: s.metrics.http, Tracer: s.tracer,
	}
	if redis != nil {
		config.Subscriptions, config.Rates = redis, redis
	}
	return http.New(config)
}

// closeWithin closes one after the other, and leaves to the kernel what takes longer than closeMax in all: a database that
// is frozen answers no farewell.
func closeWithin(log *slog.Logger, closers ...func()) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, c := range closers {
			c()
		}
	}()
	select {
	case <-closed:
	case <-time.After(closeMax):
		log.Warn("connections given up")
	}
}

// newSigner makes the signer of tickets: each key's seed is derived from the secret of the same name.
func newSigner(keys http.Keys) (*ticket.Signer, error) {
	var seeds []ticket.Key
	for id, secret := range keys.Secrets() {
		seeds = append(seeds, ticket.Key{ID: id, Seed: ticket.DeriveSeed(secret)})
	}
	return ticket.NewSigner(seeds, rand.Reader)
}

// wait is how the mock provider takes its time.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

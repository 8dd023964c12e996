package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
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
	// A server that is told to end does so within 10 s, whatever hangs: requestsMax is for the requests that are being
	// answered, drainMax for those and the events together, closeMax for giving back lock and connections. What is not
	// done by then is found in the journal by the next server, as after a crash.
	requestsMax = 7500 * time.Millisecond
	drainMax    = 8500 * time.Millisecond
	closeMax    = time.Second
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

// serve answers HTTP until ctx ends, then drains.
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
	defer closeWithin(log, live.close, lock.Release, db.Close)
	// Not before the lock is held: another version may be at work.
	if err := migrations.Up(ctx, c.databaseURL); err != nil {
		return fmt.Errorf("bringing the database up to date: %w", err)
	}

	signer, err := newSigner(c.ticketKeys)
	if err != nil {
		return fmt.Errorf("ticket keys: %w", err)
	}
	clock := cluster.NewClock()
	node := cluster.NewNode(newEnv(db, signer, live, clock, c, log), newRooms(db, live, clock, log), lock.Held)
	server, err := newServer(c, db, live.redis, node, signer, lock, log)
	if err != nil {
		return err
	}
	live.server.Store(server)
	return answer(ctx, c, db, live, lock, node, server, log)
}

// newEnv wires what event actors have of the world.
func newEnv(db *persistence.DB, signer *ticket.Signer, live actors.Publisher, clock actors.Clock, c config, log *slog.Logger) actors.Env {
	return actors.Env{
		Journal:     db.Journal(nodeID()),
		ReadModel:   db.ReadModel(),
		Provider:    payment.NewMock(db.Ledger(), payment.MockConfig{Delay: c.paymentDelay, Wait: wait}),
		Issuer:      signer,
		Render:      http.Render,
		Live:        live,
		Clock:       clock,
		Activations: cluster.NewPool(activationsMax, queuedMax),
		Commits:     cluster.NewPool(commitsMax, queuedMax),
		Calls:       cluster.NewPool(callsMax, queuedMax),
		Projections: cluster.NewPool(projectionsMax, queuedMax),
		Log:         log,
	}
}

// newRooms wires what admissions have of it.
func newRooms(db *persistence.DB, live *live, clock actors.Clock, log *slog.Logger) admission.Env {
	env := admission.Env{
		Rooms: db.Admissions(nodeID()),
		Live:  live, Clock: clock,
		Claims:     cluster.NewPool(activationsMax, queuedMax),
		Admissions: cluster.NewPool(admissionsMax, queuedMax),
		Pulls:      cluster.NewPool(pullsMax, acksQueuedMax),
		Log:        log,
	}
	if live.redis != nil {
		env.Demand = live.redis
	}
	return env
}

func nodeID() string {
	host, _ := os.Hostname()
	return host
}

func newServer(
	c config, db *persistence.DB, redis *persistence.Redis, node *cluster.Node, signer *ticket.Signer, lock *persistence.ServerLock, log *slog.Logger,
) (*http.Server, error) {
	keys := make([]http.TicketKey, 0, len(signer.PublicKeys()))
	for _, k := range signer.PublicKeys() {
		keys = append(keys, http.TicketKey{KeyID: k.ID, PublicKey: k.Key})
	}
	config := http.Config{
		Engine: node, Catalogue: db.Catalogue(), Halls: db.Halls(redis), Organiser: actors.NewOrganiser(db.Catalogue()),
		Sessions: db.Sessions(), Records: db.Records(),
		TokenKeys: c.tokenKeys, TicketKeys: keys, AdminToken: c.adminToken, Logger: log,
		JoinsPerMinutePerIP: c.limits.joins, OrdersPerMinutePerSession: c.limits.orders,
		SessionsPerIPMax: c.limits.sessions, StreamsMax: c.limits.streams, StreamsPerIPMax: c.limits.streamsPerIP,
		ConnsPerIPMax: c.limits.conns, TrustedProxies: c.limits.proxies,
		Ready: func(ctx context.Context) error {
			if !lock.Held() {
				return errors.New("the server lock is not held")
			}
			return db.Ping(ctx)
		},
	}
	if redis != nil {
		config.Subscriptions, config.Rates = redis, redis
	}
	return http.New(config)
}

// answer HTTP and wake what is due, until ctx ends, the lock is lost for good, or a listener fails.
func answer(
	ctx context.Context, c config, db *persistence.DB, live *live, lock *persistence.ServerLock, node *cluster.Node, server *http.Server, log *slog.Logger,
) error {
	public, err := net.Listen("tcp", c.httpAddr)
	if err != nil {
		return fmt.Errorf("BOXOFFICE_HTTP_ADDR: %w", err)
	}
	admin, err := net.Listen("tcp", c.adminAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("BOXOFFICE_ADMIN_ADDR: %w", err), public.Close())
	}
	waking, stopWaking := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { node.RunWaker(waking, db.Due, db.AdmissionsDue, log) })
	background.Go(func() { live.listen(waking) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(public, admin) }()
	log.Info("serving", "http", public.Addr().String(), "admin", admin.Addr().String())

	select {
	case <-ctx.Done():
	case err = <-served:
	case <-lock.Done():
		err = lock.Err()
	}
	log.Info("draining")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
	defer cancel()
	requests, cancel := context.WithTimeout(draining, requestsMax)
	defer cancel()
	stopWaking()
	if e := server.Shutdown(requests); e != nil {
		log.Warn("requests given up", "error", e)
	}
	node.Drain(draining)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		background.Wait()
	}()
	select {
	case <-stopped:
	case <-draining.Done(): // it waits for an activation that hangs
	}
	log.Info("drained")
	return err
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

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"boxoffice/cluster"
	"boxoffice/http"
	"boxoffice/messages"
	"boxoffice/persistence"
)

const (
	// A server that is told to end does so within 10 s, whatever hangs: handOverMax is for other nodes to take what it owns,
	// requestsMax for the requests that are being answered, drainMax for those and the events together. Then the cluster is
	// left, which takes 1.5 s at most, and closeMax is for giving back lock and connections. What is not done by then is
	// found in the journal by the next owner, as after a crash.
	handOverMax = 3 * time.Second
	requestsMax = 6500 * time.Millisecond
	drainMax    = 7 * time.Second
	closeMax    = time.Second
	// abandonMax is what a server that has lost its place gives to the answers that are on their way: nothing that it does
	// counts any more.
	abandonMax = 500 * time.Millisecond
)

// exitLost says that the server has lost its place in the cluster, and is to be started again: EX_TEMPFAIL of sysexits.h.
const exitLost = 75

// serving is a server that runs.
type serving struct {
	config  config
	db      *persistence.DB
	live    *live
	lock    *persistence.ServerLock
	log     *slog.Logger
	self    messages.Member
	clock   *cluster.Clock
	tracer  trace.Tracer // nil: none
	metrics *metrics
	node    *cluster.Node
	server  *http.Server
	leaving atomic.Bool
}

// newMember has an id that no process ever had before.
func newMember(c config) messages.Member {
	m := messages.Member{
		ID: c.cluster.name + "." + strings.ToLower(rand.Text()[:12]), Name: c.cluster.name, Version: buildVersion(),
	}
	m.Keys = append(keyDigests("", c.tokenKeys), keyDigests(messages.TicketKeyMark, c.ticketKeys)...)
	return m
}

// keyDigests tell others which keys we know, and not what they are.
func keyDigests(mark string, keys http.Keys) (digests []string) {
	for id, secret := range keys.Secrets() {
		digest := sha256.Sum256(append([]byte("boxoffice: a member's key "+id+"\x00"), secret...))
		digests = append(digests, mark+id+":"+hex.EncodeToString(digest[:8]))
	}
	return digests
}

// version is set by the build of a release.
var version string

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return info.Main.Version
	}
	return version
}

// ready is nil once a purchase would succeed.
func (s *serving) ready(ctx context.Context) error {
	switch {
	case s.leaving.Load():
		return errors.New("the server is leaving")
	case !s.lock.Held():
		return errors.New("the server lock is not held")
	}
	if err := s.node.Ready(); err != nil {
		return err
	}
	return s.db.Ping(ctx)
}

// run answers HTTP, joins the cluster and wakes what is due, until ctx ends, the node has lost its place, or a listener
// fails.
func (s *serving) run(ctx context.Context) error {
	public, err := net.Listen("tcp", s.config.httpAddr)
	if err != nil {
		return fmt.Errorf("BOXOFFICE_HTTP_ADDR: %w", err)
	}
	admin, err := net.Listen("tcp", s.config.adminAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("BOXOFFICE_ADMIN_ADDR: %w", err), public.Close())
	}
	err = s.node.Connect(cluster.Connection{
		Self: s.self, Wire: s.config.cluster.wire, Roster: s.db.Roster(), Lease: s.config.cluster.lease,
		Kubernetes: s.config.cluster.kubernetes,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("BOXOFFICE_CLUSTER_…: %w", err), public.Close(), admin.Close())
	}
	// Whoever asks whether the server lives is answered while it waits to join.
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(public, admin) }()
	waking, stopWaking := context.WithCancel(ctx)
	defer stopWaking()
	var background sync.WaitGroup
	background.Go(func() { s.live.listen(waking) })
	if err := s.join(ctx, served); err != nil || ctx.Err() != nil {
		s.abandon(ctx)
		return err
	}
	background.Go(func() { s.node.RunWaker(waking, s.db.Due, s.db.AdmissionsDue, s.log) })
	s.log.Info("serving", "http", public.Addr().String(), "admin", admin.Addr().String(),
		"member", s.self.ID, "cluster", s.node.Address())

	if err := s.wait(ctx, served); err != nil {
		stopWaking()
		s.abandon(ctx)
		return err
	}
	stopWaking()
	s.drain(ctx, &background)
	return nil
}

// join waits until the node is a member.
func (s *serving) join(ctx context.Context, served <-chan error) error {
	select {
	case <-s.node.Joined():
		return nil
	case <-s.node.Lost():
		return s.node.LostWhy() // it must not be started again as it is
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	case <-s.lock.Done():
		return s.lock.Err()
	}
}

// wait until the server is to end, and say why if it cannot go on.
func (s *serving) wait(ctx context.Context, served <-chan error) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	case <-s.lock.Done():
		return s.lock.Err()
	case <-s.node.Lost():
		s.log.Error("the server has lost its place in the cluster and ends: start it again", "member", s.self.ID,
			"reason", s.node.LostWhy())
		return &exitError{exitLost, s.node.LostWhy()}
	}
}

// drain lets other nodes have what this one owns, while requests go on being carried to them; then it answers what it has
// been asked, and leaves.
func (s *serving) drain(ctx context.Context, background *sync.WaitGroup) {
	s.log.Info("draining")
	s.leaving.Store(true)
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
	defer cancel()
	requests, cancel := context.WithTimeout(draining, requestsMax)
	defer cancel()
	handingOver, cancel := context.WithTimeout(draining, handOverMax)
	defer cancel()
	s.node.HandOver(handingOver)
	if err := s.server.Shutdown(requests); err != nil {
		s.log.Warn("requests given up", "error", err)
	}
	s.node.Drain(draining)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		background.Wait()
	}()
	select {
	case <-stopped:
	case <-draining.Done(): // it waits for an activation that hangs
	}
	s.log.Info("drained")
}

// abandon ends at once what has no place any more, or never had one.
func (s *serving) abandon(ctx context.Context) {
	s.leaving.Store(true)
	s.node.Abandon()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonMax)
	defer cancel()
	if err := s.server.Shutdown(ending); err != nil {
		s.log.Warn("requests given up", "error", err)
	}
}

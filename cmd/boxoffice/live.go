package main

import (
	"context"
	"sync/atomic"

	"boxoffice/actors/failpoint"
	"boxoffice/http"
	"boxoffice/messages"
	"boxoffice/persistence"
)

// live carries what actors tell to those who watch: on this node directly, on others by Redis, if there is one.
type live struct {
	redis  *persistence.Redis // nil: none
	node   string             // of this process alone
	server atomic.Pointer[http.Server]
}

// Publish does not block.
func (l *live) Publish(m *messages.Live) {
	m.Node = l.node
	if s := l.server.Load(); s != nil {
		s.Heard(m)
	}
	if l.redis != nil {
		l.redis.Publish(m)
	}
}

func (l *live) close() {
	if l.redis != nil {
		l.redis.Close()
	}
}

// listen to other nodes until ctx ends.
func (l *live) listen(ctx context.Context) {
	if l.redis != nil {
		l.redis.Listen(ctx, func(m *messages.Live) {
			if s := l.server.Load(); s != nil && m.GetNode() != l.node {
				s.Heard(m)
			}
		})
	}
}

// announcer lets a test end the process between a commit and its announcement.
type announcer struct{ redis *persistence.Redis }

// Announce does not block.
func (a announcer) Announce(eventIDs ...string) {
	failpoint.Hit("before-announce")
	a.redis.Announce(eventIDs...)
	failpoint.Hit("after-announce")
}

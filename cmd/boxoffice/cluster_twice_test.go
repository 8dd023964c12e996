package main_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"boxoffice/persistence/embedded/pgtest"
)

const (
	activations     = 100
	activationsRace = 12
	// busyPause between two doings of a buyer lets requests be under way at all times.
	busyPause = 20 * time.Millisecond
)

// Goal: when an event is claimed while its owner is at work, every answer comes from the one whose epoch stands. Method:
// under load, what another node does is done to the database a hundred times: every other time the epoch is raised in
// another node's name, which deposes a live owner that knows nothing of it; every other time the owner is marked as
// leaving, or as back, so that the nodes come to know one after the other that the event is another's, and for a moment
// two of them claim it. Each time is over once the event has been claimed again and answers on all nodes. Who answers
// from a past that is over tells a buyer wrong, or grants what is not in the journal.
func TestTwoActivations(t *testing.T) {
	inCluster(t)
	rounds := activations
	if raceDetector {
		rounds = activationsRace
	}
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	l := startTrade(c, busyPause)
	o := watchOwners(t, c.database)
	p := newProbe(t, c.nodes[0], l.events[0])
	conn, err := pgx.Connect(t.Context(), c.database)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	deposed, moved := measured{name: "a live owner deposed, until all nodes answer"}, measured{name: "an event moved, until all nodes answer"}
	for i := range rounds {
		begun := time.Now()
		before := ownedBy(t, conn, p.event)
		m := &deposed
		if i%2 == 0 {
			depose(t, conn, p.event)
		} else {
			m = &moved
			move(t, conn, p.event)
		}
		until(t, faultMax, func() error {
			now := ownedBy(t, conn, p.event)
			if now.epoch <= before.epoch+int64(1-i%2) {
				return fmt.Errorf("round %d: event %s is not claimed again: epoch %d of %s, it was %d of %s",
					i, p.event, now.epoch, now.node, before.epoch, before.node)
			}
			return nil
		})
		_, all := p.answered(t, begun, c.nodes...)
		m.add(all)
	}
	deposed.log(t)
	moved.log(t)
	_, err = conn.Exec(t.Context(), `with back as (update member set leaving = false where leaving) update membership set view = view + 1`)
	must(t, err)
	l.end(t)
	o.judge(t)
	if n := c.lost(c.nodes); n > 0 {
		t.Errorf("nodes were taken out %d times", n)
	}
}

func ownedBy(t *testing.T, conn *pgx.Conn, event string) (held tenure) {
	t.Helper()
	must(t, conn.QueryRow(t.Context(), `select epoch, node_id from event_owner where event_id = $1`, event).Scan(&held.epoch, &held.node))
	return held
}

// depose the owner of an event in the name of another member.
func depose(t *testing.T, conn *pgx.Conn, event string) {
	t.Helper()
	changed, err := conn.Exec(t.Context(), `
update event_owner o
set epoch = epoch + 1, node_id = (
    select member_id from member m where m.gone_at is null and m.member_id <> o.node_id order by random() limit 1)
where event_id = $1`, event)
	must(t, err)
	if changed.RowsAffected() != 1 {
		t.Fatalf("event %s has no owner", event)
	}
}

// move an event away from its owner: that is leaving from now on, and nobody else.
func move(t *testing.T, conn *pgx.Conn, event string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
with seen as (update membership set view = view + 1 returning view)
update member m set leaving = (m.member_id = o.node_id)
from event_owner o, seen
where o.event_id = $1 and m.gone_at is null`, event)
	must(t, err)
}

package main_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/http"
	"boxoffice/messages"
	"boxoffice/persistence"
	"boxoffice/persistence/embedded/pgtest"
)

const (
	rivalRounds     = 100
	rivalRoundsRace = 4
	// rivalBuyerRounds are one buyer's: of four orders each, and a session may have 100.
	rivalBuyerRounds = 25
)

// rival is a second owner of an event, in the test's own process, of which the nodes know nothing: who owned the event goes
// on believing that it does, while what is so changes. Nobody else asks for the event, so that the first to reach the
// deposed owner is who would be told wrong.
type rival struct {
	t        *testing.T
	database string
	nodes    []*node
	event    string
	buyer    buyer
	row      int
}

// newRival for a new event.
func newRival(t *testing.T, c *cell) *rival {
	t.Helper()
	r := &rival{t: t, database: c.database, nodes: c.nodes, event: "Q1"}
	c.nodes[0].create(r.event, hall(rivalRounds, 3), map[string]any{"maxOrdersPerSession": 100})
	return r
}

// node of its own, alone.
func (r *rival) node(db *persistence.DB) *cluster.Node {
	log := slog.New(slog.DiscardHandler)
	return cluster.NewNode(actors.Env{
		Journal: db.Journal("rival"), ReadModel: db.ReadModel(), Render: http.Render, Clock: cluster.NewClock(), Log: log,
		Activations: cluster.NewPool(1, 8), Commits: cluster.NewPool(1, 8), Calls: cluster.NewPool(1, 8), Projections: cluster.NewPool(1, 8),
	}, admission.Env{}, func() bool { return true })
}

// decides that what was held is free, and asks each of the nodes at once for what follows from it.
func (r *rival) decides() {
	t := r.t
	t.Helper()
	if r.row%rivalBuyerRounds == 0 {
		var err error
		r.buyer, err = r.nodes[0].join(r.event)
		must(t, err)
	}
	r.row++
	seats := make([]string, len(r.nodes))
	for i := range seats {
		seats[i] = seatID(r.row, i+1)
	}
	create := func() string {
		t.Helper()
		a := insist(func() answer { return r.buyer.create(rand.Text()) })
		must(t, a.is(201))
		return a.order().OrderID
	}
	holding := create()
	wanting := make([]string, len(r.nodes))
	for i := range wanting {
		wanting[i] = create()
	}
	key := rand.Text()
	must(t, insist(func() answer { return r.buyer.call(holding, "reserve", key, `{`+named(seats...)+`}`) }).is(200))
	r.cancel(holding)
	each(t, 2*len(r.nodes), func(i int) error {
		n := i / 2
		b := r.buyer.on(r.nodes[n].server)
		if i%2 == 1 {
			a := insist(func() answer { return b.order(holding) })
			if err := a.is(200); err != nil {
				return err
			}
			if o := a.order(); o.Status != "CANCELLED" {
				return fmt.Errorf("%s shows an order that is CANCELLED as %s", r.nodes[n].name, o.Status)
			}
			return nil
		}
		return insist(func() answer { return b.call(wanting[n], "reserve", key, `{`+named(seats[n])+`}`) }).is(200)
	})
}

// cancel an order, as its new owner.
func (r *rival) cancel(order string) {
	t := r.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	db, err := persistence.Open(ctx, r.database, persistence.Options{Name: "rival"})
	must(t, err)
	defer db.Close()
	node := r.node(db)
	defer node.Drain(ctx)
	reply := node.Ask(ctx, &messages.Request{
		EventId: r.event, SessionId: idBytes(t, r.buyer.sessionID),
		Idempotency: &messages.Idempotency{Scope: []byte(rand.Text()[:16]), Body: make([]byte, 16)},
		Call:        &messages.Request_Cancel{Cancel: &messages.Cancel{OrderId: idBytes(t, order)}},
	})
	if got := reply.GetOutcome(); got != messages.Outcome_OUTCOME_ORDER_CANCELLED {
		t.Fatalf("the rival answers %v", got)
	}
}

// idBytes are those of an id as it is written: E1.o_AAAAAAAAAAAAAAAAAAAAAA.
func idBytes(t *testing.T, id string) []byte {
	t.Helper()
	_, text, _ := strings.Cut(id, ".")
	b, err := base64.RawURLEncoding.DecodeString(text[2:])
	must(t, err)
	return b
}

// Goal: an owner that was deposed, and does not know, tells nobody what was so: not a refusal, not a look, not a grant.
// Method: a second owner frees seats that the first one knows as held; then all nodes are asked for them at once.
func TestDeposedOwnerTellsNothing(t *testing.T) {
	inCluster(t)
	rounds := rivalRounds
	if raceDetector {
		rounds = rivalRoundsRace
	}
	c := newCell(t, pgtest.New(t), 3)
	c.start()
	o := watchOwners(t, c.database)
	r := newRival(t, c)
	for range rounds {
		before := ownedEpoch(t, c.database, r.event)
		r.decides()
		if now := ownedEpoch(t, c.database, r.event); now < before+2 {
			t.Errorf("the event was at epoch %d, and is at %d: not claimed by its rival and claimed back", before, now)
		}
	}
	o.judge(t)
	must(t, awaitSettled(t, c.database))
	verify(t, c.database)
}

func ownedEpoch(t *testing.T, database, event string) int64 {
	t.Helper()
	return query[int64](t, database, `select epoch from event_owner where event_id = $1`, event)[0]
}

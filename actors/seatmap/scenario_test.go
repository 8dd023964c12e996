package seatmap

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// Goal: the hold rules, told as stories that a newcomer can read, and held to be true.
// Method: each file of testdata is a story of one or more events. A line asks, below ---- stands what happened: the
// facts, and the outcome after "=>". After every command the state is checked, packed into a snapshot and unpacked, and
// all facts so far are replayed, and the story goes on with what came out.
// New output: go test -run Scenarios -rewrite, and then read it.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		s := &scenario{t: t}
		datadriven.RunTest(t, path, s.run)
	})
}

type scenario struct {
	t        *testing.T
	d        *datadriven.TestData
	plan     *Plan
	m        *Map
	now      Time
	requests int
	journal  [][]Fact
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	s.t, s.d = t, d
	switch d.Cmd {
	case "hall":
		s.plan = hall(t, d.Input)
		return s.segments()
	case "event":
		settings := defaults()
		s.settings(&settings)
		s.m, s.now, s.requests = created(s.plan, settings), t0, 0
		s.journal = [][]Fact{{EventCreated{PlanHash: s.plan.Hash(), Settings: settings}}}
		return ""
	case "at":
		s.now = t0 + millis(t, d.CmdArgs[0].Key)
		return ""
	case "seats":
		return s.drawing()
	case "order":
		return s.order()
	case "session":
		v, ok := s.m.Session(id16(d.CmdArgs[0].Key))
		if !ok {
			return "unknown"
		}
		return fmt.Sprintf("live %d, completed %d, ended %t", v.Live, v.Completed, v.Ended)
	case "status":
		return s.status()
	case "operations":
		return s.operations()
	case "table":
		return s.table()
	default:
		return s.command(s.parse())
	}
}

// command decides, applies, and puts the state through everything that must not change it.
func (s *scenario) command(c Command) string {
	before := s.m.AppendSnapshot(nil)
	facts, res := s.m.Decide(s.now, c, nil)
	if !bytes.Equal(before, s.m.AppendSnapshot(nil)) {
		s.t.Fatalf("%T: Decide has changed the state", c)
	}
	var out strings.Builder
	for _, f := range facts {
		s.printFact(&out, f)
	}
	s.printResult(&out, res)
	if len(facts) == 0 {
		return out.String()
	}
	s.journal = append(s.journal, facts)
	for _, f := range facts {
		s.m.Apply(uint64(len(s.journal)), f)
	}
	if err := s.m.Check(); err != nil {
		s.t.Fatalf("%T: %v", c, err)
	}
	s.restart()
	return out.String()
}

// restart goes on from a snapshot, which is the one that a replay of the journal gives.
func (s *scenario) restart() {
	snapshot := s.m.AppendSnapshot(nil)
	replayed := New(s.plan)
	for i, facts := range s.journal {
		facts, err := DecodeEntry(AppendEntry(nil, facts))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range facts {
			replayed.Apply(uint64(i+1), f)
		}
	}
	if !bytes.Equal(snapshot, replayed.AppendSnapshot(nil)) {
		s.t.Fatal("a replay of the journal gives another state")
	}
	m, err := DecodeSnapshot(s.plan, snapshot)
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.Equal(snapshot, m.AppendSnapshot(nil)) {
		s.t.Fatal("a snapshot changes by being read")
	}
	s.m = m
}

func (s *scenario) parse() Command {
	switch s.d.Cmd {
	case "create":
		return CreateOrder{Key: s.key(), Session: s.by(), Order: s.id(), TokenExpires: t0 + millis(s.t, s.arg("token", "600s"))}
	case "reserve":
		return Reserve{Key: s.key(), Session: s.by(), Order: s.id(), Want: s.want()}
	case "confirm":
		return Confirm{Key: s.key(), Session: s.by(), Order: s.id(), Want: s.want(), PaymentToken: s.arg("pay", "tok_visa")}
	case "finalize":
		return Finalize{Key: s.key(), Session: s.by(), Order: s.id()}
	case "cancel":
		return Cancel{Key: s.key(), Session: s.by(), Order: s.id()}
	case "leave":
		return EndSession{Session: SessionID(s.id()), TokenExpires: t0 + millis(s.t, s.arg("token", "600s"))}
	case "block":
		return Block{Seats: s.list("seats")}
	case "unblock":
		return Unblock{Seats: s.list("seats")}
	case "configure":
		settings := *s.m.Settings()
		s.settings(&settings)
		return Configure{Settings: settings}
	case "granted":
		return AuthorizeSucceeded{Order: s.id(), Attempt: s.attempt(), Reference: s.arg("reference", "ref")}
	case "declined":
		return AuthorizeRefused{Order: s.id(), Attempt: s.attempt(), Code: s.arg("code", "card_declined")}
	case "captured":
		o, _ := s.m.Order(s.id())
		return CaptureSucceeded{Order: s.id(), Attempt: s.attempt(), Tickets: make([]TicketID, len(o.Seats))}
	case "capture-failed":
		return CaptureRefused{Order: s.id(), Attempt: s.attempt(), Code: s.arg("code", "expired_card")}
	case "voided":
		return VoidSucceeded{Order: s.id(), Attempt: s.attempt()}
	case "tick":
		return Tick{}
	}
	s.d.Fatalf(s.t, "unknown directive %q", s.d.Cmd)
	return nil
}

func (s *scenario) arg(key, otherwise string) string {
	if list := s.list(key); len(list) > 0 {
		return strings.Join(list, " ")
	}
	return otherwise
}

func (s *scenario) list(key string) []string {
	for _, arg := range s.d.CmdArgs {
		if arg.Key == key {
			return arg.Vals
		}
	}
	return nil
}

func (s *scenario) id() OrderID   { return id16(s.d.CmdArgs[0].Key) }
func (s *scenario) by() SessionID { return id16(s.arg("by", "buyer")) }

func (s *scenario) attempt() uint32 { return uint32(s.number("attempt", 1)) }

func (s *scenario) number(key string, otherwise int) int {
	n, err := strconv.Atoi(s.arg(key, strconv.Itoa(otherwise)))
	if err != nil {
		s.d.Fatalf(s.t, "%s: %v", key, err)
	}
	return n
}

// key is a new one for each request, where none is given; key=none: not idempotent.
func (s *scenario) key() Key {
	s.requests++
	name := s.arg("key", fmt.Sprint("request ", s.requests))
	if name == "none" {
		return Key{}
	}
	return Key{Scope: id16(name), Body: id16(s.arg("body", "{}"))}
}

func (s *scenario) want() Want {
	return Want{Seats: s.list("seats"), Quantity: s.number("best", 0), Category: s.arg("category", ""), Section: s.arg("section", "")}
}

func (s *scenario) settings(to *Settings) {
	for _, arg := range s.d.CmdArgs {
		value := strings.Join(arg.Vals, "")
		switch arg.Key {
		case "ttl":
			to.HoldTTL = int64(millis(s.t, value))
		case "on-sale-at":
			to.OnSaleAt = t0 + millis(s.t, value)
		case "max-seats":
			to.MaxSeatsPerOrder = s.number(arg.Key, 0)
		case "max-orders":
			to.MaxOrdersPerSession = s.number(arg.Key, 0)
		case "name":
			to.Name = value
		case "currency":
			to.Currency = value
		case "price":
			to.Prices = append([]int64{int64(s.number(arg.Key, 0))}, to.Prices[1:]...)
		case "sale":
			to.Status = map[string]Status{"on": OnSale, "paused": Paused, "closed": Closed, "cancelled": Cancelled}[value]
		default:
			s.d.Fatalf(s.t, "unknown setting %q", arg.Key)
		}
	}
}

func millis(t *testing.T, text string) Time {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return Time(d.Milliseconds())
}

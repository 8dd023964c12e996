package seatmap

import (
	"bytes"
	"testing"
)

// Goal: no sequence of commands breaks an invariant, panics, or finds the Map and the model at odds.
// Method: the fuzzer's bytes choose the hall and the commands, as the random test's coins do.
func FuzzCommands(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1, 0, 7}, 100))
	for seed := range byte(8) {
		choices := make([]byte, 600)
		for i := range choices {
			choices[i] = byte(i*i)*31 ^ byte(i)*seed + seed
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		g := newGenerator(func(n int, _ string) int {
			if len(choices) == 0 {
				return 0
			}
			choice := choices[0]
			choices = choices[1:]
			return int(choice) % n
		})
		twin := newTwin(t, g.spec, g.settings)
		for commands := 0; len(choices) > 0 && commands < 200; commands++ {
			g.step()
			twin.run(g.now, g.command(twin.model), g.draw(3, "same entry") == 0)
			if g.draw(16, "restart") == 0 {
				twin.restart()
			}
		}
		twin.replay()
	})
}

// Goal: hostile bytes are an error, never a panic; what is taken for a snapshot is one, byte for byte, and works.
func FuzzDecodeSnapshot(f *testing.F) {
	plan := hall(f, fuzzHall)
	for _, m := range fuzzMaps(f, plan) {
		snapshot := m.AppendSnapshot(nil)
		f.Add(snapshot[:len(snapshot)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(b, 0) // or it would be the checksum that is tried
		m, err := DecodeSnapshot(plan, b)
		if err != nil {
			return
		}
		if !bytes.Equal(b, m.AppendSnapshot(nil)) {
			t.Fatal("another encoding of the same state was taken")
		}
		for op := range m.Operations() {
			if o, ok := m.Order(op.Order); !ok || o.Attempt != op.Attempt {
				t.Fatalf("operation %+v of order %+v", op, o)
			}
		}
		if m.NextDue(); m.created && m.clock < timeMax {
			m.Decide(max(m.clock, 1), Tick{}, nil)
			m.Decide(max(m.clock, 1), Reserve{Session: buyer, Order: theOrder, Want: Want{Quantity: 2}}, nil)
		}
	})
}

// Goal: the same for journal entries.
func FuzzDecodeFacts(f *testing.F) {
	unsealed := func(facts ...Fact) []byte {
		entry := AppendEntry(nil, facts)
		return entry[:len(entry)-4]
	}
	for _, fact := range someFacts() {
		f.Add(unsealed(fact))
	}
	f.Add(unsealed(someFacts()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = seal(b, 0) // or it would be the checksum that is tried
		facts, err := DecodeEntry(b)
		if err == nil && !bytes.Equal(b, AppendEntry(nil, facts)) {
			t.Fatal("another encoding of the same facts was taken")
		}
	})
}

const fuzzHall = "section Stalls\nA 11.122\nB 333333"

// fuzzMaps are some states worth mutating.
func fuzzMaps(t testing.TB, plan *Plan) []*Map {
	t.Helper()
	empty, full := created(plan, defaults()), created(plan, defaults())
	for _, c := range []Command{
		Block{Seats: []string{"B-6"}},
		CreateOrder{Key: Key{Scope: id16("k1")}, Session: buyer, Order: theOrder, TokenExpires: t0 + 600_000},
		Reserve{Key: Key{Scope: id16("k2")}, Session: buyer, Order: theOrder, Want: Want{Quantity: 2}},
		Confirm{Key: Key{Scope: id16("k3")}, Session: buyer, Order: theOrder, PaymentToken: "tok_visa"},
		CreateOrder{Session: SessionID(id16("other")), Order: OrderID(id16("o2")), TokenExpires: t0 + 600_000},
		Confirm{Session: SessionID(id16("other")), Order: OrderID(id16("o2")), Want: Want{Seats: []string{"B-1"}}, PaymentToken: "tok"},
		AuthorizeSucceeded{Order: OrderID(id16("o2")), Attempt: 1, Reference: "ref"},
		Cancel{Session: SessionID(id16("other")), Order: OrderID(id16("o2"))},
		EndSession{Session: SessionID(id16("third")), TokenExpires: t0 + 600_000},
	} {
		do(t, full, t0, c)
	}
	return []*Map{New(plan), empty, full}
}

// someFacts has each kind of fact, with every field set.
func someFacts() []Fact {
	o, s, key := theOrder, buyer, Key{Scope: id16("scope"), Body: id16("body")}
	settings := defaults()
	settings.City, settings.Performers, settings.OnSaleAt = "Ulm", []string{"A", "B"}, t0
	return []Fact{
		EventCreated{PlanHash: [32]byte{1, 2}, Settings: settings},
		SettingsChanged{Settings: settings},
		SeatsWereBlocked{Seats: []int32{1, 2, 300}},
		SeatsWereUnblocked{Seats: []int32{7}},
		OrderWasCreated{Order: o, Session: s, At: t0, Deadline: t0 + 1},
		SeatsWereHeld{Order: o, Seats: []int32{5, 4}, Deadline: t0, Amount: 1},
		AuthorizeStarted{Order: o, Attempt: 3, Token: "tok", Key: key},
		AuthorizeWasGranted{Order: o, Reference: "ref"},
		AuthorizeWasDeclined{Order: o, Code: "no"},
		CaptureStarted{Order: o, Key: key},
		OrderWasCompleted{Order: o, At: t0, Tickets: []TicketID{{1}, {2}}},
		CaptureWasRefused{Order: o, At: t0, Code: "no"},
		OrderHasExpired{Order: o, At: t0},
		OrderWasCancelled{Order: o, At: t0},
		AuthorizationWasVoided{Order: o},
		SessionWasEnded{Session: s, Expires: t0},
		Answered{Session: s, Key: key, Expires: t0},
		Forgotten{Before: t0},
	}
}

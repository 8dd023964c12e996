package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"boxoffice/actors/seatmap"
	"boxoffice/persistence/embedded/pgtest"
)

// Goal: `boxoffice verify` finds whatever was changed behind the journal's back, and names it. Method: each event has one
// order that was bought, one that was cancelled, one whose capture failed, and one whose first payment was declined; in
// each, one thing is changed by SQL.
func TestVerifyFindsTampering(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	cases := []struct {
		name string
		sql  string
		want []string
	}{
		{"seat-freed", `update seat set state = 'A', order_id = null where event_id = $1 and seat_id = 'R1-1'`, []string{"seat R1-1"}},
		{"seat-of-another", `update seat set order_id = decode(repeat('ab', 16), 'hex') where event_id = $1 and seat_id = 'R1-2'`, []string{"seat R1-2", "abababab"}},
		{"seat-gone", `delete from seat where event_id = $1 and seat_id = 'R2-9'`, []string{"seat R2-9", "missing"}},
		{"ticket-gone", `delete from ticket where event_id = $1 and seat_id = 'R1-1'`, []string{"ticket", "R1-1", "missing"}},
		{"ticket-number", `update ticket set n = n + 5 where event_id = $1 and seat_id = 'R1-2'`, []string{"ticket", "R1-2", "number 7"}},
		{"code-forged", `update ticket set code = overlay(code placing case right(code, 1) when 'A' then 'Q' else 'A' end from length(code)) where event_id = $1 and seat_id = 'R1-1'`, []string{"R1-1", "its code does not pass"}},
		{"code-unsigned", `update ticket set code = 'AAAA' where event_id = $1 and seat_id = 'R1-1'`, []string{"R1-1", "not a ticket code"}},
		{"code-of-another", `update ticket set code = (select t.code from ticket t where t.event_id = $1 and t.seat_id = 'R1-1') where event_id = $1 and seat_id = 'R1-2'`, []string{"R1-2", "its code is that of ticket", "seat R1-1"}},
		{"ticket-more", `insert into ticket select event_id, decode(repeat('cd', 16), 'hex'), order_id, 9, 15, 'R2-6', code, issued_at, null
			from ticket where event_id = $1 and seat_id = 'R1-1'`, []string{"ticket", "R2-6", "knows nothing"}},
		{"ticket-of-another", `update ticket set order_id = decode(repeat('cd', 16), 'hex') where event_id = $1 and seat_id = 'R1-1'`, []string{"ticket", "R1-1"}},
		{"ticket-voided", `update ticket set voided_at = issued_at where event_id = $1 and seat_id = 'R1-2'`, []string{"ticket", "R1-2"}},
		{"order-cheaper", `update orders set amount = 1 where event_id = $1 and status = 'COMPLETED'`, []string{"order", "amount 1 "}},
		{"order-gone", `delete from orders where event_id = $1 and status = 'CANCELLED'`, []string{"order", "missing"}},
		{"payment-changed", `update payment set status = 'VOIDED' where event_id = $1 and status = 'CAPTURED'`, []string{"payment", "VOIDED"}},
		{"event-cheaper", `update event set settings = replace(settings::text, '"price": "1500"', '"price": "1"')::jsonb where event_id = $1`, []string{"event: ", "1500"}},
		{"session-gone", `delete from session where event_id = $1 and completed = 1`, []string{"session", "missing"}},
		{"session-completed", `update session set completed = 0 where event_id = $1 and completed = 1`, []string{"session", "completed 1 orders"}},
		{"session-goes-on", `update session set status = 'ACTIVE' where event_id = $1 and completed = 1`, []string{"session", "has ended it", "ACTIVE"}},
		{"session-left-goes-on", `update session set status = 'WAITING' where event_id = $1 and status = 'LEFT'`, []string{"session", "has ended it", "WAITING"}},
		{"session-held-up", `update session set status = 'COMPLETED' where event_id = $1 and completed = 0 and status = 'ACTIVE'`, []string{"session", "lets it go on"}},
		{"line-passed-over", `update session set status = 'WAITING' where event_id = $1 and status = 'LEFT'`, []string{"the waiting room", "never be let in"}},
		{"line-asleep", `with s as (update session set status = 'WAITING' where event_id = $1 and status = 'LEFT')
			update admission set head = 0, next_due = null where event_id = $1`, []string{"the waiting room", "nothing is due"}},
		{"line-short", `update admission set last_place = last_place - 1, head = 0 where event_id = $1`, []string{"the waiting room", "next one would get"}},
		{"line-gone", `delete from admission where event_id = $1`, []string{"the waiting room", "next one would get 1"}},
		{"line-gap", `with s as (select max(place) as place from session where event_id = $1)
			update session set place = s.place + 3 from s where event_id = $1 and session.place = s.place`, []string{"the waiting room", "follows place"}},
		{"captured-a-void", `insert into mock_payment
			select authorize_key, 9, 'tampered-1', 'capture', '', event_id, token, reference, currency, amount, at
			from mock_payment m where event_id = $1 and kind = 'authorize'
			and exists (select from mock_payment v where v.authorize_key = m.authorize_key and v.kind = 'void') limit 1`, []string{"VOIDED in the journal"}},
		{"captured-a-stranger", `insert into mock_payment
			select 'auth:' || event_id || ':' || repeat('ef', 16) || ':1', 1, 'tampered-2', 'capture', '', event_id, token, reference, currency, amount, at
			from mock_payment where event_id = $1 and kind = 'authorize' limit 1`, []string{"efefefef", "knows nothing"}},
		{"captured-more", `update mock_payment set amount = amount + 1 where event_id = $1 and kind = 'capture' and declined = ''`, []string{"another amount"}},
		{"authorized-more", `update mock_payment set amount = amount + 1 where event_id = $1 and kind = 'authorize' and declined = ''`, []string{"another amount"}},
		{"declined-more", `update mock_payment set amount = amount + 1 where event_id = $1 and kind = 'authorize' and declined <> ''`, []string{"DECLINED in the journal", "another amount"}},
		{"capture-lost", `delete from mock_payment where event_id = $1 and kind = 'capture' and declined = ''`, []string{"has not captured it"}},
		{"refunded", `insert into mock_payment
			select authorize_key, 9, 'tampered-3', 'refund', '', event_id, token, reference, currency, amount, at
			from mock_payment where event_id = $1 and kind = 'capture' and declined = '' limit 1`, []string{"given it back"}},
		{"void-lost", `delete from mock_payment where event_id = $1 and kind = 'void'`, []string{"has not let it go"}},
		{"moved-unsaid", `update journal set moved = null
			where event_id = $1 and seq = (select min(seq) from journal where event_id = $1 and moved is not null)`, []string{"does not say which seats it moved"}},
		{"moved-of-another", `update journal j set moved = o.moved from journal o
			where j.event_id = $1 and o.event_id = $1 and j.seq = (select min(seq) from journal where event_id = $1 and moved is not null)
			and o.seq = (select max(seq) from journal where event_id = $1 and moved is not null)`, []string{"entry"}},
		{"sale-more", `update projection set seats_available = seats_available + 1 where event_id = $1`, []string{"sale"}},
		{"entry-gone", `delete from journal where event_id = $1 and seq = 3`, []string{"entry 3 is missing"}},
		{"entry-cut", `update journal set facts = substr(facts, 1, octet_length(facts) - 1) where event_id = $1 and seq = 3`, []string{"entry 3"}},
		{"entry-longer", `update journal set facts = facts || '\x00' where event_id = $1 and seq = 3`, []string{"entry 3"}},
		{"entry-other-kind", `update journal set facts = set_byte(facts, 0, 250) where event_id = $1 and seq = 3`, []string{"entry 3"}},
		{"entry-other-epoch", `update journal set epoch = epoch + 7 where event_id = $1 and seq = 3`, []string{"epoch 8"}},
		{"entry-other-time", `update journal set at = at + 3600000 where event_id = $1 and seq = 3`, []string{"entry 4", "time"}},
		{"answers-gone", `update journal set answers = '' where event_id = $1 and seq = 2`, []string{"entry 2 has 0 answers"}},
		{"answers-twice", `update journal set answers = answers || answers where event_id = $1 and seq = 2`, []string{"entry 2 has 2 answers"}},
		{"answers-cut", `update journal set answers = substr(answers, 1, octet_length(answers) - 1) where event_id = $1 and seq = 2`, []string{"the answers of entry 2 cannot be read"}},
		{"answer-odd", `update journal set answers = '\x0a020863' where event_id = $1 and seq = 2`, []string{"answer 0 of entry 2 has status 99"}},
		{"owner-behind", `update event_owner set last_seq = last_seq - 1 where event_id = $1`, []string{"1 entries beyond entry"}},
		{"owner-ahead", `update event_owner set last_seq = last_seq + 1 where event_id = $1`, []string{"the journal ends with"}},
		{"entry-more", `insert into journal select event_id, last_seq + 7, epoch, 1, 'x', '' from event_owner where event_id = $1`, []string{"1 entries beyond entry"}},
		{"snapshot-ahead", `insert into snapshot select event_id, last_seq + 1, 'x' from event_owner where event_id = $1`, []string{"the snapshot claims"}},
		{"never-due", `update event_owner set next_due = null where event_id = $1`, []string{"the event is due at"}},
		{"due-late", `update event_owner set next_due = next_due + 1 where event_id = $1`, []string{"the event is due at"}},
	}
	each(t, len(cases)+1, func(i int) error {
		event := "clean"
		if i < len(cases) {
			event = cases[i].name
		}
		return s.oneOfEach(event)
	})
	must(t, awaitSettled(t, database))
	if took, code := s.terminate(); code != 0 {
		t.Fatalf("SIGTERM: exit code %d after %v", code, took)
	}
	verify(t, database)
	env := environ("DATABASE_URL="+database, "BOXOFFICE_TOKEN_KEYS="+tokenKeys)
	if o := toolIn(t, env, nil, "verify"); o.code != 0 || strings.Contains(o.output, "not checked") {
		t.Errorf("verify with keys exits with %d:\n%s%s", o.code, o.output, o.problems)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			execute(t, database, c.sql, c.name)
			o := toolIn(t, env, nil, "verify", "--event", c.name)
			if o.code != 1 || !strings.Contains(o.problems, "1 of 1 events differ") {
				t.Errorf("verify exits with %d:\n%s%s", o.code, o.output, o.problems)
			}
			for _, want := range append(c.want, c.name+": ") {
				if !strings.Contains(o.output, want) {
					t.Errorf("verify does not say %q:\n%s", want, o.output)
				}
			}
		})
	}
	o := toolIn(t, env, nil, "verify")
	if want := fmt.Sprintf("%d of %d events differ", len(cases), len(cases)+1); o.code != 1 || !strings.Contains(o.problems, want) ||
		!strings.Contains(o.output, "\nclean: ") {
		t.Errorf("verify of all exits with %d: want %q:\n%s%s", o.code, want, o.output, o.problems)
	}
}

// Goal: no fact that decides about seats, orders, money or tickets can be changed unseen. Method: facts of a journal are
// decoded, one thing is changed, and they are encoded again as an owner would have.
func TestVerifyFindsChangedFacts(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := start(t, database)
	must(t, s.oneOfEach("E1"))
	must(t, awaitSettled(t, database))
	s.kill()
	change := map[string]func(f seatmap.Fact) (seatmap.Fact, bool){
		"other seats": func(f seatmap.Fact) (seatmap.Fact, bool) {
			held, ok := f.(seatmap.SeatsWereHeld)
			held.Seats = []int32{18, 19}
			return held, ok
		},
		"another amount": func(f seatmap.Fact) (seatmap.Fact, bool) {
			held, ok := f.(seatmap.SeatsWereHeld)
			held.Amount--
			return held, ok
		},
		"another session": func(f seatmap.Fact) (seatmap.Fact, bool) {
			created, ok := f.(seatmap.OrderWasCreated)
			created.Session[0]++
			return created, ok
		},
		"another ticket": func(f seatmap.Fact) (seatmap.Fact, bool) {
			completed, ok := f.(seatmap.OrderWasCompleted)
			if ok {
				completed.Tickets[0][0]++
			}
			return completed, ok
		},
		"expired, not cancelled": func(f seatmap.Fact) (seatmap.Fact, bool) {
			cancelled, ok := f.(seatmap.OrderWasCancelled)
			return seatmap.OrderHasExpired(cancelled), ok
		},
		"another reason": func(f seatmap.Fact) (seatmap.Fact, bool) {
			refused, ok := f.(seatmap.CaptureWasRefused)
			refused.Code += "!"
			return refused, ok
		},
		"another attempt": func(f seatmap.Fact) (seatmap.Fact, bool) {
			started, ok := f.(seatmap.AuthorizeStarted)
			started.Attempt++
			return started, ok
		},
		"an order of nobody's": func(f seatmap.Fact) (seatmap.Fact, bool) {
			voided, ok := f.(seatmap.AuthorizationWasVoided)
			voided.Order[0]++
			return voided, ok
		},
		"another price": func(f seatmap.Fact) (seatmap.Fact, bool) {
			created, ok := f.(seatmap.EventCreated)
			created.Settings.Prices = []int64{price + 1}
			return created, ok
		},
	}
	entries := query[[]byte](t, database, `select facts from journal where event_id = 'E1' order by seq`)
	for name, change := range change {
		t.Run(name, func(t *testing.T) {
			for n, entry := range entries {
				facts, err := seatmap.DecodeEntry(entry)
				must(t, err)
				for i := range facts {
					changed, ok := change(facts[i])
					if !ok {
						continue
					}
					facts[i] = changed
					const store = `update journal set facts = $2 where event_id = 'E1' and seq = $1`
					execute(t, database, store, n+1, seatmap.AppendEntry(nil, facts))
					if o := tool(t, database, nil, "verify"); o.code != 1 || !strings.Contains(o.problems, "1 of 1 events differ") {
						t.Errorf("verify exits with %d:\n%s%s", o.code, o.output, o.problems)
					}
					execute(t, database, store, n+1, entry)
					return
				}
			}
			t.Fatal("there is no such fact")
		})
	}
	verify(t, database)
}

// oneOfEach makes an event with an order that is bought, one that is cancelled, one whose capture fails, and one whose
// payment is declined before it takes other seats; each buyer may buy once, and the second leaves.
func (s *server) oneOfEach(event string) error {
	if err := s.organise("POST", "", newEvent(event, hall(2, 10), map[string]any{"maxOrdersPerSession": 1})).is(201); err != nil {
		return err
	}
	for _, c := range []struct {
		token, verb string
		status      int
	}{{"tok_visa", "finalize", 200}, {"tok_visa", "cancel", 200}, {"tok_capture_declined", "finalize", 402}} {
		b, o, err := s.authorized(event, best(2), c.token)
		if err != nil {
			return err
		}
		if err := b.call(o.OrderID, c.verb, rand.Text(), "").is(c.status); err != nil {
			return err
		}
		if c.verb == "cancel" {
			if err := b.leave().is(204); err != nil {
				return err
			}
		}
	}
	b, id, err := s.newOrder(event)
	if err != nil {
		return err
	}
	return errors.Join(
		b.call(id, "confirm", rand.Text(), pay(best(2), "tok_declined")).is(402),
		b.call(id, "reserve", rand.Text(), `{`+best(3)+`}`).is(200),
		b.call(id, "cancel", rand.Text(), "").is(200),
	)
}

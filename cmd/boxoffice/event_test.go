package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// hall is a seating plan of so many rows of so many seats in one section, in one category: seats R1-1, R1-2, …
func hall(rows, seats int) string {
	var b strings.Builder
	b.WriteString(`{"name":"Hall","categories":[{"name":"K","color":"#fff"}],"size":{"width":9000,"height":9000},` +
		`"zones":[{"name":"Z","position":{"x":0,"y":0},"rows":[`)
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"row_number":"%d","position":{"x":0,"y":%d},"seats":[`, r+1, 30*r)
		for n := range seats {
			if n > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"seat_guid":"%s","seat_number":"%d","position":{"x":%d,"y":0},"category":"K"}`, seatID(r+1, n+1), n+1, 25*n)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}]}`)
	return b.String()
}

func seatID(row, number int) string { return fmt.Sprintf("R%d-%d", row, number) }

// price of a seat of a hall.
const price = 1500

// newEvent is the body that creates an event; settings win over what stands here. Without them it has no waiting room.
func newEvent(id, plan string, settings map[string]any) string {
	body := map[string]any{
		"eventId": id, "name": "Concert " + id, "venue": "Hall", "startsAt": "2030-01-01T20:00:00Z", "currency": "EUR",
		"prices": map[string]int{"K": price}, "seatingPlan": json.RawMessage(plan), "waitingRoom": map[string]any{"enabled": false},
	}
	maps.Copy(body, settings)
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// create an event with a hall.
func (s *server) create(id, plan string, settings map[string]any) {
	s.t.Helper()
	must(s.t, s.organise("POST", "", newEvent(id, plan, settings)).is(201))
}

// query reads rows of one column set into T.
func query[T any](t testing.TB, database, sql string, args ...any) []T {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, database)
	must(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, args...)
	must(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	must(t, err)
	return all
}

// execute changes what is stored, behind the server's back.
func execute(t testing.TB, database, sql string, args ...any) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, database)
	must(t, err)
	defer conn.Close(ctx)
	tag, err := conn.Exec(ctx, sql, args...)
	must(t, err)
	if tag.RowsAffected() == 0 {
		t.Fatalf("%s: changes no row", sql)
	}
}

// ledger counts the provider's operations of an event, as "capture" or "authorize declined".
func ledger(t testing.TB, database, event string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, kind := range query[string](t, database,
		`select kind || case when declined <> '' then ' declined' else '' end from mock_payment where event_id = $1`, event) {
		counts[kind]++
	}
	return counts
}

// wantLedger fails the test where the provider has done anything else.
func wantLedger(t testing.TB, database, event string, want map[string]int) {
	t.Helper()
	if got := ledger(t, database, event); !maps.Equal(got, want) {
		t.Errorf("event %s: the provider's ledger has %v, want %v", event, got, want)
	}
}

// untilLedger waits for it.
func untilLedger(t testing.TB, database, event string, want map[string]int) {
	t.Helper()
	until(t, patience, func() error {
		if got := ledger(t, database, event); !maps.Equal(got, want) {
			return fmt.Errorf("event %s: the provider's ledger has %v, want %v", event, got, want)
		}
		return nil
	})
}

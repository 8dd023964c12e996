package main_test

import (
	"errors"
	"testing"
	"time"

	"boxoffice/persistence/embedded/pgtest"
)

// Goal: the judge of who writes sees what it must see. Method: owners and journals that somebody has written by hand.
func TestOwnersAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before, after string
		looks, rows         bool // what is to be found
	}{
		{"nothing", "", "", false, false},
		{"claimed", "", `update event_owner set epoch = 8, node_id = 'n2'`, false, false},
		{"falls", "", `update event_owner set epoch = 6, node_id = 'n2'`, true, false},
		{"of two", "", `update event_owner set node_id = 'n2'`, true, false},
		{"ahead", "", `insert into journal select event_id, 3, 8, 1, '\x01', '' from event_owner`, true, false},
		{
			"behind", `insert into journal select event_id, 2, 5, 1, '\x01', '' from event_owner`,
			`insert into journal select event_id, 3, 4, 1, '\x01', '' from event_owner`, false, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			database := pgtest.New(t)
			execute(t, database, `
with e as (
    insert into event (event_id, name, venue, city, performers, starts_at, status, seats_total, currency, settings, search, plan, plan_hash)
    values ('E1', 'E', 'V', '', '{}', 1, 'ON_SALE', 1, 'EUR', '{}', '', '', decode(repeat('00', 32), 'hex')))
insert into journal values ('E1', 1, 0, 1, '\x01', '')`)
			execute(t, database, `insert into event_owner values ('E1', 7, 1, 'n1')`)
			if c.before != "" {
				execute(t, database, c.before)
			}
			o := watchOwners(t, database)
			o.looksAgain(t)
			if c.after != "" {
				execute(t, database, c.after)
			}
			o.looksAgain(t)
			looks, rows := o.found()
			if (len(looks) > 0) != c.looks || (len(rows) > 0) != c.rows {
				t.Errorf("found %v and %v", looks, rows)
			}
			if n, _ := o.claims(time.Now().Add(-patience), time.Now()); c.name == "claimed" && n != 1 {
				t.Errorf("%d claims", n)
			}
		})
	}
}

// looksAgain waits until it has looked from beginning to end.
func (o *owners) looksAgain(t *testing.T) {
	t.Helper()
	from := o.looks.Load()
	until(t, patience, func() error {
		if o.looks.Load() < from+2 {
			return errors.New("nobody looks who owns what")
		}
		return nil
	})
}

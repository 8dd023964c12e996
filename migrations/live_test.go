package migrations

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"boxoffice/persistence/embedded/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		return with(url, func(p *goose.Provider) error {
			_, err := p.UpTo(ctx, 5)
			return err
		})
	})
}

// Goal: events from before the search knew no accents, and before anything said how they sell, are found and show it.
// Method: a database of then, brought up to date.
func TestEventsOfBeforeAreShown(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.New(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range []string{
		`insert into event (event_id, name, venue, city, performers, starts_at, status, seats_total, currency, settings, search, plan, plan_hash)
		select e.id, e.name, 'Große Straße', 'Łódź', array['Sigur Rós', 'AC/DC 2026'], 1, 'ON_SALE', 3, 'EUR',
			'{"categories": [{"name": "a", "price": "4950"}, {"name": "b", "price": "900"}]}', to_tsvector('simple', 'old'), '', sha256('')
		from (values ('E1', 'Björk.Abend'), ('E2', 'BJÖRN')) e (id, name)`,
		`insert into event_owner (event_id, epoch, last_seq, node_id) select event_id, 1, 7, '' from event`,
		`insert into projection (event_id, projected_seq) select event_id, 7 from event`,
		`insert into seat (event_id, seat_index, seat_id, state, order_id)
		select e.event_id, s.n, s.n, case when e.event_id = 'E2' then 'S' else s.state end,
			case when s.state = 'H' or e.event_id = 'E2' then substr(sha256(''), 1, 16) end
		from event e, (values (0, 'A'), (1, 'H'), (2, 'A')) s (n, state)`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := Up(ctx, url); err != nil {
		t.Fatal(err)
	}
	for statement, want := range map[string]string{
		`select string_agg(word, ' ' order by word) from event_word`:                                                             "abend bjork bjorn grosse lodz ros sigur strasse",
		`select string_agg(event_id, ' ') from event where search @@ '(''bjork'':*) & (''stras'':*) & (''2026'')'`:               "E1",
		`select string_agg(format('%s %s %s', seats_available, seats_held, price_from), ', ' order by event_id) from projection`: "2 1 900, 0 0 0",
		`select word from event_word where 'bjrok' <% word or word_similarity('bjrok', word) > 0.3 limit 1`:                      "bjork",
	} {
		var got string
		if err := conn.QueryRow(ctx, statement).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v", statement, got, err)
		}
	}
}

package persistence

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// season fills the catalogue with so many events of names that are made of syllables: about 20,000 different words.
func season(t testing.TB, events int) *DB {
	t.Helper()
	db, url := open(t)
	syllables := strings.Fields("ba be bo da de do fa fi ka ke ki la le li lo ma me mi na ni ra re ri ro sa se ta te ti va vo")
	word := func(n int) string {
		var b strings.Builder
		for n += 1000; n > 0; n /= len(syllables) {
			b.WriteString(syllables[n%len(syllables)])
		}
		return b.String()
	}
	conn := outsider(t, url)
	e := journaltest.NewEvent("E", 1)
	create(t, db, "E", 1)
	var ids, names, venues, cities []string
	var vocabulary []string
	for i := range events {
		ids, names = append(ids, fmt.Sprint("E", i)), append(names, word(i*7919%19997)+" "+word(i%4001)+" konzert")
		venues, cities = append(venues, "Halle "+word(i%300*31)), append(cities, word(i%60*97))
		vocabulary = append(vocabulary, words(names[i], venues[i], cities[i])...)
	}
	c, err := eventColumnsOf(e.Event)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, conn, `
insert into event (event_id, name, venue, city, performers, starts_at, status, seats_total, currency, settings, search, plan, plan_hash)
select n.id, n.name, n.venue, n.city, '{}', 1800000000000 + 3600000 * (n.i / 3), case when n.i % 50 = 0 then 'PAUSED' else 'ON_SALE' end, 1, 'EUR',
    $5, to_tsvector('simple', n.name || ' ' || n.venue || ' ' || n.city), p.plan, p.plan_hash
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality as n (id, name, venue, city, i)
cross join (select plan, plan_hash from event where event_id = 'E') p`, ids, names, venues, cities, c.settings)
	execute(t, conn, `insert into projection (event_id, projected_seq) select unnest($1::text[]), 1`, ids)
	execute(t, conn, addWordsStatement, vocabulary)
	execute(t, conn, `vacuum analyze`)
	return db
}

var searches = []struct {
	name  string
	query messages.EventQuery
}{
	{"All", messages.EventQuery{}},
	{"From", messages.EventQuery{From: 1_810_000_000_000}},
	{"FewPaused", messages.EventQuery{Status: messages.EventStatus_EVENT_STATUS_PAUSED}},
	{"NoneCancelled", messages.EventQuery{Status: messages.EventStatus_EVENT_STATUS_CANCELLED}},
	{"WordOfAll", messages.EventQuery{Text: "konzert"}},
	{"WordOfFew", messages.EventQuery{Text: "baboba"}},
	{"LetterOfMany", messages.EventQuery{Text: "b"}},
	{"TwoWords", messages.EventQuery{Text: "konzert lobe"}},
	{"Typo", messages.EventQuery{Text: "konzrt"}},
	{"TwoTypos", messages.EventQuery{Text: "konzrt halel"}},
	{"EightTypos", messages.EventQuery{Text: "konzrt halel bobade konzret babobs dedoba fafiki mamino"}},
	{"SameLetter", messages.EventQuery{Text: strings.Repeat("b ", 100)}},
	{"AllLetters", messages.EventQuery{Text: "b a o k l e f m n i r s t v d 1 2 3 4 5 6 7 8 9 0 c g h j p q u w x y z"}},
	{"Nonsense", messages.EventQuery{Text: "qwertzuiop"}},
}

// What a page of 20 costs among 20,000 events.
func BenchmarkEvents(b *testing.B) {
	db := season(b, 20_000)
	for _, s := range searches {
		b.Run(s.name, func(b *testing.B) {
			s.query.Limit = 20
			for b.Loop() {
				if _, _, err := db.Catalogue().Events(b.Context(), s.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Goal: no page reads all events, nor all words. Method: Postgres says by which index it goes.
func TestEventsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	db := season(t, 20_000)
	none := []any{21, "", int64(0), int64(0), (*int64)(nil), ""}
	for _, c := range []struct {
		statement string
		args      []any
		indexes   string
	}{
		{eventsStatement, none, "event_by_start projection_pkey"},
		{eventsStatement, []any{21, "CANCELLED", int64(0), int64(0), (*int64)(nil), ""}, "event_by_status projection_pkey"},
		{searchStatement, append(slices.Clone(none), "('baboba':*)", ""), "event_by_search event_pkey projection_pkey"},
		{searchStatement, append(slices.Clone(none), "('konzert':*)", "('konzrt':*)"), "event_by_search event_by_start event_pkey projection_pkey"},
		{typoStatement, []any{[]string{"konzrt", "halel"}, typoCandidatesMax}, "event_word_by_similarity"},
	} {
		rows, err := db.queries.Query(t.Context(), "explain (costs off) "+c.statement, append([]any{pgx.QueryExecModeExec}, c.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		if err != nil || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%v %s", err, plan)
		}
		for index := range strings.FieldsSeq(c.indexes) {
			if !strings.Contains(plan, index) {
				t.Errorf("%s is not used:\n%s", index, plan)
			}
		}
	}
}

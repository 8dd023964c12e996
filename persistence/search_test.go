package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"boxoffice/messages"
	"boxoffice/persistence/journaltest"
)

// Goal: who searches finds, however he spells; nobody is told of what he did not mean; nothing that can be typed fails.
// Method: events of every kind of name, on Postgres.

// programme is what is played, by event: name, venue, city.
var programme = map[string][3]string{
	"arzte":     {"Die Ärzte – Herbst des Lebens", "Messehalle", "Erfurt"},
	"bjork":     {"Björk: Cornucopia", "Olympiahalle", "München"},
	"beethoven": {"Ludwig van Beethoven, 9. Sinfonie", "Gewandhaus", "Leipzig"},
	"coldplay":  {"Coldplay", "Olympiastadion", "Berlin"},
	"frankfurt": {"Opernball 2026", "Alte Oper", "Frankfurt"},
	"strasse":   {"Straßenfest", "Große Straße", "Gießen"},
	"sigur":     {"Sigur Rós", "Harpa", "Reykjavík"},
	"borge":     {"Bjørn Børge & Łukasz Żal", "Ćwiklice", "Łódź"},
	"zemfira":   {"Земфира", "Лужники", "Москва"},
	"tokyo":     {"東京ドーム公演", "東京ドーム", "東京"},
	"umm":       {"أُمّ كُلْثُوم", "دار الأوبرا", "القاهرة"},
	"shalom":    {"שָׁלוֹם חָנוֹךְ", "היכל התרבות", "תל אביב"},
	"emoji":     {"🎸🔥", "👩‍👩‍👧 Rock 🤘", "Köln"},
	"rlo":       {"Taylor.\u202eSwift\u202c", "Wal\u00adtz\u200bzeit", "Bern"},
	"markup":    {"<script>alert('x')</script>", "Robert'); drop table event; --", "Ulm"},
	"nena":      {"Nena", "Nevada-Saal", "Hagen"},
}

func searchable(t testing.TB) *Catalogue {
	t.Helper()
	db, _ := open(t)
	for id, p := range programme {
		e := journaltest.NewEvent(id, 1)
		e.Event.Name, e.Event.Venue, e.Event.City = p[0], p[1], p[2]
		if err := db.Catalogue().CreateEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	return db.Catalogue()
}

func find(t testing.TB, c *Catalogue, text string) string {
	t.Helper()
	events, next, err := c.Events(t.Context(), messages.EventQuery{Text: text})
	if err != nil || next != "" {
		t.Errorf("%q: %v, next %q", text, err, next)
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.GetEventId())
	}
	return strings.Join(ids, " ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	c := searchable(t)
	for text, want := range map[string]string{
		// Accents and case.
		"cornucopia bjork": "bjork", "CORNUCOPIA BJÖRK": "bjork", "bjo\u0308rk corn": "bjork", "munchen": "bjork", "MÜNCHEN bj": "bjork", "arzte": "arzte",
		"sigur ros reykjavik": "sigur", "STRASSE": "strasse", "straße": "strasse", "strassenf": "strasse", "grosse": "strasse", "giessen": "strasse",
		"bjorn borge": "borge", "lodz lukasz zal": "borge", "łódź": "borge", "cwik": "borge", "ﬁ": "",
		// Beginnings, and words in any sequence and place.
		"sin beet": "beethoven", "9 sinfonie": "beethoven", "olympia": "bjork coldplay", "swift taylor": "rlo", "waltz": "rlo", "rock": "emoji",
		// Wrong, missing, additional and swapped letters.
		"beethofen": "beethoven", "bethoven": "beethoven", "beethooven": "beethoven", "beehtoven": "beethoven", "betoven": "",
		"beethofe": "beethoven", "beetofen": "beethoven", "bjorg": "bjork borge", "bjork": "bjork borge", "bjorn": "borge bjork", "bjrok": "bjork", "erfrut": "arzte", "coldpaly": "coldplay", "cold play": "",
		"colplay": "coldplay", "kolner": "", "lepzig gewandhaus": "beethoven", "lepzig gewandhuas": "beethoven", "mossehalle": "arzte",
		"olimpia": "bjork coldplay", "muenchen": "bjork", "muencen": "",
		// Not meant.
		"erfurt": "arzte", "frankfurt": "frankfurt", "berlin": "coldplay", "2025": "", "2026": "frankfurt", "nenu": "nena", "nen": "nena", "nan": "",
		"beethofen erfurt": "", "xyzxyz": "",
		// Other scripts.
		"земфира": "zemfira", "ЗЕМФИРА": "zemfira", "зем": "zemfira", "東京": "tokyo", "ドーム": "tokyo", "公演": "tokyo", "とうきょう": "",
		"أم كلثوم": "umm", "ام كلثوم": "umm", "كلث": "umm", "שלום": "shalom", "חנוך שלום": "shalom",
		// What is no word finds nothing, and beside a word nothing else.
		"🎸": "", "🎸 rock": "emoji", "👩‍👩‍👧": "", "'": "", ":*&|!": "", `\`: "", "nena:*": "nena", "!nena": "nena", "nena & !nena": "nena",
		"' or 1=1 --": "", "'); drop table event; --": "markup", "<script>": "markup", "alert": "markup", "%": "", "_": "", "n_na": "",
		"\u202etaylor": "rlo", "\ufeff": "", "\u0301": "", "\u0301nena": "nena", "ne\u0301na": "nena",
	} {
		if got := find(t, c, text); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}

// Nothing is too long or too strange: of the longest that the way in lets through, and more.
func TestSearchTakesAnything(t *testing.T) {
	t.Parallel()
	c := searchable(t)
	for _, text := range []string{
		strings.Repeat("a", 200), strings.Repeat("ä", 5000), strings.Repeat("a ", 100), strings.Repeat("ﷺ", 66), strings.Repeat("ß", 100),
		strings.Repeat("東", 700), strings.Repeat("beethofen ", 20), strings.Repeat("\u0300", 100), strings.Repeat("e\u0301", 90), "\xff\xfe", "a\xffb",
		strings.Repeat("(((", 60), "\u2028\u2029\u0085", "'':*'", `''\''`, "$1", "$$", "a\x00b", string([]rune{0x1F3F4, 0xE0067, 0xE007F, 0x10FFFF}),
	} {
		find(t, c, text)
	}
	for text, want := range map[string]string{
		strings.Repeat("beethofen ", 20):                                                       "beethoven", // one word
		"lodwig vun beethofen sinfonei gewandhuas":                                             "",          // vun is too short for a mistake
		"lodwig van beethofen sinfonei gewandhuas":                                             "beethoven",
		"lodwig beethofen sinfonei gewandhuas lepzig leipizg ludvig ludwg":                     "beethoven", // eight may be misspelled
		"lodwig beethofen sinfonei gewandhuas lepzig leipizg ludvig ludwg sinfnie":             "",
		"l lu lud ludw ludwi ludwig b be bee beet beeth beetho beethov beethove beethoven s":   "beethoven",
		"l lu lud ludw ludwi ludwig b be bee beet beeth beetho beethov beethove beethoven s x": "beethoven", // sixteen count
	} {
		if got := find(t, c, text); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	e := journaltest.NewEvent("long", 1)
	e.Event.Name, e.Event.Venue = strings.Repeat("x", 9000)+" "+strings.Repeat("語", 3000), strings.Repeat("🎸 y", 900)
	for i := range 500 {
		e.Event.Performers = append(e.Event.Performers, fmt.Sprint("Performer ", i))
	}
	if err := c.CreateEvent(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := find(t, c, strings.Repeat("x", 200)+" 語語 performer 499"); got != "long" {
		t.Errorf("found %q", got)
	}
}

// Goal: however many search, others still read. Method: as many pages are being looked up as may be.
func TestSearchLeavesConnections(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	create(t, db, "E1", 1)
	c := db.Catalogue()
	if n := cap(db.pages); n < 1 || n > int(db.queries.Config().MaxConns)/2 {
		t.Fatalf("%d pages at once", n)
	}
	for range cap(db.pages) {
		db.pages <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Events(ctx, messages.EventQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("one page more: %v", err)
	}
	if _, err := c.Event(t.Context(), "E1"); err != nil {
		t.Error(err)
	}
	<-db.pages
	find(t, c, "")
	find(t, c, "event")
}

// Goal: paging brings every event once and only once, whatever is asked for. Method: 250 events that start at the same
// time, or nearly, in pages of every odd length, beside what a naive filter says.
func TestPaging(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	ctx, c := t.Context(), db.Catalogue()
	statuses := []messages.EventStatus{
		messages.EventStatus_EVENT_STATUS_ON_SALE, messages.EventStatus_EVENT_STATUS_PAUSED, messages.EventStatus_EVENT_STATUS_CLOSED,
		messages.EventStatus_EVENT_STATUS_CANCELLED, messages.EventStatus_EVENT_STATUS_SCHEDULED,
	}
	names := []string{"Beethoven", "Beethofen", "Mozart", "Beethoven zwei"}
	var all []*messages.Event
	for i := range 250 {
		e := journaltest.NewEvent(fmt.Sprintf("E%d", i), 1)
		e.Event.StartsAt = 1_800_000_000_000 + int64(i%100/98)
		e.Event.Name = names[i%len(names)]
		e.Event.Status = statuses[i%len(statuses)]
		if e.Event.Status == messages.EventStatus_EVENT_STATUS_SCHEDULED {
			e.Event.OnSaleAt = 4_000_000_000_000
		}
		if err := c.CreateEvent(ctx, e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Event)
	}
	// The database's collation is C, and so is Go's.
	slices.SortFunc(all, func(a, b *messages.Event) int {
		return slices.CompareFunc([]string{fmt.Sprint(a.GetStartsAt()), a.GetEventId()}, []string{fmt.Sprint(b.GetStartsAt()), b.GetEventId()}, strings.Compare)
	})
	for _, text := range []string{"", "beethoven", "mozart", "beethofen"} {
		for _, status := range append(statuses, messages.EventStatus_EVENT_STATUS_UNSPECIFIED) {
			for _, from := range []int64{0, 1_800_000_000_001} {
				for _, to := range []int64{0, 1_800_000_000_001} {
					q := messages.EventQuery{Text: text, Status: status, From: from, To: to}
					var exact, similar []string
					for _, e := range all {
						name := strings.ToLower(e.GetName())
						switch {
						case status != 0 && e.GetStatus() != status, e.GetStartsAt() < from, to != 0 && e.GetStartsAt() >= to:
						case strings.HasPrefix(name, text):
							exact = append(exact, e.GetEventId())
						case text != "" && text[0] == name[0]:
							similar = append(similar, e.GetEventId())
						}
					}
					for _, q.Limit = range []int{7, 50, 100} {
						if got := pages(t, c, q); !slices.Equal(got, append(slices.Clone(exact), similar...)) {
							t.Fatalf("%+v: %d events %v, want %d and %d", q, len(got), got, len(exact), len(similar))
						}
					}
				}
			}
		}
	}
}

func pages(t testing.TB, c *Catalogue, q messages.EventQuery) (ids []string) {
	t.Helper()
	for {
		events, next, err := c.Events(t.Context(), q)
		if err != nil || len(events) > q.Limit || next != "" && len(events) < q.Limit {
			t.Fatalf("%+v: %d events, next %q, %v", q, len(events), next, err)
		}
		for _, e := range events {
			ids = append(ids, e.GetEventId())
		}
		if q.Cursor = next; next == "" {
			return ids
		}
	}
}

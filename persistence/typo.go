package persistence

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

const (
	// A word of fewer letters is too many others with one of them wrong.
	typoLettersMin = 4
	// In a word of so many letters two may be wrong, and what is wrong may be its beginning alone.
	typoTwoLettersMin, typoBeginningLettersMin = 8, 6
	// typoWordsMax bounds the words of a query that may be misspelled: the others must stand as they are.
	typoWordsMax = 8
	// typoCandidatesMax bounds the known words that are compared with one of the query, the most similar first.
	typoCandidatesMax = 100
	// typoMeantMax bounds what one word of the query may mean.
	typoMeantMax = 20
)

const (
	// A word with one wrong letter has about a third of its trigrams in common with what was meant, where it is short. What
	// is not meant is sorted out by distance. Only until the transaction's end.
	typoSimilarityStatement = `select set_config('pg_trgm.word_similarity_threshold', '0.3', true)`

	typoStatement = `
select q.n, c.word
from unnest($1::text[]) with ordinality as q (word, n)
cross join lateral (
    select v.word from event_word v
    where q.word <% v.word and not starts_with(v.word, q.word)
    order by word_similarity(q.word, v.word) desc, v.word
    limit $2) c
order by q.n`

	// Sorted, so that two who add the same words do not wait for each other.
	addWordsStatement = `
insert into event_word (word) select w from unnest($1::text[]) w order by w on conflict do nothing`
)

// meant brings, for each word, those of events that it may be a misspelling of, but no longer ones that it begins.
func (c *Catalogue) meant(ctx context.Context, words []string) ([][]string, error) {
	all := make([][]string, len(words))
	var asked []string
	var at []int
	for i, w := range words {
		if len(asked) < typoWordsMax && utf8.RuneCountInString(w) >= typoLettersMin && lettersOnly(w) {
			asked, at = append(asked, w), append(at, i)
		}
	}
	if len(asked) == 0 {
		return all, nil
	}
	b := new(pgx.Batch) // without begin and commit it is one transaction all the same, and one round trip
	b.Queue(typoSimilarityStatement)
	b.Queue(typoStatement, asked, typoCandidatesMax).Query(func(rows pgx.Rows) error {
		var n int
		var candidate string
		_, err := pgx.ForEachRow(rows, []any{&n, &candidate}, func() error {
			if i := at[n-1]; len(all[i]) < typoMeantMax && misspelled(words[i], candidate) {
				all[i] = append(all[i], candidate)
			}
			return nil
		})
		return err
	})
	if err := c.db.queries.SendBatch(ctx, b).Close(); err != nil {
		return nil, c.db.failed("look up misspelled words", err)
	}
	return all, nil
}

// misspelled says that word may stand for the known one: a letter wrong, missing, too many, or swapped with the next;
// two in a long one.
func misspelled(word, known string) bool {
	w := []rune(word)
	most := 1
	if len(w) >= typoTwoLettersMin {
		most = 2
	}
	return distance(w, []rune(known), len(w) >= typoBeginningLettersMin) <= most
}

// distance counts the edits that turn a into b, or into any beginning of b: optimal string alignment.
func distance(a, b []rune, beginning bool) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	if beginning {
		return slices.Min(row)
	}
	return row[len(b)]
}

// lettersOnly: one digit for another is another number, and no mistake.
func lettersOnly(word string) bool { return !strings.ContainsFunc(word, unicode.IsDigit) }

// vocabulary is those of the words that can be meant by a misspelled one.
func vocabulary(words []string) []string {
	known := make([]string, 0, len(words))
	for _, w := range words {
		if utf8.RuneCountInString(w) >= typoLettersMin-1 && lettersOnly(w) {
			known = append(known, w)
		}
	}
	slices.Sort(known)
	return slices.Compact(known)
}

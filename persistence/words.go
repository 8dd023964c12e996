package persistence

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// What is searched is compared as words in one form: without case, without accents, and ß as ss. Ours and not Postgres':
// its idea of a letter hangs on the database's locale.

// unaccented are letters that Unicode does not take for another with an accent, though who has a plain keyboard does.
var unaccented = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "ħ", "h", "ı", "i", "æ", "ae", "œ", "oe", "þ", "th", "ŧ", "t")

// wordBytesMax is how much of a word counts: what Postgres takes has a limit.
const wordBytesMax = 200

// queryWordsMax is how many different words of a query count: each is looked up by itself.
const queryWordsMax = 16

// queryWords are the different words of a query.
func queryWords(text string) []string {
	var all []string
	for _, w := range words(text) {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
		if len(all) == queryWordsMax {
			break
		}
	}
	return all
}

// words of texts, folded, in their sequence.
func words(texts ...string) []string {
	all := strings.FieldsFunc(fold(strings.Join(texts, " ")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	for i, w := range all {
		if len(w) > wordBytesMax {
			all[i] = strings.ToValidUTF8(w[:wordBytesMax], "")
		}
	}
	return all
}

func fold(s string) string {
	s = cases.Fold().String(norm.NFKD.String(s))
	s = strings.Map(func(r rune) rune {
		if accent(r) || unicode.Is(unicode.Cf, r) { // soft hyphens, and what says in which direction text runs
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return unaccented.Replace(norm.NFKC.String(s))
}

// accent is a mark without which a letter is still read: those of Latin, Greek, Cyrillic, Hebrew and Arabic. What Indian
// scripts write as marks are vowels, and か is not が.
func accent(r rune) bool {
	const voiced, semiVoiced = '\u3099', '\u309a'
	return unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Hebrew, unicode.Arabic) && r != voiced && r != semiVoiced
}

// lexemes are what an event is found by: its words, each once, and the ends of those in scripts that put no space
// between words, so that the beginning of any of them finds it.
func lexemes(words []string) []string {
	const endsMax = 64 // of one word
	all := slices.Clone(words)
	for _, w := range words {
		if !strings.ContainsFunc(w, unspaced) {
			continue
		}
		n := 0
		for i, r := range w {
			if i > 0 && !unicode.IsMark(r) {
				all = append(all, w[i:])
				n++
			}
			if n == endsMax {
				break
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

package seatingplan

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks JSON text that is known to be well-formed and notes faults by path. It never fails: what has the wrong
// type is a fault, is skipped, and reads as its zero value. Once there are enough faults it skips everything.
type reader struct {
	decoder *jsontext.Decoder
	faults  *faults
	at      []step
}

// step is one part of a path: a key, or an index where the key is empty.
type step struct {
	key   string
	index int
}

func newReader(input []byte, f *faults) *reader {
	// A *bytes.Buffer is read in place, without a copy. Keys that stand twice were refused before.
	return &reader{decoder: jsontext.NewDecoder(bytes.NewBuffer(input), jsontext.AllowDuplicateNames(true)), faults: f}
}

// path is where the reader stands, and key below it.
func (r *reader) path(keys ...string) string {
	var b strings.Builder
	write := func(s step) {
		switch {
		case s.key == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case b.Len() == 0:
			b.WriteString(s.key)
		default:
			b.WriteString("." + s.key)
		}
	}
	for _, s := range r.at {
		write(s)
	}
	for _, key := range keys {
		write(step{key: key})
	}
	if b.Len() == 0 {
		return wholePlan
	}
	return b.String()
}

func (r *reader) fault(message string, keys ...string) {
	if !r.faults.full() {
		r.faults.add(r.path(keys...), message)
	}
}

// token reads the next token of text that has been checked before.
func (r *reader) token() jsontext.Token {
	t, err := r.decoder.ReadToken()
	if err != nil {
		panic(fmt.Sprintf("seatingplan: well-formed JSON does not read: %v", err))
	}
	return t
}

func (r *reader) skip() {
	if err := r.decoder.SkipValue(); err != nil {
		panic(fmt.Sprintf("seatingplan: well-formed JSON does not skip: %v", err))
	}
}

// null skips a null, the way to leave out what may be left out.
func (r *reader) null() bool {
	if r.decoder.PeekKind() != jsontext.KindNull {
		return false
	}
	r.skip()
	return true
}

// expect notes and skips a value that is not of the kind.
func (r *reader) expect(kind jsontext.Kind, name string) bool {
	if r.decoder.PeekKind() == kind {
		return true
	}
	r.fault("must be " + name)
	r.skip()
	return false
}

// object calls each with every key; each reads the value and returns true, or leaves it to be skipped. The result is
// false where there is no object.
func (r *reader) object(each func(key string) (read bool)) bool {
	if !r.expect(jsontext.KindBeginObject, "an object") {
		return false
	}
	r.token()
	for r.decoder.PeekKind() != jsontext.KindEndObject {
		key := r.token().String()
		r.at = append(r.at, step{key: key})
		if r.faults.full() || !each(key) {
			r.skip()
		}
		r.at = r.at[:len(r.at)-1]
	}
	r.token()
	return true
}

// list calls each to read every element.
func (r *reader) list(each func(index int)) {
	if !r.expect(jsontext.KindBeginArray, "a list") {
		return
	}
	r.token()
	for i := 0; r.decoder.PeekKind() != jsontext.KindEndArray; i++ {
		if r.faults.full() {
			r.skip()
			continue
		}
		r.at = append(r.at, step{index: i})
		each(i)
		r.at = r.at[:len(r.at)-1]
	}
	r.token()
}

// text reads a string, or a number as it is written. ok is false where a fault was noted.
func (r *reader) text() (s string, ok bool) {
	if r.decoder.PeekKind() != jsontext.KindNumber && !r.expect(jsontext.KindString, "a text") {
		return "", false
	}
	s = r.token().String()
	switch {
	case len(s) > textBytesMax:
		r.fault(fmt.Sprintf("is %d bytes long, over %d", len(s), textBytesMax))
		return "", false
	case strings.ContainsFunc(s, unicode.IsControl):
		r.fault("has a control character")
		return "", false
	}
	return s, true
}

// optionalText is "" for null.
func (r *reader) optionalText() string {
	if r.null() {
		return ""
	}
	s, _ := r.text()
	return s
}

// coordinate reads a number.
func (r *reader) coordinate() float64 {
	if !r.expect(jsontext.KindNumber, "a number") {
		return 0
	}
	// The text is a number, so that the only error is one of range, and comes with an infinity.
	f, _ := strconv.ParseFloat(r.token().String(), 64)
	if f < -coordinateMax || f > coordinateMax {
		r.fault(fmt.Sprintf("is beyond %d", coordinateMax))
		return 0
	}
	return f
}

// pair reads an object of two numbers, both of which must be there.
func (r *reader) pair(first, second string) (a, b float64) {
	var hasFirst, hasSecond bool
	if !r.object(func(key string) bool {
		switch key {
		case first:
			a, hasFirst = r.coordinate(), true
		case second:
			b, hasSecond = r.coordinate(), true
		default:
			return false
		}
		return true
	}) {
		return 0, 0
	}
	if !hasFirst {
		r.fault("is missing", first)
	}
	if !hasSecond {
		r.fault("is missing", second)
	}
	return a, b
}

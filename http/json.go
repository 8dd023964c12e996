package http

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON is appended by hand: answers are rendered in the event actor's commit path, and the same values must always
// give the same bytes.

const timeLayout = "2006-01-02T15:04:05.000Z"

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD; what we store has been checked on its way in.
func appendString[S ~string | ~[]byte](b []byte, s S) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func appendStrings(b []byte, ss []string) []byte {
	b = append(b, '[')
	for i, s := range ss {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendTime appends milliseconds since the Unix epoch as RFC 3339 in UTC, null for 0.
func appendTime(b []byte, ms int64) []byte {
	if ms == 0 {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = time.UnixMilli(ms).UTC().AppendFormat(b, timeLayout)
	return append(b, '"')
}

func appendInt(b []byte, n int64) []byte   { return strconv.AppendInt(b, n, 10) }
func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// appendFloat appends the shortest decimal without an exponent that reads back as f, which is finite.
func appendFloat(b []byte, f float64) []byte { return strconv.AppendFloat(b, f, 'f', -1, 64) }

// appendMoney appends an amount in minor units with its currency.
func appendMoney(b []byte, currency string, amount int64) []byte {
	b = append(b, `{"currency":`...)
	b = appendString(b, currency)
	b = append(b, `,"amount":`...)
	b = appendInt(b, amount)
	return append(b, '}')
}

package seatmap

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Goal: what is written to the journal is what is read from it; each kind of fact has its own tag.
func TestEntryRoundTrip(t *testing.T) {
	facts := someFacts()
	entry := AppendEntry(nil, facts)
	got, err := DecodeEntry(entry)
	if err != nil || !reflect.DeepEqual(got, facts) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, facts)
	}
	kinds := map[reflect.Type]byte{}
	for _, f := range facts {
		tag := AppendEntry(nil, []Fact{f})[1]
		for kind, other := range kinds {
			if other == tag {
				t.Errorf("%T and %v have tag %d", f, kind, tag)
			}
		}
		kinds[reflect.TypeOf(f)] = tag
	}
	if len(kinds) != tagForgotten {
		t.Errorf("%d kinds of facts tried, %d tags", len(kinds), tagForgotten)
	}
}

// Goal: a cut or lengthened entry, a longer form of a number, an unknown tag or version is refused.
func TestEntryRefusals(t *testing.T) {
	entry := AppendEntry(nil, []Fact{SeatsWereHeld{Order: theOrder, Seats: []int32{1, 2}, Deadline: t0, Amount: 10}})
	facts := entry[:len(entry)-4]
	for n := 2; n < len(facts); n++ {
		if _, err := DecodeEntry(seal(slices.Clone(facts[:n]), 0)); err == nil {
			t.Errorf("cut to %d bytes of %d: no error", n, len(facts))
		}
	}
	for i := range len(entry) * 8 {
		bent := slices.Clone(entry)
		bent[i/8] ^= 1 << (i % 8)
		if _, err := DecodeEntry(bent); err == nil {
			t.Errorf("bit %d turned: no error", i)
		}
	}
	for what, b := range map[string][]byte{
		"nothing":         {},
		"other version":   {2, tagForgotten, 0},
		"unknown tag":     {1, 99},
		"tag 0":           {1, 0},
		"a long form":     {1, tagForgotten, 0x80, 0},
		"a number of 65b": {1, tagForgotten, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2},
		"a huge list":     {1, tagSeatsWereBlocked, 255, 255, 255, 255, 15},
		"a seat of 33b":   {1, tagSeatsWereBlocked, 1, 255, 255, 255, 255, 31},
	} {
		if facts, err := DecodeEntry(seal(b, 0)); err == nil {
			t.Errorf("%s: taken for %+v", what, facts)
		}
	}
}

// Goal: a snapshot is refused wherever it is cut, and for another hall.
func TestSnapshotRefusals(t *testing.T) {
	plan := hall(t, fuzzHall)
	for _, m := range fuzzMaps(t, plan) {
		b := m.AppendSnapshot(nil)
		if _, err := DecodeSnapshot(plan, b); err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if _, err := DecodeSnapshot(plan, b[:n]); err == nil {
				t.Errorf("cut to %d bytes of %d: no error", n, len(b))
			}
		}
		if _, err := DecodeSnapshot(plan, append(b, 0)); err == nil {
			t.Error("a byte too many: no error")
		}
		unsealed := b[:len(b)-4]
		for what, at := range map[string]int{"plan": 1, "version": 0} {
			other := bytes.Clone(unsealed)
			other[at] ^= 1
			if _, err := DecodeSnapshot(plan, seal(other, 0)); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("of another %s: %v", what, err)
			}
		}
	}
}

// Goal: no bit of a snapshot turns without a word, not even in an id or a key, which no other rule looks at.
func TestSnapshotOfTurnedBits(t *testing.T) {
	plan := hall(t, fuzzHall)
	b := fuzzMaps(t, plan)[2].AppendSnapshot(nil)
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := DecodeSnapshot(plan, b); err == nil {
			t.Errorf("bit %d of byte %d: no error", bit%8, bit/8)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// Goal: a Map keeps nothing of the bytes it was decoded from.
func TestSnapshotIsCopied(t *testing.T) {
	plan := hall(t, fuzzHall)
	b := fuzzMaps(t, plan)[2].AppendSnapshot(nil)
	m, err := DecodeSnapshot(plan, b)
	if err != nil {
		t.Fatal(err)
	}
	want := string(b)
	clear(b)
	if got := string(m.AppendSnapshot(nil)); got != want {
		t.Error("clearing the bytes has changed the Map")
	}
}

package seatmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The encoding of journal entries and snapshots. It is canonical: one value has one encoding, and a decoder refuses
// every other. Whole numbers are LEB128 varints of the fewest bytes (signed ones zigzag), texts and lists begin with
// their length, ids are raw.

var (
	errShort    = errors.New("seatmap: encoding ends too soon")
	errLong     = errors.New("seatmap: bytes after the end of the encoding")
	errMinimal  = errors.New("seatmap: number not in its shortest form")
	errRange    = errors.New("seatmap: number out of range")
	errChecksum = errors.New("seatmap: wrong checksum")
	errNotABool = errors.New("seatmap: neither 0 nor 1")
)

// writer appends to buf. Its methods give it back, so that fields stand in a line.
type writer struct{ buf []byte }

func (w *writer) byte(b byte) *writer {
	w.buf = append(w.buf, b)
	return w
}

func (w *writer) uint(n uint64) *writer {
	w.buf = binary.AppendUvarint(w.buf, n)
	return w
}

func (w *writer) int(n int64) *writer {
	w.buf = binary.AppendVarint(w.buf, n)
	return w
}

func (w *writer) bool(b bool) *writer {
	if b {
		return w.byte(1)
	}
	return w.byte(0)
}

func (w *writer) time(t Time) *writer { return w.int(int64(t)) }

func (w *writer) id(id [16]byte) *writer {
	w.buf = append(w.buf, id[:]...)
	return w
}

func (w *writer) hash(h [32]byte) *writer {
	w.buf = append(w.buf, h[:]...)
	return w
}

func (w *writer) key(k Key) *writer { return w.id(k.Scope).id(k.Body) }

func (w *writer) text(s string) *writer {
	w.uint(uint64(len(s)))
	w.buf = append(w.buf, s...)
	return w
}

func (w *writer) seats(list []int32) *writer {
	w.uint(uint64(len(list)))
	for _, i := range list {
		w.int(int64(i))
	}
	return w
}

func (w *writer) tickets(list []TicketID) *writer {
	w.uint(uint64(len(list)))
	for _, ticket := range list {
		w.id(ticket)
	}
	return w
}

// reader takes from buf. After the first fault it gives zeros, and err tells the fault.
type reader struct {
	buf []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.buf = nil
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.buf)) {
		r.fail(errShort)
		return nil
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.buf)
	switch {
	case size == 0:
		r.fail(errShort)
		return 0
	case size < 0:
		r.fail(errRange)
		return 0
	case size != max(1, (bits.Len64(n)+6)/7):
		r.fail(errMinimal)
		return 0
	}
	r.buf = r.buf[size:]
	return n
}

func (r *reader) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) time() Time { return Time(r.int()) }

func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail(errNotABool)
	}
	return b == 1
}

// uint32 and int32 refuse numbers that do not fit.
func (r *reader) uint32() uint32 {
	n := r.uint()
	if n != uint64(uint32(n)) {
		r.fail(errRange)
		return 0
	}
	return uint32(n)
}

func (r *reader) int32() int32 {
	n := r.int()
	if n != int64(int32(n)) {
		r.fail(errRange)
		return 0
	}
	return int32(n)
}

func (r *reader) id() (id [16]byte) {
	copy(id[:], r.take(16))
	return id
}

func (r *reader) hash() (h [32]byte) {
	copy(h[:], r.take(32))
	return h
}

func (r *reader) key() Key { return Key{Scope: r.id(), Body: r.id()} }

// text copies, so that what is decoded does not keep the whole buffer in memory.
func (r *reader) text() string { return string(r.take(r.uint())) }

// count reads a list's length; itemMin is the fewest bytes an item takes, so that no length asks for more memory than
// there are bytes.
func (r *reader) count(itemMin int) int {
	n := r.uint()
	if n > uint64(len(r.buf)/itemMin) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

func (r *reader) seats() []int32 {
	n := r.count(1)
	if n == 0 {
		return nil
	}
	list := make([]int32, n)
	for i := range list {
		list[i] = r.int32()
	}
	return list
}

func (r *reader) tickets() []TicketID {
	n := r.count(len(TicketID{}))
	if n == 0 {
		return nil
	}
	list := make([]TicketID, n)
	for i := range list {
		list[i] = r.id()
	}
	return list
}

func (r *reader) end() error {
	if r.err == nil && len(r.buf) > 0 {
		r.err = errLong
	}
	return r.err
}

func (r *reader) version(what string, want byte) {
	if v := r.byte(); r.err == nil && v != want {
		r.fail(fmt.Errorf("seatmap: %s of version %d, not %d", what, v, want))
	}
}

package seatmap

import (
	"encoding/binary"
	"math/bits"
)

// index finds slots by the hash of what stands in them: open addressing, linear probing, four bytes a cell. Keys stay
// where they are, in the slots: a Go map would hold each of them a second time.
//
//  1. A cell is empty (0) or holds slot+1.
//  2. Between the cell that a slot's hash asks for and the one it stands in, no cell is empty.
//  3. At most 7 of 8 cells are taken, so that every search ends.
type index struct {
	cells []uint32
	used  int
}

const indexCellsMin = 16

// start is the first cell to look at for a hash.
func (x *index) start(hash uint64) uint32 {
	if len(x.cells) == 0 {
		return 0
	}
	return uint32(hash>>32) & uint32(len(x.cells)-1)
}

func (x *index) next(at uint32) uint32 { return (at + 1) & uint32(len(x.cells)-1) }

// get gives the slot in a cell; false ends the search.
func (x *index) get(at uint32) (slot uint32, ok bool) {
	if len(x.cells) == 0 || x.cells[at] == 0 {
		return 0, false
	}
	return x.cells[at] - 1, true
}

// add enters a slot that is not yet there. hashOf gives the hash of any slot entered before.
func (x *index) add(hash uint64, slot uint32, hashOf func(uint32) uint64) {
	if (x.used+1)*8 > len(x.cells)*7 {
		old := x.cells
		x.cells = make([]uint32, max(indexCellsMin, 2*len(old)))
		for _, cell := range old {
			if cell != 0 {
				x.place(hashOf(cell-1), cell)
			}
		}
	}
	x.place(hash, slot+1)
	x.used++
}

func (x *index) place(hash uint64, cell uint32) {
	at := x.start(hash)
	for x.cells[at] != 0 {
		at = x.next(at)
	}
	x.cells[at] = cell
}

// remove takes out the slot, which is there, and closes the gap it leaves.
func (x *index) remove(hash uint64, slot uint32, hashOf func(uint32) uint64) {
	gap := x.start(hash)
	for x.cells[gap] != slot+1 {
		if x.cells[gap] == 0 {
			panic("seatmap: index: removed a slot that is not in it")
		}
		gap = x.next(gap)
	}
	mask := uint32(len(x.cells) - 1)
	for at := x.next(gap); x.cells[at] != 0; at = x.next(at) {
		home := x.start(hashOf(x.cells[at] - 1))
		if (at-home)&mask >= (at-gap)&mask { // it may stand in the gap: that is not before its home
			x.cells[gap], gap = x.cells[at], at
		}
	}
	x.cells[gap] = 0
	x.used--
}

// hashID mixes an id's two halves; ids are random, but those of tests are not.
func hashID(id [16]byte) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(id[:8])^0x9e3779b97f4a7c15, binary.LittleEndian.Uint64(id[8:])^0xc2b2ae3d27d4eb4f)
	return (hi ^ lo) * 0x9fb21c651e98df25
}

// hashText is FNV-1a, with a last mixing of its bits.
func hashText(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return (h ^ h>>29) * 0x9fb21c651e98df25
}

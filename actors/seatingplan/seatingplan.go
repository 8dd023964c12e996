// Package seatingplan reads pretix's seating-plan JSON, the format that seats.pretix.eu exports, into
// messages.SeatingPlan.
//
// The format (pretix's src/pretix/static/seating/seating-plan.schema.json, the keys read here alone):
//
//	{name, size: {width, height}, categories: [{name, color}],
//	 zones: [{name, zone_id, position: {x, y},
//	          rows: [{row_number, position,
//	                  seats: [{seat_guid, seat_number, position, category}]}]}]}
//
// What Parse makes of it:
//
//   - A zone is a section, and both keep the file's sequence: seats are numbered 0… in it.
//   - A position is relative to the row's, and that to the zone's; a seat's x and y are the sum. A zone or row without a
//     position stands at 0, 0.
//   - Unknown keys are skipped at any depth (uuid, rotation, areas, row_number_position, whatever comes next). A key that
//     stands twice in one object is refused: readers disagree about which one counts.
//   - Texts may be given as numbers (row_number: 14), keys without a value may be null.
//   - Zones and rows without a seat are left out: a stage is often drawn as a zone of areas.
//   - Two zones may have the same name, and two rows of a zone too. They stay apart: a wish for "section" means any
//     section of that name, and seats of two sections or rows are never next to each other.
//   - Without a size the plan is as large as its largest x and y.
//
// Everything wrong with a plan is told at once, each fault with its path in the file (zones[2].rows[5].seats[3].seat_guid),
// up to faultsMax of them.
package seatingplan

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

const (
	// inputBytesMax is the body limit of the admin endpoint; a hall of 200,000 seats with all keys of pretix's takes 50.
	inputBytesMax = 64 << 20
	// faultsMax bounds the answer to a file that is wrong throughout.
	faultsMax = 20
	// categoriesMax is seatmap's.
	categoriesMax = 1_000
	// guidCharsMax bounds seat ids: they stand in addresses, tickets and every list of seats.
	guidCharsMax = 64
	// textBytesMax bounds all other texts, and seat ids of exotic characters: seatmap's limit.
	textBytesMax = 255
	// coordinateMax bounds every single x, y, width and height, in the plan's pixels; a stadium takes some 10,000.
	coordinateMax = 10_000_000
	// colorDefault is what a category without a color is drawn in.
	colorDefault = "#808080"
	// colorCharacters is all that a color may consist of: #1d3557, steelblue, rgb(29 53 87 / 50%).
	colorCharacters = "#(),.%/ -0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Encode gives the plan's stored form and its SHA-256, the name of this very plan in the event's journal. The bytes are
// protobuf's, which are the same for the same plan in one version of the program only: hash what is stored, do not
// encode anew to compare.
func Encode(plan *messages.SeatingPlan) (encoded []byte, hash [32]byte, err error) {
	encoded, err = proto.MarshalOptions{Deterministic: true}.Marshal(plan)
	if err != nil {
		return nil, hash, fmt.Errorf("encode seating plan: %w", err)
	}
	return encoded, sha256.Sum256(encoded), nil
}

// Spec is the plan as the seat map takes it. What Parse returned, seatmap.NewPlan accepts.
func Spec(plan *messages.SeatingPlan, hash [32]byte) seatmap.PlanSpec {
	spec := seatmap.PlanSpec{
		Hash:       hash,
		Categories: make([]seatmap.CategorySpec, len(plan.GetCategories())),
		Sections:   make([]seatmap.SectionSpec, len(plan.GetSections())),
	}
	for i, c := range plan.GetCategories() {
		spec.Categories[i] = seatmap.CategorySpec{Name: c.GetName(), Color: c.GetColor()}
	}
	for i, section := range plan.GetSections() {
		rows := make([]seatmap.RowSpec, len(section.GetRows()))
		for j, row := range section.GetRows() {
			seats := make([]seatmap.SeatSpec, len(row.GetSeats()))
			for k, s := range row.GetSeats() {
				seats[k] = seatmap.SeatSpec{
					ID: s.GetSeatId(), Number: s.GetNumber(), Category: int(s.GetCategory()), X: s.GetX(), Y: s.GetY(),
				}
			}
			rows[j] = seatmap.RowSpec{Name: row.GetName(), Seats: seats}
		}
		spec.Sections[i] = seatmap.SectionSpec{Name: section.GetName(), Rows: rows}
	}
	return spec
}

package seatingplan

import (
	"fmt"
	"unicode/utf8"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// place of a seat in the file.
type place struct{ zone, row, seat int32 }

func (p place) String() string {
	return fmt.Sprintf("zones[%d].rows[%d].seats[%d]", p.zone, p.row, p.seat)
}

// readZones reads the seats.
func (p *parser) readZones() {
	p.object(func(key string) bool {
		if key != "zones" {
			return false
		}
		p.list(p.readZone)
		if p.seats == 0 && len(p.faults.list) == 0 {
			p.fault("have no seat")
		}
		return true
	})
	if !p.hasSize {
		p.plan.Width, p.plan.Height = extent(p.plan)
	}
}

// readZone appends a section unless it has no seat: what is left out must not cost memory either.
func (p *parser) readZone(zone int) {
	section := &messages.SeatingPlan_Section{}
	var id string
	var x, y float64
	hasRows := false
	if !p.object(func(key string) bool {
		switch key {
		case "name":
			section.Name = p.optionalText()
		case "zone_id":
			id = p.optionalText()
		case "position":
			x, y = p.optionalPosition()
		case "rows":
			hasRows = true
			p.list(func(row int) { p.readRow(section, place{zone: int32(zone), row: int32(row)}) })
		default:
			return false
		}
		return true
	}) {
		return
	}
	if !hasRows {
		p.fault("is missing", "rows")
	}
	if len(section.GetRows()) == 0 {
		return
	}
	if section.GetName() == "" {
		section.Name = id // what the ticket says must not be empty if it can be helped
	}
	for _, row := range section.GetRows() {
		move(row, x, y)
	}
	p.plan.Sections = append(p.plan.Sections, section)
}

func (p *parser) readRow(section *messages.SeatingPlan_Section, at place) {
	row := &messages.SeatingPlan_Row{}
	var x, y float64
	hasSeats := false
	if !p.object(func(key string) bool {
		switch key {
		case "row_number":
			row.Name = p.optionalText()
		case "position":
			x, y = p.optionalPosition()
		case "seats":
			hasSeats = true
			p.list(func(seat int) {
				at.seat = int32(seat)
				p.readSeat(row, at)
			})
		default:
			return false
		}
		return true
	}) {
		return
	}
	if !hasSeats {
		p.fault("is missing", "seats")
	}
	if len(row.GetSeats()) == 0 {
		return
	}
	move(row, x, y)
	section.Rows = append(section.Rows, row)
}

func (p *parser) readSeat(row *messages.SeatingPlan_Row, at place) {
	p.seats++
	if p.seats > seatmap.SeatsMax {
		p.faults.stop(p.path(), fmt.Sprintf("is one seat too many: over %d", seatmap.SeatsMax))
		p.skip()
		return
	}
	seat := &messages.SeatingPlan_Seat{}
	var hasGUID, hasPosition, hasCategory bool
	if !p.object(func(key string) bool {
		switch key {
		case "seat_guid":
			hasGUID = true
			seat.SeatId = p.readGUID(at)
		case "seat_number":
			seat.Number = p.optionalText()
		case "position":
			hasPosition = true
			seat.X, seat.Y = p.pair("x", "y")
		case "category":
			hasCategory = true
			seat.Category = p.readCategoryName()
		default:
			return false
		}
		return true
	}) {
		return
	}
	if !hasGUID {
		p.fault("is missing", "seat_guid")
	}
	if !hasPosition {
		p.fault("is missing", "position")
	}
	if !hasCategory {
		p.fault("is missing", "category")
	}
	row.Seats = append(row.Seats, seat)
}

func (p *parser) readGUID(at place) string {
	guid, ok := p.text()
	if !ok {
		return ""
	}
	first, again := p.guids[guid]
	switch n := utf8.RuneCountInString(guid); {
	case n == 0:
		p.fault("is empty")
	case n > guidCharsMax:
		p.fault(fmt.Sprintf("is %d characters long, over %d", n, guidCharsMax))
	case again:
		p.fault(fmt.Sprintf("is that of %v already", first))
	default:
		p.guids[guid] = at
	}
	return guid
}

func (p *parser) readCategoryName() uint32 {
	name, ok := p.text()
	if !ok {
		return 0
	}
	index, known := p.categories[name]
	if !known {
		p.fault(fmt.Sprintf("is %q, which is not one of the plan's categories", name))
	}
	return uint32(index)
}

func (p *parser) optionalPosition() (x, y float64) {
	if p.null() {
		return 0, 0
	}
	return p.pair("x", "y")
}

func move(row *messages.SeatingPlan_Row, x, y float64) {
	for _, seat := range row.GetSeats() {
		seat.X += x
		seat.Y += y
	}
}

// extent is the largest x and y of a seat, 0 where all are negative.
func extent(plan *messages.SeatingPlan) (width, height float64) {
	for _, section := range plan.GetSections() {
		for _, row := range section.GetRows() {
			for _, seat := range row.GetSeats() {
				width, height = max(width, seat.GetX()), max(height, seat.GetY())
			}
		}
	}
	return width, height
}

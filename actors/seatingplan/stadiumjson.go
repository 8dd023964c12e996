package seatingplan

import (
	"math"
	"strconv"
)

// json writes the plan. Names and colors are our own and need no quoting.
func (b *bowl) json() []byte {
	left, top, right, bottom := b.extent()
	left, top = left-stadiumMargin, top-stadiumMargin
	width, height := right+stadiumMargin-left, bottom+stadiumMargin-top
	out := append([]byte(nil), `{"name":"Stadium of `...)
	out = strconv.AppendInt(out, int64(b.seats()), 10)
	out = append(out, `","categories":[`...)
	for i, c := range stadiumCategories {
		out = separate(out, i)
		out = append(out, `{"name":"`+c.name+`","color":"`+c.color+`"}`...)
	}
	out = append(out, `],"size":{"width":`...)
	out = appendUnits(out, math.Ceil(width))
	out = append(out, `,"height":`...)
	out = appendUnits(out, math.Ceil(height))
	out = append(out, `},"zones":[`...)
	for i, s := range b.sections {
		out = separate(out, i)
		out = s.append(out, left, top)
	}
	out = b.appendField(append(out, ','), left, top)
	return append(out, "]}\n"...)
}

// append writes a zone, whose seats stand relative to its upper left corner.
func (s *stand) append(out []byte, left, top float64) []byte {
	x, y := math.Inf(1), math.Inf(1)
	for _, row := range s.rows {
		for _, seat := range row {
			x, y = min(x, seat.x-left), min(y, seat.y-top)
		}
	}
	x, y = math.Floor(x), math.Floor(y)
	number := s.name[len(s.name)-3:]
	out = append(out, `{"name":"`+s.name+`","position":`...)
	out = appendPosition(out, x, y)
	out = append(out, `,"rows":[`...)
	for r, row := range s.rows {
		out = separate(out, r)
		name := strconv.Itoa(r + 1)
		out = append(out, `{"row_number":"`+name+`","position":{"x":0,"y":0},"seats":[`...)
		for i, seat := range row {
			out = separate(out, i)
			n := strconv.Itoa(i + 1)
			out = append(out, `{"seat_guid":"`+number+"-"+name+"-"+n+`","seat_number":"`+n+`","position":`...)
			out = appendPosition(out, seat.x-left-x, seat.y-top-y)
			out = append(out, `,"category":"`+stadiumCategories[s.category].name+`"}`...)
		}
		out = append(out, "]}"...)
	}
	return append(out, `],"areas":[]}`...)
}

// appendField writes the field, a zone without a seat, for programs that draw it.
func (b *bowl) appendField(out []byte, left, top float64) []byte {
	width, height := fieldWidth*b.scale, fieldHeight*b.scale
	out = append(out, `{"name":"Field","position":`...)
	out = appendPosition(out, -width/2-left, -height/2-top)
	out = append(out, `,"rows":[],"areas":[{"shape":"rectangle","color":"#d5e8d4","border_color":"#82b366","position":{"x":0,"y":0},"rectangle":{"width":`...)
	out = appendUnits(out, width)
	out = append(out, `,"height":`...)
	out = appendUnits(out, height)
	return append(out, "}}]}"...)
}

func (b *bowl) extent() (left, top, right, bottom float64) {
	for _, s := range b.sections {
		for _, row := range s.rows {
			for _, seat := range row {
				left, right = min(left, seat.x), max(right, seat.x)
				top, bottom = min(top, seat.y), max(bottom, seat.y)
			}
		}
	}
	return left, top, right, bottom
}

func separate(out []byte, i int) []byte {
	if i > 0 {
		return append(out, ',')
	}
	return out
}

func appendPosition(out []byte, x, y float64) []byte {
	out = appendUnits(append(out, `{"x":`...), x)
	out = appendUnits(append(out, `,"y":`...), y)
	return append(out, '}')
}

// appendUnits to a tenth, 2 mm: a finer digit would show how a machine rounds its sines.
func appendUnits(out []byte, units float64) []byte {
	tenths := int64(math.Round(units * 10))
	out = strconv.AppendInt(out, tenths/10, 10)
	if tenths%10 != 0 {
		out = append(out, '.', byte('0'+tenths%10))
	}
	return out
}

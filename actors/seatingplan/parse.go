package seatingplan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"boxoffice/messages"
)

// Parse reads pretix's seating-plan JSON. Errors are *messages.InvalidInputError, with paths from the top of the plan.
func Parse(input []byte) (*messages.SeatingPlan, error) {
	var found faults
	if len(input) > inputBytesMax {
		found.add(wholePlan, fmt.Sprintf("is %d bytes long, over %d", len(input), inputBytesMax))
		return nil, found.err()
	}
	if err := wellFormed(input); err != nil {
		return nil, &messages.InvalidInputError{Faults: []*messages.Fault{malformed(input, err)}}
	}
	p := parser{plan: &messages.SeatingPlan{}, categories: map[string]int{}, guids: map[string]place{}}
	p.reader = newReader(input, &found)
	if !p.readHead() {
		return nil, found.err()
	}
	// The zones on a second way through, for the categories that they name may stand behind them.
	p.reader = newReader(input, &found)
	p.readZones()
	if err := found.err(); err != nil {
		return nil, err
	}
	return p.plan, nil
}

// wellFormed says whether the input is one JSON value with nothing behind it.
func wellFormed(input []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(input))
	if err := d.SkipValue(); err != nil {
		return err
	}
	end := d.InputOffset()
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return &jsontext.SyntacticError{ByteOffset: end, Err: errors.New("something follows the plan")}
	}
	return nil
}

// parser holds what is known of the plan so far.
type parser struct {
	*reader
	plan       *messages.SeatingPlan
	hasSize    bool
	seats      int
	categories map[string]int   // index in the file, which is the plan's where there is no fault
	guids      map[string]place // where each seat id stands first
}

// readHead reads all but the zones; false where there is no plan at all.
func (p *parser) readHead() bool {
	var hasCategories, hasZones bool
	if !p.object(func(key string) bool {
		switch key {
		case "name":
			p.plan.Name = p.optionalText()
		case "size":
			p.readSize()
		case "categories":
			hasCategories = true
			p.list(p.readCategory)
		case "zones":
			hasZones = true
			return false
		default:
			return false
		}
		return true
	}) {
		return false
	}
	if !hasCategories {
		p.fault("is missing", "categories")
	}
	if !hasZones {
		p.fault("is missing", "zones")
	}
	return hasZones
}

func (p *parser) readSize() {
	if p.null() {
		return
	}
	p.hasSize = true
	p.plan.Width, p.plan.Height = p.pair("width", "height")
	if p.plan.Width < 0 || p.plan.Height < 0 {
		p.fault("is negative")
	}
}

func (p *parser) readCategory(index int) {
	c := &messages.SeatingPlan_Category{Color: colorDefault}
	hasName, ok := false, true
	if !p.object(func(key string) bool {
		switch key {
		case "name":
			hasName = true
			c.Name, ok = p.text()
		case "color":
			c.Color = p.readColor()
		default:
			return false
		}
		return true
	}) {
		return
	}
	first, again := p.categories[c.GetName()]
	switch {
	case !ok:
		return
	case !hasName:
		p.fault("is missing", "name")
		return
	case c.GetName() == "":
		p.fault("is empty", "name")
		return
	case again:
		p.fault(fmt.Sprintf("is that of categories[%d] already", first), "name")
		return
	case index == categoriesMax:
		p.fault(fmt.Sprintf("is one too many: over %d", categoriesMax))
		return
	}
	p.categories[c.GetName()] = index
	p.plan.Categories = append(p.plan.Categories, c)
}

// readColor takes a CSS color, or what may be one. Pages put it into a style, so nothing else gets through.
func (p *parser) readColor() string {
	color := p.optionalText()
	if color == "" {
		return colorDefault
	}
	if strings.Trim(color, colorCharacters) != "" {
		p.fault("is not a color")
	}
	return color
}

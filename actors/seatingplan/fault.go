package seatingplan

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"boxoffice/messages"
)

// faults of an input, the first faultsMax of them.
type faults struct {
	list    []*messages.Fault
	stopped bool
}

func (f *faults) add(path, message string) {
	if !f.full() {
		f.list = append(f.list, &messages.Fault{Field: path, Message: message})
	}
}

// stop adds a last fault.
func (f *faults) stop(path, message string) {
	f.add(path, message)
	f.stopped = true
}

// full says that no more faults are wanted.
func (f *faults) full() bool { return f.stopped || len(f.list) >= faultsMax }

// err is nil without faults.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &messages.InvalidInputError{Faults: f.list}
}

// wholePlan is the path of a fault that has no place within the plan.
const wholePlan = "plan"

// malformed says where the JSON text breaks: the path as far as it goes, the line and the byte, both counted from 1.
func malformed(input []byte, err error) *messages.Fault {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		// The decoder reads from memory: what is not a fault of syntax is the end of the text.
		offset := int64(len(input))
		return &messages.Fault{Field: wholePlan, Message: fmt.Sprintf("malformed JSON: ends too early, at %s", where(input, offset))}
	}
	path := pathOf(syntax.JSONPointer)
	if errors.Is(syntax.Err, jsontext.ErrDuplicateName) {
		return &messages.Fault{Field: path, Message: "stands twice, again at " + where(input, syntax.ByteOffset)}
	}
	return &messages.Fault{Field: path, Message: fmt.Sprintf("malformed JSON: %v, at %s", syntax.Err, where(input, syntax.ByteOffset))}
}

func where(input []byte, offset int64) string {
	before := input[:min(offset, int64(len(input)))]
	return fmt.Sprintf("line %d, byte %d of the text", 1+bytes.Count(before, []byte("\n")), offset+1)
}

// pathOf writes a JSON pointer the way that the other faults are written: /zones/2/name as zones[2].name.
func pathOf(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
		if b.Len() > textBytesMax {
			return strings.ToValidUTF8(b.String()[:textBytesMax], "") + "…"
		}
	}
	if b.Len() == 0 {
		return wholePlan
	}
	return b.String()
}

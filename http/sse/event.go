package sse

import (
	"bytes"
	"strings"
)

// heartbeat is a comment: clients ignore it, what lies between sees that the connection lives.
var heartbeat = []byte(":\n\n")

// AppendEvent appends an event to b: the `event:` and `id:` lines, unless empty, then one `data:` line for each line of
// data, however those end. The client's data has its lines joined by \n. A name or id that has a line's end in it, or an
// id with a NUL, panics: both are ours.
func AppendEvent(b []byte, name, id string, data []byte) []byte {
	if strings.ContainsAny(name, "\r\n") || strings.ContainsAny(id, "\r\n\x00") {
		panic("sse: the name or id of an event has a line's end in it")
	}
	if name != "" {
		b = append(append(append(b, "event: "...), name...), '\n')
	}
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	for {
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			return append(append(append(b, "data: "...), data...), "\n\n"...)
		}
		b = append(append(append(b, "data: "...), data[:end]...), '\n')
		if bytes.HasPrefix(data[end:], []byte("\r\n")) {
			end++
		}
		data = data[end+1:]
	}
}

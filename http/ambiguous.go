package http

import "bytes"

// ambiguous is true of headers that a proxy before us may read otherwise than fasthttp does, so that the two would not
// agree where the request ends (RFC 9112, section 6.3): fasthttp takes the last of many lengths, and any coding for
// chunked. Folded lines and NULs are of the same kind. Whoever sends such a thing has nothing good in mind.
func ambiguous(raw []byte) bool {
	lengths, codings := 0, 0
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		if len(line) == 0 {
			continue
		}
		switch line[0] {
		case ' ', '\t', ':':
			return true
		case 'c', 'C':
			if _, ok := field(line, "content-length:"); ok {
				lengths++
			}
		case 't', 'T':
			if value, ok := field(line, "transfer-encoding:"); ok {
				if codings++; !bytes.EqualFold(value, []byte("chunked")) {
					return true
				}
			}
		}
		if bytes.IndexByte(line, 0) >= 0 {
			return true
		}
	}
	return lengths+codings > 1
}

// field is the value of a header's line, where it is this header's.
func field(line []byte, name string) (value []byte, ok bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

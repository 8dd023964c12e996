package sse

import "testing"

func TestAppendEvent(t *testing.T) {
	for _, c := range []struct{ name, id, data, want string }{
		{"", "", "", "data: \n\n"},
		{"line", "7", `{"a":1}`, "event: line\nid: 7\ndata: {\"a\":1}\n\n"},
		{"", "7", "a\nb\r\nc\rd", "id: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"x", "", "\n", "event: x\ndata: \ndata: \n\n"},
		{"", "", "a\r\n\r\n", "data: a\ndata: \ndata: \n\n"},
		{"", "", "\n\r", "data: \ndata: \ndata: \n\n"},
		{"", "", " a: b", "data:  a: b\n\n"},
	} {
		if got := string(AppendEvent([]byte("before"), c.name, c.id, []byte(c.data))); got != "before"+c.want {
			t.Errorf("AppendEvent(%q, %q, %q) = %q, want %q", c.name, c.id, c.data, got, c.want)
		}
	}
	for _, bad := range [][2]string{{"a\nb", ""}, {"a\r", ""}, {"", "\n"}, {"", "\r"}, {"", "\x00"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was taken", bad)
				}
			}()
			AppendEvent(nil, bad[0], bad[1], nil)
		}()
	}
}

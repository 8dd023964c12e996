package main

import (
	"fmt"
	"testing"
)

// Goal: what is not set is the default, 0 turns a limit off, proxies are networks. Method: a table.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string // empty: refused
	}{
		{nil, "joins 0 orders 0 sessions 0 streams 0 by address 0 conns 0 proxies []"},
		{map[string]string{
			"BOXOFFICE_JOINS_PER_MINUTE": "0", "BOXOFFICE_ORDERS_PER_MINUTE": "0", "BOXOFFICE_SESSIONS_PER_IP": "0", "BOXOFFICE_STREAMS_PER_IP": "0",
			"BOXOFFICE_CONNS_PER_IP": "0",
		}, "joins -1 orders -1 sessions -1 streams 0 by address -1 conns 0 proxies []"},
		{map[string]string{
			"BOXOFFICE_JOINS_PER_MINUTE": "7", "BOXOFFICE_ORDERS_PER_MINUTE": "8", "BOXOFFICE_SESSIONS_PER_IP": "5", "BOXOFFICE_STREAMS": "6", "BOXOFFICE_STREAMS_PER_IP": "4",
			"BOXOFFICE_CONNS_PER_IP": "9",
		}, "joins 7 orders 8 sessions 5 streams 6 by address 4 conns 9 proxies []"},
		{map[string]string{"BOXOFFICE_TRUSTED_PROXIES": "10.1.2.3/8, ::1,"}, "joins 0 orders 0 sessions 0 streams 0 by address 0 conns 0 proxies [10.0.0.0/8 ::1/128]"},
		{map[string]string{"BOXOFFICE_TRUSTED_PROXIES": "10.1.2.3/64"}, ""},
		{map[string]string{"BOXOFFICE_CONNS_PER_IP": "many"}, ""},
		{map[string]string{"BOXOFFICE_STREAMS": "-1"}, ""},
		{map[string]string{"BOXOFFICE_STREAMS": "0"}, ""},
	} {
		l, err := loadLimits(func(name string) string { return c.env[name] })
		got := fmt.Sprintf("joins %d orders %d sessions %d streams %d by address %d conns %d proxies %v", l.joins, l.orders, l.sessions, l.streams, l.streamsPerIP, l.conns, l.proxies)
		if (err != nil) != (c.want == "") || err == nil && got != c.want {
			t.Errorf("%v: %s, %v; want %q", c.env, got, err, c.want)
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// limits by client, as the environment says; http.Config tells what they count.
type limits struct {
	joins, orders int // a minute; 0: the default, negative: off
	sessions      int // an address may have of an event; 0: the default, negative: off
	streams       int // of all clients; 0: the default
	streamsPerIP  int // 0: the default, negative: off
	conns         int // 0: off
	proxies       []netip.Prefix
}

// loadLimits tells everything that is wrong at once.
func loadLimits(getenv func(string) string) (l limits, err error) {
	var faults []error
	note := func(n int, err error) int {
		faults = append(faults, err)
		return n
	}
	l.joins = note(limit(getenv, "BOXOFFICE_JOINS_PER_MINUTE"))
	l.orders = note(limit(getenv, "BOXOFFICE_ORDERS_PER_MINUTE"))
	l.sessions = note(limit(getenv, "BOXOFFICE_SESSIONS_PER_IP"))
	if l.streams = note(limit(getenv, "BOXOFFICE_STREAMS")); l.streams < 0 {
		faults = append(faults, errors.New("BOXOFFICE_STREAMS: 0 would let nobody hear that it is their turn; the least is 1"))
	}
	l.streamsPerIP = note(limit(getenv, "BOXOFFICE_STREAMS_PER_IP"))
	l.conns = note(number(getenv, "BOXOFFICE_CONNS_PER_IP"))
	for network := range strings.SplitSeq(getenv("BOXOFFICE_TRUSTED_PROXIES"), ",") {
		network = strings.TrimSpace(network)
		if network == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(network); err != nil {
				faults = append(faults, fmt.Errorf("BOXOFFICE_TRUSTED_PROXIES: %q is neither an address nor a network such as 10.0.0.0/8", network))
				continue
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		l.proxies = append(l.proxies, prefix.Masked())
	}
	return l, errors.Join(faults...)
}

// limit is a number whose default is not 0: negative where the environment turns it off.
func limit(getenv func(string) string, name string) (int, error) {
	n, err := number(getenv, name)
	if n == 0 && err == nil && getenv(name) != "" {
		n = -1
	}
	return n, err
}

// number is a whole number of the environment, 0 where it is not set.
func number(getenv func(string) string, name string) (int, error) {
	value := getenv(name)
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a whole number; 0 turns the limit off", name, value)
	}
	return int(n), nil
}

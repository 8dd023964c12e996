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
	conns         int // 0: off
	proxies       []netip.Prefix
}

// loadLimits tells everything that is wrong at once.
func loadLimits(getenv func(string) string) (l limits, err error) {
	var faults [4]error
	if l.joins, faults[0] = number(getenv, "BOXOFFICE_JOINS_PER_MINUTE"); l.joins == 0 && getenv("BOXOFFICE_JOINS_PER_MINUTE") != "" {
		l.joins = -1
	}
	if l.orders, faults[1] = number(getenv, "BOXOFFICE_ORDERS_PER_MINUTE"); l.orders == 0 && getenv("BOXOFFICE_ORDERS_PER_MINUTE") != "" {
		l.orders = -1
	}
	l.conns, faults[2] = number(getenv, "BOXOFFICE_CONNS_PER_IP")
	for network := range strings.SplitSeq(getenv("BOXOFFICE_TRUSTED_PROXIES"), ",") {
		network = strings.TrimSpace(network)
		if network == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(network); err != nil {
				faults[3] = fmt.Errorf("BOXOFFICE_TRUSTED_PROXIES: %q is neither an address nor a network such as 10.0.0.0/8", network)
				continue
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		l.proxies = append(l.proxies, prefix.Masked())
	}
	return l, errors.Join(faults[:]...)
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

package http

import (
	"crypto/hmac"
	"crypto/sha256"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

const headerForwardedFor = "X-Forwarded-For"

// addressOf is the IP address at a connection's other end, not valid where it has none.
func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return plainAddress(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// plainAddress has one form for each address.
func plainAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// addressKey takes the addresses of an IPv6 network of 64 bits, which one client has to itself, for one.
func addressKey(a netip.Addr) limitKey {
	if a.Is6() {
		network, _ := a.Prefix(64)
		a = network.Addr()
	}
	return a.As16()
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// client is whose joins are counted: the peer, and behind trusted proxies the last address in X-Forwarded-For that is
// not a trusted proxy's. What stands before that one anybody can have written. Where the header ends or has no address,
// it is the proxy next to it. Peers on loopback are exempt, but not whom they forward.
func (s *Server) client(ctx *fasthttp.RequestCtx) (client netip.Addr, exempt bool) {
	peer := addressOf(ctx.RemoteAddr())
	client = peer
	switch trusted := s.trusted(peer); {
	case !trusted && len(ctx.Request.Header.Peek(headerForwardedFor)) > 0:
		s.stranger.Do(func() {
			s.Logger.Warn("http: X-Forwarded-For is not believed, as who sends it is not among BOXOFFICE_TRUSTED_PROXIES: if that is your proxy, "+
				"all its clients count as one, or as none on loopback", slog.String("peer", peer.String()))
		})
	case trusted:
		for _, text := range forwardedFor(&ctx.Request.Header) {
			a, ok := parseAddress(text)
			if !ok {
				break
			}
			if client = a; !s.trusted(a) {
				break
			}
		}
	}
	return client, !client.IsValid() || client == peer && peer.IsLoopback()
}

// clientDigest stands for an address among those who join an event. Nobody who reads it can try all addresses for it.
func (s *Server) clientDigest(eventID string, address limitKey) (d [16]byte) {
	mac := hmac.New(sha256.New, s.clientSecret)
	mac.Write([]byte(eventID))
	mac.Write(address[:])
	copy(d[:], mac.Sum(nil))
	return d
}

// forwardedFor lists what proxies wrote, the last first. Some append to the header, some add another.
func forwardedFor(h *fasthttp.RequestHeader) (texts []string) {
	for _, line := range h.PeekAll(headerForwardedFor) {
		texts = append(texts, strings.Split(string(line), ",")...)
	}
	slices.Reverse(texts)
	return texts
}

// parseAddress reads an address with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	a, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		a = withPort.Addr()
	}
	return plainAddress(a), true
}

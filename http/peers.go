package http

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

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
	if s.trusted(peer) {
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

// connections bounds how many an address has open to a listener. fasthttp's own bound would put itself around our
// connections, answer in text, and not know IPv6.
type connections struct {
	max    int
	exempt func(netip.Addr) bool

	mu   sync.Mutex
	open map[limitKey]int
}

// enter counts a connection and brings what to call once at its end; not ok where it is one too many.
func (cs *connections) enter(from net.Addr) (leave func(), ok bool) {
	a := addressOf(from)
	if cs.max <= 0 || !a.IsValid() || cs.exempt(a) {
		return func() {}, true
	}
	key := addressKey(a)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open[key] >= cs.max {
		return nil, false
	}
	if cs.open == nil {
		cs.open = map[limitKey]int{}
	}
	cs.open[key]++
	return func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		if cs.open[key]--; cs.open[key] == 0 {
			delete(cs.open, key)
		}
	}, true
}

// crowded is sent on a connection too many before it is closed. It fits any new connection's buffer, so that nobody
// waits for it; a client that has sent its request by then may see the connection reset instead.
var crowded = func() []byte {
	body := newProblem(codeRateLimited, "Too many connections from this address.").append(nil, "/")
	return fmt.Appendf(nil, "HTTP/1.1 429 Too Many Requests\r\nContent-Type: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"+
		"Retry-After: %d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", typeProblem, retryAfterSeconds, len(body), body)
}()

func refuseCrowd(c net.Conn) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(crowded)
	_ = c.Close()
}

package http

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// connections bounds how many a listener has open, and how many of them an address has. fasthttp's own bounds would put
// themselves around our connections, answer in text, not know IPv6, and forget those that have become streams.
type connections struct {
	// max of all, perAddress of those that are not exempt; 0: no limit.
	max, perAddress int
	exempt          func(netip.Addr) bool

	mu   sync.Mutex
	open int
	from map[limitKey]int
}

// enter counts a connection and brings what to call once at its end, or what to answer where it is one too many.
func (cs *connections) enter(from net.Addr) (leave func(), refusal []byte) {
	a := addressOf(from)
	counted := cs.perAddress > 0 && a.IsValid() && !cs.exempt(a)
	key := addressKey(a)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.max > 0 && cs.open >= cs.max:
		return nil, full
	case counted && cs.from[key] >= cs.perAddress:
		return nil, crowded
	}
	cs.open++
	if counted {
		if cs.from == nil {
			cs.from = map[limitKey]int{}
		}
		cs.from[key]++
	}
	return func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.open--
		if !counted {
			return
		}
		if cs.from[key]--; cs.from[key] == 0 {
			delete(cs.from, key)
		}
	}, nil
}

// crowded and full are sent on a connection too many before it is closed. They fit any new connection's buffer, so that
// nobody waits for it; a client that has sent its request by then may see the connection reset instead.
var (
	crowded = farewell("429 Too Many Requests", newProblem(codeRateLimited, "Too many connections from this address."))
	full    = farewell("503 Service Unavailable", newProblem(codeOverloaded, "There are as many connections as we can bear."))
)

func farewell(status string, p *problem) []byte {
	body := p.append(nil, "/")
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"+
		"Retry-After: %d\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, typeProblem, retryAfterSeconds, len(body), body)
}

func refuse(c net.Conn, answer []byte) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(answer)
	_ = c.Close()
}
